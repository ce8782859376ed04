"""The project's corpora converted, and compared with a count of the raw files.

    python benchmarks/corpora.py --wnut17 DIR --ncbi DIR --multinerd DIR --issues DIR

Each folder has the published files, under the names of project.yml. The count does not
use the package: lines of columns by their tags, T lines of standoff, tags of rows, and
keys of categories. The exit code is 1 if a number differs.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import one_thread

one_thread()

from spacy_ner_ext import convert

Counted = tuple[int, Counter[str]]


def count_columns(path: Path) -> Counted:
    """Sentences, and entities by label: those that a tag B- starts."""
    labels: Counter[str] = Counter()
    n_sentences, is_inside = 0, False
    for line in path.read_text(encoding="utf8").split("\n"):
        _, _, tag = line.rstrip().rpartition("\t")
        n_sentences += bool(tag) and not is_inside
        is_inside = bool(tag)
        labels.update([tag[2:]] if tag.startswith("B-") else [])
    return n_sentences, labels


def count_standoff(folder: Path) -> Counted:
    labels: Counter[str] = Counter()
    for path in folder.glob("*.ann"):
        for line in path.read_text(encoding="utf8").split("\n"):
            labels.update([line.split()[1]] if line.startswith("T") else [])
    return len(list(folder.glob("*.txt"))), labels


def rows(path: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, path.read_text(encoding="utf8").splitlines())


def count_tags(path: Path) -> Counted:
    """English rows; an I- that continues nothing starts an entity too."""
    names = json.loads((path.parent / "labels.json").read_text(encoding="utf8"))
    labels: Counter[str] = Counter()
    english = [row for row in rows(path) if row["lang"] == "en"]
    for row in english:
        tags = ["O", *(names[tag] for tag in row["ner_tags"])]
        for before, tag in pairwise(tags):
            if tag != "O" and (tag[0] == "B" or before[2:] != tag[2:]):
                labels[tag[2:]] += 1
    return len(english), labels


def count_cats(path: Path) -> Counted:
    found = [row["cats"] for row in rows(path)]
    return len(found), Counter(name for cats in found for name in cats if cats[name])


CORPORA: dict[str, tuple[str, Callable[[Path], Counted], tuple[str, ...]]] = {
    "wnut17": ("conll", count_columns, ("train.conll", "dev.conll", "test.conll")),
    "ncbi": ("standoff", count_standoff, ("train", "devel", "test")),
    "multinerd": (
        "datasets",
        count_tags,
        ("train.jsonl", "validation.jsonl", "test.jsonl"),
    ),
    "issues": (
        "textcat",
        count_cats,
        ("docs_issues_training.jsonl", "docs_issues_eval.jsonl"),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in CORPORA:
        parser.add_argument(f"--{name}", type=Path, metavar="DIR")
    args = parser.parse_args()
    n_wrong = 0
    for name, (format, count, files) in CORPORA.items():
        folder = getattr(args, name)
        for file in files if folder is not None else ():
            with TemporaryDirectory() as target:
                report = convert(folder / file, Path(target) / "a.spacy", format=format)
            n_expected, expected = count(folder / file)
            found = report.entities or report.cats
            is_right = (report.documents, found) == (n_expected, expected)
            n_wrong += not is_right
            n_labels = f"{found.total()} of {len(found)} labels"
            print(
                f"{name} {file}: {report.documents} documents, {n_labels}",
                "equal" if is_right else f"DIFFER: {n_expected}, {expected}, {found}",
            )
    sys.exit(n_wrong > 0)


if __name__ == "__main__":
    main()
