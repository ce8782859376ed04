"""Token vectors and their gradients, against the bare encoder run by hand."""

import numpy
import pytest
import torch
from thinc.api import fix_random_seed

from spacy_ner_ext.encoder.pieces import cut_words
from tests.helpers.encoders import (
    KINDS,
    N_LAYERS,
    SENTENCES,
    WIDTH,
    WITH_BYTES,
    bare_encoder,
    bare_tokenizer,
    encoder_folder,
    make_docs,
    make_model,
    module_of,
)

every_kind = pytest.mark.parametrize("kind", KINDS)
DOCS = [
    ["Anna", "lives", "in", "New", "York", "."],
    [],
    " ".join(SENTENCES).split(),
    ["ferry", "\n", "unbelievable", "\x07", " ", "the"],
    ["Oslo"],
    ["\n", "\t"],
    [*SENTENCES[3].split(), "\n", *SENTENCES[1].split()],
]


def bare(kind):
    """The encoder and its tokenizer as transformers loads them."""
    return bare_encoder(encoder_folder(kind)), bare_tokenizer(kind)


def owner_of(piece, spans, length):
    """The window that shows the most on the shorter side of a piece."""

    def shown(span):
        before = piece - span[0] if span[0] else length
        after = span[1] - 1 - piece if span[1] < length else length
        return min(before, after)

    return max((s for s in spans if s[0] <= piece < s[1]), key=shown)


def bare_states(encoder, tokenizer, words, window, stride):
    """For each word, the hidden states of its pieces, shape (n_layers + 1, width),
    from windows that are run one by one."""
    states = [[] for _ in words]
    if not words:
        return states
    cut = tokenizer(words, is_split_into_words=True, add_special_tokens=False)
    around = tokenizer("a")["input_ids"]
    inner = tokenizer("a", add_special_tokens=False)["input_ids"]
    n_before = around.index(inner[0])
    ids, n = cut["input_ids"], len(cut["input_ids"])
    starts = range(0, max(n - (window - stride), 1), stride) if n else []
    spans = [(start, min(start + window, n)) for start in starts]
    run = {}
    for start, end in spans:
        text = [
            *around[:n_before],
            *ids[start:end],
            *around[n_before + len(inner) :],
        ]
        out = encoder(torch.tensor([text]), output_hidden_states=True)
        # ModernBERT normalizes after its last layer.
        all_states = [*out.hidden_states[:-1], out.last_hidden_state]
        run[start, end] = torch.cat(all_states)[:, n_before:]
    for piece, word in enumerate(cut.word_ids()):
        span = owner_of(piece, spans, n)
        states[word].append(run[span][:, piece - span[0]])
    return states


POOL = {
    "mean": lambda states: sum(states) / len(states),
    "sum": sum,
    "first": lambda states: states[0],
    "last": lambda states: states[-1],
}


def bare_vectors(parts, docs, empty, mix, pooling="mean", window=16, stride=10):
    """The expected output: `mix` combines hidden states to one vector."""
    found = []
    for words in docs:
        states = bare_states(*parts, words, window, stride)
        rows = [mix(POOL[pooling](s)) if s else empty for s in states]
        found.append(torch.stack(rows) if rows else torch.zeros(0, WIDTH))
    return found


def last(states):
    return states[-1]


def assert_close(found, expected, atol=1e-5):
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        assert one.dtype == numpy.float32
        assert one.shape == tuple(other.shape)
        numpy.testing.assert_allclose(one, numpy.asarray(other), rtol=0, atol=atol)


@torch.no_grad()
def expect(kind, model, docs, mix=last, **settings):
    return bare_vectors(bare(kind), docs, module_of(model).empty, mix, **settings)


# --- Vectors -----------------------------------------------------------------


@every_kind
def test_vectors_are_those_of_the_bare_model(kind):
    model = make_model(encoder_folder(kind))
    found = model.predict(make_docs(*DOCS))
    assert_close(found, expect(kind, model, DOCS))
    assert found[0].std() > 0.1


@every_kind
def test_words_without_pieces_have_the_learned_vector(kind):
    model = make_model(encoder_folder(kind))
    tokenizer = model.shims[0].tokenizer
    words = ["ferry", "\n", " ", "\x07", "the", "\t"]
    without = [
        i
        for i, word in enumerate(words)
        if not cut_words(tokenizer, [[word]]).lengths[0]
    ]
    (found,) = model.predict(make_docs(words))
    empty = module_of(model).empty.detach().numpy()
    same = [i for i in range(len(words)) if numpy.array_equal(found[i], empty)]
    assert same == without
    # All bytes are pieces.
    assert bool(same) == (kind not in WITH_BYTES)
    assert numpy.isfinite(found).all() and empty.any()


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
@pytest.mark.parametrize("pooling", POOL)
def test_pooling(kind, pooling):
    model = make_model(encoder_folder(kind), pooling=pooling)
    found = model.predict(make_docs(*DOCS))
    assert_close(found, expect(kind, model, DOCS, pooling=pooling))


@pytest.mark.parametrize("kind", ["roberta", "deberta-v2", "modernbert"])
@pytest.mark.parametrize("window,stride", [(16, 6), (16, 16), (60, 30), (2, 2)])
def test_windows(kind, window, stride):
    model = make_model(encoder_folder(kind), window=window, stride=stride)
    found = model.predict(make_docs(*DOCS))
    expected = expect(kind, model, DOCS, window=window, stride=stride)
    assert_close(found, expected)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "modernbert", "albert"])
@pytest.mark.parametrize("layers", [[0], [1], [-1], [1, 3], [-1, 0, -2]])
def test_layers(kind, layers):
    model = make_model(encoder_folder(kind), layers=layers)
    found = model.predict(make_docs(*DOCS))
    expected = expect(kind, model, DOCS, mix=lambda states: states[layers].mean(0))
    assert_close(found, expected)


@pytest.mark.parametrize("kind", ["bert", "deberta-v2"])
def test_a_learned_mix_begins_as_the_mean_and_is_a_softmax(kind):
    layers = [1, 2, 3]
    model = make_model(encoder_folder(kind), layers=layers, layer_mix="learned")
    docs = make_docs(*DOCS)
    mean = expect(kind, model, DOCS, mix=lambda states: states[layers].mean(0))
    assert_close(model.predict(docs), mean)
    weights = torch.tensor([1.0, -0.5, 0.25])
    module_of(model).layer_weights.data[:] = weights
    parts = weights.exp() / weights.exp().sum()
    expected = expect(
        kind, model, DOCS, mix=lambda states: (states[layers] * parts[:, None]).sum(0)
    )
    assert_close(model.predict(docs), expected)


def test_a_mix_of_one_layer_has_nothing_to_learn():
    assert module_of(make_model(layer_mix="learned")).layer_weights is None


@pytest.mark.parametrize("is_train", [False, True])
@pytest.mark.parametrize("docs", [[], [[]], [[], []], [["\n"]], [[], ["\n", "\t"], []]])
def test_batches_without_pieces(docs, is_train):
    model = make_model(layers=[1, -1], layer_mix="learned")
    found, backprop = model(make_docs(*docs), is_train)
    assert [vectors.shape for vectors in found] == [(len(d), WIDTH) for d in docs]
    empty = module_of(model).empty.detach().numpy()
    assert all((vectors == empty).all() for vectors in found)
    assert backprop([vectors + 1 for vectors in found]) == []


@pytest.mark.parametrize("kind", ["bert", "deberta-v2", "modernbert"])
def test_vectors_do_not_depend_on_the_batches(kind):
    folder = encoder_folder(kind)
    docs = make_docs(*DOCS)
    expected = make_model(folder).predict(docs)
    for most in (1, 18, 40, 100, 10_000):
        model = make_model(folder, max_batch_pieces=most)
        assert_close(model.predict(docs), expected)
    assert_close([model.predict([doc])[0] for doc in docs], expected)
    assert_close(model.predict(docs[::-1])[::-1], expected)


def test_predicting_twice_gives_the_same_in_spite_of_dropout():
    model = make_model(transformer_config={"hidden_dropout_prob": 0.5})
    docs = make_docs(*DOCS)
    before = model.predict(docs)
    trained, _ = model.begin_update(docs)
    assert abs(trained[0] - before[0]).max() > 0.1
    assert_close(model.predict(docs), before, atol=0)


def test_training_gives_the_vectors_that_predicting_gives():
    model = make_model()
    docs = make_docs(*DOCS)
    assert_close(model.begin_update(docs)[0], model.predict(docs))


def test_predicting_builds_no_graph():
    model = make_model()
    vectors = model.predict(make_docs(*DOCS))
    assert all(weight.grad is None for weight in module_of(model).parameters())
    # Other components may write to predictions.
    vectors[0] += 1


# --- Gradients ---------------------------------------------------------------


def draw(vectors, seed=0):
    rng = numpy.random.default_rng(seed)
    return [rng.normal(size=v.shape).astype("float32") for v in vectors]


def gradients_of(model):
    named = module_of(model).named_parameters()
    return {name: p.grad.clone() for name, p in named if p.grad is not None}


def assert_same_gradients(found, expected, rtol=1e-4):
    assert set(found) == set(expected)
    for name in found:
        most = expected[name].abs().max()
        # Some gradients, as of the bias of keys, are zero but for rounding.
        assert (found[name] - expected[name]).abs().max() <= rtol * most + 2e-5, name


def bare_gradients(kind, model, docs, d_docs, mix=last, **settings):
    """Gradients of the weights by torch, for the encoder run by hand."""
    module = module_of(model)
    encoder, tokenizer = bare(kind)
    empty = module.empty.detach().clone().requires_grad_()
    found = bare_vectors((encoder, tokenizer), docs, empty, mix, **settings)
    sum((v * torch.tensor(d)).sum() for v, d in zip(found, d_docs)).backward()
    gradients = {
        f"encoder.{name}": weight.grad
        for name, weight in encoder.named_parameters()
        if weight.grad is not None
    }
    return {"empty": empty.grad, **gradients}


@every_kind
def test_gradients_are_those_of_the_bare_model(kind):
    model = make_model(encoder_folder(kind), max_batch_pieces=50)
    vectors, backprop = model.begin_update(make_docs(*DOCS))
    d_vectors = draw(vectors)
    assert backprop(d_vectors) == []
    expected = bare_gradients(kind, model, DOCS, d_vectors)
    if kind in WITH_BYTES:
        # No word is without a piece.
        expected["empty"] = torch.zeros(WIDTH)
        module_of(model).empty.grad = torch.zeros(WIDTH)
    assert expected["empty"].any() == (kind not in WITH_BYTES)
    assert_same_gradients(gradients_of(model), expected)


@pytest.mark.parametrize("pooling", ["sum", "first", "last"])
def test_gradients_of_pooling_and_of_a_learned_mix(pooling):
    layers = [0, 2, 3]
    model = make_model(pooling=pooling, layers=layers, layer_mix="learned")
    weights = torch.tensor([1.0, -0.5, 0.25])
    module_of(model).layer_weights.data[:] = weights
    vectors, backprop = model.begin_update(make_docs(*DOCS))
    d_vectors = draw(vectors)
    backprop(d_vectors)
    by_hand = weights.clone().requires_grad_()

    def mix(states):
        return (states[layers] * torch.softmax(by_hand, 0)[:, None]).sum(0)

    expected = bare_gradients("bert", model, DOCS, d_vectors, mix, pooling=pooling)
    expected["layer_weights"] = by_hand.grad
    assert_same_gradients(gradients_of(model), expected)


def test_gradients_of_several_batches_add_up():
    docs = make_docs(*DOCS)
    model = make_model()
    vectors, backprop = model.begin_update(docs)
    d_vectors = draw(vectors)
    backprop(d_vectors)
    expected = gradients_of(model)
    parts = make_model()
    # As under accumulate_gradient, and with both open at once.
    _, backprop_first = parts.begin_update(docs[:3])
    _, backprop_second = parts.begin_update(docs[3:])
    backprop_second(d_vectors[3:])
    backprop_first(d_vectors[:3])
    assert_same_gradients(gradients_of(parts), expected)


@pytest.mark.parametrize("kind", ["bert", "modernbert", "deberta-v2"])
def test_gradient_checkpointing_gives_the_same_gradients(kind):
    folder = encoder_folder(kind)
    found = []
    for checkpointing in (False, True):
        model = make_model(folder, gradient_checkpointing=checkpointing)
        vectors, backprop = model.begin_update(make_docs(*DOCS))
        backprop(draw(vectors))
        found.append(gradients_of(model))
    assert_same_gradients(found[1], found[0])


def test_gradient_checkpointing_computes_layers_a_second_time():
    model = make_model(gradient_checkpointing=True)
    calls = []
    layer = module_of(model).encoder.encoder.layer[0].attention
    layer.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    vectors, backprop = model.begin_update(make_docs("Anna lives in Oslo"))
    backprop(draw(vectors))
    assert len(calls) == 2


@pytest.mark.parametrize("checkpointing", [True, False])
def test_predicting_before_the_gradient_comes_does_not_change_it(checkpointing):
    """As an annotating component does; the second pass has the dropout of the first."""
    found = []
    for predicts in (False, True):
        model = make_model(
            gradient_checkpointing=checkpointing,
            transformer_config={"hidden_dropout_prob": 0.5},
        )
        fix_random_seed(0)
        vectors, backprop = model.begin_update(make_docs(*DOCS))
        if predicts:
            model.predict(make_docs(*DOCS))
        backprop(draw(vectors))
        found.append(gradients_of(model))
    assert_same_gradients(found[1], found[0])


@pytest.mark.parametrize("layers", [[-1], [N_LAYERS], [0, 1]])
def test_weights_above_the_layers_in_use_have_no_gradient(layers):
    model = make_model(layers=layers)
    vectors, backprop = model.begin_update(make_docs(*DOCS))
    backprop(draw(vectors))
    trained = {
        i for i in range(N_LAYERS) if f"layer.{i}." in str([*gradients_of(model)])
    }
    assert trained == set(range(max(n % (N_LAYERS + 1) for n in layers)))
