"""What the commands for span markers share: the pipeline, and where they write."""

from collections.abc import Callable
from pathlib import Path

from spacy.language import Language

from ...span_marker.component import SpanMarkerRecognizer
from ...util.errors import UserError
from ...util.files import replacing
from ..loading import load_pipeline


def load_recognizer(
    model: Path, name: str | None
) -> tuple[Language, SpanMarkerRecognizer]:
    """Load a pipeline with a `span_marker_ner`.

    model: The folder of the pipeline.
    name: The name of the component; None if there is one alone.
    RAISES (UserError): If it is no pipeline, or it is not clear which component.
    """
    nlp = load_pipeline(model)
    found = {
        pipe_name: pipe
        for pipe_name, pipe in nlp.pipeline
        if isinstance(pipe, SpanMarkerRecognizer) and name in (None, pipe_name)
    }
    if len(found) != 1:
        wanted = f"a span_marker_ner called '{name}'" if name else "one span_marker_ner"
        there = ", ".join(found or nlp.pipe_names) or "no component"
        raise UserError(
            f"{model} has not {wanted}, but {there}: name the component with "
            "--component, or give another pipeline"
        )
    return nlp, next(iter(found.values()))


def write_folder(destination: Path, write: Callable[[Path], None]) -> None:
    """Write a folder completely or not at all.

    destination: The folder, which must not be there.
    write: Writes the files into a folder.
    RAISES (UserError): If there is something already, or the disk does not take it.
    """
    if destination.exists():
        raise UserError(f"{destination} is there already: remove it, or name another")
    with replacing(destination) as temporary:
        temporary.mkdir()
        write(temporary)
