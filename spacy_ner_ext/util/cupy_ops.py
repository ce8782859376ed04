"""thinc's operations on a GPU with fewer waits of the host, copies and launches.

Before many of its kernels thinc checks values on the device, which the host waits for,
although its layers only pass values that are right; it also copies small arrays to the
device one by one. A launch costs some microseconds of the host, a copy more, and a wait
empties the queue of the device.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy
from thinc.api import CupyOps

from .tensors import add_rows
from .weights import as_tensor


class FastCupyOps(CupyOps):
    """thinc's operations without checks of values, and in a fixed order."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Lengths of documents on the device, by their ids, and a copy of each here.
        self._on_host: dict[int, tuple[weakref.ref, Any]] = {}

    def asarray(self, data: Any, dtype: Any = None) -> Any:
        if isinstance(data, list) and len(data) == 1 and numpy.isscalar(data[0]):
            # Filled on the device, which needs no copy from the host.
            return self.xp.full(1, data[0], dtype)
        return super().asarray(data, dtype)

    def asarray1i(self, data: Any, *, dtype: Any = "int32") -> Any:
        array = super().asarray1i(data, dtype=dtype)
        if isinstance(data, list):
            key = id(array)
            gone = weakref.ref(array, lambda _: self._on_host.pop(key, None))
            self._on_host[key] = gone, numpy.array(data, dtype)
        return array

    def unflatten(self, X: Any, lengths: Any, pad: int = 0) -> Any:
        if found := self._on_host.get(id(lengths)):
            lengths = found[1]
        return super().unflatten(X, lengths, pad)

    def flatten(
        self, X: Any, dtype: Any = None, pad: int = 0, ndim_if_empty: int = 2
    ) -> Any:
        rows = [x for x in X if x.size] if pad else []
        if not rows:
            return super().flatten(X, dtype, 0, ndim_if_empty)
        gap = self.xp.zeros((pad, *rows[0].shape[1:]), rows[0].dtype)
        padded = [part for x in rows for part in (gap, x)]
        return super().flatten([*padded, gap], dtype)

    def gather_add(self, table: Any, indices: Any) -> Any:
        return table[indices].sum(axis=1)

    def scatter_add(self, table: Any, indices: Any, values: Any) -> Any:
        add_rows(as_tensor(table), as_tensor(indices).long(), as_tensor(values))
        return table

    def backprop_maxout(self, dY: Any, which: Any, P: int) -> Any:
        chosen = which[:, :, None] == self.xp.arange(P, dtype=which.dtype)
        return chosen * dY[:, :, None]

    def seq2col(self, seq: Any, nW: int, *, lengths: Any = None) -> Any:
        if lengths is not None:
            return super().seq2col(seq, nW, lengths=lengths)
        n = len(seq)
        padded = self.alloc2f(n + 2 * nW, seq.shape[1], dtype=seq.dtype)
        padded[nW : nW + n] = seq
        shifted = [padded[first : first + n] for first in range(2 * nW + 1)]
        return self.xp.concatenate(shifted, axis=1)

    def backprop_seq2col(self, dY: Any, nW: int, *, lengths: Any = None) -> Any:
        if lengths is not None:
            return super().backprop_seq2col(dY, nW, lengths=lengths)
        n, n_columns = len(dY), 2 * nW + 1
        parts = dY.reshape(n, n_columns, -1)
        padded = self.alloc2f(n + 2 * nW, parts.shape[2], dtype=dY.dtype)
        for column in range(n_columns):
            view = padded[column : column + n]
            view += parts[:, column]
        return padded[nW : nW + n]
