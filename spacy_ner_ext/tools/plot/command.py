"""Draw training runs."""

import re
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ...util.errors import UserError
from ..output import printer
from .page import HEADER, summarize, write_plots
from .runs import read_runs

Format = Enum("Format", {"png": "png", "svg": "svg"}, type=str)
Axis = Enum("Axis", {"step": "step", "words": "words", "time": "time"}, type=str)


def plot(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Output folders of training runs, with their log.jsonl.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The output folder; by default plots in the folder of a single RUN.",
        ),
    ] = None,
    image_format: Annotated[
        Format, typer.Option("--format", help="The format of the images.")
    ] = Format.png,
    x: Annotated[Axis, typer.Option("--x", help="The horizontal axis.")] = Axis.step,
    weights: Annotated[
        str,
        typer.Option(
            metavar="PATTERN",
            help="Draw only the arrays of weights.tsv whose path matches this regular "
            "expression.",
        ),
    ] = "",
) -> None:
    """Draw loss, scores, learning rates, gradient norms, speed and weights.

    Runs with the logger spacy_ner_ext.Logger.v1 write what is drawn: log.jsonl, and
    weights.tsv with log_weights = true. Several runs share the plots. plots.html shows
    all images and works offline.

    \b
    Example:
      python -m spacy_ner_ext plot training/demo
      python -m spacy_ner_ext plot training/a training/b --output plots --x time
    """
    try:
        re.compile(weights)
    except re.error as err:
        what = f"--weights {weights!r} is not a regular expression ({err}): correct it"
        raise UserError(what) from err
    found = read_runs(runs)
    if output is None:
        if len(found) > 1:
            raise UserError("several runs need a folder for their plots: add --output")
        output = found[0].folder / "plots"
    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file: give --output the name of a folder")
    written = write_plots(found, output, image_format.value, x.value, weights)
    rows = [summarize(run) for run in found]
    aligns = ["l"] + ["r"] * (len(HEADER) - 1)
    printer().table(rows, header=HEADER, divider=True, aligns=aligns, max_col=60)
    printer().good(f"Wrote {written[-1]} and {len(written) - 1} images next to it")
