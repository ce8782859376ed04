"""Resampling of documents."""

import numpy
import pytest

from spacy_ner_ext.tools.evaluate.bootstrap import CountRows, draw_weights


def test_documents_are_drawn_as_often_as_they_are_there():
    repeats = numpy.array([1, 3, 6])
    drawn = numpy.concatenate(list(draw_weights(repeats, 4000, seed=1)))
    assert drawn.mean(axis=0) == pytest.approx(repeats, abs=0.1)
    binomial = 10 * (repeats / 10) * (1 - repeats / 10)
    assert drawn.var(axis=0) == pytest.approx(binomial, abs=0.2)


def test_counts_of_documents_are_kept_once_and_small():
    rows = CountRows()
    for _ in range(1000):
        rows.add({("exact", "A"): [1, 1, 1, 1]})
    assert rows.repeats.tolist() == [1000]
    assert rows.total().tolist() == [[1000] * 4]
