"""Write the config of a recipe."""

from pathlib import Path
from typing import Annotated

import typer

from ...util.errors import UserError
from ...util.files import check_output, replacing
from ..output import printer
from .settings import COMPONENTS, DEV, PATTERNS, TRAIN, choose
from .write import write_config

STDOUT = "-"


def init(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG", help="The .cfg file to write, or - to print it."
        ),
    ],
    component: Annotated[
        str | None,
        typer.Option(
            help=f"What is trained: {', '.join(COMPONENTS)}.",
            show_default="that of the pattern, or crf_ner",
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            help=f"Whose recipe it is: {', '.join(PATTERNS)}. eds: an encoder, "
            "convolutions and a CRF with two learning rates. flair: words and their "
            "characters, a BiLSTM and a CRF, or with --encoder fine-tuning. "
            "spanmarker: its training arguments. multinerd: fine-tuning with early "
            "stopping, for a language and a set of labels.",
            show_default="the usual one of the component",
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The pretrained encoder: a folder, or a name on the Hugging Face hub.",
            show_default="a base model; none with flair",
        ),
    ] = None,
    lang: Annotated[str, typer.Option(help="The language of the tokenizer.")] = "en",
    train: Annotated[
        str, typer.Option(metavar="FILE", help="The training corpus.")
    ] = TRAIN,
    dev: Annotated[
        str, typer.Option(metavar="FILE", help="The development corpus.")
    ] = DEV,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the config if it exists.")
    ] = False,
) -> None:
    """Write a config for training, with every setting and with comments.

    It is complete: `spacy init fill-config` adds nothing. Its first line is the command
    that writes it again.

    \b
    Examples:
      python -m spacy_ner_ext init config.cfg --pattern eds --encoder roberta-base
      python -m spacy_ner_ext init - --component span_marker_ner --lang de
    """
    recipe = choose(component, pattern, encoder, lang, train, dev)
    if str(config) == STDOUT:
        typer.echo(write_config(recipe), nl=False)
        return
    check_output(config, ".cfg")
    if config.exists() and not force:
        raise UserError(f"{config} exists; give --force to replace it, or another name")
    text = write_config(recipe)
    with replacing(config) as temporary:
        temporary.write_text(text, encoding="utf8")
    printer().good(f"Wrote {config}: {recipe.component}, recipe of {recipe.pattern}")
    typer.echo(f"Train it: python -m spacy_ner_ext train {config} --output training")
