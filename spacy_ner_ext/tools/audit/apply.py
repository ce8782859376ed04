"""Write the corpus that results from decisions about suggestions."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from ...data.output import check_corpus, is_inside, write_parts
from ...data.read import SUFFIX, read_docs
from ...pipes.overlap import LabelledSpan
from ...pipes.spans import ENTS
from ...util.errors import UserError
from ...util.files import replacing
from .suggestions import ACCEPT, REJECT, Decision, identify, read_decisions

CHANGES = ".changes.jsonl"
# Of suggestions without a decision, those of these odds or more are doubtful.
DOUBTFUL = 0.2
# What became of a suggestion.
APPLIED, DOUBTED, REJECTED, UNDECIDED, CONFLICT = (
    *("applied", "marked missing", "rejected", "undecided"),
    "in conflict with a change before it",
)


def apply_decisions(
    decisions: str | Path,
    corpus: str | Path,
    output: str | Path,
    *,
    weights: bool = False,
) -> Counter[str]:
    """Write a corrected copy of a corpus, and a list of all changes next to it.

    decisions: The file of decisions that the page exports, or lines of
        suggestions.jsonl to which "decision" was added: "accept" or "reject".
    corpus: The corpus that was audited.
    output: The .spacy file to write; NAME.changes.jsonl next to it lists what became of
        each suggestion.
    weights: Whether to mark the tokens of suggestions missing in place of changing
        them, so that `crf_ner` sums over all their tags: of suggestions that were
        accepted, or that have odds of at least 0.2 and were not decided on.
    RETURNS: The number of suggestions by what became of them.
    RAISES (UserError): If a file cannot be read or written, or the decisions are about
        another corpus.
    """
    corpus, output = Path(corpus), Path(output)
    check_corpus(output)
    if is_inside(output, corpus) or is_inside(corpus, output):
        raise UserError("is input and output; give the output another name", output)
    by_document: defaultdict[int, list[Decision]] = defaultdict(list)
    for decision in read_decisions(Path(decisions)):
        by_document[decision.document].append(decision)
    listed: list[tuple[Decision, str]] = []

    def correct() -> Iterator[tuple[str, Doc]]:
        for number, doc in enumerate(read_docs(corpus, Vocab()), start=1):
            own = by_document.pop(number, ())
            listed.extend(_correct(doc, own, weights, corpus))
            yield "", doc
        for own in by_document.values():
            raise _other_corpus(own[0], corpus)

    changes = output.with_name(output.name.removesuffix(SUFFIX) + CHANGES)
    with replacing(changes) as temporary:
        write_parts(correct(), output)
        with temporary.open("w", encoding="utf8") as file:
            for decision, result in listed:
                file.write(json.dumps(_to_dict(decision, result)) + "\n")
    return Counter(result for _, result in listed)


def _to_dict(decision: Decision, result: str) -> dict[str, Any]:
    return {
        "id": decision.id,
        "document": decision.document,
        "kind": decision.kind,
        "gold": decision.gold,
        "suggested": decision.suggested,
        "result": result,
    }


def _other_corpus(decision: Decision, corpus: Path) -> UserError:
    what = f"is about another text than document {decision.document} of {corpus}"
    return decision.place.error(f"{what}; give the corpus that was audited")


def _correct(
    doc: Doc, decisions: Sequence[Decision], weights: bool, corpus: Path
) -> Iterator[tuple[Decision, str]]:
    """Change a document, the suggestions with the highest odds first."""
    for decision in sorted(decisions, key=lambda d: -d.odds):
        gold = tuple(_as_tokens(doc, span) for span in decision.gold)
        new = decision.suggested and _as_tokens(doc, decision.suggested)
        if decision.id != identify(doc, decision.key, gold, new):
            raise _other_corpus(decision, corpus)
        yield decision, _decide(doc, decision, gold, new, weights)


def _as_tokens(doc: Doc, span: tuple[int, int, str]) -> LabelledSpan:
    start, end, label = span
    found = doc.char_span(start, end)
    return (0, 0, "") if found is None else (found.start, found.end, label)


def _decide(
    doc: Doc,
    decision: Decision,
    gold: Sequence[LabelledSpan],
    new: LabelledSpan | None,
    weights: bool,
) -> str:
    if decision.decision == REJECT:
        return REJECTED
    doubtful = weights and not decision.decision and decision.odds >= DOUBTFUL
    if decision.decision != ACCEPT and not doubtful:
        return UNDECIDED
    if weights:
        return _mark_missing(doc, decision, [*gold, *([new] if new else [])])
    is_applied = replace_entities(doc, decision.key, gold, new)
    return APPLIED if is_applied else CONFLICT


def replace_entities(
    doc: Doc, key: str, gold: Sequence[LabelledSpan], new: LabelledSpan | None
) -> bool:
    """Remove entities, and add one. Returns False, and changes nothing, if an entity is
    not there, or the new one overlaps another."""
    spans = [*doc.ents] if key == ENTS else [*doc.spans.get(key, ())]
    left = [span for span in spans if (span.start, span.end, span.label_) not in gold]
    if len(spans) - len(left) != len(gold):
        return False
    if new is not None:
        if key == ENTS and any(s.start < new[1] and new[0] < s.end for s in left):
            return False
        left.append(Span(doc, *new))
    left.sort(key=lambda span: (span.start, span.end))
    if key == ENTS:
        freed = {i for start, end, _ in gold for i in range(start, end)}
        freed -= {*range(*new[:2])} if new else set()
        outside = [doc[i : i + 1] for i in sorted(freed)]
        doc.set_ents(left, outside=outside, default="unmodified")
    else:
        doc.spans[key] = left
    return True


def _mark_missing(doc: Doc, decision: Decision, spans: Iterable[LabelledSpan]) -> str:
    if decision.key != ENTS:
        what = f"is about the span group {decision.key}, in which no token can be"
        raise decision.place.error(f"{what} marked missing; leave out --weights")
    tokens = {i for start, end, _ in spans for i in range(start, end)}
    left = [ent for ent in doc.ents if tokens.isdisjoint(range(ent.start, ent.end))]
    touched = {
        i for ent in doc.ents if ent not in left for i in range(ent.start, ent.end)
    }
    missing = [doc[i : i + 1] for i in sorted(tokens | touched)]
    doc.set_ents(left, missing=missing, default="unmodified")
    return DOUBTED
