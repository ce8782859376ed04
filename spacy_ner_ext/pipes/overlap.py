"""The rule for overlapping spans: take one after another in order of preference, and
leave out those that share a token with one that was taken.

Gold spans are taken the longest first (data/docs.py, crf/tags.py), predicted entities
by their probability (annotations.py, span_marker/candidates.py).
"""

from collections.abc import Iterable, Sequence

# First token, end (exclusive) and label.
LabelledSpan = tuple[int, int, str]


def select_disjoint(
    spans: Sequence[tuple[int, int]],
    order: Iterable[int],
    taken: set[int] | None = None,
) -> list[int]:
    """Select spans (first token, end) that do not overlap each other or `taken` tokens,
    greedily in the given order of their indices; their tokens are added to `taken`."""
    taken = set() if taken is None else taken
    selected = []
    for i in order:
        tokens = range(*spans[i])
        if taken.isdisjoint(tokens):
            taken.update(tokens)
            selected.append(i)
    return selected


def longest_first(spans: Sequence[tuple[int, int]]) -> list[int]:
    """The indices of spans (first token, end) in the order of spaCy's `filter_spans`:
    the longest first, then the leftmost."""
    return sorted(
        range(len(spans)), key=lambda i: (spans[i][0] - spans[i][1], spans[i][0])
    )
