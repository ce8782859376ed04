"""Explanations as lines for a terminal."""

from __future__ import annotations

from wasabi import color

from .page import Piece, pieces, weights_of
from .result import Influence

# Of 256 colours, from weak to strong; black text can be read on all of them.
FOR = (153, 117, 75)
AGAINST = (223, 216, 209)
BLACK = 16
# A weaker token is not shaded.
FAINT = 0.1
BAR = 20


def shade(influence: Influence, colours: bool) -> str:
    """Write the text of an explanation, its entity in brackets."""
    parts = []
    for piece in pieces(influence):
        parts.append("[" if piece.begins else "")
        parts.append(_shade(piece) if colours else piece.text)
        parts.append(f"]{influence.label}" if piece.ends else "")
    return "".join(parts)


def _shade(piece: Piece) -> str:
    size = abs(piece.weight)
    if size < FAINT:
        return piece.text
    shades = AGAINST if piece.weight < 0 else FOR
    rank_score = min(int(size * len(shades)), len(shades) - 1)
    return color(piece.text, fg=BLACK, bg=shades[rank_score])


def table(influence: Influence, most: int) -> list[tuple[str, str, str]]:
    """List the strongest tokens.

    RETURNS: Token, score and a bar, of "+" for it and "-" against it.
    """
    weights = weights_of(influence)
    return [
        (influence.tokens[i], f"{influence.scores[i]:+.3f}", _bar(weights[i]))
        for i in influence.strongest[:most]
        if influence.scores[i]
    ]


def _bar(weight: float) -> str:
    return ("+" if weight > 0 else "-") * max(1, round(BAR * abs(weight)))
