"""The commands `distill-filter` and `export-span-marker`."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch
from thinc.api import Config

from ...data.read import read_docs
from ...data.text import check_input, read_lines
from ...pipes.find import find_component
from ...span_marker.checkpoint import write_checkpoint
from ...span_marker.component import SpanMarkerRecognizer
from ...span_marker.distill import Distilled, distill
from ...span_marker.model import scorer_of
from ...util.errors import UserError
from ...util.files import replacing
from ..loading import load_pipeline
from ..output import printer, progress

BATCH = 64
ModelArgument = Annotated[
    Path, typer.Argument(metavar="MODEL", help="The pipeline.", exists=True)
]
OutputOption = Annotated[
    Path, typer.Option(metavar="FOLDER", help="The folder to write.")
]
ComponentOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The component, if there are several."),
]


def distill_filter(
    model: ModelArgument,
    texts: Annotated[
        Path,
        typer.Argument(
            metavar="TEXTS",
            help="Texts from the domain of use, without annotation: .txt (a text a "
            'line), .jsonl (a "text" a line) or .spacy.',
        ),
    ],
    output: OutputOption,
    recall: Annotated[
        float,
        typer.Option(
            help="The share of the model's own entities to keep, measured on a fifth "
            "of the texts that is held out.",
            min=0.5,
            max=1.0,
        ),
    ] = 0.999,
    epochs: Annotated[int, typer.Option(help="Passes over the texts.", min=1)] = 30,
    limit: Annotated[
        int, typer.Option(help="Maximum number of texts to read; 0 for all.", min=0)
    ] = 0,
    component: ComponentOption = None,
) -> None:
    """Fit a filter on a model's own predictions, so that few spans need markers.

    The weights of the model do not change. The new pipeline has candidates =
    "filtered", with the threshold that keeps the given share of the entities that the
    model finds.

    \b
    Example:
      python -m spacy_ner_ext distill-filter MODEL texts.txt --output fast
    """
    check_input(texts)
    nlp, recognizer = _load(model, component)
    _check_new(output)
    docs = _read(texts, nlp, recognizer.name)
    docs = islice(docs, limit) if limit else docs
    try:
        batches = minibatch(progress(docs), BATCH)
        found = distill(recognizer, batches, recall, epochs, progress)
    except UserError:
        raise
    except ValueError as err:
        raise UserError(f"{texts}: {err}") from err
    _write_folder(output, lambda folder: _write(folder, nlp, recognizer, found))
    printer().good(
        f"Wrote {output}: the filter keeps {100 * found.recall:.2f} % of "
        f"{found.n_entities} entities of held-out texts at filter_threshold = "
        f"{found.threshold:.3g}, with {found.candidates:.2f} candidates per word"
    )


def export_span_marker(
    model: ModelArgument,
    output: OutputOption,
    component: ComponentOption = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The name on the Hugging Face hub of the original encoder. SpanMarker "
            "reads the encoder's config and tokenizer from there; by default from the "
            "subfolder 'encoder', by its absolute path.",
        ),
    ] = None,
) -> None:
    """Write a model that SpanMarkerModel.from_pretrained loads.

    The model must have head = "markers" and position_offset = 2, as all of SpanMarker.
    Its filter, if it has one, is left out.

    \b
    Example:
      python -m spacy_ner_ext export-span-marker MODEL --output span-marker
    """
    _, recognizer = _load(model, component)
    recognizer.read_checkpoint()
    scorer, labels = scorer_of(recognizer.model), list(recognizer.labels)
    write = partial(
        write_checkpoint,
        recognizer.shim,
        labels,
        scorer.size + len(scorer.specials),
        encoder or str(output.resolve() / "encoder"),
        {
            "max_prev_context": recognizer.cfg["max_prev_context"],
            "max_next_context": recognizer.cfg["max_next_context"],
            "trained_with_document_context": recognizer.cfg["context"] != "none",
        },
    )
    _write_folder(output, write)
    printer().good(f"Wrote a model of SpanMarker to {output}, labels: {labels}")


def _load(model: Path, name: str | None) -> tuple[Language, SpanMarkerRecognizer]:
    nlp = load_pipeline(model)
    try:
        what = "is a span_marker_ner"
        return nlp, find_component(nlp, SpanMarkerRecognizer, name, what)
    except UserError as err:
        raise UserError(f"{model}: {err}; see --component") from err


def _check_new(output: Path) -> None:
    if output.exists():
        raise UserError(f"{output} exists already: remove it, or choose another folder")


def _write_folder(output: Path, write: Callable[[Path], None]) -> None:
    _check_new(output)
    with replacing(output) as temporary:
        temporary.mkdir()
        write(temporary)


def _read(path: Path, nlp: Language, last: str) -> Iterator[Doc]:
    """Read texts as documents, and apply the components before the last one."""
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
        return str(json.loads(line)["text"])
    except (ValueError, KeyError, TypeError) as err:
        raise UserError(
            'not a JSON object with a "text"; write {"text": "..."}, or give a .txt '
            "file",
            path,
            number,
        ) from err


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
