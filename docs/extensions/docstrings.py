"""Docstrings in spaCy's style, for mkdocstrings: as the sections of Google's style.

In the code they say `name (Type): text`, `RETURNS (Type): text` and so on, each
beginning at the margin; what a line has more is indented below it.
"""

import re
from collections.abc import Iterator
from typing import Any

from griffe import Extension, Object

FIELD = re.compile(r"(?P<name>\*{0,2}\w+(, \w+)*) \((?P<type>.+?)\): (?P<text>\S.*)")
KEYWORDS = {"RETURNS": "Returns", "YIELDS": "Yields", "RAISES": "Raises"}


class SpacyDocstrings(Extension):
    """Rewrites every docstring before mkdocstrings reads it."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of an object.

        obj: A module, class, function or attribute.
        """
        if obj.docstring:
            text = to_google(obj.docstring.value, fields=field_title(obj))
            obj.docstring.value = text


def field_title(obj: Object) -> str:
    """What the fields in an object's docstring are."""
    return "Attributes" if "dataclass" in obj.labels else "Args"


def to_google(text: str, fields: str = "Args") -> str:
    """Write a docstring in Google's style.

    text: A docstring in spaCy's style, without its indentation.
    fields: The title above its fields, "Args" or "Attributes".
    RETURNS: The same with a title and an indented block for each kind of field.
    """
    section, lines = "", []
    for line, title in _titled(text.splitlines(), fields):
        if title and title != section:
            lines += ["", f"{title}:"]
        section = title or section
        lines.append(f"    {line}" if section and line else line)
    return "\n".join(lines).strip()


def _titled(lines: list[str], fields: str) -> Iterator[tuple[str, str]]:
    """Each line as Google has it, with the title of the section that it is in."""
    for line in lines:
        found = FIELD.match(line)
        if found is None:
            yield line, ""
        elif found["name"] in KEYWORDS:
            yield f"{found['type']}: {found['text']}", KEYWORDS[found["name"]]
        else:
            yield line, fields
