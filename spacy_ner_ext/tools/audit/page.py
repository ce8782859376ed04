"""The suggestions as one page, on which they are accepted and rejected."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy.tokens import Doc, Span

from ...pipes.spans import ENTS, read_spans
from ...util.drawing import draw_entities, label_colors
from ...util.files import replacing
from ...util.numbers import count, probability
from ...util.templates import environment
from ..snippets import cut_snippet
from .audit import Audit
from .suggestions import Suggestion

TEMPLATE = "audit.html.jinja"


class _Entity(NamedTuple):
    start: int
    end: int
    label: str
    score: float | None = None


def write_page(path: Path, audit: Audit, docs: Sequence[Doc], corpus: str) -> None:
    """Write the page, which works offline.

    docs: The documents of the corpus.
    corpus: The name of the corpus, for the title.
    RAISES (UserError): If the file cannot be written.
    """
    own = [(each, docs[each.document - 1]) for each in audit.suggestions]
    labels = {span.label_ for doc in docs for span in _read_all(doc)}
    labels |= {new[2] for each, _ in own if (new := each.change.suggested)}
    colors = label_colors(sorted(labels))
    values = [suggestion.to_dict(doc) for suggestion, doc in own]
    templates = environment(Path(__file__).parent, autoescape=True)
    templates.filters["count"] = count
    page = templates.get_template(TEMPLATE).render(
        audit=audit,
        corpus=corpus,
        drawn=[_draw(*pair, each, colors) for pair, each in zip(own, values)],
        content={
            "digest": _digest(docs),
            # Once for all suggestions of a document.
            "texts": {each["document"]: each.pop("text") for each in values},
            "suggestions": values,
        },
    )
    with replacing(path) as temporary:
        # A path may hold bytes that are not UTF-8.
        temporary.write_bytes(page.encode("utf-8", errors="backslashreplace"))


def _draw(
    suggestion: Suggestion, doc: Doc, values: Mapping[str, Any], colors: dict[str, int]
) -> dict[str, Any]:
    change = suggestion.change
    spans = read_spans(doc, [suggestion.key])
    gold = {_Entity(span.start, span.end, span.label_) for span in spans}
    old = {_Entity(*span) for span in change.gold}
    new = {_Entity(*change.suggested)} if change.suggested else set()
    start, end = min(e.start for e in old | new), max(e.end for e in old | new)
    sides = {"gold": [*gold], "predicted": [*(gold - old | new)]}
    example = cut_snippet(doc, start, end, **sides)
    named = {"document": suggestion.document, "kinds": [change.kind]}
    drawn = draw_entities({**example, **named, "reason": _facts(values)}, colors)
    (_, above), (_, below) = drawn["rows"]
    as_gold, as_suggested = values["as_gold"], values["as_suggested"]
    return {
        **drawn,
        "rows": [("gold", above), ("suggestion", below)],
        "confidence": values["probability"],
        # Few mentions say little.
        "agreement": (as_suggested + 1) / (as_suggested + as_gold + 2),
        "place": suggestion.document + start / len(doc),
    }


def _facts(values: Mapping[str, Any]) -> str:
    odds, of_gold = values["odds"], probability(values["gold_probability"])
    return (
        f"odds {f'{odds:,.0f}' if odds >= 10 else f'{odds:.2g}'} · "
        f"probability {probability(values['probability'])}, of gold {of_gold} · "
        f"other mentions: {values['as_suggested']:,} as suggested, "
        f"{values['as_gold']:,} as gold"
    )


def _read_all(doc: Doc) -> list[Span]:
    return read_spans(doc, [ENTS, *doc.spans])


def _digest(docs: Iterable[Doc]) -> str:
    digest = hashlib.sha256()
    for doc in docs:
        spans = [(span.start, span.end, span.label_) for span in _read_all(doc)]
        digest.update(json.dumps([doc.text, spans]).encode())
    return digest.hexdigest()[:16]
