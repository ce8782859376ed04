"""nervaluate's scores, document by document, are those of all at once."""

import sys

from hypothesis import given, settings

from spacy_ner_ext.tools.evaluate.shared_task import SharedTaskScores
from tests.helpers.drawn_spans import any_spans, documents, flat_spans, scored


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
    @given(documents(flat_spans()))
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

    @settings(max_examples=50, deadline=None)
    @given(documents(any_spans()))
    def test_with_overlapping_spans_they_are_left_out_with_a_note(some):
        sides = [spans for document in some for spans in document]
        n_tokens = [sum(end - start for start, end, _ in spans) for spans in sides]
        covered = [
            len({i for s, e, _ in spans for i in range(s, e)}) for spans in sides
        ]
        found, notes = collect(some)
        if n_tokens == covered:
            assert found is not None and not notes
        else:
            assert found is None
            (note,) = notes
            assert note.startswith(
                "The schemes of nervaluate are left out, as entities"
            )


def test_without_the_library_its_scores_are_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "nervaluate.evaluator", None)
    found, (note,) = collect([([(0, 1, "A")], [])])
    assert found is None
    assert 'pip install "spacy-ner-ext[report]"' in note
