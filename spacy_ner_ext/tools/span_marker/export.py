"""Write a trained `span_marker_ner` as a model of SpanMarker."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ...span_marker.checkpoint import write_checkpoint
from ..output import printer
from .pipeline import load_recognizer, write_folder


def export_span_marker(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="The pipeline.", exists=True),
    ],
    destination: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder to write.")
    ],
    component: Annotated[
        str | None,
        typer.Option(help="The name of the component, if there are several."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="The name on the Hugging Face hub of the encoder that it was made "
            "of. SpanMarker reads config and tokenizer of the encoder from there; "
            "without it from the subfolder 'encoder', by its absolute path."
        ),
    ] = None,
) -> None:
    """Write a model that SpanMarkerModel.from_pretrained loads.

    The model must have head = "markers" and position_offset = 2, as all of SpanMarker.
    Its filter, if it has one, is left out.

    \b
    Example:
      python -m spacy_ner_ext export-span-marker training/model-best span-marker
    """
    _, recognizer = load_recognizer(model, component)
    place = encoder or str(destination.resolve() / "encoder")
    context = {
        "max_prev_context": recognizer.cfg["max_prev_context"],
        "max_next_context": recognizer.cfg["max_next_context"],
        "trained_with_document_context": recognizer.cfg["context"] != "none",
    }
    labels = list(recognizer.labels)
    write = partial(write_checkpoint, recognizer.shim, labels, place, context)
    write_folder(destination, write)
    printer().good(f"Wrote a model of SpanMarker to {destination}, labels: {labels}")
