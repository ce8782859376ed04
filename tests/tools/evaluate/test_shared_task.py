"""nervaluate's scores, document by document, are those of all at once."""

import sys

from hypothesis import given, settings

from spacy_ner_ext.tools.evaluate.shared_task import SharedTaskScores
from tests.helpers.drawn_spans import any_spans, documents, scored


def collect(some):
    collector = SharedTaskScores()
    for gold, predicted in some:
        collector.add(scored(gold, sorted(predicted)))
    return collector.result()["nervaluate"], list(collector.notes())


def as_dicts(spans):
    return [
        {"start": start, "end": end - 1, "label": label}
        for start, end, label in sorted(spans)
    ]


# Its newest version needs Python 3.11.
if sys.version_info >= (3, 11):
    from nervaluate import Evaluator

    @settings(max_examples=100, deadline=None)
    @given(documents(any_spans()))
    def test_scores_are_those_of_the_library(some):
        ours, notes = collect(some)
        sides = [[as_dicts(spans) for spans in side] for side in zip(*some)] or [[], []]
        theirs = Evaluator(*sides, tags=["A", "B", "C"], loader="dict").evaluate()
        assert set(ours["labels"]) == set(theirs["entities"]) and not notes
        pairs = [(ours, theirs["overall"])]
        pairs += [(ours["labels"][k], v) for k, v in theirs["entities"].items()]
        for mine, other in pairs:
            for scheme, result in other.items():
                assert mine[scheme] == vars(result)


def test_without_the_library_its_scores_are_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "nervaluate.evaluator", None)
    found, (note,) = collect([([(0, 1, "A")], [])])
    assert found is None
    assert 'pip install "spacy-ner-ext[report]"' in note
