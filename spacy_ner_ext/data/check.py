"""Checks of the .spacy files that a pipeline is trained and evaluated on."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from spacy.tokens import Doc

from .read import read_docs
from .splits import MAX_EXAMPLES, Places, SplitScan, SplitStats, excerpt

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or suspicious.

    severity (str): "error" if training or evaluation would go wrong, else "warning".
    split (str): The split where it was found.
    what (str): What it is, with counts and the next step.
    examples (List[str]): The first places.
    """

    severity: Severity
    split: str
    what: str
    examples: list[str] = field(default_factory=list)


@dataclass
class CheckReport:
    """The result of a check.

    splits (List[SplitStats]): The splits in the order they were given.
    findings (List[Finding]): What is wrong, errors first.
    """

    splits: list[SplitStats]
    findings: list[Finding]

    def of(self, severity: Severity) -> list[Finding]:
        """Select findings.

        severity (str): "error" or "warning".
        RETURNS (List[Finding]): The findings of this severity.
        """
        return [found for found in self.findings if found.severity == severity]

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (Dict[str, Any]): The report as plain JSON values."""
        return {
            "splits": [split.to_dict() for split in self.splits],
            "findings": [asdict(found) for found in self.findings],
        }


def check_files(
    paths: Mapping[str, Path],
    *,
    lang: str = "en",
    progress: Callable[[Iterable[Doc]], Iterable[Doc]] = iter,
) -> CheckReport:
    """Check the splits of a corpus, each alone and against each other.

    paths (Mapping[str, Path]): The .spacy files by split name, "train" first.
    lang (str): The language whose tokenizer the pipeline will use.
    progress (Callable[[Iterable[Doc]], Iterable[Doc]]): Wraps the documents as they
        pass, for a progress bar.
    RETURNS (CheckReport): Counts and findings.
    RAISES (DataError): If a file or the language cannot be used.
    """
    scans = []
    for name, path in paths.items():
        scan = SplitScan(SplitStats(name, str(path)), lang)
        for doc in progress(read_docs(path, scan.vocab)):
            scan.add(doc)
        scans.append(scan)
    findings = [found for scan in scans for found in _check_split(scan.stats)]
    findings += _check_labels([scan.stats for scan in scans])
    findings += _check_overlaps(scans)
    findings.sort(key=lambda found: found.severity != "error")
    return CheckReport([scan.stats for scan in scans], findings)


def _check_split(stats: SplitStats) -> list[Finding]:
    name = stats.name
    if not stats.tokens:
        return [Finding("error", name, f"{name} is empty, it holds no token")]
    findings = []
    if not stats.entities:
        # A dev set without entities has no F-score, so no best model can be chosen.
        severity: Severity = "warning" if name == "test" else "error"
        findings.append(Finding(severity, name, f"{name} has no entity at all"))
    if stats.white_space.count:
        what = (
            f"entities in {name} that start or end in a white-space token, which "
            f"'convert' trims: {stats.white_space.count}"
        )
        findings.append(Finding("error", name, what, stats.white_space.examples))
    return findings + _warn_split(stats)


def _warn_split(stats: SplitStats) -> list[Finding]:
    name = stats.name
    unaligned = (
        f"entities in {name} whose ends are not ends of the tokenizer's tokens, so "
        "that they are not learned and count as missed"
    )
    unannotated = f"documents in {name} without annotation, not the same as no entity"
    places = {
        unaligned: stats.misaligned,
        f"documents in {name} that repeat an earlier one": stats.repeated,
        f"documents in {name} with the text of an earlier one and other entities": (
            stats.conflicting
        ),
        unannotated: Places(stats.docs_unannotated),
    }
    return [
        Finding("warning", name, f"{what}: {found.count}", found.examples)
        for what, found in places.items()
        if found.count
    ]


def _check_labels(splits: list[SplitStats]) -> list[Finding]:
    train, *others = splits
    findings = []
    # Where one side has no entity at all, that is the finding.
    for split in (split for split in others if split.entities and train.entities):
        for here, there in ((train, split), (split, train)):
            labels = sorted(here.labels.keys() - there.labels.keys())
            if labels:
                what = f"labels in {here.name} that are not in {there.name}"
                what = f"{what}: {', '.join(labels)}"
                findings.append(Finding("warning", split.name, what))
    return findings


def _check_overlaps(scans: list[SplitScan]) -> list[Finding]:
    return [
        found
        for i, later in enumerate(scans)
        for earlier in scans[:i]
        for found in _compare_texts(earlier, later)
    ]


def _compare_texts(earlier: SplitScan, later: SplitScan) -> list[Finding]:
    shared = [text for text in later.texts if text in earlier.texts]
    differ = [text for text in shared if later.texts[text] != earlier.texts[text]]
    same = [text for text in shared if later.texts[text] == earlier.texts[text]]
    name = later.stats.name
    what = f"texts in {name} that are also in {earlier.stats.name}"
    kinds = {"with the same entities": same, "with other entities": differ}
    return [
        Finding(
            "warning",
            name,
            f"{what}, {kind}: {len(texts)}",
            [excerpt(text) for text in texts[:MAX_EXAMPLES]],
        )
        for kind, texts in kinds.items()
        if texts
    ]
