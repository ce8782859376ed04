"""Write plots as images, and as one HTML page that works offline."""

import math
from base64 import b64encode
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from ...training.logging.logger import MISSING, format_duration
from ...util.extras import require
from ...util.files import replacing
from ...util.templates import environment
from .panels import PLOTS, make_panels
from .runs import Run

TYPES = {"png": "image/png", "svg": "image/svg+xml"}
HEADER = (
    *("run", "best score", "at step", "after", "evaluations", "steps", "time"),
    "words/s",
)


def write_plots(
    runs: Sequence[Run],
    output: Path,
    image_format: str = "png",
    x: str = "step",
    pattern: str = "",
) -> list[Path]:
    """Draw runs, several of them in the same plots.

    x: The horizontal axis: "step", "words" or "time".
    pattern: A regular expression that selects weight arrays by their paths.
    RETURNS: The files, the page last.
    RAISES (UserError): If matplotlib is missing, or a file is damaged.
    """
    require("matplotlib", "plot")
    from .figures import draw

    panels = make_panels(runs, x, pattern)
    plots = {name: list(group) for name, group in groupby(panels, lambda p: p.plot)}
    images = {name: draw(group, image_format) for name, group in plots.items()}
    prefix = f"data:{TYPES[image_format]};base64,"
    templates = environment(Path(__file__).parent, autoescape=True)
    page = templates.get_template("page.html.jinja").render(
        header=HEADER,
        rows=[summarize(run) for run in runs],
        titles=PLOTS,
        plots=plots,
        sources={n: prefix + b64encode(image).decode() for n, image in images.items()},
    )
    files = {f"{name}.{image_format}": image for name, image in images.items()}
    # The name of a folder may hold bytes that are not UTF-8.
    files["plots.html"] = page.encode("utf-8", errors="backslashreplace")
    for name, content in files.items():
        with replacing(output / name) as temporary:
            temporary.write_bytes(content)
    return [output / name for name in files]


def summarize(run: Run) -> tuple[str, ...]:
    """The row of a run in the table of runs, below `HEADER`."""
    steps, seconds = run.column("step"), run.column("seconds")
    times = [format_duration(None if math.isnan(each) else each) for each in seconds]
    best = [MISSING] * 3
    if run.best is not None:
        score = run.column("score")[run.best]
        best = [f"{score:.4f}", f"{steps[run.best]:,.0f}", times[run.best]]
    speed = run.column("words")[-1] / seconds[-1] if seconds[-1] > 0 else math.nan
    shown = MISSING if math.isnan(speed) else f"{speed:,.0f}"
    return (run.name, *best, f"{len(steps):,}", f"{steps[-1]:,.0f}", times[-1], shown)
