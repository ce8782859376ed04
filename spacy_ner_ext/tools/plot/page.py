"""Write plots as images, and as one HTML page that works offline."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from ...training.logging.logger import MISSING, format_duration
from ...util.extras import require
from ...util.files import replacing
from ...util.templates import environment
from .panels import PLOTS, Panel, make_panels
from .runs import Run

PAGE = "plots.html"
TEMPLATE = "page.html.jinja"
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

    output: The output folder; files of the same names are replaced.
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
    page = _render(runs, plots, images, TYPES[image_format])
    files = {f"{name}.{image_format}": image for name, image in images.items()}
    # The name of a folder may hold bytes that are not UTF-8.
    files[PAGE] = page.encode("utf-8", errors="backslashreplace")
    for name, content in files.items():
        with replacing(output / name) as temporary:
            temporary.write_bytes(content)
    return [output / name for name in files]


def _render(
    runs: Sequence[Run],
    plots: Mapping[str, list[Panel]],
    images: Mapping[str, bytes],
    media_type: str,
) -> str:
    sources = {name: b64encode(image).decode() for name, image in images.items()}
    templates = environment(Path(__file__).parent, autoescape=True)
    return templates.get_template(TEMPLATE).render(
        header=HEADER,
        rows=[summarize(run) for run in runs],
        titles=PLOTS,
        plots=plots,
        sources={n: f"data:{media_type};base64,{s}" for n, s in sources.items()},
    )


def summarize(run: Run) -> tuple[str, ...]:
    """The row of a run in the table of runs, below `HEADER`."""
    seconds, words = run.column("seconds"), run.column("words")
    best = [MISSING] * 3
    if run.best is not None:
        score, step = run.column("score")[run.best], run.column("step")[run.best]
        best = [f"{score:.4f}", f"{step:,.0f}", _duration(seconds[run.best])]
    speed = words[-1] / seconds[-1] if seconds[-1] > 0 else float("nan")
    return (
        run.name,
        *best,
        f"{len(seconds):,}",
        f"{run.column('step')[-1]:,.0f}",
        _duration(seconds[-1]),
        f"{speed:,.0f}" if speed == speed else MISSING,
    )


def _duration(seconds: float) -> str:
    return format_duration(seconds if seconds == seconds else None)
