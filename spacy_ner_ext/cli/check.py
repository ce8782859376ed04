"""Check the .spacy files of a corpus before training."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..data.check import CheckReport, check_files
from ..data.splits import SplitStats
from ..data.write import check_output, write_json
from .output import printer, progress

SHOWN = 3
LONG = 6


def check(
    train: Annotated[
        Path, typer.Argument(metavar="TRAIN.spacy", help="The training set.")
    ],
    dev: Annotated[
        Path, typer.Argument(metavar="DEV.spacy", help="The development set.")
    ],
    test: Annotated[
        Path | None, typer.Argument(metavar="TEST.spacy", help="The test set.")
    ] = None,
    lang: Annotated[
        str,
        typer.Option(help="The language whose tokenizer the pipeline will use."),
    ] = "en",
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Also write the result as JSON."),
    ] = None,
) -> None:
    """Check the entities of .spacy files, each split alone and against the others.

    Errors make training or evaluation wrong, and the exit code 1: an empty split, no
    entity in train or dev, entities that start or end in a white-space token, a file
    that cannot be read. Warnings do not: entities that do not fit the tokenizer's
    tokens, repeated texts inside a split or across splits, labels of one split
    only, documents without annotation, no entity in test.

    \b
    Example:
      python -m spacy_ner_ext check corpus/train.spacy corpus/dev.spacy
    """
    if output is not None:
        check_output(output, ".json")
    paths = {"train": train, "dev": dev}
    if test is not None:
        paths["test"] = test
    report = check_files(paths, lang=lang, progress=progress)
    if output is not None:
        write_json(report.to_dict(), output)
    _print_table(report.splits)
    _print_findings(report)
    if report.of("error"):
        raise typer.Exit(1)


def _print_table(splits: list[SplitStats]) -> None:
    rows: list[tuple[str, Sequence[int | str]]] = [
        ("documents", [split.docs for split in splits]),
        ("  without entities", [split.docs_without_entities for split in splits]),
        ("  not annotated", [split.docs_unannotated for split in splits]),
        ("  repeated", [split.repeated.count for split in splits]),
        ("  conflicting", [split.conflicting.count for split in splits]),
        ("sentences", [split.sentences for split in splits]),
        ("tokens", [split.tokens for split in splits]),
        ("entities", [split.entities for split in splits]),
        *_label_rows(splits),
        *_length_rows(splits),
        ("  at white space", [split.white_space.count for split in splits]),
        ("  misaligned", [_misaligned(split) for split in splits]),
    ]
    printer().table(
        [(name, *values) for name, values in rows],
        header=("", *(split.name for split in splits)),
        divider=True,
        max_col=60,
        aligns=["l"] + ["r"] * len(splits),
    )


def _label_rows(splits: list[SplitStats]) -> list[tuple[str, list[int]]]:
    total: Counter[str] = Counter()
    for split in splits:
        total += split.labels
    return [
        (f"  {label}", [split.labels[label] for split in splits])
        for label, _ in total.most_common()
    ]


def _length_rows(splits: list[SplitStats]) -> list[tuple[str, list[int]]]:
    rows = [
        (f"  of length {length}", [split.lengths[length] for split in splits])
        for length in range(1, LONG)
    ]
    return [*rows, (f"  of length {LONG} or more", [_count_long(s) for s in splits])]


def _count_long(split: SplitStats) -> int:
    return sum(n for length, n in split.lengths.items() if length >= LONG)


def _misaligned(split: SplitStats) -> str:
    # Without known spaces spaCy trains on the file's own tokens: all entities fit.
    return str(split.misaligned.count) if split.docs_with_text else "gold tokens"


def _print_findings(report: CheckReport) -> None:
    msg = printer()
    for found in report.findings:
        if found.severity == "error":
            msg.fail(found.what)
        else:
            msg.warn(found.what)
        for example in found.examples[:SHOWN]:
            typer.echo(f"    {example}")
    errors, warnings = len(report.of("error")), len(report.of("warning"))
    summary = f"errors: {errors}, warnings: {warnings}"
    if errors:
        msg.fail(summary)
    else:
        msg.good(summary)
