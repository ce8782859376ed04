"""From what is to be explained to scores: by gradients, or by occlusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ...util.errors import UserError
from .embeddings import BASELINES
from .gradients import Path, integrate
from .graph import connected, find_readers
from .marked_span import MarkedSpan, MarkedSpanPath
from .occlusion import occlude
from .result import METHODS, Influence
from .targets import ModelTarget, Target
from .untouched import untouched
from .vectors import ModelPath

STEPS = 32
MAX_STEPS = 1024


@dataclass(frozen=True)
class Settings:
    """How scores are computed; for the settings see explain.explain.

    RAISES (UserError): If one has an unknown value.
    """

    method: str = "auto"
    steps: int = STEPS
    max_steps: int = MAX_STEPS
    baseline: str | None = None
    neutral: str | None = None

    def __post_init__(self) -> None:
        self._check_choice("method", METHODS)
        if self.baseline is not None:
            self._check_choice("baseline", BASELINES)
        if not 2 <= self.steps <= self.max_steps:
            raise UserError(
                f"steps = {self.steps} and max_steps = {self.max_steps}: set steps to "
                "at least 2 and at most max_steps"
            )

    def _check_choice(self, name: str, choices: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value not in choices:
            raise UserError(
                f"unknown {name} '{value}': choose one of {', '.join(choices)}"
            )


def compute(nlp: Language, target: Target, doc: Doc, settings: Settings) -> Influence:
    """Compute the scores of a document's tokens.

    RAISES (UserError): If gradients are asked for that there are not.
    """
    if settings.method == "occlusion":
        return _occlude(nlp, target, doc, settings)
    if isinstance(target, MarkedSpan):
        with untouched([target.component.model]):
            path = MarkedSpanPath(target, doc, settings.baseline)
            return _integrate(target, doc, path, settings)
    reason = "its model is not known"
    if isinstance(target, ModelTarget):
        with connected(nlp, target.model) as nodes, untouched(nodes):
            readers = find_readers(nodes, target.model, doc)
            missing = readers.why_not() or target.why_not()
            if missing is None:
                model_path = ModelPath(target, readers, doc, settings.baseline)
                return _integrate(target, doc, model_path, settings)
            reason = missing
    return _without_gradients(nlp, target, doc, settings, reason)


def _without_gradients(
    nlp: Language, target: Target, doc: Doc, settings: Settings, reason: str
) -> Influence:
    name = target.subject.component
    if settings.method != "auto":
        raise UserError(
            f"'{name}' has no gradients to integrate ({reason}): choose the method "
            "occlusion"
        )
    note = f"Occlusion, since '{name}' has no gradients to integrate ({reason})."
    return _occlude(nlp, target, doc, settings, [note])


def _integrate(target: Target, doc: Doc, path: Path, settings: Settings) -> Influence:
    found, steps = integrate(path, settings.steps, settings.max_steps)
    baseline_value, value = found.values
    notes = []
    if not found.converged:
        notes.append(
            f"After {steps} steps the scores are off by more than 2 %: raise max_steps."
        )
    return Influence(
        **_facts(target, doc),
        scores=found.scores.tolist(),
        value=value,
        method="integrated_gradients",
        baseline=path.baseline,
        baseline_value=baseline_value,
        delta=found.delta,
        steps=steps,
        converged=found.converged,
        notes=notes,
    )


def _occlude(
    nlp: Language,
    target: Target,
    doc: Doc,
    settings: Settings,
    notes: list[str] | None = None,
) -> Influence:
    found = occlude(nlp, target, doc, settings.neutral)
    return Influence(
        **_facts(target, doc),
        scores=found.scores.tolist(),
        value=found.value,
        method="occlusion",
        baseline=found.neutral,
        notes=notes or [],
    )


def _facts(target: Target, doc: Doc) -> dict[str, Any]:
    subject = target.subject
    return {
        "text": doc.text,
        "tokens": [token.text for token in doc],
        "offsets": [token.idx for token in doc],
        "component": subject.component,
        "label": subject.label,
        "start": subject.start,
        "end": subject.end,
        "quantity": target.quantity,
    }
