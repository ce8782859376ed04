"""Check the splits that a pipeline is trained and evaluated on.

All files are read twice: strings that are annotated in one place are looked for in the
others, and only the first reading tells which these are. What is kept of the documents
are counts, the forms of entities, and a digest of each text.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...data.lang import BlankPipeline, tokenizer_language
from .config import Limits, read_limits
from .findings import Finding
from .forms import FormIndex, SplitForms, find_conflicts
from .inputs import Placed, read_split
from .labels import RARE, check_labels
from .limits import LimitScan
from .pieces import PieceScan
from .report import CheckReport
from .seen import count_seen
from .splits import SplitStats, check_split
from .texts import TextScan, check_overlaps
from .tokenizer import TOKENIZER, PieceTokenizer, load_tokenizer

Progress = Callable[[Iterable[Placed]], Iterable[Placed]]


@dataclass
class _Scan:
    """All that is counted in a split."""

    path: Path
    blank: BlankPipeline
    stats: SplitStats
    texts: TextScan
    forms: SplitForms
    limits: LimitScan
    pieces: PieceScan | None

    def read(self, progress: Progress) -> None:
        for place, doc in progress(read_split(self.path, self.blank)):
            ents = doc.ents
            self.stats.add(doc, ents)
            self.stats.add_ends(place, doc, ents, self.blank)
            self.texts.add(place, doc, ents)
            self.forms.add(ents)
            self.limits.add(place, doc, ents)
            if self.pieces is not None:
                self.pieces.add(doc)
        if self.pieces is not None:
            self.pieces.finish()

    def read_again(self, progress: Progress, index: FormIndex) -> None:
        for _, doc in progress(read_split(self.path, self.blank)):
            self.forms.add_outside(doc, index)


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
    lang: The language whose tokenizer the pipeline will use; "xx" of several.
    rare: Labels with fewer entities in the first split are rare.
    config: A config, for the lengths that its components take.
    tokenizer: The tokenizer of an encoder, a folder or a name on the hub. If None, that
        of the config's encoder, if it is in a folder.
    progress: Wraps the documents as they pass, for a progress bar.
    RAISES (UserError): If a file, the language or the tokenizer cannot be used.
    """
    limits = Limits() if config is None else read_limits(config)
    counter = _load_tokenizer(tokenizer, limits)
    blank = BlankPipeline(tokenizer_language(lang))
    scans: list[_Scan] = []
    for name, path in paths.items():
        stats = SplitStats(name, str(path))
        scan = _Scan(
            path,
            blank,
            stats,
            TextScan(stats, [scan.texts for scan in scans]),
            SplitForms(),
            LimitScan(name, limits),
            None if counter is None else PieceScan(counter),
        )
        scan.read(progress)
        scans.append(scan)
    index = FormIndex(scan.forms for scan in scans)
    for scan in scans:
        scan.read_again(progress, index)
    return _report(scans, rare, limits, counter)


def _load_tokenizer(name: str | None, limits: Limits) -> PieceTokenizer | None:
    if name is None:
        folders = [f for f in limits.encoders if (Path(f) / TOKENIZER).is_file()]
        if not folders:
            return None
        name = folders[0]
    return load_tokenizer(name, limits.pieces)


def _report(
    scans: list[_Scan], rare: int, limits: Limits, counter: PieceTokenizer | None
) -> CheckReport:
    splits = [scan.stats for scan in scans]
    conflicts = find_conflicts({scan.stats.name: scan.forms for scan in scans})
    findings: list[Finding] = []
    for scan in scans:
        findings += check_split(scan.stats)
    findings += check_labels(splits, rare)
    for scan in scans:
        findings += check_overlaps(scan.texts)
    for scan in scans:
        findings += scan.limits.findings()
    findings += conflicts.findings()
    train, *others = scans
    return CheckReport(
        splits,
        findings,
        rare,
        [count_seen(scan.stats.name, scan.forms, train.forms) for scan in others],
        conflicts,
        limits,
        "" if counter is None else counter.name,
        {scan.stats.name: scan.pieces for scan in scans if scan.pieces is not None},
    )
