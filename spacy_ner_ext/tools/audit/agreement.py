"""How the mentions of a form are annotated, in a corpus and in each document."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from spacy.tokens import Doc

from ...data.forms import FormIndex, SplitForms, form_of
from ...pipes.overlap import LabelledSpan
from ...pipes.spans import read_spans
from .changes import Change


class Agreement(NamedTuple):
    """How often the other mentions of the same form are annotated as gold is, and as a
    change suggests: in the corpus, and as entities of the document."""

    as_gold: int
    as_suggested: int
    as_gold_here: int
    as_suggested_here: int


class Mentions:
    """Counts the mentions of the forms of a corpus."""

    def __init__(self, docs: Sequence[Doc], keys: Sequence[str]) -> None:
        self.corpus = SplitForms()
        self.docs: list[Counter[tuple[str, str]]] = []
        for doc in docs:
            own = SplitForms()
            own.add(read_spans(doc, keys))
            self.corpus.annotated.update(own.annotated)
            self.docs.append(own.annotated)
        index = FormIndex([self.corpus])
        for doc in docs:
            self.corpus.add_outside(doc, index)

    def compare(
        self, doc: Doc, number: int, gold: Sequence[LabelledSpan], change: Change
    ) -> Agreement:
        """Compare the mentions of a change, or of the entity it removes, with the
        others; those in `gold` are not others."""
        here = self.docs[number]

        def count(span: LabelledSpan | None, otherwise: int) -> tuple[int, int]:
            if span is None:
                return otherwise, 0
            key = form_of(doc[span[0] : span[1]]), span[2]
            own = span in gold
            return self.corpus.annotated[key] - own, here[key] - own

        old, new = change.gold[0] if change.gold else None, change.suggested
        start, end, _ = new or old or (0, 0, "")
        outside = self.corpus.outside[form_of(doc[start:end])]
        # A place that gold has no entity at is one of those outside.
        is_outside = not any(a < end and start < b for a, b, _ in gold)
        as_gold, as_gold_here = count(old, max(outside - is_outside, 0))
        as_suggested, as_suggested_here = count(new, outside)
        return Agreement(as_gold, as_suggested, as_gold_here, as_suggested_here)
