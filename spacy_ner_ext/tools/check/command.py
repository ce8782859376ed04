"""Check the .spacy files of a corpus before training."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ...util.files import check_output, write_json
from ..output import printer, progress
from .check import CheckReport, check_files
from .findings import SEVERITIES
from .splits import RARE
from .tables import Table, count_table, piece_table, seen_table

# Examples shown per finding.
SHOWN = {"error": 3, "warning": 3, "note": 10}


def check(
    train: Annotated[
        Path,
        typer.Argument(
            metavar="TRAIN.spacy", help="The training set: a file, or a folder of them."
        ),
    ],
    dev: Annotated[
        Path, typer.Argument(metavar="DEV.spacy", help="The development set.")
    ],
    test: Annotated[
        Path | None,
        typer.Argument(metavar="TEST.spacy", help="The test set."),
    ] = None,
    lang: Annotated[
        str,
        typer.Option(help="The language whose tokenizer the pipeline will use."),
    ] = "en",
    rare: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="A label with fewer entities in train is rare."
        ),
    ] = RARE,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="CONFIG.cfg",
            help="A config: entities and documents that are too long for its "
            "components and corpus readers are reported. Its encoder, if in a folder, "
            "is the default of --tokenizer.",
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|NAME",
            help="The tokenizer of an encoder, in a folder or on the Hugging Face hub, "
            "to count pieces per document and per sentence.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Also write the result as JSON."),
    ] = None,
) -> None:
    """Check the entities of .spacy files, each split alone and against the others.

    Errors would make training or evaluation wrong, and set exit code 1: an empty split,
    no entities in train or dev, entities that start or end in a white-space token, an
    unreadable file. Warnings do not: entities that do not fit the tokenizer's tokens,
    repeated texts inside a split or across splits, labels of one split only, documents
    without annotation, no entities in test, and with --config anything that is too long
    for it. Notes may be intended: rare labels, and strings that are annotated in
    different ways.

    \b
    Example:
      python -m spacy_ner_ext check corpus/train.spacy corpus/dev.spacy
      python -m spacy_ner_ext check corpus/train corpus/dev.spacy corpus/test.spacy
        --config configs/span_marker.cfg --tokenizer assets/encoder
        --output metrics/check.json
    """
    if output is not None:
        check_output(output, ".json")
    paths = {"train": train, "dev": dev} | ({"test": test} if test else {})
    report = check_files(
        paths,
        lang=lang,
        rare=rare,
        config=config,
        tokenizer=tokenizer,
        progress=progress,
    )
    if output is not None:
        write_json(report.to_dict(), output)
    _print(report)
    if report.of("error"):
        raise typer.Exit(1)


def _print(report: CheckReport) -> None:
    _print_table(count_table(report))
    for seen in report.seen:
        if seen.all["entities"]:
            _print_table(seen_table(seen, report.splits[0].name))
    if report.pieces:
        _print_table(piece_table(report))
    _print_findings(report)


def _print_table(table: Table) -> None:
    if table.title:
        typer.echo(table.title)
    aligns = ["l"] + ["r"] * (len(table.header) - 1)
    printer().table(
        table.rows, header=table.header, divider=True, max_col=60, aligns=aligns
    )


def _print_findings(report: CheckReport) -> None:
    msg = printer()
    show: dict[str, Callable[[str], object]]
    show = {"error": msg.fail, "warning": msg.warn, "note": msg.info}
    for found in report.findings:
        show[found.severity](found.what)
        for example in found.examples[: SHOWN[found.severity]]:
            typer.echo(f"    {example}")
    counts = {severity: len(report.of(severity)) for severity in SEVERITIES}
    summary = f"errors: {counts['error']}, warnings: {counts['warning']}"
    if counts["note"]:
        summary = f"{summary}, notes: {counts['note']}"
    if counts["error"]:
        msg.fail(summary)
    else:
        msg.good(summary)
