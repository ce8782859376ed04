"""All that is done to documents between reading and writing."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from spacy.tokens import Doc

from ..errors import DataError, Place
from ..report import ConversionReport
from .cut import cut_docs
from .sample import downsample, repeats, take
from .settings import Shaping
from .split import split_by_labels, split_evenly

# The document that something is of, and its entities by label.
Summary = tuple[str, Counter[str]]
Stream = Callable[[ConversionReport], Iterator[Doc]]


@dataclass(frozen=True)
class _Plan:
    """What was decided about documents by their numbers.

    parts (List[int]): The part of each; 0 without a split.
    repeats (List[int]): How often each is taken.
    """

    parts: list[int]
    repeats: list[int]


def shape_docs(
    read: Stream, shaping: Shaping, report: ConversionReport
) -> Iterator[tuple[str, Doc]]:
    """Choose, cut, sample and split documents.

    read (Callable): Reads the documents anew each time, and notes in a report.
    shaping (Shaping): What to do. With `stratify` or `oversample` all is read twice.
    report (ConversionReport): Gets what was left out or changed.
    YIELDS (Tuple[str, Doc]): The name of the part, empty without a split, and the
        document.
    RAISES (DataError): If a part gets no document, or a share cannot be reached.
    """
    plan = None
    if shaping.needs_plan:
        scratch = ConversionReport(source=report.source)
        plan = _plan(list(_summaries(_chosen(read, shaping, scratch))), shaping)
    taken: Counter[str] = Counter()
    for part, place, doc in _divided(_chosen(read, shaping, report), shaping, plan):
        name = shaping.parts[part] if shaping.parts else ""
        n = plan.repeats[taken.total()] if plan is not None else 1
        taken[name] += 1
        if n > 1:
            report.note("repeated", place, f"{n} times in all")
        for _ in range(n):
            yield name, doc
    absent = [name for name in shaping.parts if not taken[name]]
    if absent and taken:
        shown = ",".join(map(str, shaping.split))
        what = f"split = {shown} of {taken.total()} documents leaves {absent[0]} empty"
        raise DataError(f"{what}; give it a larger share", Path(report.source))


def _chosen(
    read: Stream, shaping: Shaping, report: ConversionReport
) -> Iterator[tuple[Place, Doc]]:
    path = Path(report.source)
    docs: Iterator[tuple[Place, Doc]] = (
        (Place(path, number, "document"), doc)
        for number, doc in enumerate(read(report), start=1)
    )
    if shaping.max_length or shaping.split_regex:
        docs = cut_docs(docs, shaping, report)
    if shaping.downsample < 1:
        docs = downsample(docs, shaping.downsample, shaping.seed, report)
    if shaping.limit:
        docs = take(docs, shaping.limit, report)
    return docs


def _divided(
    docs: Iterator[tuple[Place, Doc]], shaping: Shaping, plan: _Plan | None
) -> Iterator[tuple[int, Place, Doc]]:
    if plan is not None:
        for part, (place, doc) in zip(plan.parts, docs, strict=True):
            yield part, place, doc
    elif shaping.split:
        even = split_evenly(docs, _document_of, shaping.split, shaping.seed)
        for part, (place, doc) in even:
            yield part, place, doc
    else:
        for place, doc in docs:
            yield 0, place, doc


def _document_of(item: tuple[Place, Doc]) -> str:
    place, doc = item
    return str(doc.user_data.get("document") or place)


def _summaries(docs: Iterator[tuple[Place, Doc]]) -> Iterator[Summary]:
    for place, doc in docs:
        yield _document_of((place, doc)), Counter(ent.label_ for ent in doc.ents)


def _plan(found: list[Summary], shaping: Shaping) -> _Plan:
    parts = [0] * len(found)
    if shaping.split:
        parts = _plan_parts(found, shaping)
    often = [1] * len(found)
    if shaping.oversample:
        first = [i for i, part in enumerate(parts) if part == 0]
        labels = [frozenset(found[i][1]) for i in first]
        for i, n in zip(first, repeats(labels, shaping.oversample, shaping.seed)):
            often[i] = n
    return _Plan(parts, often)


def _plan_parts(found: list[Summary], shaping: Shaping) -> list[int]:
    if not shaping.stratify:
        even = split_evenly(found, itemgetter(0), shaping.split, shaping.seed)
        return [part for part, _ in even]
    whole: dict[str, Counter[str]] = {}
    for name, counts in found:
        whole.setdefault(name, Counter()).update(counts)
    parts = split_by_labels(list(whole.values()), shaping.split, shaping.seed)
    part_of = dict(zip(whole, parts))
    return [part_of[name] for name, _ in found]
