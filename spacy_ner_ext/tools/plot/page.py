"""Plots as one page that works without network and script."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...training.logging.table import MISSING, format_duration
from ...util.templates import environment
from .panels import Plot
from .runs import Run

TEMPLATE = "page.html.jinja"
TYPES = {"png": "image/png", "svg": "image/svg+xml"}
HEADER = (
    *("run", "best score", "at step", "after", "evaluations", "steps", "time"),
    "words/s",
)


@dataclass(frozen=True)
class Image:
    """A plot, drawn.

    plot: The plot.
    light: The image on a light page.
    dark: The image on a dark page.
    """

    plot: Plot
    light: bytes
    dark: bytes


def render_page(runs: Sequence[Run], images: Sequence[Image], kind: str) -> str:
    """Make the page."""
    templates = environment(Path(__file__).parent, autoescape=True)

    def embed(image: bytes) -> str:
        return f"data:{TYPES[kind]};base64,{b64encode(image).decode()}"

    return templates.get_template(TEMPLATE).render(
        runs=runs,
        header=HEADER,
        rows=[summarize(run) for run in runs],
        images=images,
        embed=embed,
    )


def summarize(run: Run) -> tuple[str, ...]:
    """Tell in short how a training went."""
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
