"""The result of `spacy_ner_ext.explain`, as JSON, HTML or text in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

    text: The text.
    tokens: Its tokens.
    offsets: The first character of each token.
    scores: The attribution of each token: above 0 it supports the entity or the
        category, below 0 it speaks against it.
    component: The component that was asked.
    label: The label of the entity, or the category.
    start, end: The first token of the entity and the one after its last; None for a
        category.
    quantity: What is explained, such as "log-probability".
    value: The quantity in the text.
    method: "integrated_gradients", whose scores add up to `value` minus
        `baseline_value`, or "occlusion", where a score is how much `value` drops if
        the token is replaced.
    baseline: Where the path of integrated gradients starts ("mask", "pad" or "zero"),
        or the word that replaces a token in occlusion.
    baseline_value: The quantity at that start; None for occlusion.
    delta: The sum of the scores minus (`value` minus `baseline_value`); None for
        occlusion.
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
        start, end = self.characters
        return self.text[start:end] if self.is_entity else ""

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
        entity = None
        if self.is_entity:
            first, last = self.characters
            entity = {"text": self.name, "start": first, "end": last}
        data = asdict(self)
        for name in ("start", "end", "offsets", "scores"):
            del data[name]
        tokens = [
            {"text": token, "start": start, "score": score}
            for token, start, score in zip(self.tokens, self.offsets, self.scores)
        ]
        return {**data, "entity": entity, "tokens": tokens}

    def to_html(self) -> str:
        """Render as an HTML page that needs no network and no script."""
        return render_html([self])


# --- HTML ----------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """A token or the white space after one; `weight` is its score relative to the
    largest, `begins` and `ends` say where the entity is."""

    text: str
    score: float
    weight: float
    is_token: bool = True
    begins: bool = False
    ends: bool = False


def render_html(explanations: Sequence[Explanation]) -> str:
    """Render the page."""
    # Explanations are computed and printed without jinja2.
    from ...util.templates import environment

    sections = [
        (each, list(split_text(each)), strongest_tokens(each, ROWS_IN_PAGE))
        for each in explanations
    ]
    templates = environment(Path(__file__).parent, autoescape=True)
    return templates.get_template(TEMPLATE).render(sections=sections)


def split_text(explanation: Explanation) -> Iterator[Piece]:
    """Split the text of an explanation into tokens and white space."""
    text, scores, weights = explanation.text, explanation.scores, _weights(explanation)
    last = None if explanation.end is None else explanation.end - 1
    ends = [*explanation.offsets[1:], len(text)]
    for i, (token, start) in enumerate(zip(explanation.tokens, explanation.offsets)):
        sides = i == explanation.start, i == last
        yield Piece(token, scores[i], weights[i], True, *sides)
        space = text[start + len(token) : ends[i]]
        if space:
            yield Piece(space, 0.0, 0.0, False)


def _weights(explanation: Explanation) -> list[float]:
    most = max(map(abs, explanation.scores), default=0.0) or 1.0
    return [score / most for score in explanation.scores]


def strongest_tokens(explanation: Explanation, n_rows: int) -> list[Piece]:
    """List the tokens with the largest absolute scores, without zeros."""
    tokens, scores = explanation.tokens, explanation.scores
    weights = _weights(explanation)
    order = [i for i in explanation.strongest[:n_rows] if scores[i]]
    return [Piece(tokens[i], scores[i], weights[i]) for i in order]


# --- Terminal -----------------------------------------------------------------


def shade(explanation: Explanation, colors: bool) -> str:
    """Format the text of an explanation, with its entity in brackets."""
    parts = []
    for piece in split_text(explanation):
        parts.append("[" if piece.begins else "")
        parts.append(_shade(piece) if colors else piece.text)
        parts.append(f"]{explanation.label}" if piece.ends else "")
    return "".join(parts)


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
