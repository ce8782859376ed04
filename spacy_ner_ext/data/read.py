"""Find and read .spacy files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, Example
from spacy.vocab import Vocab

from ..util.errors import UserError
from .text import check_input

SUFFIX = ".spacy"


def find_files(path: Path) -> list[Path]:
    """List the .spacy files of a folder by path, without hidden ones, as spaCy's Corpus
    reads them; any other path is the file itself."""
    if not path.is_dir():
        return [path]
    files = sorted(
        file
        for file in path.rglob(f"*{SUFFIX}")
        if not any(part.startswith(".") for part in file.relative_to(path).parts)
        and not file.is_dir()
    )
    if not files:
        raise UserError(f"no file in this folder ends in {SUFFIX}; check it", path)
    return files


def read_docs(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """Read the documents of a .spacy file, or of a folder of such files."""
    for file in find_files(path):
        stored = read_docbin(file)
        with explained(file):
            yield from stored.get_docs(vocab)


def read_docbin(path: Path) -> DocBin:
    """Read a .spacy file without creating its documents."""
    check_input(path)
    with explained(path):
        return DocBin().from_disk(path)


def read_examples(path: Path, nlp: Language) -> Iterator[Example]:
    """Read examples in the way of spaCy's Corpus, with errors that name the file."""
    for file in find_files(path):
        yield from Corpus(file).make_examples(nlp, read_docs(file, nlp.vocab))


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn any error about the content of a .spacy file into one that names it."""
    try:
        yield
    except OSError as err:
        raise UserError(f"cannot be read ({err.strerror})", path) from err
    # The errors of zlib and msgpack share no class.
    except Exception as err:
        what = f"is not a .spacy file or is damaged ({type(err).__name__})"
        raise UserError(f"{what}; write it again with 'convert'", path) from err
