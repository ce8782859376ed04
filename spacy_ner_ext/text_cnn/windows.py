"""Windows of words around each word of some documents, padded with zeros."""

from collections.abc import Sequence
from typing import Any

import numpy
from numpy.typing import NDArray
from thinc.api import NumpyOps
from thinc.types import Floats2d

Lengths = NDArray[numpy.int32]


class Windows:
    """Windows of several sizes, by thinc's kernels for the CPU.

    A window has (size - 1) // 2 words to the left of its word, and size // 2 to the
    right.
    """

    def __init__(self, ops: Any, lengths: Lengths, sizes: Sequence[int]) -> None:
        self.ops, self.lengths, self.sizes = ops, lengths, sizes

    def forward(self, X: Floats2d) -> list[Floats2d]:
        """For each size, the concatenated vectors of the words of each window."""
        return [self._columns(X, size) for size in self.sizes]

    def _columns(self, X: Floats2d, size: int) -> Floats2d:
        if size == 1:
            return X
        columns = self.ops.seq2col(X, size // 2, lengths=self.lengths)
        # seq2col has odd windows only: an even window lacks the leftmost word.
        return columns if size % 2 else self.ops.as_contig(columns[:, X.shape[1] :])

    def backprop(self, gradients: Sequence[Floats2d]) -> Floats2d:
        """The gradient of the vectors, from those of the windows of each size."""
        width = gradients[0].shape[1] // self.sizes[0]
        dX = self.ops.alloc2f(len(gradients[0]), width)
        for dY, size in zip(gradients, self.sizes):
            dX += self._backprop_columns(dY, size)
        return dX

    def _backprop_columns(self, dY: Floats2d, size: int) -> Floats2d:
        if size == 1:
            return dY
        if size % 2 == 0:
            d_columns = self.ops.alloc2f(len(dY), dY.shape[1] // size * (size + 1))
            d_columns[:, dY.shape[1] // size :] = dY
            dY = d_columns
        dY = self.ops.as_contig(dY)
        return self.ops.backprop_seq2col(dY, size // 2, lengths=self.lengths)


class GatheredWindows(Windows):
    """The same by indices, which are copied once to a GPU; thinc's kernels there wait
    for the device to check the lengths. Each gradient is a sum in a fixed order."""

    def __init__(self, ops: Any, lengths: Lengths, sizes: Sequence[int]) -> None:
        super().__init__(ops, lengths, sizes)
        # The words up to `reach` to the left and to the right of each word; outside of
        # its document, a row of zeros after the last word.
        self.reach = max(sizes) // 2
        ends, n = numpy.cumsum(lengths), int(numpy.sum(lengths))
        stops = numpy.repeat(ends, lengths)[:, None]
        starts = stops - numpy.repeat(lengths, lengths)[:, None]
        places = numpy.arange(n)[:, None] + numpy.arange(-self.reach, self.reach + 1)
        outside = (places < starts) | (places >= stops)
        self.places: Any = ops.asarray2i(numpy.where(outside, n, places))

    def forward(self, X: Any) -> list[Floats2d]:
        xp = self.ops.xp
        padded = xp.concatenate([X, xp.zeros((1, X.shape[1]), X.dtype)])
        return [
            padded[self.places[:, self._part(size)]].reshape(len(X), -1)
            for size in self.sizes
        ]

    def _part(self, size: int) -> slice:
        """The columns of `places` that a window has."""
        first = self.reach - (size - 1) // 2
        return slice(first, first + size)

    def backprop(self, gradients: Sequence[Any]) -> Floats2d:
        n, n_columns = self.places.shape
        width = gradients[0].shape[1] // self.sizes[0]
        padded: Any = self.ops.alloc3f(n + 1, n_columns, width)
        for dY, size in zip(gradients, self.sizes):
            own = padded[:n, self._part(size)]
            own += dY.reshape(n, size, width)
        # A word is in column c of the window around the word that is in its mirrored
        # column.
        columns = self.ops.xp.arange(n_columns)
        return padded[self.places[:, ::-1], columns].sum(axis=1)


def windows_for(ops: Any, lengths: Lengths, sizes: Sequence[int]) -> Windows:
    """The windows that are fastest on the device."""
    kind = Windows if isinstance(ops, NumpyOps) else GatheredWindows
    return kind(ops, lengths, sizes)
