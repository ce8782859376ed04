"""Predict a batch of texts, in any process."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from spacy import util
from spacy.language import Language

from ...util.errors import UserError, one_line
from ...util.memory import free_cached_memory, is_lost_gpu
from ..loading import import_functions, load_pipeline
from .items import TEXT, TOO_LONG, Item, Words, n_characters, to_json
from .predict import predict

BLOCK = 2**20
# Makes a dictionary of plain values for each text of a batch.
Function = Callable[[Language, Sequence[str | Words]], list[dict[str, Any]]]


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

    def shared(self) -> "PipelineSource":
        """The same pipeline for a process in another folder."""
        name = self.name
        if not util.is_package(name):
            name = str(Path(name).resolve())
        return PipelineSource(name, self.overrides, self.code and self.code.resolve())

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


class Text(Protocol):
    """A text to predict; see Item."""

    @property
    def place(self) -> object: ...

    @property
    def content(self) -> str | Words: ...

    @property
    def error(self) -> str: ...


class Lines(NamedTuple):
    """The results of a batch as lines of JSON in UTF-8, and counts.

    words: Words of the texts, separated by white space.
    replaced: Fields of the input that a prediction of the same name replaced.
    too_long: Texts that are longer than a maximum, and were not predicted.
    failed: Lines that cannot be read, and texts at which the pipeline failed.
    """

    data: bytes = b""
    texts: int = 0
    words: int = 0
    entities: int = 0
    replaced: int = 0
    too_long: int = 0
    failed: int = 0


def predict_texts(nlp: Language, texts: Sequence[str | Words]) -> list[dict[str, Any]]:
    """Predict texts together; see predict."""
    return list(predict(nlp, texts, batch_size=len(texts) or 1))


def predict_batch(
    pipeline: PipelineSource,
    items: Sequence[Item],
    max_length: int | None = None,
    function: Function = predict_texts,
) -> Lines:
    """Predict a batch and write its results as lines; see annotate."""
    results = annotate(pipeline.load(), items, max_length, function)
    words = sum(len((result.pop(TEXT, None) or "").split()) for result in results)
    lines = [f"{i.head}, {to_json(r)[1:]}\n" for i, r in zip(items, results)]
    errors = [result["error"] for result in results if "error" in result]
    n_long = sum(error.startswith(TOO_LONG) for error in errors)
    return Lines(
        "".join(lines).encode(),
        texts=len(lines),
        words=words,
        entities=sum(len(result["entities"] or ()) for result in results),
        replaced=sum(item.replaced for item in items),
        too_long=n_long,
        failed=len(errors) - n_long,
    )


def annotate(
    nlp: Language,
    texts: Sequence[Text],
    max_length: int | None = None,
    function: Function = predict_texts,
) -> list[dict[str, Any]]:
    """Apply a function to texts, by default to predict them; its results have
    "entities". Lines that cannot be read,
    texts of more than `max_length` characters, and texts at which the pipeline fails,
    get an "error".

    RAISES (UserError): If the GPU is lost.
    """
    errors = [text.error or _too_long(text, max_length) for text in texts]
    good = [text for text, error in zip(texts, errors) if not error]
    found = iter(_apply(function, nlp, good))
    return [_failed(error) if error else next(found) for error in errors]


def _apply(
    function: Function, nlp: Language, texts: Sequence[Text]
) -> list[dict[str, Any]]:
    """Predict texts together, or one by one if the pipeline fails at one of them."""
    contents = [text.content for text in texts]
    try:
        return function(nlp, contents)
    # The errors of other packages, or of a GPU out of memory, have no common class.
    except Exception as err:
        problem = f"{type(err).__name__}: {one_line(err)}"
        if is_lost_gpu(err):
            what = f"the GPU cannot be used any more ({problem})"
            raise UserError(f"{what}; repeat the command to continue") from err
    # Outside of the handler, where the frames of the failed batch are freed.
    free_cached_memory()
    if len(texts) > 1:
        return [found for text in texts for found in _apply(function, nlp, [text])]
    what = f"the pipeline fails ({problem}); if memory ran out, leave out long texts"
    error = UserError(f"{what} with --max-length", str(texts[0].place))
    return [_failed(str(error))]


def _failed(error: str) -> dict[str, Any]:
    return {"entities": None, "error": error}


def _too_long(text: Text, max_length: int | None) -> str:
    if max_length is None:
        return ""
    size = n_characters(text.content)
    what = f"{TOO_LONG} {size:,} characters, more than --max-length {max_length:,}"
    return what if size > max_length else ""
