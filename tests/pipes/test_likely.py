"""`EntityPipe.find_likely`, the same of all components that predict entities."""

import pytest

from spacy_ner_ext.pipes.find import OWN_FACTORIES
from tests.helpers.pipelines import CORPUS, PIPELINES, fitted, subject

NAMES = [
    name
    for name, pipes in PIPELINES.items()
    if any(factory in pipes for factory in OWN_FACTORIES)
]
TEXTS = [text for text, _ in CORPUS if text]


def docs_before(nlp):
    """Documents that all components but the last have processed."""
    with nlp.select_pipes(disable=nlp.pipe_names[-1]):
        return list(nlp.pipe(TEXTS))


@pytest.mark.parametrize("name", NAMES)
def test_predicted_entities_are_likely_with_the_same_probability(name):
    nlp = fitted(name)
    pipe, docs = subject(nlp), docs_before(nlp)
    # Of a model that learned the texts by heart, all else would be too improbable.
    temperature = pipe.cfg["temperature"] = 5.0
    likely = pipe.find_likely(docs, 1e-4)
    probabilities = likely.probabilities(temperature).tolist()
    found = dict(zip(likely.spans, probabilities, strict=True))
    assert min(probabilities) >= 1e-4
    predicted = pipe.find(docs)
    scores = predicted.probabilities(temperature).tolist()
    assert len(predicted.spans) > 3 and len(found) > len(predicted.spans)
    for span, score in zip(predicted.spans, scores, strict=True):
        assert found[span] == pytest.approx(score, abs=1e-5)
    assert not any(doc.ents or doc.spans for doc in docs)


@pytest.mark.parametrize("name", NAMES)
def test_given_spans_are_judged_and_others_are_not_invented(name):
    nlp = fitted(name)
    pipe, docs = subject(nlp), docs_before(nlp)
    given = [(0, 0, 1, pipe.labels[0]), (1, 0, 1, pipe.labels[-1])]
    found = pipe.find_likely(docs, 1.1, given)
    assert sorted(found.spans) == sorted(given)
    assert all(0 <= p <= 1 for p in found.probabilities(1.0))


@pytest.mark.parametrize("name", NAMES)
def test_the_temperature_decides_what_is_likely(name):
    nlp = fitted(name)
    pipe, docs = subject(nlp), docs_before(nlp)
    sharp = set(pipe.find_likely(docs, 0.01).spans)
    pipe.cfg["temperature"] = 5.0
    assert set(pipe.find_likely(docs, 0.01).spans) > sharp
