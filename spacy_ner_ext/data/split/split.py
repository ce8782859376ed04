"""Everything that is done to documents between reading and writing, in order."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, TypeVar

from spacy.tokens import Doc

from ...util.errors import Place, UserError
from ..options import ConvertOptions
from ..report import ConversionReport, true_cats
from .cut import cut_docs
from .sample import Repeating, find_factors, sample, split_by_labels, split_evenly

T = TypeVar("T")
Stream = Callable[[ConversionReport], Iterator[Doc]]
Placed = tuple[Place, Doc]
# The document that a document is a part of, and its entities and categories by label.
Summary = tuple[str, Counter[str]]


class _Plan(NamedTuple):
    """The part of each document, and how often each that is kept is written."""

    parts: list[int]
    repeats: list[int]


def shape_docs(
    read: Stream, options: ConvertOptions, report: ConversionReport
) -> Iterator[tuple[str, Doc]]:
    """Cut, split, sample and repeat documents; yields the name of the part, empty
    without a split, with each.

    read: Reads the documents from the start; called twice with `stratify` or
        `oversample`.
    """
    plan = None
    if options.needs_plan:
        scratch = ConversionReport(source=report.source)
        docs = _cut(read, options, scratch)
        summaries = [(_document_of(item), count_labels(item[1])) for item in docs]
        plan = _plan(summaries, options)
    taken: Counter[str] = Counter()
    divided = _divide(_cut(read, options, report), options, plan)

    def skipped(kind: str, item: Placed) -> None:
        report.note(kind, item[0], "and all after it" if kind == "unused" else "")

    for part, (place, doc) in _sample(divided, options, skipped):
        name = options.parts[part] if options.parts else ""
        n = 1 if plan is None else plan.repeats[taken.total()]
        taken[name] += 1
        if n > 1:
            report.note("repeated", place, f"{n} times in all")
        for number in range(n):
            yield name, _copy(doc, number) if number else doc
    absent = [name for name in options.parts if not taken[name]]
    if absent and taken:
        shown = ",".join(map(str, options.split))
        what = f"split = {shown} of {taken.total()} documents leaves {absent[0]} empty"
        raise UserError(f"{what}; give it a larger share", Path(report.source))


def _cut(
    read: Stream, options: ConvertOptions, report: ConversionReport
) -> Iterator[Placed]:
    path = Path(report.source)
    docs: Iterator[Placed] = (
        (Place(path, number, "document"), doc)
        for number, doc in enumerate(read(report), start=1)
    )
    if options.max_length or options.split_regex:
        docs = cut_docs(docs, options, report)
    return docs


def _divide(
    docs: Iterator[Placed], options: ConvertOptions, plan: _Plan | None
) -> Iterator[tuple[int, Placed]]:
    if plan is not None:
        yield from zip(plan.parts, docs, strict=True)
    elif options.split:
        yield from split_evenly(docs, _document_of, options.split, options.seed)
    else:
        yield from ((0, item) for item in docs)


def _sample(
    items: Iterable[tuple[int, T]],
    options: ConvertOptions,
    skipped: Callable[[str, T], None],
) -> Iterator[tuple[int, T]]:
    share, limit = options.downsample, options.limit
    n_parts = max(len(options.parts), 1)
    return sample(items, n_parts, share, limit, options.seed, skipped)


def _copy(doc: Doc, number: int) -> Doc:
    name = doc.user_data.get("id")
    if not name:
        return doc
    # `export` needs a name for each copy.
    copy = doc.copy()
    copy.user_data["id"] = f"{name}+{number}"
    copy.user_data.setdefault("document", name)
    return copy


def _document_of(item: Placed) -> str:
    return str(item[1].user_data.get("document", ""))


def count_labels(doc: Doc) -> Counter[str]:
    """Count entities and categories by label; of several span groups, the largest."""
    labels = Counter(ent.label_ for ent in doc.ents)
    for group in doc.spans.values():
        labels |= Counter(span.label_ for span in group)
    return labels + Counter(true_cats(doc))


def _plan(found: list[Summary], options: ConvertOptions) -> _Plan:
    parts = _plan_parts(found, options) if options.split else [0] * len(found)
    kept = list(_sample(zip(parts, found), options, lambda kind, item: None))
    often = [1] * len(kept)
    if options.oversample:
        first = [i for i, (part, _) in enumerate(kept) if part == 0]
        labels = [frozenset(kept[i][1][1]) for i in first]
        factors = find_factors(Counter(labels), options.oversample)
        draw = Repeating(factors, options.seed)
        for i, own in zip(first, labels):
            often[i] = draw(own)
    return _Plan(parts, often)


def _plan_parts(found: list[Summary], options: ConvertOptions) -> list[int]:
    if not options.stratify:
        even = split_evenly(found, itemgetter(0), options.split, options.seed)
        return [part for part, _ in even]
    # Parts of one document count as one; a document without a name is alone.
    names = [document or number for number, (document, _) in enumerate(found)]
    whole: dict[str | int, Counter[str]] = {}
    for name, (_, labels) in zip(names, found):
        whole.setdefault(name, Counter()).update(labels)
    parts = split_by_labels(list(whole.values()), options.split, options.seed)
    part_of = dict(zip(whole, parts))
    return [part_of[name] for name in names]
