"""Suggestions: changes of a corpus, as they are written, read and decided on."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ...pipes.overlap import LabelledSpan
from ...util.errors import Place, UserError
from .agreement import Agreement
from .changes import KINDS, Change

ACCEPT, REJECT = "accept", "reject"
DECISION = "decision"
DIGITS = 6


@dataclass(frozen=True)
class Suggestion:
    """A change of a document.

    document: The number of the document in the corpus, from 1.
    key: Where the entities are: "ents", or the name of a span group.
    odds: The odds that the change should be accepted.
    """

    document: int
    key: str
    change: Change
    agreement: Agreement
    odds: float

    def to_dict(self, doc: Doc) -> dict[str, Any]:
        change = self.change
        suggested = change.suggested
        return {
            "id": identify(doc, self.key, change.gold, suggested),
            "document": self.document,
            "kind": change.kind,
            "odds": _round(self.odds),
            "probability": _round(change.probability),
            "gold_probability": _round(change.gold_probability),
            "as_gold": self.agreement.as_gold,
            "as_suggested": self.agreement.as_suggested,
            "key": self.key,
            "gold": [_describe(doc, span) for span in change.gold],
            "suggested": None if suggested is None else _describe(doc, suggested),
            "text": doc.text,
        }


def identify(
    doc: Doc, key: str, gold: Iterable[LabelledSpan], suggested: LabelledSpan | None
) -> str:
    """A name of a change, which no other text or change has."""
    content = [doc.text, key, [*gold], suggested]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _describe(doc: Doc, span: LabelledSpan) -> dict[str, Any]:
    start, end, label = span
    found = doc[start:end]
    return {
        "start": found.start_char,
        "end": found.end_char,
        "label": label,
        "text": found.text,
    }


def _round(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


@dataclass(frozen=True)
class Decision:
    """A suggestion that was read; `decision` is "accept", "reject", or empty."""

    place: Place
    id: str
    document: int
    kind: str
    key: str
    odds: float
    gold: tuple[tuple[int, int, str], ...]  # in characters
    suggested: tuple[int, int, str] | None
    decision: str


def read_decisions(path: Path) -> Iterator[Decision]:
    """Read suggestions with decisions, in the order of the file.

    RAISES (UserError): If a line is not one.
    """
    try:
        # Not splitlines, which also divides at what a text may hold, such as U+2028.
        lines = path.read_text(encoding="utf8").split("\n")
    except (OSError, UnicodeDecodeError) as err:
        raise UserError("cannot be read as UTF-8 text; check it", path) from err
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _read(line, Place(path, number))


def _read(line: str, place: Place) -> Decision:
    advice = "write lines of suggestions.jsonl, or export decisions from audit.html"
    try:
        values = json.loads(line)
        gold = tuple(map(_span, values["gold"]))
        suggested = values["suggested"] and _span(values["suggested"])
        decision = Decision(
            *(place, values["id"], values["document"], values["kind"], values["key"]),
            *(float(values["odds"]), gold, suggested, values.get(DECISION) or ""),
        )
    except (ValueError, TypeError, KeyError, RecursionError) as err:
        raise place.error(f"is not a suggestion of an audit; {advice}") from err
    if decision.decision not in ("", ACCEPT, REJECT):
        what = f'has the decision "{decision.decision}"; write "accept" or "reject"'
        raise place.error(what)
    if decision.kind not in KINDS or type(decision.document) is not int:
        raise place.error(f"is not a suggestion of an audit; {advice}")
    return decision


def _span(values: Mapping[str, Any]) -> tuple[int, int, str]:
    return int(values["start"]), int(values["end"]), str(values["label"])
