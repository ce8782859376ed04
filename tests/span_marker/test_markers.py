"""How pairs of markers are grouped for attention."""

import numpy
import pytest
import torch

from spacy_ner_ext.span_marker.markers import EncodedText, Pairs, group_markers


def groups_of(sizes, on_gpu):
    """The groups of one batch of texts of ten pieces, with so many pairs a row."""
    rows = numpy.repeat(numpy.arange(len(sizes)), sizes)
    zeros = numpy.zeros_like(rows)
    mask = numpy.ones((len(sizes), 10), bool)
    text = EncodedText(numpy.zeros((len(sizes), 10), int), mask)
    pairs = Pairs(zeros, rows, zeros, zeros)
    return group_markers([text], pairs, torch.from_numpy, on_gpu)


@pytest.mark.parametrize(
    ("sizes", "on_gpu", "expected"),
    [
        ([3, 5, 4], False, 1),
        # For a CPU padding costs more than a further group.
        ([30, 40, 3, 30], False, 4),
        ([30, 40, 50, 30], True, 1),
        # A row with many pairs would pad all others.
        ([3, 4, 500, 3, 4], True, 3),
        ([7], True, 1),
        ([200] * 500, True, 1),
    ],
)
def test_groups(sizes, on_gpu, expected):
    groups = groups_of(sizes, on_gpu)
    assert len(groups) == expected
    bounds = [(g.markers.start, g.markers.stop) for g in groups]
    assert [0, *(stop for _, stop in bounds)] == [
        *(start for start, _ in bounds),
        2 * sum(sizes),
    ]
    for group in groups:
        n_markers = group.markers.stop - group.markers.start
        if group.order is not None:
            assert group.order.numel() <= 2 * n_markers or not on_gpu
            flat = group.order.flatten()[group.inverse]
            assert flat.tolist() == list(range(n_markers))
