"""Write the model card of a pipeline."""

from pathlib import Path
from typing import Annotated

import typer

from ...util.errors import UserError
from ..output import printer
from .card import render, write_card
from .facts import EXAMPLES, About, collect_facts

README = "README.md"
CORPUS_HELP = "a .spacy file or a folder of them."


def card(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="The folder of a trained pipeline.")
    ],
    train: Annotated[
        Path | None, typer.Option(help=f"What it was trained on, {CORPUS_HELP}")
    ] = None,
    dev: Annotated[
        Path | None, typer.Option(help=f"What chose the best weights, {CORPUS_HELP}")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help=f"What it is evaluated on now, {CORPUS_HELP}")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The card; MODEL/README.md if not given."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that is no card.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="As given to 'spacy package'.")
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="As given to 'spacy package'.")
    ] = None,
    license: Annotated[
        str | None, typer.Option(help="Of the pipeline, such as mit.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Of the pipeline, such as en.")
    ] = None,
    base_model: Annotated[
        str | None, typer.Option(help="The encoder's name on the hub.")
    ] = None,
    dataset_name: Annotated[
        str | None, typer.Option(help="What the data are called.")
    ] = None,
    dataset_id: Annotated[
        str | None, typer.Option(help="The name of the data on the hub.")
    ] = None,
    dataset_license: Annotated[
        str | None, typer.Option(help="The license of the data.")
    ] = None,
    examples: Annotated[
        int, typer.Option(min=0, help="Texts shown of each label.")
    ] = EXAMPLES,
    speed: Annotated[
        bool, typer.Option(help="Measure the speed on the last of the corpora.")
    ] = True,
) -> None:
    """Write the model card of a pipeline, for people and for Hugging Face's hub.

    Into README.md of its folder, from where 'spacy package' takes it into the wheel:
    labels with examples, data, scores, settings of the training, speed, limitations
    and versions, all from the pipeline's files and the corpora that are given.

    \b
    Example:
      python -m spacy_ner_ext card training/model-best --train train.spacy \\
        --test test.spacy --name ner_news --version 1.0.0 --license mit
    """
    given = {"train": train, "dev": dev, "test": test}
    corpora = {split: path for split, path in given.items() if path is not None}
    for split, path in corpora.items():
        if not path.exists():
            raise UserError(f"--{split} {path} is not there; give a .spacy file")
    target = output or model / README
    about = About(
        *(name, version, license, language, base_model),
        *(dataset_name, dataset_id, dataset_license),
    )
    facts = collect_facts(model, corpora, about, n_examples=examples, with_speed=speed)
    write_card(render(facts), target, force=force)
    printer().good(f"Wrote {target}")
