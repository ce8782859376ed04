"""Read the texts of .spacy files."""

from collections.abc import Iterator
from pathlib import Path

from pyarrow.fs import LocalFileSystem
from spacy.vocab import Vocab

from ...data.read import read_docs
from ...util.errors import Place, UserError
from .files import InputFile
from .items import TEXT, Item, Words, to_json


def read_items(file: InputFile) -> Iterator[Item]:
    """Read the documents of a file: their tokens, not their annotation.

    RAISES (UserError): If it is damaged, or on another file system.
    """
    if not isinstance(file.filesystem, LocalFileSystem):
        what = "a .spacy file is read from a local file system only"
        raise UserError(f"{what}; copy it, or convert it to .jsonl", file.shown)
    for number, doc in enumerate(read_docs(Path(file.shown), Vocab()), start=1):
        place = Place(file.shown, number, "document")
        yield Item(place, Words.of(doc), to_json({TEXT: doc.text})[:-1])
