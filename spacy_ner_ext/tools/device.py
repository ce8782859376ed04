"""The option `--gpu-id`: select the device, or report why a GPU cannot be used."""

import os
import platform
import re
import subprocess
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated

import torch
import typer
from spacy.cli._util import setup_gpu
from thinc import compat
from thinc.api import get_current_ops, set_current_ops

from ..util.errors import UserError, one_line
from ..util.extras import advice

GpuId = Annotated[
    int,
    typer.Option("--gpu-id", "-g", min=-1, help="The GPU, -1 for the CPU."),
]
# The versions of CUDA that an extra installs CuPy for.
EXTRAS = {12: "cuda12x", 13: "cuda13x"}


def use_device(gpu_id: int, *, silent: bool = True) -> None:
    """Select the device of the pipelines that are loaded after this call.

    gpu_id: The number of the GPU, -1 for the CPU.
    silent: Whether to print nothing.
    RAISES (UserError): If the GPU cannot be used, with the reason and the next step.
    """
    ops = get_current_ops()
    # CuPy's error for a GPU that does not exist is a RuntimeError.
    try:
        setup_gpu(gpu_id, silent=silent)
        problem = _problem_of_torch() if gpu_id >= 0 else ""
    except (ValueError, RuntimeError) as err:
        problem = _problem_of_cupy(err)
    if problem:
        set_current_ops(ops)
        raise UserError(f"--gpu-id {gpu_id} cannot be used: {problem}")


def _problem_of_cupy(err: Exception) -> str:
    if platform.system() == "Darwin":
        return one_line(err)
    if not compat.has_cupy:
        return _missing_cupy()
    if not compat.has_cupy_gpu:
        return f"CuPy finds no GPU ({_error_of_driver()}); {_driver()}"
    n_gpus = compat.cupy.cuda.runtime.getDeviceCount()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    where = "" if visible is None else f" (CUDA_VISIBLE_DEVICES={visible})"
    if n_gpus == 1:
        return f"{one_line(err)}; the only GPU here is 0{where}"
    return f"{one_line(err)}; the GPUs here are 0 to {n_gpus - 1}{where}"


def _missing_cupy() -> str:
    what = "is not installed"
    if find_spec("cupy") is not None:
        what = f"cannot be imported ({_import_cupy()})"
    return f"CuPy, which thinc needs for a GPU, {what}; {_install_cupy()}"


def _install_cupy() -> str:
    driver = driver_cuda()
    if driver is None:
        choices = f"{advice('cuda12x')}, or [cuda13x] for CUDA 13"
        return f"nvidia-smi finds no driver. With a driver, {choices}"
    if driver < min(EXTRAS):
        return _driver()
    built = int((torch.version.cuda or str(driver)).split(".")[0])
    if driver < built:
        return f"{_driver()}, but torch is for CUDA {built}: update the driver"
    version = min(built, max(EXTRAS))
    return f"for CUDA {version}, which torch has here, {advice(EXTRAS[version])}"


def _import_cupy() -> str:
    try:
        # What thinc imports.
        for name in ("cupy", "cupy.cublas", "cupyx"):
            import_module(name)
    except (ImportError, AttributeError) as err:
        return one_line(err)
    return "thinc could not"


def _error_of_driver() -> str:
    try:
        compat.cupy.cuda.runtime.getDeviceCount()
    except RuntimeError as err:
        return one_line(err)
    return "none is visible"


def _problem_of_torch() -> str:
    """Why torch cannot use the GPU that thinc uses."""
    if not compat.has_cupy_gpu or torch.cuda.is_available():
        return ""
    if torch.version.cuda is None:
        built = f"torch {torch.__version__} is built without CUDA"
    else:
        built = f"torch {torch.__version__} cannot use CUDA {torch.version.cuda}"
    return (
        f"CuPy finds a GPU, but {built}; {_driver()}: install the torch that "
        "https://pytorch.org/get-started/locally names for it"
    )


def _driver() -> str:
    cuda = driver_cuda()
    if cuda is None:
        return "nvidia-smi finds no driver"
    update = ": update it, CUDA 12 is needed" if cuda < min(EXTRAS) else ""
    return f"the driver supports CUDA {cuda}{update}"


def driver_cuda() -> int | None:
    """The major version of CUDA that the driver supports; None without a driver."""
    try:
        run = subprocess.run(["nvidia-smi"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"CUDA[\w ]* Version: *(\d+)", run.stdout)
    return int(found[1]) if found and run.returncode == 0 else None
