"""Whole steps: how much they launch, wait and copy, in a fixed order, in a memory that
is bounded."""

import pytest
import torch
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_ner_ext.encoder.torch_shim import LARGEST_PASS
from spacy_ner_ext.training.optimizer import make_adam
from spacy_ner_ext.util.memory import SHARE
from tests.helpers import fake_gpu
from tests.helpers.encoders import encoder_folder
from tests.helpers.fake_gpu.plugin import is_known
from tests.helpers.pipelines import (
    PIPELINES,
    TEXTS,
    build,
    crf,
    found,
    listener,
    make_examples,
    step,
    subject,
)

ENCODER = {
    "@architectures": "spacy_ner_ext.Transformer.v1",
    "name": str(encoder_folder("bert")),
    "window": 12,
    "stride": 8,
}


def prepare(pipes, make=make_examples):
    """A pipeline after its first step, and a function that makes another."""
    nlp = build(pipes)
    references = make(nlp)
    nlp.initialize(lambda: references)
    sgd = make_adam()
    sgd.bind(nlp)

    def again():
        examples = [Example(nlp.make_doc(eg.x.text), eg.y) for eg in references]
        step(nlp, examples, sgd)
        sgd.step_schedules()

    again()
    return nlp, again


def many_examples(nlp, n_docs=128, n_words=30):
    """Documents with entities of six labels."""
    made = []
    for number in range(n_docs):
        words = [f"w{(number * 7 + i) % 500}" for i in range(n_words)]
        doc = Doc(nlp.vocab, words=words)
        starts = range(0, n_words - 2, 7)
        doc.ents = [Span(doc, s, s + 2, "ABCDEF"[(number + s) % 6]) for s in starts]
        made.append(Example(nlp.make_doc(doc.text), doc))
    return made


# --- Launches, waits and copies -----------------------------------------------


def test_a_step_launches_waits_and_copies_little():
    pipes = {"text_cnn": {}, "crf_ner": crf({**listener("text_cnn"), "width": 96})}
    nlp, again = prepare(pipes, many_examples)
    with fake_gpu.count() as work:
        again()
    assert work.launches.total() <= 700
    assert work.waits.total() <= 6
    assert work.copies.total() <= 12
    docs = [example.x for example in many_examples(nlp)]
    with fake_gpu.count() as work:
        list(nlp.pipe(docs, batch_size=len(docs)))
    assert work.launches.total() <= 400
    assert work.waits.total() <= 3
    assert work.copies.total() <= 8


def test_half_precision_waits_as_often_as_single():
    waits = {}
    for precision in ("fp32", "bf16", "fp16"):
        _, again = prepare({"crf_ner": crf({**ENCODER, "precision": precision})})
        with fake_gpu.count() as work:
            again()
        waits[precision] = work.waits.total()
    assert waits["fp16"] == waits["bf16"] == waits["fp32"] <= 8


def test_waits_and_copies_do_not_depend_on_the_number_of_weights():
    counts = []
    for depth in (1, 3):
        tok2vec = {**PIPELINES["flat_biluo"]["crf_ner"]["model"]["tok2vec"]}
        _, again = prepare({"crf_ner": crf({**tok2vec, "depth": depth})})
        with fake_gpu.count() as work:
            again()
        counts.append((work.waits.total(), work.copies.total()))
    assert counts[0] == counts[1]


# --- The same result twice ----------------------------------------------------


@pytest.mark.parametrize("name", [*PIPELINES, "encoder"])
def test_deterministic_algorithms_of_torch_are_enough(name):
    pipes = {"crf_ner": crf(ENCODER)} if name == "encoder" else name
    torch.use_deterministic_algorithms(True)
    try:
        nlp, again = prepare(pipes)
        with fake_gpu.count() as work:
            again()
            docs = list(nlp.pipe(TEXTS))
        assert len(docs) == len(TEXTS)
        # thinc adds up hashed embeddings of a spaCy `tok2vec` pipe in any order.
        assert [place for place in work.unordered if not is_known(place)] == []
    finally:
        torch.use_deterministic_algorithms(False)


# --- Memory -------------------------------------------------------------------


@pytest.fixture
def memory():
    before = fake_gpu.memory.free
    yield fake_gpu.memory
    fake_gpu.memory.free, fake_gpu.memory.largest = before, None


def test_passes_fit_into_the_free_memory(memory):
    nlp = prepare({"crf_ner": crf(ENCODER)})[0]
    [shim] = [shim for node in subject(nlp).model.walk() for shim in node.shims]
    assert shim.max_batch_pieces(trains=False) == LARGEST_PASS
    memory.free = int(100 * shim.layer_bytes() / SHARE)
    assert shim.max_batch_pieces(trains=True) == 64
    nlp = prepare("span_marker")[0]
    expected = [found(doc) for doc in nlp.pipe(TEXTS)]
    [shim] = [shim for node in subject(nlp).model.walk() for shim in node.shims]
    memory.free = int(64 * shim.layer_bytes() / SHARE)
    with fake_gpu.count() as work:
        assert [found(doc) for doc in nlp.pipe(TEXTS)] == expected
    memory.free = 8 * 2**30
    with fake_gpu.count() as fewer:
        list(nlp.pipe(TEXTS))
    assert work.launches.total() > fewer.launches.total()


@pytest.mark.parametrize("pipes", ["encoder", "span_marker", "flat_biluo"])
def test_a_prediction_that_does_not_fit_is_repeated_in_parts(pipes, memory):
    nlp = prepare({"crf_ner": crf(ENCODER)} if pipes == "encoder" else pipes)[0]
    texts = TEXTS * 8
    expected = [found(doc) for doc in nlp.pipe(texts, batch_size=64)]
    with pytest.MonkeyPatch.context() as patch:
        largest = measure_largest(nlp, texts, patch)
    memory.largest = largest // 3
    assert [found(doc) for doc in nlp.pipe(texts, batch_size=64)] == expected
    assert memory.n_failures
    shims = [shim for node in subject(nlp).model.walk() for shim in node.shims]
    assert subject(nlp).max_docs or any(shim.n_halved for shim in shims)


def measure_largest(nlp, texts, patch):
    """The largest array of a prediction, in bytes."""
    sizes = []
    patch.setattr(fake_gpu.memory, "check", lambda nbytes, error: sizes.append(nbytes))
    list(nlp.pipe(texts, batch_size=64))
    return max(sizes)
