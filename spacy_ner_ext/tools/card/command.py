"""Write the model card of a pipeline."""

from pathlib import Path
from typing import Annotated

import typer

from ...util.errors import UserError
from ..output import printer
from .card import About, render_card, write_card

Corpus = Annotated[
    Path | None, typer.Option(help="A corpus: a .spacy file or a folder of them.")
]


def card(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="The folder of a trained pipeline.")
    ],
    train: Corpus = None,
    dev: Corpus = None,
    test: Corpus = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The card; by default MODEL/README.md."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is not a card.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="The name for 'spacy package --name'.")
    ] = None,
    license: Annotated[
        str | None, typer.Option(help="The license of the pipeline, such as mit.")
    ] = None,
    base_model: Annotated[
        str | None, typer.Option(help="The encoder's name on the Hugging Face hub.")
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            help="The data: a name on the hub or, with spaces, any other. Repeat the "
            "option for several."
        ),
    ] = None,
    examples: Annotated[
        int, typer.Option(min=0, help="Texts shown for each label; 0 hides them.")
    ] = About.n_examples,
) -> None:
    """Write the model card of a pipeline, for people and for the Hugging Face hub.

    The card has labels with examples, data, scores, training settings, limitations and
    versions, all from the files of the pipeline and the corpora. The pipeline is
    evaluated on --test. 'spacy package' includes README.md of the pipeline in the
    wheel.

    \b
    Example:
      python -m spacy_ner_ext card training/model-best --train train.spacy \\
        --test test.spacy --name ner_news --license mit --dataset "News of Oslo"
    """
    given = {"train": train, "dev": dev, "test": test}
    corpora = {split: path for split, path in given.items() if path is not None}
    for split, path in corpora.items():
        if not path.exists():
            raise UserError(f"--{split} {path} does not exist; give a .spacy file")
    target = output or model / "README.md"
    about = About(name, license, base_model, tuple(dataset or ()), examples)
    write_card(render_card(model, corpora, about), target, overwrite=overwrite)
    printer().good(f"Wrote {target}")
