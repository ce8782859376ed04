"""The rule for overlapping spans: take one after another in order of preference, and
leave out those that share a token with one that was taken."""

from collections.abc import Iterable, Sequence

# First token, end (exclusive) and label.
LabelledSpan = tuple[int, int, str]


def select_disjoint(
    spans: Sequence[tuple[int, int]],
    order: Iterable[int],
    taken: set[int] | None = None,
) -> list[int]:
    """Select spans that do not overlap, greedily.

    spans: First token and end (exclusive) of each span.
    order: The indices of the spans, the preferred first.
    taken: Tokens that no span may cover; the tokens of selected spans are added.
    RETURNS: The indices of the selected spans, in the order of preference.
    """
    taken = set() if taken is None else taken
    selected = []
    for i in order:
        tokens = range(*spans[i])
        if taken.isdisjoint(tokens):
            taken.update(tokens)
            selected.append(i)
    return selected


def longest_first(spans: Sequence[tuple[int, int]]) -> list[int]:
    """Order spans as spaCy's `filter_spans` does: the longest first, then the leftmost.

    spans: First token and end (exclusive) of each span.
    RETURNS: The indices of the spans.
    """
    return sorted(
        range(len(spans)), key=lambda i: (spans[i][0] - spans[i][1], spans[i][0])
    )
