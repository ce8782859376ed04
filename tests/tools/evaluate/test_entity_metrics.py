"""Confusion of labels and kinds of errors."""

from collections import Counter

from hypothesis import given, settings

from spacy_ner_ext.tools.evaluate.entity_metrics import NONE, Confusion
from spacy_ner_ext.tools.evaluate.matching import (
    CORRECT,
    KINDS,
    MISSED,
    SPURIOUS,
    WRONG_BOUNDARY,
)
from tests.helpers.drawn_spans import any_spans, documents, scored


@settings(max_examples=100, deadline=None)
@given(documents(any_spans()))
def test_the_confusion_matrix_holds_each_entity_once(some):
    collector = Confusion()
    for gold, predicted in some:
        collector.add(scored(gold, predicted))
    found = collector.result()
    labels, rows = found["confusion"]["labels"], found["confusion"]["rows"]
    assert labels[-1] == NONE and rows[-1][-1] == 0
    of_gold = Counter(label for gold, _ in some for *_, label in gold)
    of_predicted = Counter(label for _, spans in some for *_, label in spans)
    for i, label in enumerate(labels[:-1]):
        assert sum(rows[i]) == of_gold[label]
        assert sum(row[i] for row in rows) == of_predicted[label]
    errors = found["errors"]
    assert sum(rows[-1]) == errors[SPURIOUS]
    assert sum(row[-1] for row in rows) == errors[MISSED]
    diagonal = sum(rows[i][i] for i in range(len(labels)))
    assert diagonal == errors[CORRECT] + errors[WRONG_BOUNDARY]
    for kind in KINDS:
        assert errors[kind] == sum(each[kind] for each in errors["labels"].values())
