"""The filter: scores spans by the text alone, and selects those that get markers."""

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..encoder.pieces import Ints

# The logit of a span before a filter has learned anything.
PRIOR = -4.0
# Spans per window that pass whatever the ratio: a short text may hold several entities.
MIN_CANDIDATES = 4


class SpanFilter(nn.Module):
    """Scores spans by the states of the text, before there are any markers."""

    def __init__(self, hidden: int, max_words: int) -> None:
        super().__init__()
        self.boundary = nn.Linear(hidden, 2)
        self.width = nn.Parameter(torch.zeros(max_words))

    def reset(self, std: float) -> None:
        """Initialize the weights, with a prior for few entities (Lin et al. 2017, Focal
        Loss): else the gradients of all other spans drown those of entities.
        """
        with torch.no_grad():
            self.boundary.weight.normal_(std=std)
            self.boundary.bias.fill_(PRIOR / 2)
            self.width.zero_()

    def forward(
        self, states: Tensor, rows: Tensor, starts: Tensor, ends: Tensor, widths: Tensor
    ) -> Tensor:
        """Add up the scores of start, end and width: a logit per span, from states of
        shape (n_rows, n_pieces, hidden), and the row and columns of each span."""
        start, end = self.boundary(states).unbind(-1)
        return start[rows, starts] + end[rows, ends] + self.width[widths - 1]


def select_spans(
    rows: Ints,
    first: Ints,
    scores: NDArray[numpy.float32],
    ratio: float,
    threshold: float,
    required: NDArray[numpy.bool_],
) -> NDArray[numpy.bool_]:
    """Select the best spans of each window, independent of other windows: at most
    `ratio` per word, but at least MIN_CANDIDATES. Those `required` are selected in any
    case, and do not count. Spans are grouped by their windows (`rows`)."""
    words = numpy.unique(numpy.stack([rows, first]), axis=1)[0]
    budgets = numpy.ceil(ratio * numpy.bincount(words)).astype("int64")
    budgets = numpy.maximum(budgets, MIN_CANDIDATES)
    open_ = numpy.flatnonzero((scores >= threshold) & ~required)
    # By window, and there by descending probability.
    order = open_[numpy.lexsort((-scores[open_], rows[open_]))]
    is_first = numpy.diff(rows[order], prepend=-1) != 0
    rank = numpy.arange(len(order)) - numpy.flatnonzero(is_first)[is_first.cumsum() - 1]
    selected = required.copy()
    selected[order[rank < budgets[rows[order]]]] = True
    return selected
