"""The text CNN's layer against brute force, PyTorch and finite differences."""

import math

import numpy
import pytest
import torch
from thinc.api import (
    Linear,
    NumpyOps,
    fix_random_seed,
    get_current_ops,
    set_current_ops,
    set_dropout_rate,
)
from thinc.types import Ragged

from spacy_ner_ext.text_cnn.layer import ACTIVATIONS, NORMALIZE, TextCNN, convolve

WIDTH = 3


class DoubleOps(NumpyOps):
    """NumPy in float64, so that finite differences are exact to many digits."""

    def __init__(self):
        super().__init__(use_blis=False)

    def alloc(self, shape, *, dtype="float32", zeros=True):
        is_float = numpy.issubdtype(numpy.dtype(dtype), numpy.floating)
        return super().alloc(shape, dtype="float64" if is_float else dtype, zeros=zeros)

    def get_dropout_mask(self, shape, drop):
        return super().get_dropout_mask(shape, drop).astype("float64")


@pytest.fixture
def double():
    before = get_current_ops()
    set_current_ops(DoubleOps())
    yield
    set_current_ops(before)


def make(**options):
    settings = {
        "kernel_sizes": [3],
        "out_channels": None,
        "output_size": None,
        "activation": "relu",
        "normalize": "pre",
        "residual": True,
        "dropout": None,
    }
    return TextCNN(**{**settings, **options})


def draw_docs(lengths, width=WIDTH, dtype="float32", seed=0):
    rng = numpy.random.default_rng(seed)
    return [rng.normal(size=(n, width)).astype(dtype) for n in lengths]


def make_initialized(docs, seed=0, **options):
    """A network whose biases and scales are random too, in the documents' type."""
    fix_random_seed(seed)
    rng = numpy.random.default_rng(seed)
    model = make(**options)
    model.initialize(X=docs)
    for node in model.walk():
        for name in node.param_names:
            if node.has_param(name):
                noise = 0.3 * rng.normal(size=node.get_param(name).shape)
                values = (node.get_param(name) + noise).astype(docs[0].dtype)
                node.set_param(name, values)
    return model


def find_filters(model):
    return next(node for node in model.walk() if node.name == "convolve").layers


def find_projection(model):
    filters = find_filters(model)
    linear = [node for node in model.walk() if node.name == "linear"]
    return next(node for node in linear if node not in filters)


def make_identity(**options):
    """Filters of one word and a projection that change nothing."""
    settings = {"kernel_sizes": [1], "normalize": "none", "residual": False}
    model = make(**{**settings, **options})
    model.initialize(X=draw_docs([1]))
    for layer in (*find_filters(model), find_projection(model)):
        layer.set_param("W", numpy.eye(WIDTH, dtype="float32"))
    return model


# --- The convolution --------------------------------------------------------


def make_convolution(sizes, n_outputs, seed=0):
    rng = numpy.random.default_rng(seed)
    filters = [Linear(n_outputs, size * WIDTH) for size in sizes]
    for layer, size in zip(filters, sizes, strict=True):
        weights = rng.normal(size=(n_outputs, size * WIDTH)).astype("float32")
        layer.set_param("W", weights)
        layer.set_param("b", rng.normal(size=n_outputs).astype("float32"))
    return convolve(sizes, filters), filters


def convolve_by_hand(doc, layer, size):
    """One word of the window after the other; an even size looks right."""
    weights = layer.get_param("W").reshape(-1, size, WIDTH)
    result = numpy.zeros((len(doc), len(weights))) + layer.get_param("b")
    for word in range(len(doc)):
        for place in range(size):
            other = word + place - (size - 1) // 2
            if 0 <= other < len(doc):
                result[word] += weights[:, place] @ doc[other]
    return result


def convolve_by_torch(doc, layer, size):
    weights = torch.tensor(layer.get_param("W")).reshape(-1, size, WIDTH)
    result = torch.nn.functional.conv1d(
        torch.tensor(doc).T[None],
        weights.permute(0, 2, 1),
        torch.tensor(layer.get_param("b")),
        padding="same",
    )
    return result[0].T.numpy()


@pytest.mark.filterwarnings(
    "ignore:Using padding='same' with even kernel lengths:UserWarning"
)
@pytest.mark.parametrize(
    "sizes",
    [[1], [2], [3], [4], [5], [6], [3, 4, 5], [6, 1], [2, 2], [1, 2, 3, 4, 5, 6]],
)
def test_convolution_equals_brute_force_and_pytorch(sizes):
    model, filters = make_convolution(sizes, n_outputs=4)
    lengths = [7, 1, 2, 12]
    docs = draw_docs(lengths)
    joined = Ragged(numpy.concatenate(docs), numpy.array(lengths, dtype="int32"))
    results = numpy.split(model.predict(joined).data, numpy.cumsum(lengths)[:-1])
    for doc, result in zip(docs, results, strict=True):
        pairs = list(zip(filters, sizes, strict=True))
        by_hand = [convolve_by_hand(doc, *pair) for pair in pairs]
        by_torch = [convolve_by_torch(doc, *pair) for pair in pairs]
        assert numpy.allclose(result, numpy.concatenate(by_hand, axis=1), atol=1e-5)
        assert numpy.allclose(result, numpy.concatenate(by_torch, axis=1), atol=1e-5)


@pytest.mark.parametrize("normalize", NORMALIZE)
@pytest.mark.parametrize("sizes", [[1], [2], [3, 4, 5]])
def test_documents_do_not_see_each_other(sizes, normalize):
    docs = draw_docs([4, 0, 1, 6, 2, 0])
    model = make_initialized(docs, kernel_sizes=sizes, normalize=normalize)
    alone = [model.predict([doc])[0] for doc in docs]
    for order in (range(6), [5, 0, 3, 1, 4, 2], [3, 3, 0]):
        together = model.predict([docs[i] for i in order])
        for i, result in zip(order, together, strict=True):
            assert result.shape == docs[i].shape
            assert numpy.allclose(result, alone[i], atol=1e-5)


def test_gradients_do_not_pass_between_documents():
    docs = draw_docs([3, 5, 2])
    model = make_initialized(docs, kernel_sizes=[5, 6])
    results, backprop = model.begin_update(docs)
    gradients = [numpy.zeros_like(result) for result in results]
    gradients[1][:] = numpy.random.default_rng(1).normal(size=results[1].shape)
    first, second, third = backprop(gradients)
    assert not first.any() and not third.any()
    assert second.any(axis=1).all()


@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
def test_a_batch_without_words_gives_no_rows(lengths):
    model = make_initialized(draw_docs([2]), output_size=5)
    docs = draw_docs(lengths)
    results, backprop = model.begin_update(docs)
    assert [result.shape for result in results] == [(0, 5)] * len(lengths)
    gradients = backprop([numpy.zeros((0, 5), "float32") for _ in lengths])
    assert [gradient.shape for gradient in gradients] == [(0, WIDTH)] * len(lengths)


def test_a_window_reaches_as_far_as_its_size_and_no_further():
    docs = draw_docs([9])
    for size, left, right in [(1, 0, 0), (2, 0, 1), (5, 2, 2), (6, 2, 3)]:
        model = make_initialized(docs, kernel_sizes=[size], activation="mish")
        before = model.predict(docs)[0]
        changed = docs[0].copy()
        changed[4] += 1
        touched = (model.predict([changed])[0] != before).any(axis=1)
        # A word is seen by the words that have it in their window.
        assert numpy.flatnonzero(touched).tolist() == list(range(4 - right, 5 + left))


# --- Gradients --------------------------------------------------------------


def check_gradients(model, docs, seed=None):
    """Compare with central differences of the weighted sum of all results."""
    rng = numpy.random.default_rng(3)

    def run():
        if seed is not None:
            fix_random_seed(seed)
        return model(docs, is_train=True)

    results, backprop = run()
    weights = [rng.normal(size=result.shape) for result in results]
    d_docs = backprop(weights)
    pairs = [(doc, d_doc, "input") for doc, d_doc in zip(docs, d_docs, strict=True)]
    for node in model.walk():
        for name in node.param_names:
            if node.has_param(name):
                where = f"{node.name}.{name}"
                pairs.append((node.get_param(name), node.get_grad(name), where))

    def loss():
        return sum(
            (weight * result).sum()
            for weight, result in zip(weights, run()[0], strict=True)
        )

    step = 1e-6
    for values, slope, where in pairs:
        assert slope.dtype == "float64" and slope.shape == values.shape
        for index in numpy.ndindex(values.shape):
            kept = values[index]
            values[index] = kept + step
            above = loss()
            values[index] = kept - step
            below = loss()
            values[index] = kept
            estimate = (above - below) / (2 * step)
            assert slope[index] == pytest.approx(estimate, rel=1e-5, abs=1e-6), where
    return [where for *_, where in pairs]


@pytest.mark.parametrize("normalize", NORMALIZE)
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("output_size", [None, 2])
def test_gradients_equal_finite_differences(double, normalize, residual, output_size):
    docs = draw_docs([3, 0, 1, 2], dtype="float64")
    model = make_initialized(
        docs,
        kernel_sizes=[1, 2, 3],
        out_channels=2,
        output_size=output_size,
        activation="mish",
        normalize=normalize,
        residual=residual,
    )
    checked = check_gradients(model, docs)
    assert checked.count("mish.W") == checked.count("mish.b") == 3
    assert checked.count("linear.W") == 1
    assert checked.count("shortcut.W") == (residual and output_size is not None)
    assert checked.count("layernorm.G") == (normalize != "none")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_of_activations_equal_finite_differences(double, activation):
    docs = draw_docs([4, 2], dtype="float64")
    model = make_initialized(docs, kernel_sizes=[2], activation=activation)
    check_gradients(model, docs)


@pytest.mark.parametrize("dropout", [None, 0.4])
def test_gradients_pass_through_the_dropout_of_the_same_step(double, dropout):
    docs = draw_docs([3, 2], dtype="float64")
    options = {"kernel_sizes": [2, 3], "activation": "mish", "dropout": dropout}
    model = make_initialized(docs, **options)
    set_dropout_rate(model, 0.4)
    check_gradients(model, docs, seed=5)


# --- Options ----------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


FORMULAS = {
    "clipped_linear": lambda x: numpy.clip(x, 0, 1),
    "gelu": lambda x: x * (1 + numpy.vectorize(math.erf)(x / math.sqrt(2))) / 2,
    "hard_sigmoid": lambda x: numpy.clip(0.2 * x + 0.5, 0, 1),
    "hard_swish": lambda x: x * numpy.clip(0.2 * x + 0.5, 0, 1),
    "hard_tanh": lambda x: numpy.clip(x, -1, 1),
    "linear": lambda x: x,
    "mish": lambda x: x * numpy.tanh(numpy.log1p(numpy.exp(x))),
    "relu": lambda x: numpy.maximum(x, 0),
    "sigmoid": sigmoid,
    "swish": lambda x: x * sigmoid(x),
}


def test_every_activation_has_its_formula_here():
    assert sorted(FORMULAS) == sorted(ACTIVATIONS)


@pytest.mark.parametrize("activation", FORMULAS)
def test_activation_has_its_formula(activation):
    model = make_identity(activation=activation)
    x = numpy.linspace(-4, 4, 27, dtype="float32").reshape(9, WIDTH)
    result = model.predict([x])[0]
    assert numpy.allclose(result, FORMULAS[activation](x), atol=1e-5)
    assert numpy.allclose(result, x) == (activation == "linear")


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("normalize", NORMALIZE)
def test_normalization_and_residual_are_where_they_belong(normalize, residual):
    model = make_identity(activation="sigmoid", normalize=normalize, residual=residual)
    x = draw_docs([6])[0]
    expected = sigmoid(x)
    if normalize == "pre":
        expected = standardize(expected)
    if residual:
        expected = expected + x
    if normalize == "post":
        expected = standardize(expected)
    assert numpy.allclose(model.predict([x])[0], expected, atol=1e-4)


def standardize(x):
    return (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)


@pytest.mark.parametrize("known", [True, False])
def test_widths(known):
    docs = draw_docs([4])
    for out_channels, output_size in [(None, None), (7, None), (None, 5), (7, 5)]:
        model = make(
            kernel_sizes=[2, 3],
            out_channels=out_channels,
            output_size=output_size,
            n_inputs=WIDTH if known else None,
        )
        assert model.has_dim("nO") is (True if known or output_size else None)
        model.initialize(X=None if known else docs)
        width = output_size or WIDTH
        assert model.get_dim("nI") == WIDTH and model.get_dim("nO") == width
        assert model.predict(docs)[0].shape == (4, width)
        for layer in find_filters(model):
            assert layer.get_dim("nO") == (out_channels or WIDTH)


def dropped(model, x, rate):
    set_dropout_rate(model, rate)
    return model(x, is_train=True)[0][0]


def test_dropout_of_null_follows_the_rate_of_training():
    fix_random_seed(0)
    model = make_identity(activation="linear")
    x = numpy.ones((2000, WIDTH), dtype="float32")
    assert (dropped(model, [x], 0.0) == 1).all()
    for rate in (0.25, 0.5):
        result = dropped(model, [x], rate)
        kept = result != 0
        assert kept.mean() == pytest.approx(1 - rate, abs=0.03)
        assert numpy.allclose(result[kept], 1 / (1 - rate))
        assert (model.predict([x])[0] == 1).all()


def test_dropout_of_a_number_stays():
    fix_random_seed(0)
    model = make_identity(activation="linear", dropout=0.25)
    x = numpy.ones((2000, WIDTH), dtype="float32")
    for rate in (0.0, 0.9):
        result = dropped(model, [x], rate)
        kept = result != 0
        assert kept.mean() == pytest.approx(0.75, abs=0.03)
        assert numpy.allclose(result[kept], 1 / 0.75)
        assert (model.predict([x])[0] == 1).all()


def test_dropout_of_zero_is_off_at_any_rate():
    model = make_identity(activation="linear", dropout=0.0)
    x = numpy.ones((50, WIDTH), dtype="float32")
    assert (dropped(model, [x], 0.9) == 1).all()


@pytest.mark.parametrize(
    "option,value",
    [
        ("kernel_sizes", []),
        ("kernel_sizes", [0]),
        ("kernel_sizes", [3, -1]),
        ("out_channels", 0),
        ("out_channels", -4),
        ("output_size", 0),
        ("activation", "tanh"),
        ("normalize", "layer"),
        ("dropout", 1.0),
        ("dropout", -0.1),
    ],
)
def test_an_invalid_option_is_an_error_in_one_line(option, value):
    with pytest.raises(ValueError) as error:
        make(**{option: value})
    message = str(error.value)
    assert option in message and str(value) in message
    assert len(message.splitlines()) == 1


# --- Weights ----------------------------------------------------------------


@pytest.mark.parametrize("output_size", [None, 5])
@pytest.mark.parametrize("n_inputs", [None, WIDTH])
def test_save_and_load(output_size, n_inputs):
    docs = draw_docs([4, 0, 2])
    options = {"kernel_sizes": [2, 3], "out_channels": 4, "output_size": output_size}
    model = make_initialized(docs, **options, n_inputs=n_inputs)
    loaded = make(**options, n_inputs=n_inputs).from_bytes(model.to_bytes())
    for one, other in zip(model.predict(docs), loaded.predict(docs), strict=True):
        assert (one == other).all()
    assert loaded.get_dim("nO") == (output_size or WIDTH)
    projected = [n.has_param("W") for n in loaded.walk() if n.name == "shortcut"]
    assert projected == [True if output_size else None]


def test_the_same_seed_gives_the_same_weights_and_the_same_dropout():
    docs = draw_docs([5, 3])

    def train_once():
        fix_random_seed(4)
        model = make(output_size=4, dropout=0.3)
        model.initialize(X=docs)
        return model, numpy.concatenate(model(docs, is_train=True)[0])

    (first, dropped_first), (second, dropped_second) = train_once(), train_once()
    assert first.to_bytes() == second.to_bytes()
    assert (dropped_first == dropped_second).all()
    assert (numpy.concatenate(first.predict(docs)) != dropped_first).any()
