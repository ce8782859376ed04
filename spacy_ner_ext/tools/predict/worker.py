"""Predict a batch of texts, in any process."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from spacy import util
from spacy.language import Language

from ...util.errors import UserError, one_line
from ..loading import import_functions, load_pipeline
from .inputs import Item
from .predict import n_characters, predict, to_json

BLOCK = 2**20


@dataclass(frozen=True)
class PipelineSource:
    """A pipeline that any process can load, from a folder or an installed package;
    `overrides` are settings of its config by their full names, as JSON."""

    name: str
    overrides: str = "{}"
    code: Path | None = None

    @cache  # noqa: B019 - it lives as long as the process
    def load(self) -> Language:
        """Load the pipeline, once in a process."""
        import_functions(self.code)
        return load_pipeline(self.name, json.loads(self.overrides))

    def digest(self) -> str:
        """A digest of all its files.

        RAISES (UserError): If there is no such folder or package.
        """
        folder = Path(self.name)
        if util.is_package(self.name):
            folder = util.get_package_path(self.name)
        elif not folder.is_dir():
            raise UserError(
                f"{self.name} is not a pipeline: there is no such folder or package; "
                "give the folder that training wrote, such as training/model-best"
            )
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = {path.relative_to(folder).as_posix(): path for path in paths}
        files |= {"--code": self.code} if self.code else {}
        digest = hashlib.sha256()
        for name, path in files.items():
            if "__pycache__" not in path.parts:
                digest.update(f"{name}\0{path.stat().st_size}\0".encode())
                with path.open("rb") as file:
                    while block := file.read(BLOCK):
                        digest.update(block)
        return digest.hexdigest()


class Lines(NamedTuple):
    """The results of a batch as lines of JSON in UTF-8, and counts.

    words: Words of the texts, separated by white space.
    replaced: Fields of the input that a prediction of the same name replaced.
    too_long: Texts that are longer than a maximum, and were not predicted.
    """

    data: bytes = b""
    texts: int = 0
    words: int = 0
    entities: int = 0
    replaced: int = 0
    too_long: int = 0


def predict_batch(
    pipeline: PipelineSource, items: Sequence[Item], max_length: int | None = None
) -> Lines:
    """Predict a batch, except for texts of more than `max_length` characters, which get
    an "error".

    RAISES (UserError): If a component fails.
    """
    nlp = pipeline.load()
    errors = {i: _too_long(item, max_length) for i, item in enumerate(items)}
    texts = [item.content for i, item in enumerate(items) if not errors[i]]
    lines, words, entities = [], 0, 0
    try:
        found = iter(list(predict(nlp, texts, batch_size=len(items))))
    # The errors of other packages, or of a GPU out of memory, have no common class.
    except Exception as err:
        raise UserError(
            f"the pipeline fails between {items[0].place} and {items[-1].place} "
            f"({type(err).__name__}: {one_line(err)}); if memory ran out, lower "
            "--batch-size, or leave out long texts with --max-length"
        ) from err
    for i, item in enumerate(items):
        result: dict[str, Any] = {"entities": None, "error": errors[i]}
        if not errors[i]:
            result = next(found)
            words += len(result.pop("text").split())
            entities += len(result["entities"])
        lines.append(f"{item.head}, {to_json(result)[1:]}\n")
    replaced = sum(item.replaced for item in items)
    too_long = sum(map(bool, errors.values()))
    data = "".join(lines).encode()
    return Lines(data, len(lines), words, entities, replaced, too_long)


def _too_long(item: Item, max_length: int | None) -> str:
    if max_length is None:
        return ""
    size = n_characters(item.content)
    what = f"the text has {size:,} characters, more than --max-length {max_length:,}"
    return what if size > max_length else ""
