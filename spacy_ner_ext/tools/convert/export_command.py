"""Write .spacy files in other formats."""

from pathlib import Path
from typing import Annotated

import typer

from ...data.formats.registry import WRITERS
from ..output import progress
from .command import print_report
from .export import export_corpus


def export(
    corpus: Annotated[
        Path,
        typer.Argument(
            metavar="CORPUS.spacy", help="The .spacy file, or a folder of them."
        ),
    ],
    output_dir: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="The folder to write; it must not hold anything yet."
        ),
    ],
    format: Annotated[
        str, typer.Option(help=f"The output format: {', '.join(WRITERS)}.")
    ],
    lang: Annotated[str, typer.Option(help="The language of the vocabulary.")] = "xx",
    spans_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Write this span group in place of doc.ents."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Also write the report as JSON."),
    ] = None,
) -> None:
    """Write the documents of .spacy files in another format.

    'convert' reads what is written back to the same spans. What a format cannot hold,
    such as overlapping spans in columns of tags, is reported.

    \b
    Example:
      python -m spacy_ner_ext export corpus/train.spacy brat --format standoff
    """
    result = export_corpus(
        corpus,
        output_dir,
        format=format,
        lang=lang,
        spans_key=spans_key,
        report_path=report,
        progress=progress,
    )
    print_report(result, report)
