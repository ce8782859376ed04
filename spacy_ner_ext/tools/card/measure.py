"""The speed of a pipeline, and the machine and libraries that it was measured with."""

import os
import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from spacy.language import Language
from thinc.api import get_current_ops

LIBRARIES = ("spacy-ner-ext", "spacy", "thinc", "torch", "transformers", "numpy")
# So many words are read, or all if there are fewer.
SAMPLE_WORDS = 20_000
WARM_UP = 4


@dataclass(frozen=True)
class Speed:
    """How fast a pipeline reads.

    words_per_second: The speed.
    words: How many words it read.
    documents: In how many documents.
    """

    words_per_second: float
    words: int
    documents: int


def measure_speed(nlp: Language, texts: Iterable[str]) -> Speed | None:
    """Measure how fast a pipeline reads texts, once and after a short warm-up.

    texts: The texts; no more are taken than are read.
    RETURNS: The speed; None if there is no word.
    """
    sample: list[str] = []
    words = 0
    for text in texts:
        if words >= SAMPLE_WORDS:
            break
        sample.append(text)
        words += len(nlp.make_doc(text))
    if not words:
        return None
    list(nlp.pipe(sample[:WARM_UP]))
    start = time.perf_counter()
    list(nlp.pipe(sample))
    return Speed(words / (time.perf_counter() - start), words, len(sample))


def describe_machine() -> dict[str, str]:
    """What the measured speed depends on, by its name."""
    where = get_current_ops().name
    device = torch.cuda.get_device_name() if where == "cupy" else "CPU"
    return {
        "device": device,
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "threads of torch": str(torch.get_num_threads()),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def describe_versions() -> dict[str, str]:
    """The versions of Python and of the libraries that
    pipelines of this package run with.
    """
    found = {"Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
