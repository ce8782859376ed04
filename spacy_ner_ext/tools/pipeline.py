"""Options of the commands that run a pipeline, and loading."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Optional

import typer
from spacy.language import Language

from ..util.errors import UserError, one_line
from .device import use_device
from .loading import import_functions, load_pipeline

MODEL_HELP = "The pipeline: a folder, or an installed package."

BatchSize = Annotated[
    Optional[int],
    typer.Option(
        min=1, metavar="N", help="Documents a batch; by default the pipeline's."
    ),
]
Component = Annotated[
    Optional[str],
    typer.Option(
        metavar="NAME",
        help="The component, if several predict probabilities of entities.",
    ),
]
Code = Annotated[
    Optional[Path],
    typer.Option("--code", "-c", help="A Python file with registered functions."),
]


def open_pipeline(model: str | Path, *, gpu_id: int, code: Path | None) -> Language:
    """Load a pipeline on a device, after importing a file with registered functions."""
    use_device(gpu_id)
    import_functions(code)
    return load_pipeline(model)


@contextmanager
def failure_told(model: str | Path, what: str) -> Iterator[None]:
    """Raise a UserError for a ValueError or KeyError of a pipeline that was loaded,
    such as one whose labels are lost; `what` is a participle such as "evaluated"."""
    try:
        yield
    except UserError:
        raise
    except (ValueError, KeyError) as err:
        raise UserError(f"{model} cannot be {what}: {one_line(err)}") from err
