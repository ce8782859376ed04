"""Draw how trainings went."""

import re
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ...util.errors import UserError
from ..output import printer
from .page import HEADER, summarize
from .runs import read_runs
from .write import write_plots

FOLDER = "plots"


class Format(str, Enum):
    """What images are."""

    png = "png"
    svg = "svg"


class Axis(str, Enum):
    """What the horizontal axis is."""

    step = "step"
    words = "words"
    time = "time"


def plot(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Output folders of trainings, with their log.jsonl."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The folder to write to; by default plots in the only RUN.",
        ),
    ] = None,
    image_format: Annotated[
        Format, typer.Option("--format", help="What the images are.")
    ] = Format.png,
    x: Annotated[Axis, typer.Option("--x", help="The horizontal axis.")] = Axis.step,
    weights: Annotated[
        str,
        typer.Option(
            metavar="PATTERN",
            help="A regular expression: of weights.tsv only arrays whose path matches.",
        ),
    ] = "",
) -> None:
    """Draw loss, scores, learning rates, norms of gradients, speed and weights.

    Trainings with the logger spacy_ner_ext.Logger.v1 write what is drawn: log.jsonl,
    and weights.tsv with log_weights = true. Several trainings are drawn over each
    other. plots.html has all images, and works alone and offline.

    \b
    Example:
      python -m spacy_ner_ext plot training/demo
      python -m spacy_ner_ext plot training/a training/b --output plots --x time
    """
    try:
        re.compile(weights)
    except re.error as err:
        raise UserError(
            f"--weights {weights!r} is no regular expression ({err}): correct it"
        ) from err
    found = read_runs(runs)
    if output is None:
        if len(found) > 1:
            raise UserError("several runs: name a folder for their plots by --output")
        output = found[0].folder / FOLDER
    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file: give --output the name of a folder")
    written = write_plots(found, output, image_format.value, x.value, weights)
    printer().table(
        [summarize(run) for run in found],
        header=HEADER,
        divider=True,
        aligns=["l"] + ["r"] * (len(HEADER) - 1),
        max_col=60,
    )
    printer().good(f"{written[-1]}, and {len(written) - 1} images beside it")
