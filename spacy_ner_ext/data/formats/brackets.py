"""Entities as brackets: `(PER*` `*)` of CoNLL-2012 and `(e1-person` `e1)` of GUM."""

import re
from collections.abc import Sequence

from .tags import DEFAULT_LABEL, Repair, Span

BRACKETS = re.compile(r"[*_-]?|(\([^()]+\)?|[^()]*\))+")
BRACKET = re.compile(r"\((?P<opened>[^()]+)(?P<closed>\))?|(?P<name>[^()]*)\)")
GROUP = re.compile(r"(?P<type>[^\W\d_]\w*[^\W\d_])\b")


def are_brackets(cells: Sequence[str]) -> bool:
    """Whether all cells of a column are brackets, and some entity starts in one."""
    return all(map(BRACKETS.fullmatch, cells)) and any(c.startswith("(") for c in cells)


def read_brackets(
    cells: Sequence[str], fields: Sequence[str] = (), default_label: str = DEFAULT_LABEL
) -> tuple[list[Span], list[Repair]]:
    """Read the entities of a sentence, which may nest or cross, and what is wrong.

    fields: What an opening bracket has, separated by "-"; "etype" is the label.
    """
    spans: list[Span] = []
    faults: list[Repair] = []
    opened: list[tuple[str, int]] = []
    for i, cell in enumerate(cells):
        for match in BRACKET.finditer(cell):
            name = (match["opened"] or match["name"] or "").strip("*")
            if match["opened"]:
                opened.append((name, i))
            if match["closed"] or not match["opened"]:
                found = [o for o in opened if _belongs(name, o[0])]
                if not found:
                    faults.append((i, f"bracket {cell} closes nothing"))
                    continue
                opened.remove(found[-1])
                label = _label(found[-1][0], fields) or default_label
                spans.append((found[-1][1], i + 1, label))
    faults += [(i, f"bracket ({name} is not closed") for name, i in opened]
    return spans, faults


def _belongs(name: str, opened: str) -> bool:
    return not name or opened == name or opened.startswith(f"{name}-")


def _label(opened: str, fields: Sequence[str]) -> str:
    parts = opened.split("-")
    if "etype" in fields:
        return dict(zip(fields, parts)).get("etype", "")
    # Number and type in any order; a type alone may have any characters.
    types = [part for part in parts[:2] if GROUP.fullmatch(part)]
    return opened if len(parts) == 1 else next(iter(types), "")
