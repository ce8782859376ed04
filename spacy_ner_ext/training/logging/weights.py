"""Statistics of the weights of a pipeline while it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from spacy.language import Language

from ..nodes import Key, find_nodes
from ..parameters import find_parameters
from .files import WEIGHTS, LineFile

COLUMNS = ("step", "parameter", "mean", "standard_deviation", "norm", "largest")


class Statistics(NamedTuple):
    """Of the numbers of an array: the largest is without sign."""

    mean: float
    standard_deviation: float
    norm: float
    largest: float


class WeightFile:
    """weights.tsv: statistics of each array of weights at each evaluation.

    folder: Where it is written.
    first_step: The step with which this process began: lines of earlier steps stay, all
        others go.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        def is_kept(line: str) -> bool:
            step = line.partition("\t")[0]
            return line == header or (step.isdigit() and int(step) < first_step)

        header = "\t".join(COLUMNS)
        self._file = LineFile(folder / WEIGHTS, is_kept)
        if not (folder / WEIGHTS).stat().st_size:
            self._file.add(header)

    def add(self, step: int, nlp: Language) -> None:
        """Add a line for each array.

        step: The step after which the weights are as they are.
        """
        self._file.add(
            *(
                "\t".join([str(step), path, *(f"{number:.6g}" for number in found)])
                for path, found in weight_statistics(nlp)
            )
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def weight_statistics(nlp: Language) -> Iterator[tuple[str, Statistics]]:
    """Describe all weights of a pipeline.

    YIELDS: The path of each array and what it is like.
    """
    arrays = dict(_arrays(nlp))
    for parameter in find_parameters(nlp):
        array = arrays[parameter.key]
        if all(parameter.shape):
            yield parameter.path, _describe(array)


def _arrays(nlp: Language) -> Iterator[tuple[Key, Any]]:
    for node in find_nodes(nlp):
        for name in node.param_names:
            if node.has_param(name):
                yield (node.id, name), node.get_param(name)
        for shim in node.shims:
            module: Any = getattr(shim, "_model", None)
            if hasattr(module, "named_parameters"):
                for name, weight in module.named_parameters():
                    yield (shim.id, name), weight.detach().float()


def _describe(array: Any) -> Statistics:
    if isinstance(array, torch.Tensor):
        deviation, largest = array.std(correction=0), array.abs().max()
        norm = torch.linalg.vector_norm(array)
    else:
        deviation, largest = array.std(), abs(array).max()
        norm = (array**2).sum() ** 0.5
    return Statistics(*map(float, (array.mean(), deviation, norm, largest)))
