"""Tables of a check, for the terminal."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .check import CheckReport
from .forms import SplitSeen
from .pieces import PieceScan
from .splits import SplitStats

LONG = 6
INDENT = "  "
Count = tuple[str, Callable[[SplitStats], int | str]]
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


class Table(NamedTuple):
    """A table; the first column names the rows."""

    title: str
    header: list[str]
    rows: list[list[str]]


def count_table(report: CheckReport) -> Table:
    """Counts by split."""
    splits = report.splits
    rows = [
        *_rows(COUNTS, splits),
        *_label_rows(report),
        *_length_rows(splits),
        *_rows(BOUNDARIES, splits),
        *_category_rows(splits),
    ]
    return Table("", ["", *(split.name for split in splits)], rows)


def _rows(counts: Sequence[Count], splits: list[SplitStats]) -> list[list[str]]:
    return [[name, *(str(count(split)) for split in splits)] for name, count in counts]


def _ranked(counters: list[Counter[str]]) -> list[str]:
    total: Counter[str] = Counter()
    for counter in counters:
        total += counter
    return [name for name, _ in total.most_common()]


def _label_rows(report: CheckReport) -> list[list[str]]:
    rare = report.rare_labels
    return [
        [
            f"{INDENT}{label}{' (rare)' if label in rare else ''}",
            *(str(split.labels[label]) for split in report.splits),
        ]
        for label in _ranked([split.labels for split in report.splits])
    ]


def _category_rows(splits: list[SplitStats]) -> list[list[str]]:
    if not any(split.docs_with_cats for split in splits):
        return []
    counts = ["documents with categories", *(str(s.docs_with_cats) for s in splits)]
    return [
        counts,
        *(
            [INDENT + name, *(str(split.cats[name]) for split in splits)]
            for name in _ranked([split.cats for split in splits])
        ),
    ]


def _length_rows(splits: list[SplitStats]) -> list[list[str]]:
    rows = [
        [f"{INDENT}of length {n}", *(str(split.lengths[n]) for split in splits)]
        for n in range(1, LONG)
    ]
    long = [
        str(sum(count for length, count in split.lengths.items() if length >= LONG))
        for split in splits
    ]
    return [*rows, [f"{INDENT}of length {LONG} or more", *long]]


def seen_table(seen: SplitSeen, train: str) -> Table:
    """Entities of a split that occur in the training set, which is named `train`."""
    header = [
        *("", "entities", f"text in {train}", "with this label"),
        *("different", f"text in {train}", "with this label"),
    ]
    rows = [["all", *_seen_cells(seen.all)]]
    rows += [[f"{INDENT}{label}", *_seen_cells(n)] for label, n in seen.labels.items()]
    title = f"Entities of {seen.split} that are in {train}"
    return Table(f"{title} (different: each text counts once per label)", header, rows)


def _seen_cells(seen: dict[str, int]) -> list[str]:
    counts = list(seen.values())
    cells = []
    for whole, *parts in (counts[:3], counts[3:]):
        cells += [str(whole), *(_percent(part, whole) for part in parts)]
    return cells


def _percent(part: float, whole: float = 1) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def piece_table(report: CheckReport) -> Table:
    """Word pieces of documents and sentences by split."""
    scans = list(report.pieces.values())
    rows = [["pieces per word", *(f"{scan.per_word:.2f}" for scan in scans)]]
    for unit in ("document", "sentence"):
        counts = [scan.docs if unit == "document" else scan.sentences for scan in scans]
        rows += [
            [f"pieces per {unit}: mean", *(f"{each.mean:.1f}" for each in counts)],
            [f"{INDENT}median", *(str(each.quantile(0.5)) for each in counts)],
            [f"{INDENT}95 %", *(str(each.quantile(0.95)) for each in counts)],
            [f"{INDENT}most", *(str(each.quantile(1)) for each in counts)],
        ]
    rows += _limit_rows(scans)
    note = "estimated, without special pieces; 95 % have at most the given number"
    title = f"Pieces of the tokenizer {report.tokenizer} ({note})"
    return Table(title, ["", *report.pieces], rows)


def _limit_rows(scans: list[PieceScan]) -> list[list[str]]:
    rows = []
    for limit in scans[0].tokenizer.limits:
        longer = [
            (scan.docs.share_above(room), scan.sentences.share_above(room))
            for scan in scans
            for room in [scan.room(limit)]
        ]
        rows.append([f"longer than {limit.pieces}, {limit.name}", *("" for _ in scans)])
        rows.append([f"{INDENT}documents", *(_percent(docs) for docs, _ in longer)])
        rows.append([f"{INDENT}sentences", *(_percent(sents) for _, sents in longer)])
    return rows
