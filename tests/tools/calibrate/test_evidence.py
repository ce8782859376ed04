"""The predictions that a calibration is fitted to."""

import pytest
from spacy.tokens import Doc
from spacy.training import Example

from spacy_ner_ext.tools.calibrate.evidence import collect
from tests.helpers.pipelines import (
    CORPUS,
    TEXTS,
    annotate,
    fit,
    fitted,
    make_examples,
    subject,
)


def test_evidence_has_the_predictions_of_the_component():
    nlp = fitted("flat_biluo")
    wrong = [(TEXTS[0], [(0, 2, "PER"), (4, 5, "LOC")]), *CORPUS[1:]]
    evidence = collect(nlp, subject(nlp), make_examples(nlp, wrong), 2)
    assert evidence.labels.tolist() == ["PER", "LOC", "PER", "LOC", "LOC", "LOC"]
    assert evidence.correct.tolist() == [True, False, True, True, True, True]
    assert evidence.gold == {"PER": 2, "LOC": 4}
    scores = [ent._.score for doc in nlp.pipe(TEXTS) for ent in doc.ents]
    assert evidence.scores(1.0).tolist() == pytest.approx(scores, abs=1e-6)


def test_words_without_annotation_and_kept_entities_are_skipped():
    nlp = fitted("flat_biluo")
    ruler = nlp.add_pipe("entity_ruler", before="crf_ner")
    ruler.add_patterns([{"label": "PER", "pattern": "Tom Lee Ray"}])
    examples = make_examples(nlp)
    doc = examples[0].reference
    doc.set_ents([doc[0:2]], missing=[doc[4:6]], default="outside")
    doc.set_ents(list(doc.ents), missing=[doc[4:6]], default="unmodified")
    evidence = collect(nlp, subject(nlp), examples, 100)
    assert evidence.skipped == 1
    assert evidence.labels.tolist() == ["PER", "LOC", "LOC", "LOC"]


def test_gold_that_does_not_fit_the_tokens_counts_as_missed():
    nlp = fitted("flat_biluo")
    reference = Doc(nlp.vocab, words=["Os", "lo"], spaces=[False, False])
    example = Example(nlp.make_doc("Oslo"), annotate(reference, [(0, 1, "LOC")]))
    evidence = collect(nlp, subject(nlp), [example], 10)
    assert (evidence.misaligned, evidence.gold["LOC"]) == (1, 1)


def test_without_documents_there_are_no_scores():
    nlp = fit("flat_biluo", steps=1)
    assert collect(nlp, subject(nlp), [], 10).scores(1.0).tolist() == []
