"""Check the splits that a pipeline is trained and evaluated on.

All files are read twice: the second time to find the strings outside of entities that
the first reading found annotated somewhere. Of the documents only counts, the forms of
entities and a digest of each text are kept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ...data.forms import FormIndex, SplitForms
from ...data.lang import BlankPipeline, tokenizer_language
from ...data.read import find_files, read_docs
from .findings import SEVERITIES, Finding
from .forms import count_seen, find_conflicts
from .limits import Limits, LimitScan
from .pieces import PieceScan, PieceTokenizer
from .splits import RARE, SplitStats, TextScan, check_labels, check_split, rare_labels

# The place of a document, and the document.
Placed = tuple[str, Doc]
Progress = Callable[[Iterable[Placed]], Iterable[Placed]]


@dataclass
class _Scan:
    """All counts of a split."""

    path: Path
    blank: BlankPipeline
    stats: SplitStats
    texts: TextScan
    limits: LimitScan
    pieces: PieceScan | None
    forms: SplitForms = field(default_factory=SplitForms)

    def read(self, progress: Progress) -> None:
        for place, doc in progress(_read_split(self.path, self.blank)):
            ents = doc.ents
            self.stats.add(place, doc, ents, self.blank)
            self.texts.add(place, doc, ents)
            self.forms.add(ents)
            self.limits.add(place, doc, ents)
            if self.pieces is not None:
                self.pieces.add(doc)
        if self.pieces is not None:
            self.pieces.finish()


class CheckReport:
    """The result of a check: the counts of each split, the findings, errors first, and
    what `to_dict` has besides; `pieces` is empty without a tokenizer."""

    def __init__(self, scans: list[_Scan], rare: int, limits: Limits) -> None:
        train, *others = scans
        self.splits = [scan.stats for scan in scans]
        self.rare = rare
        self.rare_labels = rare_labels(train.stats, rare)
        self.limits = limits
        self.conflicts = find_conflicts({s.stats.name: s.forms for s in scans})
        self.seen = [count_seen(s.stats.name, s.forms, train.forms) for s in others]
        self.pieces = {s.stats.name: s.pieces for s in scans if s.pieces is not None}
        self.tokenizer = "" if train.pieces is None else train.pieces.tokenizer.name
        found = [finding for stats in self.splits for finding in check_split(stats)]
        found += check_labels(self.splits, rare)
        found += [finding for scan in scans for finding in scan.texts.findings()]
        found += [finding for scan in scans for finding in scan.limits.findings()]
        found += self.conflicts.findings()
        self.findings = sorted(found, key=lambda f: SEVERITIES.index(f.severity))

    def of(self, severity: str) -> list[Finding]:
        return [found for found in self.findings if found.severity == severity]

    def to_dict(self) -> dict[str, Any]:
        pieces = {name: scan.to_dict() for name, scan in self.pieces.items()}
        return {
            "splits": [split.to_dict() for split in self.splits],
            "findings": [asdict(found) for found in self.findings],
            "rare": {"fewer_than": self.rare, "labels": self.rare_labels},
            "seen": [seen._asdict() for seen in self.seen],
            "conflicts": self.conflicts.to_dict(),
            "limits": self.limits.to_dict(),
            "pieces": {"tokenizer": self.tokenizer, "splits": pieces},
        }


def check_files(
    paths: Mapping[str, Path],
    *,
    lang: str = "en",
    rare: int = RARE,
    config: Path | None = None,
    tokenizer: str | None = None,
    progress: Progress = iter,
) -> CheckReport:
    """Check the splits of a corpus, each alone and against each other.

    paths: The .spacy files, or folders of them, by split name, "train" first.
    tokenizer: None for that of the config's encoder, if it is in a folder.
    progress: Wraps the documents as they pass.
    """
    limits = Limits(config)
    counter = _load_tokenizer(tokenizer, limits)
    blank = BlankPipeline(tokenizer_language(lang))
    scans: list[_Scan] = []
    for name, path in paths.items():
        stats = SplitStats(name, str(path))
        texts = TextScan(stats, [scan.texts for scan in scans])
        pieces = None if counter is None else PieceScan(counter)
        scan = _Scan(path, blank, stats, texts, LimitScan(name, limits), pieces)
        scan.read(progress)
        scans.append(scan)
    index = FormIndex(scan.forms for scan in scans)
    for scan in scans:
        for _, doc in progress(_read_split(scan.path, blank)):
            scan.forms.add_outside(doc, index)
    return CheckReport(scans, rare, limits)


def _read_split(path: Path, blank: BlankPipeline) -> Iterator[Placed]:
    for shard in find_files(path):
        file = "" if shard == path else f"{shard.relative_to(path)}, "
        for number, doc in enumerate(read_docs(shard, blank.vocab), start=1):
            yield f"{file}document {number}", doc


def _load_tokenizer(name: str | None, limits: Limits) -> PieceTokenizer | None:
    if name is None:
        folders = [f for f in limits.encoders if (Path(f) / "tokenizer.json").is_file()]
        name = folders[0] if folders else None
    return None if name is None else PieceTokenizer(name, limits.pieces)
