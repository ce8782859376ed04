"""The result of `spacy_ner_ext.explain`, as JSON, HTML or text in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wasabi import color

TEMPLATE = "explanation.html.jinja"
ROWS_IN_PAGE = 12
# Of 256 colors, from weak to strong; black text is readable on all of them.
SUPPORTING = (153, 117, 75)
OPPOSING = (223, 216, 209)
BLACK = 16
# Tokens of a smaller weight are not shaded.
FAINT = 0.1
BAR = 20


@dataclass(frozen=True)
class Explanation:
    """How much each token contributes to an entity or to a category of a text.

    offsets: The first character of each token.
    scores: The attribution of each token: above 0 it supports the entity or the
        category, below 0 it speaks against it.
    label: The label of the entity, or the category.
    start, end: The first token of the entity and the one after its last; None for a
        category.
    value: The quantity in the text, such as the log-probability.
    method: "integrated_gradients", whose scores add up to `value` minus
        `baseline_value`, or "occlusion", where a score is how much `value` drops if
        the token is replaced.
    baseline: Where the path of integrated gradients starts ("mask", "pad" or "zero"),
        or the word that replaces a token in occlusion.
    baseline_value: The quantity at that start; None for occlusion.
    delta: The error of the sum of the scores; None for occlusion.
    steps: The number of gradients that were computed; None for occlusion.
    converged: False if `delta` exceeds 2 % of the difference of the values (and 0.001).
    notes: Warnings, one sentence each.
    """

    text: str
    tokens: list[str]
    offsets: list[int]
    scores: list[float]
    component: str
    label: str
    start: int | None
    end: int | None
    quantity: str
    value: float
    method: str
    baseline: str
    baseline_value: float | None = None
    delta: float | None = None
    steps: int | None = None
    converged: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def is_entity(self) -> bool:
        """Whether an entity is explained, and not a category."""
        return self.start is not None

    @property
    def characters(self) -> tuple[int, int]:
        """The first character of the entity and the one after its last; those of the
        text for a category."""
        if self.start is None or self.end is None:
            return 0, len(self.text)
        last = self.end - 1
        return self.offsets[self.start], self.offsets[last] + len(self.tokens[last])

    @property
    def name(self) -> str:
        """The text of the entity, or "" for a category."""
        return self.text[slice(*self.characters)] if self.is_entity else ""

    @property
    def strongest(self) -> list[int]:
        """The indices of the tokens, the largest absolute score first."""
        return sorted(range(len(self.scores)), key=lambda i: -abs(self.scores[i]))

    def describe(self) -> str:
        """Say in one sentence how the scores were computed."""
        quantity = self.quantity[:1].upper() + self.quantity[1:]
        value = f"{quantity} {self.value:.4g} by '{self.component}'"
        if self.method == "occlusion":
            return (
                f"{value}; occlusion: how much it drops if a token is replaced by "
                f"{self.baseline}."
            )
        return (
            f"{value}, {self.baseline_value:.4g} at the baseline ({self.baseline}); "
            f"integrated gradients, {self.steps} steps, "
            f"{abs(self.delta or 0.0):.2g} unaccounted for."
        )

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON values: the fields, with one object per token."""
        first, last = self.characters
        entity = {"text": self.name, "start": first, "end": last}
        columns = zip(self.tokens, self.offsets, self.scores)
        names = ("text", "start", "score")
        data = asdict(self) | {
            "entity": entity if self.is_entity else None,
            "tokens": [dict(zip(names, values)) for values in columns],
        }
        moved = ("start", "end", "offsets", "scores")
        return {name: value for name, value in data.items() if name not in moved}

    def to_html(self) -> str:
        """Render as an HTML page that needs no network and no script."""
        return render_html([self])


@dataclass(frozen=True)
class Piece:
    """A token with the white space after it; `weight` is its score relative to the
    largest."""

    text: str
    space: str
    score: float
    weight: float
    begins: bool
    ends: bool


def split_text(explanation: Explanation) -> list[Piece]:
    """Split the text of an explanation into tokens."""
    text, offsets = explanation.text, explanation.offsets
    scores, ends = explanation.scores, [*offsets[1:], len(text)]
    most = max(map(abs, scores), default=0.0) or 1.0
    pieces = []
    for i, (token, start, end) in enumerate(zip(explanation.tokens, offsets, ends)):
        space, share = text[start + len(token) : end], scores[i] / most
        sides = i == explanation.start, i + 1 == explanation.end
        pieces.append(Piece(token, space, scores[i], share, *sides))
    return pieces


def strongest_tokens(explanation: Explanation, n_rows: int) -> list[Piece]:
    """List the tokens with the largest absolute scores, without zeros."""
    tokens = split_text(explanation)
    return [tokens[i] for i in explanation.strongest[:n_rows] if tokens[i].score]


def render_html(explanations: Sequence[Explanation]) -> str:
    """Render the page."""
    # Explanations are computed and printed without jinja2.
    from ...util.templates import environment

    sections = [
        (each, split_text(each), strongest_tokens(each, ROWS_IN_PAGE))
        for each in explanations
    ]
    templates = environment(Path(__file__).parent, autoescape=True)
    return templates.get_template(TEMPLATE).render(sections=sections)


# --- Terminal -----------------------------------------------------------------


def shade(explanation: Explanation, colors: bool) -> str:
    """Format the text of an explanation, with its entity in brackets."""
    text = ""
    for piece in split_text(explanation):
        token = _shade(piece) if colors else piece.text
        end = f"]{explanation.label}" if piece.ends else ""
        text += f"{'[' if piece.begins else ''}{token}{end}{piece.space}"
    return text


def _shade(piece: Piece) -> str:
    size = abs(piece.weight)
    if size < FAINT:
        return piece.text
    shades = OPPOSING if piece.weight < 0 else SUPPORTING
    level = min(int(size * len(shades)), len(shades) - 1)
    return color(piece.text, fg=BLACK, bg=shades[level])


def table(explanation: Explanation, n_rows: int) -> list[tuple[str, str, str]]:
    """List the strongest tokens with their scores and bars of "+" or "-"."""
    rows = strongest_tokens(explanation, n_rows)
    return [(row.text, f"{row.score:+.3f}", _bar(row.weight)) for row in rows]


def _bar(weight: float) -> str:
    return ("+" if weight > 0 else "-") * max(1, round(BAR * abs(weight)))
