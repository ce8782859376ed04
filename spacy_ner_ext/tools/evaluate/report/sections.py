"""All sections of the page, in their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .blocks import Block, Section, Sentences, Tiles
from .categories import category_section
from .differences import comparison_section
from .drawing import Painter
from .entities import entity_sections
from .summary import (
    category_tiles,
    compare_sentence,
    entity_findings,
    entity_tiles,
    model_name,
    outcome_bar,
)
from .tables import fact_table

FACTS = {
    "gold": "gold entities",
    "predicted": "predicted entities",
    "missing": "tokens without annotation",
    "unjudged": "predictions over these, which are left out",
    "unaligned": "predictions over white space, which are left out",
    "misaligned": "gold entities with boundaries inside a token",
}
Result = Mapping[str, Any]


def make_sections(result: Result) -> list[Section]:
    """Lay out a result.

    RETURNS: The sections; one without data says why.
    """
    painter = Painter(_labels(result))
    return [
        _summary(result),
        *entity_sections(result.get("entities"), painter),
        category_section(result.get("categories"), painter),
        comparison_section(result.get("comparison"), painter),
        _about(result),
    ]


def _labels(result: Result) -> Iterator[str]:
    entities, categories = result.get("entities"), result.get("categories")
    if entities:
        yield from entities["metrics"]["exact"]["labels"]
    if categories:
        yield from categories["labels"]


def _summary(result: Result) -> Section:
    blocks: list[Block] = []
    sentences: list[str] = []
    entities, categories = result.get("entities"), result.get("categories")
    if entities:
        blocks.append(Tiles(entity_tiles(entities), "Entities" if categories else ""))
        if any((entities.get("errors") or {}).values()):
            blocks.append(outcome_bar(entities["errors"]))
        sentences += entity_findings(entities)
    if categories:
        blocks.append(Tiles(category_tiles(categories), "Text categories"))
    sentences += _comparisons(result.get("comparison"))
    if sentences:
        blocks.append(Sentences(sentences))
    if result.get("notes"):
        blocks.append(Sentences(result["notes"], "notes"))
    return Section("summary", "Summary", _lead(result), blocks)


def _lead(result: Result) -> str:
    if not result.get("entities") and not result.get("categories"):
        return "There is nothing to score: neither entities nor categories."
    settings = result.get("settings") or {}
    lead = "Scores are in percent."
    if settings.get("resamples"):
        lead += (
            f" Intervals of {100 * settings.get('confidence', 0.95):g} % are from "
            f"{settings['resamples']:,} bootstrap resamples of the documents."
        )
    return lead


def _comparisons(comparison: Result | None) -> list[str]:
    exact = ((comparison or {}).get("differences") or {}).get("exact")
    if comparison is None or not exact:
        return []
    return [compare_sentence(exact["micro"]["f"], model_name(comparison["model"]))]


def _about(result: Result) -> Section:
    model, corpus = result.get("model") or {}, result.get("corpus") or {}
    settings, speed = result.get("settings") or {}, result.get("speed") or {}
    facts = [
        ("model", _text(model.get("path"))),
        ("name", _text(model.get("name"), model.get("version"))),
        ("language", _text(model.get("lang"))),
        ("pipeline", _text(model.get("pipeline"))),
        ("corpus", _text(corpus.get("path"))),
        *((key, _text(value)) for key, value in corpus.items() if key != "path"),
        *((key, _text(value)) for key, value in settings.items()),
        *((key, _text(value)) for key, value in speed.items()),
    ]
    named = [(FACTS.get(key, key.replace("_", " ")), value) for key, value in facts]
    return Section("about", "Model, corpus and settings", "", [fact_table(named)])


def _text(*values: Any) -> str:
    return " ".join(_value(value) for value in values if value is not None)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_value(each)}" for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(each) for each in value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
