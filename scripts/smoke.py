"""Try a packaged pipeline in a fresh environment."""

from pathlib import Path
from typing import Annotated

import typer

from scripts.wheel import (
    build_wheel,
    find_entities,
    install_fresh,
    newest_wheel,
    package_name,
)
from spacy_ner_ext.tools.output import printer
from spacy_ner_ext.util.errors import UserError

TEXTS = [
    "Ines Marlow took the ferry Dunmore from Carrow to Bergen on Friday.",
    "Hale & Sons in Leith no longer sell the Petrel 300.",
    "Victoria missed the Victoria, so Ross drove her to Hull.",
]


def smoke(
    packages: Annotated[
        Path,
        typer.Argument(
            help="The folder that 'spacy package' wrote to: its newest wheel is tried.",
            exists=True,
            file_okay=False,
        ),
    ],
    environment: Annotated[
        Path,
        typer.Argument(help="The virtual environment to make; replaced if it exists."),
    ],
    text: Annotated[
        list[str] | None,
        typer.Option(help="A text to find entities in; can be repeated."),
    ] = None,
    constraints: Annotated[
        Path | None,
        typer.Option(help="A pip constraints file.", exists=True, dir_okay=False),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            help="The source of spacy-ner-ext, if the package index does not have it.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Install a packaged pipeline into a fresh environment and let it find entities.

    Three sentences are tried by default; of a text categorizer the categories are
    shown. Exit code 1 if the wheel cannot be installed or loaded without a network, or
    finds nothing in texts that are given.

    \b
    Example:
      python -m scripts.smoke packages smoke/venv --source .
    """
    msg = printer()
    wheel = newest_wheel(packages)
    links = None
    if source is not None:
        links = environment.parent / "wheels"
        build_wheel(source, links)
    msg.info(f"Installing {wheel.name} into {environment}")
    python = install_fresh(wheel, environment, constraints, links)
    texts = text or TEXTS
    found = find_entities(python, package_name(wheel), texts)
    for sentence, entities in zip(texts, found):
        typer.echo(sentence)
        for entity in entities:
            # A category has no text of its own.
            quoted = entity["text"] or "(the whole text)"
            typer.echo(f"  {quoted:24}{entity['label']:12} {entity['score']:.3f}")
    n_entities = sum(map(len, found))
    if not n_entities and text:
        raise UserError(
            f"{wheel.name} found nothing in the given texts; check the scores in "
            "metrics/, or give others with --text"
        )
    if not n_entities:
        msg.warn("Nothing in the demo's sentences: give texts of your domain")
    msg.good(f"{wheel.name} works in {environment}; found: {n_entities}")
