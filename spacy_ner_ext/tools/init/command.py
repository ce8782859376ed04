"""Write the config of a recipe."""

from pathlib import Path
from typing import Annotated

import typer

from ...util.errors import UserError
from ...util.files import check_output, replacing
from ..output import printer
from .config import write_config
from .recipes import COMPONENTS, DEV, PATTERNS, TRAIN, choose


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
            help=f"The component to train: {', '.join(COMPONENTS)}.",
            show_default="that of the pattern, or crf_ner",
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            help=f"The recipe: {', '.join(PATTERNS)}. eds: an encoder, convolutions "
            "and a CRF with two learning rates. flair: word and affix embeddings, a "
            "BiLSTM and a CRF, or with --encoder fine-tuning. spanmarker: SpanMarker's "
            "training arguments. multinerd: fine-tuning with early stopping, for a "
            "language and a set of labels.",
            show_default="the default of the component",
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
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the config if it exists.")
    ] = False,
) -> None:
    """Write a complete training config, with comments.

    'spacy init fill-config' would not add anything. The first line of the config is the
    command that writes it.

    \b
    Examples:
      python -m spacy_ner_ext init config.cfg --pattern eds --encoder roberta-base
      python -m spacy_ner_ext init - --component span_marker_ner --lang de
    """
    recipe = choose(component, pattern, encoder, lang, train, dev)
    if str(config) == "-":
        typer.echo(write_config(recipe), nl=False)
        return
    check_output(config, ".cfg")
    if config.exists() and not overwrite:
        advice = "add --overwrite to replace it, or choose another name"
        raise UserError(f"{config} exists; {advice}")
    text = write_config(recipe)
    with replacing(config) as temporary:
        temporary.write_text(text, encoding="utf8")
    printer().good(f"Wrote {config}: {recipe.component}, recipe {recipe.pattern}")
    typer.echo(f"Train it: python -m spacy_ner_ext train {config} --output training")
