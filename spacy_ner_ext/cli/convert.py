"""Convert a corpus file to spaCy's binary format."""

from pathlib import Path
from typing import Annotated

import typer

from ..data.formats import FORMATS, convert_file
from ..data.report import KINDS, ConversionReport
from ..data.tags import SCHEMES
from .output import printer, progress

SHOWN = 5


def convert(
    input_path: Annotated[
        Path, typer.Argument(metavar="INPUT", help="The file to read, in UTF-8.")
    ],
    output_path: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT.spacy",
            help="The file to write. It is replaced if it exists; missing folders "
            "are created.",
        ),
    ],
    format: Annotated[
        str, typer.Option(help=f"The input format: {', '.join(FORMATS)}.")
    ] = "conll",
    token_column: Annotated[
        int | None,
        typer.Option(
            help="conll: the column of the token, from 0; negative from the end.",
            show_default="0",
        ),
    ] = None,
    tag_column: Annotated[
        int | None,
        typer.Option(
            help="conll: the column of the tag, from 0; negative from the end.",
            show_default="-1",
        ),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(
            help="conll: what separates columns: tab, space (any number of spaces "
            "and tabs), or auto: tab on lines that have one, else space.",
            show_default="auto",
        ),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(
            help=f"conll: the tag scheme: {', '.join(SCHEMES)}, or auto to recognise "
            "it from all tags of the file.",
            show_default="auto",
        ),
    ] = None,
    docs_of: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="conll: group N sentences into a document; 0 makes one document of "
            "all sentences between two -DOCSTART- lines.",
            show_default="1",
        ),
    ] = None,
    lang: Annotated[str, typer.Option(help="The language of the vocabulary.")] = "en",
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Also write the counts, and the places that were repaired, as JSON.",
        ),
    ] = None,
) -> None:
    """Convert a corpus file to a .spacy file for 'spacy train'.

    Documents keep the tokens of the file. Tags that break their scheme are repaired
    and reported with their lines. If anything is wrong with the input, the command
    names file and line, and nothing is written.

    \b
    Example:
      python -m spacy_ner_ext convert train.conll corpus/train.spacy --docs-of 10
    """
    options = {
        "token_column": token_column,
        "tag_column": tag_column,
        "delimiter": delimiter,
        "scheme": scheme,
        "docs_of": docs_of,
    }
    result = convert_file(
        input_path,
        output_path,
        format=format,
        lang=lang,
        report_path=report,
        progress=progress,
        **{name: value for name, value in options.items() if value is not None},
    )
    _print_report(result, report)


def _print_report(report: ConversionReport, report_path: Path | None) -> None:
    msg = printer()
    rows: list[tuple[str, int | str]] = [
        ("documents", report.documents),
        ("sentences", report.sentences),
        ("tokens", report.tokens),
        ("tag scheme", report.scheme or "-"),
        ("entities", report.entities.total()),
    ]
    rows += [(f"  {label}", n) for label, n in report.entities.most_common()]
    rows += [(what, report.notes[kind].count) for kind, what in KINDS.items()]
    msg.table(rows, aligns=("l", "r"), max_col=60)
    for kind, what in KINDS.items():
        # Comments lose nothing; their lines are in the JSON report.
        if kind == "comments":
            continue
        notes = report.notes[kind]
        for note in notes.examples[:SHOWN]:
            typer.echo(f"{what}: {note.path}, line {note.line}: {note.what}")
        if notes.count > SHOWN:
            typer.echo(f"{what}: {notes.count - SHOWN} more, see --report")
    for warning in report.warnings:
        typer.echo(f"Warning: {warning}", err=True)
    msg.good(f"Wrote {report.target}")
    if report_path is not None:
        msg.good(f"Wrote {report_path}")
