"""Labels that are missing in a split, or rare."""

from collections import Counter
from collections.abc import Callable, Sequence

from .findings import Finding
from .splits import SplitStats

# Below it spaCy's own "debug data" calls the examples of a label few.
RARE = 50


def rare_labels(train: SplitStats, rare: int) -> dict[str, int]:
    """Find the labels with few entities.

    RETURNS: The rare labels with their entities, the rarest first.
    """
    found = [(n, label) for label, n in train.labels.items() if n < rare]
    return {label: n for n, label in sorted(found)}


def check_labels(splits: Sequence[SplitStats], rare: int) -> list[Finding]:
    """Tell which labels one split lacks, and which are rare in training.

    splits: The splits, the training set first.
    rare: Fewer entities than these are few.
    """
    train, *others = splits
    findings = []
    for split in others:
        # Where one side has no entity at all, that is the finding.
        if split.entities and train.entities:
            findings += _compare("labels", split, train, lambda stats: stats.labels)
        if split.cats and train.cats:
            findings += _compare("categories", split, train, lambda stats: stats.cats)
    few = rare_labels(train, rare)
    if few:
        listed = ", ".join(f"{label} ({n})" for label, n in few.items())
        what = f"labels with fewer than {rare} entities in {train.name}: {listed}"
        findings.append(Finding("note", train.name, what))
    return findings


def _compare(
    what: str,
    split: SplitStats,
    train: SplitStats,
    names: Callable[[SplitStats], Counter[str]],
) -> list[Finding]:
    findings = []
    for here, there in ((train, split), (split, train)):
        absent = sorted(names(here).keys() - names(there).keys())
        if absent:
            told = f"{what} in {here.name} that are not in {there.name}"
            told = f"{told}: {', '.join(absent)}"
            findings.append(Finding("warning", split.name, told))
    return findings
