"""Predict a batch of texts, in any process."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from spacy import util
from spacy.language import Language

from ...util.errors import UserError, one_line
from ..loading import import_functions, load_pipeline
from .inputs import Item
from .predict import predict, to_json

BLOCK = 2**20


@dataclass(frozen=True)
class PipelineSource:
    """A pipeline that any process can load.

    name: A folder, or the name of an installed package.
    overrides: Settings of its config by their full names, as JSON.
    code: A Python file with registered functions that it needs.
    """

    name: str
    overrides: str = "{}"
    code: Path | None = None

    @cache  # noqa: B019 - it lives as long as the process
    def load(self) -> Language:
        """Load the pipeline, once in a process."""
        import_functions(self.code)
        return load_pipeline(self.name, json.loads(self.overrides))

    def digest(self) -> str:
        """Compute a digest of all its files.

        RAISES (UserError): If there is no such folder or package.
        """
        digest = hashlib.sha256()
        folder = self._folder()
        for path in _files(folder):
            digest.update(f"{path.relative_to(folder)}\0".encode())
            _add(digest, path)
        if self.code is not None:
            _add(digest, self.code)
        return digest.hexdigest()

    def _folder(self) -> Path:
        if util.is_package(self.name):
            return util.get_package_path(self.name)
        if not Path(self.name).is_dir():
            raise UserError(
                f"{self.name} is not a pipeline: there is no such folder or package; "
                "give the folder that training wrote, such as training/model-best"
            )
        return Path(self.name)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _add(digest: "hashlib._Hash", path: Path) -> None:
    digest.update(f"{path.stat().st_size}\0".encode())
    with path.open("rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)


class Lines(NamedTuple):
    """The results of a batch as lines of JSON in UTF-8, and counts.

    words: Words of the texts, separated by white space.
    replaced: Fields of the input that a prediction of the same name replaced.
    """

    data: bytes = b""
    texts: int = 0
    words: int = 0
    entities: int = 0
    replaced: int = 0

    def add_counts(self, other: "Lines") -> "Lines":
        """The counts of both, without the lines."""
        return Lines(b"", *map(sum, zip(self[1:], other[1:])))


def predict_batch(nlp: Language, items: Sequence[Item]) -> Lines:
    """Predict a batch.

    RAISES (UserError): If a text is too long, or a component fails.
    """
    for item in items:
        _check_length(nlp, item)
    texts = [item.content for item in items]
    lines, words, entities = [], 0, 0
    try:
        found = list(predict(nlp, texts, batch_size=len(items)))
    # The errors of other packages, or of a GPU out of memory, have no common class.
    except Exception as err:
        raise UserError(
            f"the pipeline fails between {items[0].place} and {items[-1].place} "
            f"({type(err).__name__}: {one_line(err)}); if memory ran out, lower "
            "--batch-size"
        ) from err
    for item, result in zip(items, found, strict=True):
        words += len(result.pop("text").split())
        entities += len(result["entities"])
        lines.append(f"{item.head}, {to_json(result)[1:]}\n")
    replaced = sum(item.replaced for item in items)
    return Lines("".join(lines).encode(), len(lines), words, entities, replaced)


def _check_length(nlp: Language, item: Item) -> None:
    if isinstance(item.content, str) and len(item.content) > nlp.max_length:
        raise item.place.error(
            f"the text has {len(item.content):,} characters, and the pipeline takes "
            f"{nlp.max_length:,} (max_length); cut it",
        )
