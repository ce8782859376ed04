"""Convert the corpus of a project."""

from pathlib import Path
from typing import Annotated

import typer

from scripts.recipes import prepare_corpus
from spacy_ner_ext.tools.convert.command import print_report
from spacy_ner_ext.tools.options import names
from spacy_ner_ext.tools.output import printer, progress
from spacy_ner_ext.util.files import check_output, write_json


def prepare(
    corpus: Annotated[
        str, typer.Argument(help="The corpus: the name of a folder under assets/.")
    ],
    output_dir: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="The folder to write train.spacy, dev.spacy and test.spacy to.",
        ),
    ],
    lang: Annotated[
        str,
        typer.Option(
            help="The language of the tokenizer; texts that tell another are left out."
        ),
    ] = "en",
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="Keep these labels; entities of others become none."
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Also write the counts, and the places that were repaired, as JSON.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of a split.")] = 0,
    project_dir: Annotated[
        Path, typer.Option("--project", help="The folder with the project.yml.")
    ] = Path(),
) -> None:
    """Convert the parts of a project's corpus, as vars.corpora of project.yml says.

    A corpus that is not listed there has the files train.conll, dev.conll and
    test.conll. 'convert' does the same for a single file of any format.

    \b
    Example:
      python -m scripts.prepare wnut17 corpus/wnut17
    """
    if report is not None:
        check_output(report, ".json")
    found = prepare_corpus(
        project_dir,
        corpus,
        output_dir,
        lang=lang,
        labels=names("--labels", labels),
        seed=seed,
        progress=progress,
    )
    for part in found:
        print_report(part, None)
    if report is not None:
        write_json([part.to_dict() for part in found], report)
        printer().good(f"Wrote {report}")
