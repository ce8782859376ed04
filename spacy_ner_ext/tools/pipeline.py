"""What the commands that run a pipeline share: options, the device, and loading."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Optional

import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language

from ..util.errors import UserError, one_line
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
    """Choose where pipelines run that are loaded from now on.

    gpu_id: The GPU, -1 for the CPU.
    silent: Whether nothing is printed about it.
    RAISES (UserError): If there is no such GPU.
    """
    try:
        setup_gpu(gpu_id, silent=silent)
    except ValueError as err:
        raise UserError(f"--gpu-id {gpu_id} cannot be used: {one_line(err)}") from err


def open_pipeline(model: str | Path, *, gpu_id: int, code: Path | None) -> Language:
    """Load a pipeline as the options of a command say.

    model: Its folder, or the name of an installed package.
    gpu_id: The GPU, -1 for the CPU.
    code: A Python file with functions that it needs.
    RAISES (UserError): If the GPU, the file or the pipeline cannot be used.
    """
    use_device(gpu_id)
    import_functions(code)
    return load_pipeline(model)


@contextmanager
def failure_told(model: str | Path, what: str) -> Iterator[None]:
    """Tell in a sentence what a pipeline raises that was loaded, such as one whose
    labels are lost, or which takes no text of this length.

    what: What it is not, such as "evaluated".
    RAISES (UserError): If the block raises a ValueError or a KeyError.
    """
    try:
        yield
    except UserError:
        raise
    except (ValueError, KeyError) as err:
        raise UserError(f"{model} cannot be {what}: {one_line(err)}") from err
