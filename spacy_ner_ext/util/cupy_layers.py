"""Layers of spaCy and thinc on a GPU with fewer waits, copies and kernel launches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import numpy
import torch
from thinc.api import CupyOps, Model, NumpyOps, torch2xp

from .cupy_ops import FastCupyOps
from .tensors import add_rows
from .weights import as_tensor

# As in thinc's LayerNorm.
EPS = 1e-8


def reduce_waits(model: Model) -> None:
    """On a GPU, let the layers of a model use FastCupyOps and the functions below. Its
    results stay the same, except for rounding."""
    if not isinstance(model.ops, CupyOps):
        return
    ops = FastCupyOps(model.ops.device_type, model.ops.device_id)
    for node in model.walk():
        if not isinstance(node.ops, FastCupyOps):
            node.ops = ops
            if node.name in FORWARD:
                node._func = partial(FORWARD[node.name], node._func)


def extract_features(
    forward: Callable, model: Model, docs: Sequence[Any], is_train: bool
) -> tuple[list[Any], Callable]:
    """spaCy's FeatureExtractor, with one copy for all documents."""
    on_host: Any = SimpleNamespace(attrs=model.attrs, ops=NumpyOps())
    features, backprop = forward(on_host, docs, is_train)
    if not features:
        return [], backprop
    ops: Any = model.ops
    lengths = numpy.array([len(array) for array in features], dtype="int32")
    joined = ops.asarray2i(numpy.concatenate(features), dtype="uint64")
    return ops.unflatten(joined, lengths), backprop


def hash_embed(
    forward: Callable, model: Model, ids: Any, is_train: bool
) -> tuple[Any, Callable]:
    """thinc's HashEmbed, which adds up the gradients of all hashes of a word at once,
    and in a fixed order."""
    if not len(ids):
        return forward(model, ids, is_train)
    ops, rate = model.ops, model.attrs.get("dropout_rate")
    table: Any = model.get_param("E")
    hashes = ops.hash(ops.as_contig(ids, dtype="uint64"), model.attrs["seed"])
    keys = hashes % table.shape[0]
    output = ops.gather_add(table, keys)
    mask: Any = None
    if is_train and rate:
        mask = ops.get_dropout_mask((table.shape[1],), rate)
        output *= mask

    def backprop(d_output: Any) -> Any:
        if mask is not None:
            d_output = d_output * mask
        d_table: Any = ops.alloc2f(*table.shape)
        rows, values = as_tensor(keys.astype("int64")), as_tensor(d_output)[:, None]
        values = values.expand(*rows.shape, -1).flatten(0, 1)
        add_rows(as_tensor(d_table), rows.flatten(), values)
        model.inc_grad("E", d_table)
        return ops.alloc1i(len(ids))

    return output, backprop


def layer_norm(
    forward: Callable, model: Model, X: Any, is_train: bool
) -> tuple[Any, Callable]:
    """thinc's LayerNorm by torch's kernels."""
    if not len(X):
        return forward(model, X, is_train)
    x, scale, bias = map(as_tensor, (X, model.get_param("G"), model.get_param("b")))
    y, mean, rstd = torch.native_layer_norm(x, scale.shape, scale, bias, EPS)

    def backprop(dY: Any) -> Any:
        arrays = (as_tensor(dY), x, scale.shape, mean, rstd, scale, bias)
        gradients = torch.ops.aten.native_layer_norm_backward(*arrays, [True] * 3)
        dX, d_scale, d_bias = (cast(Any, torch2xp(each)) for each in gradients)
        model.inc_grad("G", d_scale)
        model.inc_grad("b", d_bias)
        return dX

    return torch2xp(y), backprop


# By the name of a layer; the first argument is its own function.
FORWARD: dict[str, Callable] = {
    "extract_features": extract_features,
    "hashembed": hash_embed,
    "layernorm": layer_norm,
}
