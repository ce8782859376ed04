"""Give a `span_marker_ner` that marks all spans a filter."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Config

from ...data.read import read_docs
from ...data.text import check_input, read_lines
from ...span_marker.component import SpanMarkerRecognizer
from ...span_marker.distill import Distilled, distill
from ...util.errors import UserError
from ..output import printer, progress
from .pipeline import load_recognizer, write_folder

BATCH = 64


def distill_filter(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="The pipeline.", exists=True),
    ],
    texts: Annotated[
        Path,
        typer.Argument(
            metavar="TEXTS",
            help="Texts like those to come, without annotation: .txt (a text a line), "
            '.jsonl (a "text" a line) or .spacy.',
        ),
    ],
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the new pipeline goes.")
    ],
    recall: Annotated[
        float,
        typer.Option(
            help="The share of the model's own entities to keep, measured on a fifth "
            "of the texts that is held out.",
            min=0.5,
            max=1.0,
        ),
    ] = 0.999,
    epochs: Annotated[
        int, typer.Option(help="Passes of the filter over the texts.", min=1)
    ] = 30,
    limit: Annotated[
        int, typer.Option(help="The most texts to read; 0 for all.", min=0)
    ] = 0,
    component: Annotated[
        str | None,
        typer.Option(help="The name of the component, if there are several."),
    ] = None,
) -> None:
    """Fit a filter on a model's own predictions, so that few spans need markers.

    The model itself stays as it is. The threshold is chosen so that the filter keeps
    the stated share of the entities that the model finds; the new pipeline has
    candidates = "filtered" with it.

    \b
    Example:
      python -m spacy_ner_ext distill-filter MODEL texts.txt --output fast
    """
    check_input(texts)
    nlp, recognizer = load_recognizer(model, component)
    if output.exists():
        raise UserError(f"{output} is there already: remove it, or name another")
    docs = _read(texts, nlp, recognizer.name)
    docs = islice(docs, limit) if limit else docs
    try:
        found = distill(recognizer, _batches(progress(docs)), recall, epochs, progress)
    except UserError:
        raise
    except ValueError as err:
        raise UserError(f"{texts}: {err}") from err
    write_folder(output, lambda folder: _write(folder, nlp, recognizer, found))
    printer().good(
        f"Wrote {output}: the filter keeps {100 * found.recall:.2f} % of "
        f"{found.n_entities} entities of held-out texts at filter_threshold = "
        f"{found.threshold:.3g}, with {found.candidates:.2f} candidates a word"
    )


def _read(path: Path, nlp: Language, last: str) -> Iterator[Doc]:
    """The texts as documents, with what the components before the last one add."""
    before = nlp.pipe_names[: nlp.pipe_names.index(last)]
    with nlp.select_pipes(enable=before):
        if path.suffix == ".spacy":
            yield from read_docs(path, nlp.vocab)
        else:
            yield from nlp.pipe(_texts(path))


def _texts(path: Path) -> Iterator[str]:
    for number, line in read_lines(path):
        if line.strip():
            yield _text_of(line, path, number) if path.suffix == ".jsonl" else line


def _text_of(line: str, path: Path, number: int) -> str:
    try:
        text = json.loads(line)["text"]
    except (ValueError, KeyError, TypeError) as err:
        raise UserError(
            f'{path}, line {number}: no JSON object with a "text"; write '
            '{"text": "..."}, or give a .txt file'
        ) from err
    return str(text)


def _batches(docs: Iterable[Doc]) -> Iterator[list[Doc]]:
    rest = iter(docs)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _write(
    folder: Path, nlp: Language, recognizer: SpanMarkerRecognizer, found: Distilled
) -> None:
    nlp.to_disk(folder)
    config = Config().from_disk(folder / "config.cfg", interpolate=False)
    settings = config["components"][recognizer.name]["model"]
    settings["candidates"] = "filtered"
    settings["filter_threshold"] = found.threshold
    settings["filter_ratio"] = found.ratio
    config.to_disk(folder / "config.cfg")
