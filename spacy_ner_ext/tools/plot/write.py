"""Plots of trainings, written to a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...training.logging.files import replacing
from ...util.errors import UserError
from .page import Image, render_page
from .panels import STEP, make_plots
from .runs import Run

PAGE = "plots.html"


def write_plots(
    runs: Sequence[Run],
    output: Path,
    image_format: str = "png",
    x: str = STEP,
    pattern: str = "",
) -> list[Path]:
    """Draw trainings, over each other if there are several.

    output: The folder to write to; files of the same names are replaced.
    x: The horizontal axis: "step", "words" or "time".
    pattern: A regular expression that chooses arrays of weights by their paths.
    RETURNS: The files, the page with all plots last.
    RAISES (UserError): If matplotlib is missing, or the weights cannot be read.
    """
    try:
        from .figures import DARK, draw
    except ImportError as err:
        raise UserError(
            'plots need matplotlib: pip install "spacy-ner-ext[plot]"'
        ) from err
    images = [
        Image(plot, draw(plot, image_format), draw(plot, image_format, DARK))
        for plot in make_plots(runs, x, pattern)
    ]
    files = {f"{i.plot.name}.{image_format}": i.light for i in images}
    # A path may hold bytes that are not UTF-8.
    page = render_page(runs, images, image_format)
    files[PAGE] = page.encode("utf-8", errors="backslashreplace")
    output.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with replacing(output / name) as stream:
            stream.write(content)
    return [output / name for name in files]
