"""What an optimizer knows of the weights of a pipeline, so that training can go on in
another process as if it had never stopped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy
import torch
from spacy.language import Language
from thinc.api import Optimizer, get_current_ops, to_numpy, xp2torch
from thinc.shims import PyTorchShim

from .fused import MOMENTS
from .nodes import Key, find_nodes
from .optimizer import GroupedAdam
from .parameters import Parameter, find_parameters
from .shim_state import restore_shims, save_shims

Arrays = dict[str, numpy.ndarray]
Facts = dict[str, Any]
# thinc keeps them flat.
FLAT = ("mom1", "mom2")
AVERAGE = "average"
COUNTS = ("nr_update", "last_seen")


def save_optimizer(optimizer: Optimizer, nlp: Language) -> tuple[Arrays, Facts]:
    """Collect what an optimizer knows of weights, and what gradient scalers know. The
    schedules of learning rates are not part of that: call `step_schedules` as often as
    there were steps.

    optimizer: The optimizer: any of thinc, or spacy_ner_ext.Adam.v1.
    nlp: The pipeline that it trains.
    RETURNS: Arrays, and facts that fit into JSON.
    """
    paths = {parameter.key: parameter.path for parameter in find_parameters(nlp)}
    arrays = {
        f"{kind}:{paths[key]}": _to_host(array)
        for kind, found in _arrays_of(optimizer).items()
        for key, array in found.items()
        if key in paths
    }
    facts: Facts = {
        kind: {paths[key]: n for key, n in found.items() if key in paths}
        for kind, found in _counts_of(optimizer).items()
    }
    facts["kind"] = type(optimizer).__name__
    facts["with_gradient"] = [paths[key] for key, _ in _allocated(nlp) if key in paths]
    facts["radam"] = optimizer._radam_buffer
    facts["shims"] = save_shims(nlp)
    if isinstance(optimizer, GroupedAdam):
        facts["gradients"] = optimizer.gradients.state()
        facts["n_averaged"] = optimizer.averaging.n_steps
    return arrays, facts


def restore_optimizer(
    optimizer: Optimizer, nlp: Language, arrays: Arrays, facts: Facts
) -> None:
    """Go on with what `save_optimizer` gave.

    optimizer: A new optimizer of the same settings.
    nlp: The pipeline, with the weights of that time.
    RAISES (ValueError): If they are of another optimizer, or of weights that the
        pipeline does not have.
    """
    parameters = {parameter.path: parameter for parameter in find_parameters(nlp)}
    _check(optimizer, parameters, arrays, facts)
    for name, array in arrays.items():
        kind, _, path = name.partition(":")
        if kind in (*FLAT, "averages"):
            copied: Any = array.copy()
            copied = get_current_ops().asarray(copied)
            getattr(optimizer, kind)[parameters[path].key] = copied
    for kind in COUNTS:
        counts = {parameters[path].key: n for path, n in facts[kind].items()}
        getattr(optimizer, kind).update(counts)
    optimizer._radam_buffer = [list(row) for row in facts["radam"]]
    if isinstance(optimizer, GroupedAdam):
        _restore_grouped(optimizer, nlp, arrays, facts)
    restore_shims(nlp, facts["shims"])
    _allocate(nlp, {parameters[path].key for path in facts["with_gradient"]})


def _arrays_of(optimizer: Optimizer) -> dict[str, dict[Key, Any]]:
    """All arrays of an optimizer, by their kind and weight."""
    found: dict[str, dict[Key, Any]]
    found = {"mom1": optimizer.mom1, "mom2": optimizer.mom2}
    if isinstance(optimizer, GroupedAdam):
        found.update(optimizer.fused.state()[0])
        if optimizer.averages is not None:
            found[AVERAGE] = optimizer.averaging.tensors
        return found
    if optimizer.averages is not None:
        found["averages"] = optimizer.averages
    return found


def _counts_of(optimizer: Optimizer) -> dict[str, dict[Key, int]]:
    found = {kind: dict(getattr(optimizer, kind)) for kind in COUNTS}
    if isinstance(optimizer, GroupedAdam):
        found["steps"] = optimizer.fused.state()[1]
    return found


def _check(
    optimizer: Optimizer, parameters: dict[str, Parameter], arrays: Arrays, facts: Facts
) -> None:
    kind = type(optimizer).__name__
    if facts["kind"] != kind:
        raise ValueError(
            f"The saved state is of {facts['kind']}, but the config makes an optimizer "
            f"of the kind {kind}: set [training.optimizer] back, or train anew."
        )
    known = _arrays_of(optimizer)
    for name, array in arrays.items():
        kind, _, path = name.partition(":")
        if kind not in known:
            raise ValueError(
                f"The saved state of the optimizer has {kind}, but the optimizer of "
                "the config keeps none: set [training.optimizer] back, or train anew."
            )
        _check_shape(parameters, path, array, kind in FLAT)
    counted = [path for kind in (*COUNTS, "steps") for path in facts.get(kind, {})]
    for path in [*counted, *facts["with_gradient"]]:
        _find(parameters, path)


def _find(parameters: dict[str, Parameter], path: str) -> Parameter:
    if path not in parameters:
        raise ValueError(
            f"The saved state of the optimizer is of a weight {path} that the pipeline "
            "does not have: use the config and labels of that training, or train anew."
        )
    return parameters[path]


def _check_shape(
    parameters: dict[str, Parameter], path: str, array: numpy.ndarray, is_flat: bool
) -> None:
    shape = tuple(_find(parameters, path).shape)
    expected = (int(numpy.prod(shape)),) if is_flat else shape
    if array.shape != expected:
        raise ValueError(
            f"The saved state of the optimizer for {path} has the shape {array.shape}, "
            f"but the weight of the pipeline has {shape}: use the config and labels of "
            "that training, or train anew."
        )


def _restore_grouped(
    optimizer: GroupedAdam, nlp: Language, arrays: Arrays, facts: Facts
) -> None:
    optimizer.bind(nlp)
    optimizer.gradients.restore(facts["gradients"])
    found = _weights(nlp)
    weights = {p.path: (p.key, found[p.key]) for p in find_parameters(nlp)}
    optimizer.fused.register(dict(weights[path] for path in facts["steps"]))
    for path, n_steps in facts["steps"].items():
        moments = {kind: _to_torch(arrays[f"{kind}:{path}"]) for kind in MOMENTS}
        optimizer.fused.restore(weights[path][0], n_steps, moments)
    averages = {}
    for name, array in arrays.items():
        kind, _, path = name.partition(":")
        if kind == AVERAGE:
            key, weight = weights[path]
            averages[key] = weight, _to_torch(array)
    optimizer.averaging.restore(facts["n_averaged"], averages)


def _weights(nlp: Language) -> dict[Key, Any]:
    """All weights of a pipeline as tensors."""
    found: dict[Key, Any] = {}
    for node in find_nodes(nlp):
        for name in node.param_names:
            if node.has_param(name):
                found[node.id, name] = xp2torch(node.get_param(name))
        for shim in node.shims:
            if hasattr(shim._model, "named_parameters"):
                for name, weight in shim._model.named_parameters():
                    found[shim.id, name] = weight
    return found


def _allocated(nlp: Language) -> Iterator[tuple[Key, Any]]:
    """All weights that have a gradient between two steps: thinc sets it to zero, and
    goes on to update them even if a batch gives none."""
    for node in find_nodes(nlp):
        for name in node.param_names:
            if node.has_grad(name):
                yield (node.id, name), node.get_grad(name)
        for shim in node.shims:
            if isinstance(shim, PyTorchShim):
                for name, weight in shim._model.named_parameters():
                    if weight.grad is not None:
                        yield (shim.id, name), weight.grad


def _allocate(nlp: Language, keys: set[Key]) -> None:
    for node in find_nodes(nlp):
        for name in node.param_names:
            if (node.id, name) in keys and not node.has_grad(name):
                node.set_grad(name, node.ops.alloc(node.get_param(name).shape))
        for shim in node.shims:
            if isinstance(shim, PyTorchShim):
                for name, weight in shim._model.named_parameters():
                    if (shim.id, name) in keys and weight.grad is None:
                        weight.grad = torch.zeros_like(weight)


def _to_torch(array: numpy.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.copy())


def _to_host(array: Any) -> numpy.ndarray:
    if isinstance(array, torch.Tensor):
        return array.detach().cpu().numpy().copy()
    return to_numpy(array).copy()
