"""How much fits into the memory of a GPU, with numbers of a GPU that is none."""

import pytest
import torch

from spacy_ner_ext.util.memory import fitting, free_memory, out_of_memory

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")


@pytest.fixture
def gpu(monkeypatch):
    """1000 bytes are free on the GPU, and 24 are reserved and not used."""
    numbers = {"mem_get_info": (1000, 4000), "memory_reserved": 80}
    for name, number in {**numbers, "memory_allocated": 56}.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, number=number: number)


def test_what_is_reserved_and_not_used_is_free(gpu):
    assert free_memory(GPU) == 1024


@pytest.mark.parametrize(
    "device, most, bytes_each, expected",
    [
        (GPU, 100, 4, 100),  # half of it holds 128
        (GPU, 128, 4, 128),
        (GPU, 129, 4, 128),
        (GPU, 1000, 5, 64),
        (GPU, 1000, 10_000, 1),
        (CPU, 1000, 10_000, 1000),
    ],
)
def test_a_pass_takes_half_of_the_free_memory(gpu, device, most, bytes_each, expected):
    assert fitting(device, most, bytes_each) == expected


def test_errors_of_torch():
    with pytest.raises(out_of_memory()):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")
