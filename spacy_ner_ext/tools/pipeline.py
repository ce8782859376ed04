"""Options of the commands that run a pipeline, the device, and loading."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Optional

import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from thinc.compat import has_cupy

from ..util.errors import UserError, one_line
from ..util.extras import advice
from .loading import import_functions, load_pipeline

MODEL_HELP = "The pipeline: a folder, or an installed package."

BatchSize = Annotated[
    Optional[int],
    typer.Option(
        min=1, metavar="N", help="Documents a batch; by default the pipeline's."
    ),
]
GpuId = Annotated[int, typer.Option("--gpu-id", "-g", help="The GPU, -1 for the CPU.")]
Code = Annotated[
    Optional[Path],
    typer.Option("--code", "-c", help="A Python file with registered functions."),
]


def use_device(gpu_id: int, *, silent: bool = True) -> None:
    """Select the device of the pipelines that are loaded after this call."""
    try:
        setup_gpu(gpu_id, silent=silent)
    except ValueError as err:
        what = f"--gpu-id {gpu_id} cannot be used: {one_line(err)}"
        if not has_cupy and platform.system() != "Darwin":
            what += f"; {advice('cuda12x')}, or [cuda13x] for CUDA 13"
        raise UserError(what) from err


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
