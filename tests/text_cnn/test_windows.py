"""Windows by indices against those by thinc's kernels."""

import numpy
import pytest
from thinc.api import NumpyOps

from spacy_ner_ext.text_cnn.windows import GatheredWindows, Windows

OPS = NumpyOps(use_blis=False)


@pytest.mark.parametrize("sizes", [[1], [2], [3], [4, 1], [3, 4, 5], [6, 2, 7]])
@pytest.mark.parametrize("lengths", [[1], [5], [0, 2, 0, 4, 1], [9, 9]])
def test_both_kinds_are_equal(sizes, lengths):
    rng, lengths = numpy.random.default_rng(0), numpy.array(lengths, dtype="int32")
    X = rng.normal(size=(lengths.sum(), 3)).astype("float32")
    one, other = (kind(OPS, lengths, sizes) for kind in (Windows, GatheredWindows))
    for own, gathered, size in zip(one.forward(X), other.forward(X), sizes):
        assert gathered.shape == (len(X), 3 * size)
        numpy.testing.assert_array_equal(own, gathered)
    gradients = [
        rng.normal(size=(len(X), 3 * size)).astype("float32") for size in sizes
    ]
    numpy.testing.assert_allclose(
        one.backprop(gradients), other.backprop(gradients), rtol=1e-5, atol=1e-6
    )
