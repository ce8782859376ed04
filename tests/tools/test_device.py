"""What `--gpu-id` reports where a GPU cannot be used."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from thinc import compat
from thinc.api import get_current_ops

from spacy_ner_ext import UserError
from spacy_ner_ext.tools import device

HEADER = "| NVIDIA-SMI 580.65.06   Driver Version: 580.65.06   CUDA Version: {} |"


@pytest.fixture(autouse=True)
def driver(tmp_path, monkeypatch):
    """Set the version of CUDA that `nvidia-smi` prints; there is none at first."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(device.platform, "system", lambda: "Linux")

    def install(version, code=0):
        script = tmp_path / "nvidia-smi"
        script.write_text(f"#!/bin/sh\necho '{HEADER.format(version)}'\nexit {code}\n")
        script.chmod(0o755)

    return install


def problem(gpu_id=0):
    ops = get_current_ops()
    with pytest.raises(UserError) as caught:
        device.use_device(gpu_id)
    assert get_current_ops() is ops
    text = str(caught.value)
    assert text.startswith(f"--gpu-id {gpu_id} cannot be used: ")
    return text


@pytest.mark.parametrize(
    ("version", "built", "expected"),
    [
        (None, None, "nvidia-smi finds no driver"),
        ("12.4", None, "[cuda12x]"),
        ("13.0", None, "[cuda13x]"),
        # A torch for CUDA 12 brings the libraries of CUDA 12.
        ("13.0", "12.8", "[cuda12x]"),
        # A later driver runs what is made for an earlier CUDA.
        ("15.1", None, "[cuda13x]"),
        ("12.4", "13.0", "supports CUDA 12, but torch is for CUDA 13: update"),
        ("11.4", None, "the driver supports CUDA 11: update it"),
    ],
)
def test_extra_that_fits_the_driver(driver, monkeypatch, version, built, expected):
    monkeypatch.setattr(compat, "has_cupy", False)
    monkeypatch.setattr(torch.version, "cuda", built)
    if version is not None:
        driver(version)
    assert expected in problem()


def test_driver_that_fails(driver):
    driver("13.0", code=9)
    assert device.driver_cuda() is None


def test_cupy_without_libraries(driver, monkeypatch):
    """CuPy's wheels lack the libraries of CUDA, so that a part cannot be imported."""
    driver("13.0")
    monkeypatch.setattr(compat, "has_cupy", False)
    monkeypatch.setattr(device, "find_spec", lambda name: SimpleNamespace(name=name))
    monkeypatch.setitem(sys.modules, "cupy", ModuleType("cupy"))
    monkeypatch.setitem(sys.modules, "cupy.cublas", None)
    text = problem()
    assert "cannot be imported" in text and "cupy.cublas" in text
    assert "[cuda13x]" in text


class CudaError(RuntimeError):
    pass


def fake_cupy(monkeypatch, n_gpus):
    """A CuPy that sees some GPUs, as far as thinc asks for them."""

    def count():
        if not n_gpus:
            raise CudaError("cudaErrorNoDevice: no device is detected")
        return n_gpus

    def use(gpu_id):
        if gpu_id >= n_gpus:
            raise CudaError("cudaErrorInvalidDevice: invalid device ordinal")

    cuda = SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=count))
    monkeypatch.setattr(compat, "cupy", SimpleNamespace(cuda=cuda))
    monkeypatch.setattr(compat, "has_cupy", True)
    monkeypatch.setattr(compat, "has_cupy_gpu", n_gpus > 0)
    if n_gpus:
        monkeypatch.setattr(device, "setup_gpu", lambda gpu_id, silent: use(gpu_id))
    else:
        monkeypatch.setattr("thinc.util.has_cupy", True)


@pytest.mark.parametrize(
    ("n_gpus", "gpu_id", "expected"),
    [
        (0, 0, "CuPy finds no GPU (cudaErrorNoDevice"),
        (1, 7, "the only GPU here is 0 (CUDA_VISIBLE_DEVICES=3)"),
        (4, 7, "the GPUs here are 0 to 3 (CUDA_VISIBLE_DEVICES=3)"),
        (1, 0, "built without CUDA; the driver supports CUDA 13: install the torch"),
    ],
)
def test_gpus_that_are_there(driver, monkeypatch, n_gpus, gpu_id, expected):
    driver("13.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setattr(torch.version, "cuda", None)
    fake_cupy(monkeypatch, n_gpus)
    assert expected in problem(gpu_id)


def test_cpu(driver):
    device.use_device(-1)
    assert get_current_ops().device_type == "cpu"
