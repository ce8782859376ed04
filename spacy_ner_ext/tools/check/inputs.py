"""The documents of a split, each with its place."""

from collections.abc import Iterator
from pathlib import Path

from spacy.tokens import Doc

from ...data.formats.docbin import find_files
from ...data.lang import BlankPipeline
from ...data.read import read_docs

# Where a document is, and the document.
Placed = tuple[str, Doc]


def read_split(path: Path, blank: BlankPipeline) -> Iterator[Placed]:
    """Read the documents of a split, file after file.

    path: A .spacy file, or a folder of such files.
    YIELDS: Where each document is, and the document.
    RAISES (UserError): If there is no such file, or one is no .spacy file.
    """
    for shard in find_files(path):
        file = "" if shard == path else f"{shard.relative_to(path)}, "
        for number, doc in enumerate(read_docs(shard, blank.vocab), start=1):
            yield f"{file}document {number}", doc
