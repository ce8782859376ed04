"""Tables of a check, for the terminal."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from .check import CheckReport
from .forms import SplitSeen
from .splits import SplitStats

LONG = 6
INDENT = "  "
Count = tuple[str, Callable[[SplitStats], object]]
Row = list[str]
COUNTS: tuple[Count, ...] = (
    ("documents", lambda split: split.docs),
    ("  without entities", lambda split: split.docs_without_entities),
    ("  not annotated", lambda split: split.docs_unannotated),
    ("  repeated", lambda split: split.repeated.count),
    ("  conflicting", lambda split: split.conflicting.count),
    ("sentences", lambda split: split.sentences),
    ("tokens", lambda split: split.tokens),
    ("entities", lambda split: split.entities),
)
BOUNDARIES: tuple[Count, ...] = (
    ("  at white space", lambda split: split.white_space.count),
    # Without known spaces spaCy trains on the file's own tokens: all entities fit.
    (
        "  misaligned",
        lambda split: split.misaligned.count if split.docs_with_text else "gold tokens",
    ),
)
PIECES = {"median": "median", "95 %": "p95", "most": "max"}


class Table(NamedTuple):
    """A table; the first column names the rows."""

    title: str
    header: list[str]
    rows: list[Row]


def _row(name: str, cells: Iterable[object]) -> Row:
    return [name, *map(str, cells)]


def count_table(report: CheckReport) -> Table:
    """Counts by split."""
    splits = report.splits
    rows = [_row(name, map(count, splits)) for name, count in COUNTS]
    rows += _ranked([split.labels for split in splits], report.rare_labels)
    for n in range(1, LONG):
        counts = [split.lengths[n] for split in splits]
        rows.append(_row(f"{INDENT}of length {n}", counts))
    long = [
        sum(count for length, count in split.lengths.items() if length >= LONG)
        for split in splits
    ]
    rows.append(_row(f"{INDENT}of length {LONG} or more", long))
    rows += [_row(name, map(count, splits)) for name, count in BOUNDARIES]
    if any(split.docs_with_cats for split in splits):
        counts = [split.docs_with_cats for split in splits]
        rows.append(_row("documents with categories", counts))
        rows += _ranked([split.cats for split in splits])
    return Table("", ["", *(split.name for split in splits)], rows)


def _ranked(counters: list[Counter[str]], rare: Container[str] = ()) -> Iterator[Row]:
    """A row for each name, the most frequent first."""
    for name, _ in sum(counters, Counter()).most_common():
        label = f"{INDENT}{name}{' (rare)' * (name in rare)}"
        yield _row(label, (counter[name] for counter in counters))


def seen_table(seen: SplitSeen, train: str) -> Table:
    """Entities of a split that occur in the training set, which is named `train`."""
    parts = (f"text in {train}", "with this label")
    rows = [["all", *_seen_cells(seen.all)]]
    rows += [[f"{INDENT}{label}", *_seen_cells(n)] for label, n in seen.labels.items()]
    title = f"Entities of {seen.split} that are in {train}"
    title = f"{title} (different: each text counts once per label)"
    return Table(title, ["", "entities", *parts, "different", *parts], rows)


def _seen_cells(seen: Mapping[str, int]) -> Iterator[str]:
    counts = list(seen.values())
    for whole, *parts in (counts[:3], counts[3:]):
        yield str(whole)
        yield from (_percent(part / whole) if whole else "-" for part in parts)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def piece_table(report: CheckReport) -> Table:
    """Word pieces of documents and sentences by split."""
    scans = list(report.pieces.values())
    rows = [_row("pieces per word", (f"{scan.per_word:.2f}" for scan in scans))]
    for unit in ("document", "sentence"):
        counts = [scan.to_dict()[f"{unit}s"] for scan in scans]
        means = (f"{each['mean']:.1f}" for each in counts)
        rows.append(_row(f"pieces per {unit}: mean", means))
        for name, key in PIECES.items():
            rows.append(_row(INDENT + name, (each[key] for each in counts)))
    for limits in zip(*(scan.to_dict()["limits"] for scan in scans)):
        longer = f"longer than {limits[0]['pieces']}, {limits[0]['name']}"
        rows.append(_row(longer, ("" for _ in scans)))
        for unit in ("documents", "sentences"):
            shares = (_percent(limit[f"{unit}_longer"]) for limit in limits)
            rows.append(_row(INDENT + unit, shares))
    note = "estimated, without special pieces; 95 % have at most the given number"
    title = f"Pieces of the tokenizer {report.tokenizer} ({note})"
    return Table(title, ["", *report.pieces], rows)
