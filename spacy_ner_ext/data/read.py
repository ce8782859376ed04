"""Read .spacy files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from ..util.errors import UserError
from .text import check_input


def read_docs(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """Read the documents of a .spacy file.

    vocab: The vocabulary of the documents.
    RAISES (UserError): If the file is missing or is no .spacy file.
    """
    stored = read_docbin(path)
    with explained(path):
        yield from stored.get_docs(vocab)


def read_docbin(path: Path) -> DocBin:
    """Read a .spacy file, without making documents of it.

    RETURNS: The documents as they are stored.
    RAISES (UserError): If the file is missing or is no .spacy file.
    """
    check_input(path)
    with explained(path):
        return DocBin().from_disk(path)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Name the file in errors about what it contains.

    RAISES (UserError): If the block raises an error.
    """
    try:
        yield
    except OSError as err:
        raise UserError(f"cannot be read ({err.strerror})", path) from err
    # What zlib and msgpack raise on foreign bytes has no common class of its own.
    except Exception as err:
        raise UserError(
            f"is not a .spacy file or is damaged ({type(err).__name__}); "
            "make it anew with 'convert'",
            path,
        ) from err
