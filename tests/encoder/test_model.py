"""The encoder as thinc and spaCy use it: trained, saved, cached, and in pipelines."""

import copy
import pickle
import random
import shutil
import socket

import numpy
import pytest
import spacy
import torch
from thinc.api import Adam, fix_random_seed

from spacy_ner_ext.encoder.cache import EmbeddingCache
from spacy_ner_ext.encoder.model import build_transformer
from spacy_ner_ext.encoder.torch_shim import GradientScaler
from tests.helpers.encoders import (
    SENTENCES,
    WIDTH,
    changed,
    encoder_folder,
    make_docs,
    make_encoder,
    make_model,
    module_of,
    warnings_of_spacy,
    weights_of,
)
from tests.helpers.pipelines import (
    CORPUS,
    TEXTS,
    build,
    crf,
    found,
    make_examples,
    step,
    train,
)

DOCS = [*SENTENCES[:3], [], ["ferry", "\n", "unbelievable"], " ".join(SENTENCES[2:])]


def same(one, other):
    return all(numpy.array_equal(a, b) for a, b in zip(one, other, strict=True))


def close(one, other, atol):
    return all(
        numpy.allclose(a, b, rtol=0, atol=atol) for a, b in zip(one, other, strict=True)
    )


def fit_vectors(model, docs, optimizer, steps):
    """Train towards fixed vectors; returns the losses."""
    rng = numpy.random.default_rng(0)
    goals = [rng.normal(size=(len(doc), WIDTH)).astype("float32") for doc in docs]
    losses = []
    for _ in range(steps):
        vectors, backprop = model.begin_update(docs)
        errors = [vector - goal for vector, goal in zip(vectors, goals)]
        backprop(errors)
        model.finish_update(optimizer)
        losses.append(sum(float((error**2).sum()) for error in errors))
    return losses


# --- Training ----------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("learned", [True, False])
def test_training_reduces_the_loss(precision, learned):
    settings = {"layers": [1, -1], "layer_mix": "learned"} if learned else {}
    model = make_model(precision=precision, **settings)
    before = weights_of(model)
    losses = fit_vectors(model, make_docs(*DOCS), Adam(0.003), 20)
    assert losses[-1] < 0.75 * losses[0]
    assert {w.dtype for w in module_of(model).parameters()} == {torch.float32}
    unchanged = set(before) - changed(before, weights_of(model))
    assert {name for name in unchanged if "key.bias" not in name} == set()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_vectors_of_low_precision_are_float32_and_near(precision):
    docs = make_docs(*DOCS)
    expected = make_model(layers=[1, -1]).predict(docs)
    model = make_model(layers=[1, -1], precision=precision)
    for vectors in (model.predict(docs), model.begin_update(docs)[0]):
        assert {array.dtype for array in vectors} == {numpy.dtype("float32")}
        assert close(vectors, expected, atol=0.1 if precision == "bf16" else 0.02)
        assert not same(vectors, expected)


class Recorder:
    """Records the gradients that an optimizer gets."""

    def __init__(self, grad_clip):
        self.grad_clip = grad_clip
        self.seen = {}

    def __call__(self, key, weights, gradient):
        self.seen[key[1]] = gradient.copy()
        return weights, gradient


def gradients(model, grad_clip, size=1.0):
    vectors, backprop = model.begin_update(make_docs(*DOCS))
    backprop([size * numpy.cos(v) for v in vectors])
    optimizer = Recorder(grad_clip)
    model.finish_update(optimizer)
    return optimizer.seen


def norm_of(seen):
    return numpy.sqrt(sum((array.astype("d") ** 2).sum() for array in seen.values()))


def test_averages_of_the_weights_are_used_for_a_while():
    model = make_model()
    docs = make_docs(*DOCS)
    optimizer = Adam(0.01, use_averages=True)
    for _ in range(2):
        vectors, backprop = model.begin_update(docs)
        backprop([numpy.ones_like(each) for each in vectors])
        model.finish_update(optimizer)
    before = model.predict(docs)
    with model.use_params(optimizer.averages):
        averaged = model.predict(docs)
        key = (model.shims[0].id, "empty")
        numpy.testing.assert_array_equal(
            module_of(model).empty.data.numpy(), optimizer.averages[key]
        )
    assert abs(averaged[0] - before[0]).max() > 1e-4
    numpy.testing.assert_array_equal(model.predict(docs)[0], before[0])


def test_the_gradient_is_clipped_as_a_whole():
    model = make_model()
    full = gradients(model, 0.0)
    norm = norm_of(full)
    assert norm > 3
    clipped = gradients(model, 2.5)
    assert norm_of(clipped) == pytest.approx(2.5, rel=1e-4)
    for name, array in clipped.items():
        numpy.testing.assert_allclose(array, full[name] * 2.5 / norm, atol=1e-5)
    for name, array in gradients(model, 2 * norm).items():
        numpy.testing.assert_allclose(array, full[name], atol=1e-5)


def test_the_gradient_of_fp16_is_scaled_back_before_it_is_clipped():
    full = gradients(make_model(), 0.0)
    model = make_model(precision="fp16")
    model.shims[0].scaler.scale = 2.0**8
    found = gradients(model, 0.0)
    assert norm_of(found) == pytest.approx(norm_of(full), rel=0.05)
    assert norm_of(gradients(model, 1.0)) == pytest.approx(1.0, rel=1e-4)


def test_a_step_of_fp16_that_overflows_is_skipped_and_the_next_are_not():
    model = make_model(precision="fp16")
    docs, optimizer = make_docs(*DOCS), Adam(0.003)
    scaler = model.shims[0].scaler
    scaler.scale = 2.0**6
    before = weights_of(model)
    vectors, backprop = model.begin_update(docs)
    backprop([numpy.full_like(v, 1e30) for v in vectors])
    model.finish_update(optimizer)
    assert not changed(before, weights_of(model))
    assert (scaler.scale, scaler.n_skipped) == (2.0**5, 1)
    losses = fit_vectors(model, docs, optimizer, 12)
    assert losses[-1] < 0.8 * losses[0]
    assert (scaler.scale, scaler.n_skipped) == (2.0**5, 1)


def test_a_factor_that_is_too_high_at_first_gets_lower_until_steps_are_made():
    model = make_model(precision="fp16")
    scaler = model.shims[0].scaler
    scaler.scale = 2.0**18
    losses = fit_vectors(model, make_docs(*DOCS), Adam(0.003), 25)
    assert losses[-1] < 0.8 * losses[0]
    assert 0 < scaler.n_skipped < 25 and scaler.scale == 2.0 ** (18 - scaler.n_skipped)


def test_the_factor_grows_after_good_steps_alone():
    scaler = GradientScaler(True, scale=8.0, growth_interval=3)
    factors = []
    for value in [1, 1, numpy.inf, 1, 1, 1, 1, numpy.nan, 1, 1, 1, 1, 1, 1]:
        gradient = torch.tensor([float(value), 8.0])
        before = scaler.scale
        assert scaler.unscale([gradient]) == numpy.isfinite(value)
        assert gradient[1] == 8.0 / before
        factors.append(scaler.scale)
    assert factors == [8, 8, 4, 4, 4, 8, 8, 4, 4, 4, 8, 8, 8, 16]
    assert scaler.n_skipped == 2


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("freeze", [True, False])
def test_finishing_an_update_without_a_gradient_changes_nothing(precision, freeze):
    model = make_model(precision=precision, freeze=freeze)
    before = weights_of(model)
    model.finish_update(Adam(0.01))
    _, backprop = model.begin_update([])
    backprop([])
    model.finish_update(Adam(0.01))
    assert not changed(before, weights_of(model))


def test_gradients_count_for_one_step_alone():
    model = make_model()
    gradients(model, 0.0)
    before = weights_of(model)
    model.finish_update(Adam(0.01))
    assert not changed(before, weights_of(model))


# --- Long tokens -------------------------------------------------------------


def test_tokens_longer_than_a_window_are_counted_and_reported_once():
    model = make_model(window=6, stride=4)
    long = "unbelievablearrangements"
    with warnings_of_spacy() as messages:
        vectors = model.predict(make_docs(f"the {long} of {long} to York", "ferry"))
        model.predict(make_docs(long))
    assert all(numpy.isfinite(v).all() for v in vectors)
    (message,) = messages
    assert "2 token(s)" in message and "window = 6" in message
    assert model.shims[0].n_long_tokens == 3


def test_tokens_as_long_as_a_window_are_not_counted():
    model = make_model(window=6, stride=4)
    tokenizer = model.shims[0].tokenizer
    words = ["harbou", "Oslo", "unbe"]
    assert len(tokenizer.encode(["harbou"], is_pretokenized=True)) == 6 + 2
    with warnings_of_spacy() as messages:
        model.predict(make_docs(words))
    assert messages == [] and model.shims[0].n_long_tokens == 0


# --- Saving and loading ------------------------------------------------------


def load_like(model, **changes):
    """A model of the same settings and weights, with a name that does not exist."""
    settings = {**vars(model.shims[0].settings), "name": "/gone", **changes}
    for key in ("layers", "new_tokens"):
        settings[key] = list(settings[key])
    return build_transformer(**settings).from_bytes(model.to_bytes())


@pytest.mark.parametrize(
    "kind,settings",
    [
        ("bert", {}),
        ("bert", {"layers": [0, 1], "layer_mix": "learned", "precision": "bf16"}),
        ("roberta", {"freeze": 2, "pooling": "first"}),
        ("distilbert", {"freeze": True}),
        ("electra", {"gradient_checkpointing": True}),
        ("xlm-roberta", {"new_tokens": ["\n"]}),
        ("deberta-v2", {}),
        ("modernbert", {"attention": "eager"}),
        ("albert", {}),
        ("bart", {}),
        ("t5", {}),
    ],
)
def test_what_was_saved_gives_the_same_vectors_and_the_same_bytes(kind, settings):
    model = make_model(encoder_folder(kind), **settings)
    docs = make_docs(*DOCS)
    fit_vectors(model, docs, Adam(0.01), 1)
    loaded = load_like(model)
    assert loaded.get_dim("nO") == WIDTH
    assert same(loaded.predict(docs), model.predict(docs))
    assert loaded.to_bytes() == model.to_bytes() == model.to_bytes()
    trained = {n for n, w in module_of(model).named_parameters() if w.requires_grad}
    assert trained == {
        name for name, w in module_of(loaded).named_parameters() if w.requires_grad
    }


def test_what_was_loaded_is_trained_as_what_was_saved():
    model = make_model(layers=[1, -1], layer_mix="learned")
    docs = make_docs(*DOCS)
    fit_vectors(model, docs, Adam(0.003), 2)
    loaded = load_like(model)
    one = fit_vectors(model, docs, Adam(0.003), 4)
    assert fit_vectors(loaded, docs, Adam(0.003), 4) == pytest.approx(one, rel=1e-5)


def test_what_was_saved_does_not_say_where_it_came_from(tmp_path):
    model = make_model(make_encoder(tmp_path / "private", "bert"))
    assert b"private" not in model.to_bytes()


def test_loading_draws_no_random_numbers():
    model = make_model()
    states = torch.get_rng_state(), numpy.random.get_state()[1], random.getstate()
    load_like(model)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (numpy.random.get_state()[1] == states[1]).all()
    assert random.getstate() == states[2]


@pytest.mark.parametrize(
    "saved,loaded",
    [
        ({"layers": [1, 2], "layer_mix": "learned"}, {"layer_mix": "mean"}),
        ({"layers": [1, 2]}, {"layer_mix": "learned"}),
        ({"layers": [1, 2], "layer_mix": "learned"}, {"layers": [1, 2, 3]}),
        ({"layers": [1, 2], "layer_mix": "learned"}, {"layers": [-1]}),
    ],
)
def test_weights_of_another_mix_are_not_loaded(saved, loaded):
    with pytest.raises(ValueError, match=r"saved weights.*set layers and layer_mix"):
        load_like(make_model(**saved), **loaded)


def test_a_model_that_was_not_initialized_is_saved_without_weights():
    model = build_transformer("any")
    loaded = build_transformer("any").from_bytes(model.to_bytes())
    with pytest.raises(ValueError, match="has no weights"):
        loaded.predict(make_docs("Anna"))


@pytest.mark.parametrize("make_copy", [lambda m: m.copy(), copy.deepcopy])
def test_a_copy_has_weights_and_an_id_of_its_own(make_copy):
    model = make_model(layers=[1, -1], layer_mix="learned")
    docs, optimizer = make_docs(*DOCS), Adam(0.003)
    fit_vectors(model, docs, optimizer, 2)
    other = make_copy(model)
    assert other.shims[0].id != model.shims[0].id
    expected = model.predict(docs)
    assert same(other.predict(docs), expected)
    fit_vectors(other, docs, optimizer, 2)
    assert same(model.predict(docs), expected)
    assert not close(other.predict(docs), expected, atol=0.001)


def test_a_copy_of_what_is_not_initialized():
    model = build_transformer(str(encoder_folder()), window=16, stride=10).copy()
    model.initialize()
    assert model.predict(make_docs("Anna"))[0].shape == (1, WIDTH)


# --- The cache of a frozen encoder -------------------------------------------

MIX = {"layers": [1, -1], "layer_mix": "learned"}


def make_cached(**settings):
    return make_model(freeze=True, embedding_cache="cpu", **settings)


def count_runs(model):
    runs = []
    module_of(model).encoder.register_forward_hook(lambda *_: runs.append(1))
    return runs


@pytest.mark.parametrize("settings", [{}, MIX])
def test_the_cache_changes_no_result(settings):
    docs = make_docs(*DOCS)
    plain, cached = make_model(freeze=True, **settings), make_cached(**settings)
    optimizers = Adam(0.01), Adam(0.01)
    for batch in (docs, docs[::-1], docs[:3], docs[3:]):
        found = []
        for model, optimizer in zip((plain, cached), optimizers):
            vectors, backprop = model.begin_update(batch)
            backprop([numpy.cos(v) for v in vectors])
            model.finish_update(optimizer)
            found.append(vectors)
        assert close(*found, atol=1e-5)
    one, other = weights_of(plain), weights_of(cached)
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=1e-5)
    assert changed(one, weights_of(make_model(freeze=True, **settings)))


def test_a_second_epoch_computes_nothing():
    model = make_cached()
    runs, docs = count_runs(model), make_docs(*DOCS)
    first, _ = model.begin_update(docs)
    assert runs
    runs.clear()
    second, _ = model.begin_update(docs[::-1])
    assert not runs
    assert same(first, second[::-1])
    model.begin_update([*docs, *make_docs("Anna took the ferry")])
    assert len(runs) == 1


def test_the_cache_is_there_in_training_alone():
    model = make_cached()
    docs = make_docs(*DOCS)
    before, runs = model.predict(docs), count_runs(model)
    model.predict(docs)
    assert len(runs) > 0 and model.shims[0].cache is None
    model.begin_update(docs)
    assert close(model.predict(docs), before, atol=1e-6)


def test_training_continues_after_a_prediction():
    """As with a split of one file that serves as training and development data."""
    model = make_cached(**MIX)
    docs = make_docs(*DOCS)
    model.begin_update(docs[:2])
    model.predict(docs[2:])
    losses = fit_vectors(model, docs, Adam(0.05), 5)
    assert losses[-1] < losses[0]


def test_a_batch_of_no_documents_passes_the_cache():
    model = make_cached()
    model.begin_update(make_docs("Anna"))
    assert model.begin_update([])[0] == []
    assert model.predict([]) == []


def test_a_full_cache_says_so_once_and_results_stay_the_same():
    model = make_cached()
    docs = make_docs(*DOCS)
    expected, _ = model.begin_update(docs[:1])
    cache = model.shims[0].cache
    cache.max_bytes = cache.n_bytes + 10
    with warnings_of_spacy() as messages:
        for _ in range(2):
            found, _ = model.begin_update(docs)
            assert close(found, make_model().predict(docs), atol=1e-5)
    assert len(messages) == 1
    assert "1 documents" in messages[0] and "cache_mb" in messages[0]
    assert len(cache) == 2 and cache.n_bytes <= cache.max_bytes
    assert same(model.begin_update(docs[:1])[0], expected)


def test_the_cache_keeps_what_it_has_space_for():
    cache = EmbeddingCache(torch.device("cpu"), max_mb=1)
    counts = numpy.ones(1000, "int64")
    with warnings_of_spacy() as messages:
        for i in range(10):
            cache.put([str(i)], torch.full((1000, 1, 50), float(i)), counts)
            assert cache.n_bytes == len(cache) * 208_000 <= 1 << 20
    assert len(cache) == 5 and len(messages) == 1 and "1 MB" in messages[0]
    for i in range(10):
        kept = cache.get([str(i)])
        assert (kept is not None) == (i < 5)
        if kept:
            assert (kept[0] == i).all() and (kept[1] == counts).all()
    assert (cache.n_hits, cache.n_misses) == (5, 5)
    assert "5 documents in 1.0 of 1 MB, 5 hits, 5 misses" in cache.describe()


def test_the_cache_does_not_keep_the_batch_of_a_document():
    cache = EmbeddingCache(torch.device("cpu"), max_mb=1)
    batch, counts = torch.ones(100, 1, 8), numpy.ones(100, "int64")
    cache.put(["a"], batch[3:4], counts[3:4])
    vectors, n_pieces = cache.get(["a"])
    assert vectors.untyped_storage().nbytes() == 32 and n_pieces.base is None
    batch[3:4] = 0
    assert vectors.all()


def test_documents_of_other_words_are_distinguished():
    cache = EmbeddingCache(torch.device("cpu"), max_mb=1)
    counts = numpy.ones(1, "int64")
    for words in (["a b"], ["a", "b"], ["ab"], []):
        assert cache.get(words) is None
        cache.put(words, torch.zeros(1, 1, 1), counts)
        assert cache.get(list(words)) is not None
    assert len(cache) == 4


def test_other_weights_empty_the_cache():
    model = make_cached()
    docs = make_docs(*SENTENCES)
    old, _ = model.begin_update(docs)
    other = make_model(encoder_folder("bert"), freeze=True)
    for weight in module_of(other).encoder.parameters():
        weight.data *= 0.9
    model.from_bytes(other.to_bytes())
    new, _ = model.begin_update(docs)
    assert close(new, other.predict(docs), atol=1e-5)
    assert not close(new, old, atol=0.01)
    model.initialize()
    assert close(model.begin_update(docs)[0], old, atol=1e-5)


def test_a_cache_on_the_gpu_needs_a_gpu():
    model = make_model(freeze=True, embedding_cache="gpu")
    with pytest.raises(ValueError, match=r'embedding_cache = "gpu".*CPU.*"cpu"'):
        model.begin_update(make_docs("Anna"))


# --- Pipelines ---------------------------------------------------------------


def transformer(folder=None, **settings):
    return {
        "@architectures": "spacy_ner_ext.Transformer.v1",
        "name": str(folder or encoder_folder()),
        "window": 16,
        "stride": 10,
        **settings,
    }


def listener(upstream="tok2vec", width=WIDTH):
    return {
        "@architectures": "spacy.Tok2VecListener.v1",
        "width": width,
        "upstream": upstream,
    }


def tagger(upstream="tok2vec"):
    tok2vec = listener(upstream)
    return {"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": tok2vec}}


def shared(**settings):
    return {
        "tok2vec": {"model": transformer(**settings)},
        "crf_ner": crf(listener()),
        "tagger": tagger(),
    }


def make_tagged(nlp):
    examples = make_examples(nlp)
    for example in examples:
        for token in example.y:
            token.tag_ = "NAME" if token.text.istitle() else "OTHER"
    return examples


def start(pipes):
    fix_random_seed(0)
    nlp = build(pipes)
    examples = make_tagged(nlp)
    nlp.initialize(lambda: examples)
    return nlp, examples


def fit(pipes, steps=120):
    nlp, examples = start(pipes)
    losses = train(nlp, examples, steps, sgd=Adam(0.001))
    return nlp, examples, losses


def annotations(doc):
    return found(doc), [token.tag_ for token in doc]


def vectors_of(nlp):
    return [doc.tensor for doc in nlp.pipe(TEXTS)]


def encoder_weights(nlp, name="tok2vec"):
    return weights_of(nlp.get_pipe(name).model)


@pytest.fixture(scope="module")
def fitted_bytes():
    nlp, _, _ = fit(shared())
    return nlp.to_bytes()


@pytest.fixture
def fitted(fitted_bytes):
    """A pipeline with two listeners, overfitted to the corpus."""
    return build(shared()).from_bytes(fitted_bytes)


def test_two_listeners_overfit(fitted):
    for example in make_tagged(fitted):
        assert annotations(fitted(example.text)) == annotations(example.y)


def test_one_document_at_a_time_or_many(fitted):
    texts = ["", *TEXTS, " ".join(TEXTS), "\n"]
    docs = list(fitted.pipe(texts, batch_size=3))
    for text, doc in zip(texts, docs):
        alone = fitted(text)
        assert annotations(alone) == annotations(doc)
        numpy.testing.assert_allclose(alone.tensor, doc.tensor, rtol=0, atol=1e-5)


def test_the_gradient_comes_from_both_listeners():
    # A tagger's weights are zero at first, so that it sends no gradient.
    nlp, _, _ = fit(shared(), steps=2)
    saved = nlp.to_bytes()
    found = {}
    for removed in (None, "crf_ner", "tagger"):
        nlp = build(shared()).from_bytes(saved)
        if removed:
            nlp.remove_pipe(removed)
        nlp.update(make_tagged(nlp), sgd=False)
        module = module_of(nlp.get_pipe("tok2vec").model)
        found[removed] = [
            w.grad for n, w in module.named_parameters() if n.startswith("encoder.")
        ]
    for both, *parts in zip(found[None], found["crf_ner"], found["tagger"]):
        torch.testing.assert_close(both, sum(parts), rtol=1e-3, atol=1e-5)
        assert all(part.any() for part in parts)


def test_a_pipeline_is_loaded_without_its_encoder_network_or_pickle(
    tmp_path, monkeypatch
):
    folder = make_encoder(tmp_path / "encoder", "bert")
    nlp, _, _ = fit(shared(folder=folder), steps=3)
    expected = [annotations(doc) for doc in nlp.pipe(TEXTS)]
    vectors = vectors_of(nlp)
    nlp.to_disk(tmp_path / "one")
    shutil.rmtree(folder)
    nlp.to_disk(tmp_path / "two")

    def refuse(*_, **__):
        raise AssertionError("not in this test")

    for module, name in [
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
        (torch, "load"),
        (socket.socket, "connect"),
    ]:
        monkeypatch.setattr(module, name, refuse)
    loaded = spacy.load(tmp_path / "one")
    assert same(vectors_of(loaded), vectors)
    assert [annotations(doc) for doc in loaded.pipe(TEXTS)] == expected
    loaded.to_disk(tmp_path / "three")
    files = [(tmp_path / n / "tok2vec/model") for n in ("one", "two", "three")]
    assert len({file.read_bytes() for file in files}) == 1


def test_a_frozen_component_stays_as_it_is(fitted):
    before = encoder_weights(fitted)
    examples = make_tagged(fitted)
    for example in examples:
        example.y.set_ents([])
    frozen = {"exclude": ["tok2vec"], "annotates": ["tok2vec"]}
    losses = train(fitted, examples, 20, sgd=Adam(0.01), **frozen)
    assert losses[-1]["crf_ner"] < 0.5 * losses[0]["crf_ner"]
    assert not changed(before, encoder_weights(fitted))


def test_replaced_listeners_predict_the_same_and_learn_alone(fitted, tmp_path):
    expected = [annotations(doc) for doc in fitted.pipe(TEXTS)]
    fitted.replace_listeners("tok2vec", "crf_ner", ["model.tok2vec"])
    assert fitted.get_pipe("tok2vec").listening_components == ["tagger"]
    assert [annotations(doc) for doc in fitted.pipe(TEXTS)] == expected
    own = fitted.get_pipe("crf_ner").model.get_ref("tok2vec")
    while not own.shims:
        own = own.layers[0]
    upstream, before = encoder_weights(fitted), weights_of(own)
    step(fitted, make_tagged(fitted), Adam(0.001), exclude=["tok2vec", "tagger"])
    assert changed(before, weights_of(own))
    assert not changed(upstream, encoder_weights(fitted))
    fitted.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    for text in TEXTS:
        assert annotations(loaded(text)) == annotations(fitted(text))


def test_two_encoders_learn_from_their_own_listeners():
    pipes = {
        "first": {"factory": "tok2vec", "model": transformer()},
        "second": {
            "factory": "tok2vec",
            "model": transformer(encoder_folder("roberta")),
        },
        "crf_ner": crf(listener("first")),
        "tagger": tagger("second"),
    }
    nlp, examples, first = fit(pipes, steps=2)
    before = {name: encoder_weights(nlp, name) for name in ("first", "second")}
    step(nlp, examples, Adam(0.001), exclude=["first", "crf_ner"])
    assert not changed(before["first"], encoder_weights(nlp, "first"))
    assert changed(before["second"], encoder_weights(nlp, "second"))
    losses = train(nlp, examples, 15, sgd=Adam(0.001))
    assert changed(before["first"], encoder_weights(nlp, "first"))
    assert losses[-1]["crf_ner"] < first[0]["crf_ner"]
    assert losses[-1]["tagger"] < first[0]["tagger"]
    loaded = build(pipes).from_bytes(nlp.to_bytes())
    for text in TEXTS:
        assert annotations(loaded(text)) == annotations(nlp(text))


def test_training_is_resumed_after_loading(tmp_path):
    nlp, _, losses = fit(shared(), steps=4)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    before = encoder_weights(loaded)
    optimizer = loaded.resume_training(sgd=Adam(0.001))
    later = train(loaded, make_tagged(loaded), 6, sgd=optimizer)
    after = encoder_weights(loaded)
    assert any("layer.0." in name for name in changed(before, after))
    for name in ("crf_ner", "tagger"):
        assert later[-1][name] < later[0][name] < losses[0][name]


def test_selected_pipes(fitted):
    with fitted.select_pipes(disable=["tagger"]):
        doc = fitted(TEXTS[0])
        assert found(doc) == CORPUS[0][1] and not doc[0].tag_
    with fitted.select_pipes(enable=["tok2vec"]):
        assert fitted(TEXTS[0]).tensor.shape == (7, WIDTH)
    assert fitted(TEXTS[0])[0].tag_ == "NAME"
    before = encoder_weights(fitted)
    # The gradient passes through the last listener.
    with fitted.select_pipes(disable=["crf_ner"]):
        losses = step(fitted, make_tagged(fitted), Adam(0.001))
    assert set(losses) == {"tok2vec", "tagger"}
    assert changed(before, encoder_weights(fitted))


def test_the_same_seed_gives_the_same_weights():
    settings = {"transformer_config": {"hidden_dropout_prob": 0.2}}
    one, _, _ = fit(shared(**settings), steps=3)
    other, _, _ = fit(shared(**settings), steps=3)
    assert one.to_bytes() == other.to_bytes()


def test_a_copy_of_a_pipeline_is_independent(fitted):
    other = copy.deepcopy(fitted.get_pipe("tok2vec").model)
    before = weights_of(other)
    train(fitted, make_tagged(fitted), 1, sgd=Adam(0.01))
    assert not changed(before, weights_of(other))
    assert changed(before, encoder_weights(fitted))


def test_nested_in_a_component_it_learns_and_is_loaded(tmp_path):
    nlp, examples, losses = fit({"crf_ner": crf(transformer())})
    assert losses[-1]["crf_ner"] < 0.1 * losses[0]["crf_ner"]
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    for example in examples:
        assert found(loaded(example.text)) == found(example.y)


def test_a_frozen_encoder_with_a_cache_learns_the_same():
    found = []
    for cache in ("none", "cpu"):
        _, _, losses = fit(shared(freeze=True, embedding_cache=cache), steps=5)
        found.append([loss["crf_ner"] for loss in losses])
    assert found[0] == pytest.approx(found[1], rel=1e-4)
    assert found[0][-1] < found[0][0]


def test_initializing_again_starts_from_the_files(fitted):
    expected = encoder_weights(start(shared())[0])
    assert changed(expected, encoder_weights(fitted))
    examples = make_tagged(fitted)
    fitted.initialize(lambda: examples)
    different = changed(expected, encoder_weights(fitted))
    # The vector of words without pieces is random.
    assert different <= {"empty"}


def test_a_listener_of_another_width_is_an_error():
    pipes = {**shared(), "crf_ner": crf(listener(width=16))}
    with pytest.raises(ValueError, match=r"'crf_ner'.*16.*32.*set width = 32"):
        start(pipes)
