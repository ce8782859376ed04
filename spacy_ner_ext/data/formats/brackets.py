"""Entities as brackets: `(PER*` `*)` of CoNLL-2012 and `(e1-person` `e1)` of GUM."""

import re
from collections.abc import Collection, Sequence

from ...util.errors import Place
from ..record import Entity
from ..report import ConversionReport
from .tags import DEFAULT_LABEL

BRACKETS = re.compile(r"[*_-]?|(\([^()]+\)?|[^()]*\))+")
BRACKET = re.compile(r"\((?P<opened>[^()]+)(?P<closed>\))?|(?P<name>[^()]*)\)")
GROUP = re.compile(r"[^\W\d_]\w*[^\W\d_]")


def are_brackets(cells: Collection[str]) -> bool:
    """Whether all cells of a column are brackets, and some entity starts in one."""
    return all(map(BRACKETS.fullmatch, cells)) and any(c.startswith("(") for c in cells)


def read_brackets(
    cells: Sequence[str],
    places: Sequence[Place],
    report: ConversionReport,
    fields: Sequence[str] = (),
    default_label: str = DEFAULT_LABEL,
) -> list[Entity]:
    """Read the entities of a sentence, which may nest or cross.

    fields: What an opening bracket has, separated by "-"; "etype" is the label.
    """
    entities: list[Entity] = []
    opened: list[tuple[str, int]] = []
    for i, cell in enumerate(cells):
        for match in BRACKET.finditer(cell):
            name = (match["opened"] or match["name"] or "").strip("*")
            if match["opened"]:
                opened.append((name, i))
                if not match["closed"]:
                    continue
            found = [o for o in opened if not name or f"{o[0]}-".startswith(f"{name}-")]
            if not found:
                report.note("dropped", places[i], f"bracket {cell} closes nothing")
                continue
            opened.remove(found[-1])
            start, label = found[-1][1], _label(found[-1][0], fields) or default_label
            entities.append(Entity(start, i + 1, label, places[start]))
    for name, i in opened:
        report.note("dropped", places[i], f"bracket ({name} is not closed")
    return entities


def _label(opened: str, fields: Sequence[str]) -> str:
    parts = opened.split("-")
    if "etype" in fields:
        return dict(zip(fields, parts)).get("etype", "")
    # Number and type in any order; a type alone may have any characters.
    types = [part for part in parts[:2] if GROUP.fullmatch(part)]
    return opened if len(parts) == 1 else next(iter(types), "")
