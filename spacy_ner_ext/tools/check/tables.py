"""The counts of a check as tables, to print or to show in a page."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .findings import excerpt
from .forms import OUTSIDE, Conflict
from .pieces import Distribution, PieceScan
from .report import CheckReport
from .seen import Seen, SplitSeen
from .splits import SplitStats

LONG = 6
# The labels of a row that is a part of the one above start with this.
INDENT = "  "


@dataclass(frozen=True)
class Table:
    """A table; the first column names the rows.

    title: What it is about.
    note: How to read it; empty if that is plain.
    header: The names of the columns.
    rows: The rows.
    """

    title: str
    note: str
    header: list[str]
    rows: list[list[str]]


def count_table(report: CheckReport) -> Table:
    """Lay out what the splits hold.

    report: The result of a check.
    RETURNS: A row a count, a column a split.
    """
    splits = report.splits
    counts: list[tuple[str, Callable[[SplitStats], int | str]]] = [
        ("documents", lambda split: split.docs),
        ("  without entities", lambda split: split.docs_without_entities),
        ("  not annotated", lambda split: split.docs_unannotated),
        ("  repeated", lambda split: split.repeated.count),
        ("  conflicting", lambda split: split.conflicting.count),
        ("sentences", lambda split: split.sentences),
        ("tokens", lambda split: split.tokens),
        ("entities", lambda split: split.entities),
    ]
    ends: list[tuple[str, Callable[[SplitStats], int | str]]] = [
        ("  at white space", lambda split: split.white_space.count),
        ("  misaligned", _misaligned),
    ]
    rows = [
        *_rows(counts, splits),
        *_label_rows(report),
        *_length_rows(splits),
        *_rows(ends, splits),
        *_category_rows(splits),
    ]
    note = f"rare: fewer than {report.rare} entities in {splits[0].name}"
    return Table("Counts", note, ["", *(split.name for split in splits)], rows)


def _rows(
    counts: Iterable[tuple[str, Callable[[SplitStats], int | str]]],
    splits: list[SplitStats],
) -> list[list[str]]:
    return [[name, *(str(count(split)) for split in splits)] for name, count in counts]


def _label_rows(report: CheckReport) -> list[list[str]]:
    total: Counter[str] = Counter()
    for split in report.splits:
        total += split.labels
    rare = report.rare_labels
    return [
        [
            f"{INDENT}{label}{' (rare)' if label in rare else ''}",
            *(str(split.labels[label]) for split in report.splits),
        ]
        for label, _ in total.most_common()
    ]


def _category_rows(splits: list[SplitStats]) -> list[list[str]]:
    total: Counter[str] = Counter()
    for split in splits:
        total += split.cats
    rows = [
        [f"{INDENT}{name}", *(str(split.cats[name]) for split in splits)]
        for name, _ in total.most_common()
    ]
    if not any(split.docs_with_cats for split in splits):
        return []
    counts = [str(split.docs_with_cats) for split in splits]
    return [["documents with categories", *counts], *rows]


def _length_rows(splits: list[SplitStats]) -> list[list[str]]:
    rows = [
        [
            f"{INDENT}of length {length}",
            *(str(split.lengths[length]) for split in splits),
        ]
        for length in range(1, LONG)
    ]
    long = [
        str(sum(n for length, n in split.lengths.items() if length >= LONG))
        for split in splits
    ]
    return [*rows, [f"{INDENT}of length {LONG} or more", *long]]


def _misaligned(split: SplitStats) -> str:
    # Without known spaces spaCy trains on the file's own tokens: all entities fit.
    return str(split.misaligned.count) if split.docs_with_text else "gold tokens"


def seen_table(seen: SplitSeen, train: str) -> Table:
    """Lay out which entities of a split are in the training set.

    train: The name of the training set.
    """
    header = [
        *("", "entities", f"text in {train}", "with this label"),
        *("different", f"text in {train}", "with this label"),
    ]
    rows = [["all", *_seen_cells(seen.all)]]
    rows += [[f"{INDENT}{label}", *_seen_cells(n)] for label, n in seen.labels.items()]
    title = f"Entities of {seen.split} that are in {train}"
    note = "different: each text counts once a label"
    return Table(title, note, header, rows)


def _seen_cells(seen: Seen) -> list[str]:
    return [
        str(seen.entities),
        _percent(seen.form, seen.entities),
        _percent(seen.form_and_label, seen.entities),
        str(seen.distinct),
        _percent(seen.distinct_form, seen.distinct),
        _percent(seen.distinct_form_and_label, seen.distinct),
    ]


def _percent(part: float, whole: float = 1) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def piece_table(report: CheckReport) -> Table:
    """Lay out how many pieces documents and sentences have.

    report: The result of a check with a tokenizer.
    RETURNS: A row a number, a column a split.
    """
    scans = list(report.pieces.values())
    rows = [["pieces a word", *(f"{scan.per_word:.2f}" for scan in scans)]]
    rows += _distribution_rows("document", [scan.docs for scan in scans])
    rows += _distribution_rows("sentence", [scan.sentences for scan in scans])
    rows += _limit_rows(scans)
    note = "estimated, without special pieces; 95 % have at most the number given there"
    title = f"Pieces of the tokenizer {report.tokenizer}"
    return Table(title, note, ["", *report.pieces], rows)


def _distribution_rows(unit: str, counts: list[Distribution]) -> list[list[str]]:
    return [
        [f"pieces a {unit}: mean", *(f"{each.mean:.1f}" for each in counts)],
        [f"{INDENT}median", *(str(each.quantile(0.5)) for each in counts)],
        [f"{INDENT}95 %", *(str(each.quantile(0.95)) for each in counts)],
        [f"{INDENT}most", *(str(each.quantile(1)) for each in counts)],
    ]


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


def conflict_table(report: CheckReport) -> Table:
    """Lay out the strings that are annotated in different ways.

    report: The result of a check.
    RETURNS: A row a string, the worst first.
    """
    conflicts = report.conflicts
    names = [split.name for split in report.splits]
    rows = [
        [excerpt(conflict.form), str(conflict.minority), *_kinds(conflict, names)]
        for conflict in conflicts.worst
    ]
    note = (
        f"{conflicts.count} strings, the worst {len(rows)} listed; "
        "O: places that are no entity"
    )
    title = "Strings annotated in different ways"
    return Table(title, note, ["", "differ", *names], rows)


def _kinds(conflict: Conflict, names: list[str]) -> list[str]:
    return [
        ", ".join(
            f"{'O' if label == OUTSIDE else label} {places[name]}"
            for label, places in conflict.places.items()
            if name in places
        )
        for name in names
    ]
