"""The one walk over the layers, torch modules and weights of a pipeline."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy
import torch
from thinc.api import Model
from thinc.shims import Shim

# thinc's key of an array: the id of its layer or shim, and its name there.
Key = tuple[int, str]


class Weight(NamedTuple):
    """An array of weights.

    key: Its key in thinc.
    path: Component, sublayers by the names that their parents give them, and array,
        such as "crf_ner.tok2vec.transformer.layer.3.output.dense.weight".
    array: A thinc array, or the parameter of a torch module.
    gradient: Its gradient, None if it has none.
    shim: The shim of its torch module, None for a thinc array.
    node: Its layer.
    """

    key: Key
    path: str
    array: Any
    gradient: Any | None
    shim: Shim | None
    node: Model

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return tuple(self.array.shape)

    @property
    def trainable(self) -> bool:
        """False if it is frozen in its encoder."""
        return self.shim is None or bool(self.array.requires_grad)

    def add_gradient(self) -> None:
        """Allocate a gradient of zeros if it has none."""
        if self.gradient is not None:
            return
        if self.shim is None:
            self.node.set_grad(self.key[1], self.node.ops.alloc(self.shape))
        else:
            self.array.grad = torch.zeros_like(self.array)


def iter_weights(nlp: Any) -> Iterator[Weight]:
    """Walk over all weights of a pipeline, or of a list of names and components, in
    their order. Those of a layer that occurs in several places come once."""
    for node, path in _iter_places(nlp):
        for name in node.param_names:
            if node.has_param(name):
                gradient = node.get_grad(name) if node.has_grad(name) else None
                array, key = node.get_param(name), (node.id, name)
                yield Weight(key, f"{path}.{name}", array, gradient, None, node)
        for shim in node.shims:
            module: Any = shim._model
            if not isinstance(module, torch.nn.Module):
                continue
            names = shim.paths() if hasattr(shim, "paths") else {}
            for name, weight in module.named_parameters():
                place = f"{path}.{names.get(name, name)}"
                yield Weight((shim.id, name), place, weight, weight.grad, shim, node)


def iter_nodes(nlp: Any) -> Iterator[Model]:
    """Walk over all layers of a pipeline."""
    for node, _ in _iter_places(nlp):
        yield node


def iter_shims(nlp: Any) -> Iterator[Shim]:
    """Walk over the shims of all torch modules of a pipeline."""
    for node in iter_nodes(nlp):
        yield from node.shims


def digest(nlp: Any) -> str:
    """A digest of the paths, shapes and values of all weights."""
    found = hashlib.blake2b(digest_size=16)
    for weight in iter_weights(nlp):
        found.update(f"{weight.path} {weight.shape} ".encode())
        values = as_tensor(weight.array).cpu().contiguous().view(-1)
        found.update(values.view(torch.uint8).numpy().data)
    return found.hexdigest()


def as_tensor(array: Any) -> torch.Tensor:
    """An array or a parameter as a tensor that shares its memory.

    RAISES (ValueError): If the array cannot be written.
    """
    if isinstance(array, torch.Tensor):
        return array.detach()
    if not isinstance(array, numpy.ndarray):
        # Unlike thinc's xp2torch, never a copy on another device.
        return torch.from_dlpack(array)
    if not array.flags.writeable:
        raise ValueError(
            f"An array of weights or gradients, of the shape {array.shape}, is "
            "read-only: pass array.copy() to set_param or set_grad of its layer."
        )
    return torch.from_numpy(array)


def _iter_places(nlp: Any) -> Iterator[tuple[Model, str]]:
    """All layers with their paths."""
    seen: set[int] = set()
    taken: set[str] = set()
    for name, component in getattr(nlp, "pipeline", nlp):
        model = getattr(component, "model", None)
        if isinstance(model, Model):
            yield from _walk(model, name, {}, seen, taken)


def _walk(
    node: Model, prefix: str, names: dict[int, str], seen: set[int], taken: set[str]
) -> Iterator[tuple[Model, str]]:
    """A layer and those below; `names` are the references of the parents to layers."""
    if node.id in seen:
        return
    seen.add(node.id)
    if node.id in names:
        prefix = f"{prefix}.{names[node.id]}"
    if node.param_names or node.shims:
        if names.get(node.id) != node.name:
            # So that patterns find a transformer under any reference.
            prefix = f"{prefix}.{node.name}"
        prefix = _number(prefix, taken)
        taken.add(prefix)
    yield node, prefix
    if node.ref_names:
        names = dict(names)
    for name in reversed(node.ref_names):
        target = node.maybe_get_ref(name)
        if target is not None and target is not node:
            names[target.id] = name
    for layer in node.layers:
        yield from _walk(layer, prefix, names, seen, taken)


def _number(path: str, taken: set[str]) -> str:
    """A free path for a layer. The number follows the layer's name, so that the name
    of the array stays last, where patterns of norms and biases look for it."""
    numbered, number = path, 1
    while numbered in taken:
        number += 1
        numbered = f"{path}_{number}"
    return numbered
