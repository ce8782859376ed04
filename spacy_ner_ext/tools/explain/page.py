"""Explanations as one page that works without network and script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...util.templates import environment
from .result import Influence

TEMPLATE = "influence.html.jinja"
# Tokens in the table of the strongest.
SHOWN = 12


@dataclass(frozen=True)
class Piece:
    """A part of the text as it is shown.

    text: The text.
    score: How much it speaks for the subject.
    weight: The same as a share of the strongest, from -1 to 1.
    is_token: Whether it is a token, and not the space behind one.
    begins, ends: Whether the entity begins or ends with it.
    """

    text: str
    score: float
    weight: float
    is_token: bool = True
    begins: bool = False
    ends: bool = False


def render_html(influences: Sequence[Influence]) -> str:
    """Make the page."""
    templates = environment(Path(__file__).parent, autoescape=True)
    return templates.get_template(TEMPLATE).render(
        sections=[
            (influence, list(pieces(influence)), _table(influence))
            for influence in influences
        ]
    )


def pieces(influence: Influence) -> Iterator[Piece]:
    """Cut the text of an explanation into tokens and the spaces between them."""
    weights = weights_of(influence)
    last = -1 if influence.end is None else influence.end - 1
    ends = [*influence.offsets[1:], len(influence.text)]
    for i, (token, start) in enumerate(zip(influence.tokens, influence.offsets)):
        boundaries = i == influence.start, i == last
        yield Piece(token, influence.scores[i], weights[i], True, *boundaries)
        space = influence.text[start + len(token) : ends[i]]
        if space:
            yield Piece(space, 0.0, 0.0, False)


def weights_of(influence: Influence) -> list[float]:
    """The scores as shares of the strongest, from -1 to 1."""
    most = max(map(abs, influence.scores), default=0.0) or 1.0
    return [score / most for score in influence.scores]


def _table(influence: Influence) -> list[Piece]:
    weights = weights_of(influence)
    return [
        Piece(influence.tokens[i], influence.scores[i], weights[i])
        for i in influence.strongest[:SHOWN]
        if influence.scores[i]
    ]
