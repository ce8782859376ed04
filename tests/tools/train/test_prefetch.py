"""Tokenization of batches ahead of their use."""

import threading

import pytest
import srsly
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from spacy_ner_ext import train
from spacy_ner_ext.encoder.pieces import encode_words
from spacy_ner_ext.tools.train.prefetch import AHEAD, THREADS, prefetch
from spacy_ner_ext.training.batcher import count_pieces
from tests.helpers.pipelines import PIPELINES, build, crf, make_examples, step
from tests.helpers.training_runs import TRANSFORMER, make_config, write_corpus

# One encoder that sees white space, and one that does not.
TWO_ENCODERS = {
    "crf_ner": {"factory": "crf_ner", **crf(TRANSFORMER)},
    **PIPELINES["span_marker"],
}
WITH_SPACE = [" Anna  Berg in Oslo", "Oslo  "]


def with_space(nlp):
    return [Example(nlp.make_doc(text), nlp.make_doc(text)) for text in WITH_SPACE]


def make(pipes, **settings):
    fix_random_seed(0)
    nlp = build(pipes)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    return nlp, [*examples, *with_space(nlp)]


@pytest.fixture(scope="module")
def two_encoders():
    return make(TWO_ENCODERS)


@pytest.fixture
def nlp(two_encoders):
    return two_encoders[0]


@pytest.fixture
def examples(two_encoders):
    return two_encoders[1]


def shims_of(nlp):
    nodes = (node for _, pipe in nlp.pipeline for node in pipe.model.walk())
    return [shim for node in nodes for shim in node.shims]


def threads():
    return [each for each in threading.enumerate() if each.name.startswith(THREADS)]


class NoTokenizer:
    """Replaces a tokenizer that must not be called."""

    def encode_batch(self, *args, **settings):
        raise ValueError("cut after all")


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 3), max_size=12),
    num_workers=st.integers(0, 3),
    data=st.data(),
)
def test_batches_are_the_same_ones(two_encoders, sizes, num_workers, data):
    nlp, examples = two_encoders
    numbers = st.integers(0, len(examples) - 1)
    items, pulled = [], []
    for i, size in enumerate(sizes):
        drawn = data.draw(st.lists(numbers, min_size=size, max_size=size))
        items.append((i // 3, [examples[n] for n in drawn], {"more": i}))

    def pull():
        for item in items:
            pulled.append(item)
            yield item

    found = []
    for item in prefetch(pull(), nlp, num_workers):
        found.append(item)
        assert len(pulled) - len(found) <= AHEAD * num_workers
        for shim in shims_of(nlp) if num_workers else ():
            words = {tuple(shim.words_of(example.predicted)) for example in item[1]}
            assert set(shim.piece_cache) == words
    assert len(found) == len(items)
    assert all(one is other for one, other in zip(found, items))
    assert not threads()
    assert not any(shim.piece_cache for shim in shims_of(nlp))


@pytest.mark.parametrize("pipes", [TWO_ENCODERS, "listening"])
def test_steps_find_all_word_pieces(pipes):
    nlp, examples = make(pipes)
    shims = shims_of(nlp)
    tokenizers = [shim.tokenizer for shim in shims]
    batches = [(0, examples[:4]), (0, examples[3:]), (1, examples[:2] * 2)]
    expected = [count_pieces(nlp, batch) for _, batch in batches if shims]
    counts = []
    for _, batch in prefetch(batches, nlp, 2):
        for shim in shims:
            shim.tokenizer = NoTokenizer()
        step(nlp, batch, Adam(0.01))
        if shims:
            counts.append(count_pieces(nlp, batch))
        for shim, tokenizer in zip(shims, tokenizers):
            shim.tokenizer = tokenizer
        # Other documents are cut as before.
        list(nlp.pipe(["Anna sleeps in Rome ."]))
    assert counts == expected


@pytest.mark.parametrize("num_workers", [1, 2])
@pytest.mark.parametrize("name", ["crf_ner over a transformer", "span_marker_ner"])
def test_training_is_the_same_for_any_number_of_threads(tmp_path, name, num_workers):
    config = make_config(name, write_corpus(tmp_path), max_steps=6, eval_frequency=3)
    trained = []
    for number in (0, num_workers):
        config["spacy_ner_ext"] = {"num_workers": number}
        trained.append(train(config, silent=True))
    one, other = trained
    assert one.score == other.score
    first, second = (srsly.msgpack_loads(each.nlp.to_bytes()) for each in trained)
    for parts in (first, second):
        # The number of threads, and how fast it was.
        del parts["config.cfg"], parts["meta.json"]
    assert first == second


def test_what_a_thread_raises_is_raised_here(nlp, examples):
    shim = shims_of(nlp)[0]
    tokenizer, shim.tokenizer = shim.tokenizer, NoTokenizer()
    try:
        with pytest.raises(ValueError, match="cut after all"):
            list(prefetch([(0, examples)] * 3, nlp, 1))
    finally:
        shim.tokenizer = tokenizer
    assert not threads()
    assert not any(shim.piece_cache for shim in shims_of(nlp))


def test_what_batches_raise_is_raised_here(nlp, examples):
    def batches():
        yield 0, examples
        raise KeyError("broken corpus")

    with pytest.raises(KeyError, match="broken corpus"):
        list(prefetch(batches(), nlp, 2))
    assert not threads()


def test_threads_end_with_their_user(nlp, examples):
    def forever():
        while True:
            yield 0, examples

    batches = prefetch(forever(), nlp, 2)
    next(batches)
    assert threads()
    batches.close()
    assert not threads()
    with pytest.raises(ZeroDivisionError):
        fail(prefetch(forever(), nlp, 2))
    assert not threads()
    assert not any(shim.piece_cache for shim in shims_of(nlp))


def fail(batches):
    for _ in batches:
        raise ZeroDivisionError


def test_an_encoder_that_caches_vectors_tokenizes_once():
    kept = {**TRANSFORMER, "freeze": True, "embedding_cache": "cpu"}
    nlp, examples = make({"crf_ner": crf(kept)})
    for _ in prefetch([(0, examples)] * 2, nlp, 1):
        assert not shims_of(nlp)[0].piece_cache
        assert not threads()


def test_words_are_those_that_the_encoders_cut(nlp):
    space, _ = with_space(nlp)
    transformer, span_marker = shims_of(nlp)
    words = [token.text for token in space.predicted]
    assert transformer.words_of(space.predicted) == words
    assert span_marker.words_of(space.predicted) == ["Anna", "Berg", "in", "Oslo"]
    (cut,) = encode_words(transformer.tokenizer, [words])
    assert cut.word_ids[0] == 1
