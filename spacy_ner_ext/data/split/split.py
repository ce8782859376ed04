"""All that is done to documents between reading and writing."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, TypeVar

from spacy.tokens import Doc

from ...util.errors import Place, UserError
from ..report import ConversionReport, true_cats
from .cut import cut_docs
from .parts import split_by_labels, split_evenly
from .sample import repeats, sample
from .settings import SplitOptions

T = TypeVar("T")
Stream = Callable[[ConversionReport], Iterator[Doc]]
Placed = tuple[Place, Doc]


class Summary(NamedTuple):
    """What is remembered of a document.

    document: The document that it is a part of; empty if it is one itself.
    labels: Its entities, spans of groups and categories by label.
    """

    document: str
    labels: Counter[str]


@dataclass(frozen=True)
class _Plan:
    """What was decided about documents by their numbers.

    parts: The part of each that is read; 0 without a split.
    repeats: How often each is written of those that are taken.
    """

    parts: list[int]
    repeats: list[int]


def shape_docs(
    read: Stream, shaping: SplitOptions, report: ConversionReport
) -> Iterator[tuple[str, Doc]]:
    """Cut, split, sample and repeat documents.

    read: Reads the documents anew each time, and notes in a report.
    shaping: What to do. With `stratify` or `oversample` all is read twice.
    report: Gets what was left out or changed.
    YIELDS: The name of the part, empty without a split, and the document.
    RAISES (UserError): If a part gets no document, or a share cannot be reached.
    """
    plan = None
    if shaping.needs_plan:
        scratch = ConversionReport(source=report.source)
        plan = _plan([_summary(item) for item in _cut(read, shaping, scratch)], shaping)
    taken: Counter[str] = Counter()
    divided = _divide(_cut(read, shaping, report), shaping, plan)

    def skipped(kind: str, item: Placed) -> None:
        report.note(kind, item[0], "and all behind it" if kind == "unused" else "")

    for part, (place, doc) in _sample(divided, shaping, skipped):
        name = shaping.parts[part] if shaping.parts else ""
        n = 1 if plan is None else plan.repeats[taken.total()]
        taken[name] += 1
        if n > 1:
            report.note("repeated", place, f"{n} times in all")
        for number in range(n):
            yield name, _copy(doc, number) if number else doc
    absent = [name for name in shaping.parts if not taken[name]]
    if absent and taken:
        shown = ",".join(map(str, shaping.split))
        what = f"split = {shown} of {taken.total()} documents leaves {absent[0]} empty"
        raise UserError(f"{what}; give it a larger share", Path(report.source))


def _cut(
    read: Stream, shaping: SplitOptions, report: ConversionReport
) -> Iterator[Placed]:
    path = Path(report.source)
    docs: Iterator[Placed] = (
        (Place(path, number, "document"), doc)
        for number, doc in enumerate(read(report), start=1)
    )
    if shaping.max_length or shaping.split_regex:
        docs = cut_docs(docs, shaping, report)
    return docs


def _divide(
    docs: Iterator[Placed], shaping: SplitOptions, plan: _Plan | None
) -> Iterator[tuple[int, Placed]]:
    if plan is not None:
        yield from zip(plan.parts, docs, strict=True)
    elif shaping.split:
        yield from split_evenly(docs, _document_of, shaping.split, shaping.seed)
    else:
        yield from ((0, item) for item in docs)


def _sample(
    items: Iterable[tuple[int, T]],
    shaping: SplitOptions,
    skipped: Callable[[str, T], None],
) -> Iterator[tuple[int, T]]:
    share, limit = shaping.downsample, shaping.limit
    n_parts = max(len(shaping.parts), 1)
    return sample(items, n_parts, share, limit, shaping.seed, skipped)


def _copy(doc: Doc, number: int) -> Doc:
    name = doc.user_data.get("id")
    if not name:
        return doc
    # Files of one document each need a name for each copy.
    copy = doc.copy()
    copy.user_data["id"] = f"{name}+{number}"
    copy.user_data.setdefault("document", name)
    return copy


def _document_of(item: Placed) -> str:
    return str(item[1].user_data.get("document", ""))


def _summary(item: Placed) -> Summary:
    return Summary(_document_of(item), count_labels(item[1]))


def count_labels(doc: Doc) -> Counter[str]:
    """Count the entities, spans of groups and categories of a document.

    RETURNS: Their number by label; of several groups with the same label that of the
        largest.
    """
    labels = Counter(ent.label_ for ent in doc.ents)
    for group in doc.spans.values():
        labels |= Counter(span.label_ for span in group)
    return labels + Counter(true_cats(doc))


def _plan(found: list[Summary], shaping: SplitOptions) -> _Plan:
    parts = _plan_parts(found, shaping) if shaping.split else [0] * len(found)
    kept = list(_sample(zip(parts, found), shaping, lambda kind, item: None))
    often = [1] * len(kept)
    if shaping.oversample:
        first = [i for i, (part, _) in enumerate(kept) if part == 0]
        labels = [frozenset(kept[i][1].labels) for i in first]
        for i, n in zip(first, repeats(labels, shaping.oversample, shaping.seed)):
            often[i] = n
    return _Plan(parts, often)


def _plan_parts(found: list[Summary], shaping: SplitOptions) -> list[int]:
    if not shaping.stratify:
        even = split_evenly(found, itemgetter(0), shaping.split, shaping.seed)
        return [part for part, _ in even]
    # One entry a document; what is one itself is alone.
    names = [summary.document or number for number, summary in enumerate(found)]
    whole: dict[str | int, Counter[str]] = {}
    for name, summary in zip(names, found):
        whole.setdefault(name, Counter()).update(summary.labels)
    parts = split_by_labels(list(whole.values()), shaping.split, shaping.seed)
    part_of = dict(zip(whole, parts))
    return [part_of[name] for name in names]
