"""Read .spacy files."""

from collections.abc import Iterator
from pathlib import Path

from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from .errors import DataError
from .text import check_input


def read_docs(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """Read the documents of a .spacy file.

    path (Path): The file.
    vocab (Vocab): The vocabulary of the documents.
    YIELDS (Doc): The documents, one by one.
    RAISES (DataError): If the file is missing or is no .spacy file.
    """
    check_input(path)
    try:
        yield from DocBin().from_disk(path).get_docs(vocab)
    except OSError as err:
        raise DataError(f"cannot be read ({err.strerror})", path) from err
    # What zlib and msgpack raise on foreign bytes has no common class of its own.
    except Exception as err:
        raise DataError(
            f"is not a .spacy file or is damaged ({type(err).__name__}); "
            "make it anew with 'convert'",
            path,
        ) from err
