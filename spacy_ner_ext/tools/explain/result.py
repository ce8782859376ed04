"""What an explanation says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

METHODS = ("auto", "integrated_gradients", "occlusion")


@dataclass(frozen=True)
class Influence:
    """How much each token speaks for an entity, or for a category.

    text: The text.
    tokens: Its tokens.
    offsets: The first character of each.
    scores: How much each speaks for it; below 0, against it.
    component: The component that was asked.
    label: The label of the entity, or the category.
    start, end: The first token of the entity and the one after its last; None for a
        category.
    quantity: What was explained, such as "log-probability".
    value: That of the text.
    method: "integrated_gradients", whose scores add up to value less baseline_value; or
        "occlusion", where a score is the value of the text less that of the text in
        which the token is replaced.
    baseline: What the path of the gradients starts from ("mask", "pad" or "zero"), or
        what replaces a token.
    baseline_value: The value there; None for occlusion.
    delta: The sum of the scores less value less baseline_value.
    steps: The gradients that were taken.
    converged: False if the scores are off by more than 2 % of the difference of the
        values, and by more than 0.001.
    notes: What else there is to know.
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
        """Whether it is about an entity and not a category."""
        return self.start is not None

    @property
    def characters(self) -> tuple[int, int]:
        """The first character of the entity and the one
        after its last; those of the text for a category.
        """
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
        """The tokens by falling size of their scores."""
        return sorted(range(len(self.scores)), key=lambda i: -abs(self.scores[i]))

    def describe(self) -> str:
        """How it was computed, in one sentence."""
        quantity = self.quantity[:1].upper() + self.quantity[1:]
        value = f"{quantity} {self.value:.4g}"
        if self.method == "occlusion":
            return (
                f"{value} by '{self.component}'; occlusion: what it loses if a token "
                f"is replaced by {self.baseline}."
            )
        return (
            f"{value} by '{self.component}', {self.baseline_value:.4g} at the start "
            f"({self.baseline}); integrated gradients, {self.steps} steps, "
            f"{abs(self.delta or 0.0):.2g} unaccounted for."
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it, as plain JSON values."""
        entity = None
        if self.is_entity:
            first, last = self.characters
            entity = {"text": self.name, "start": first, "end": last}
        return {
            "text": self.text,
            "component": self.component,
            "label": self.label,
            "entity": entity,
            "quantity": self.quantity,
            "value": self.value,
            "method": self.method,
            "baseline": self.baseline,
            "baseline_value": self.baseline_value,
            "delta": self.delta,
            "steps": self.steps,
            "converged": self.converged,
            "notes": list(self.notes),
            "tokens": [
                {"text": token, "start": start, "score": score}
                for token, start, score in zip(self.tokens, self.offsets, self.scores)
            ],
        }

    def to_html(self) -> str:
        """A page of its own, without network and script."""
        from .page import render_html

        return render_html([self])
