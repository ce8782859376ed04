"""Docstrings of this package for mkdocstrings, as the sections of Google's style.

In the code a field is a line at the margin, `name: text`, `RETURNS: text`,
`YIELDS: text` or `RAISES (Error): text`, and its other lines are indented. The types
are those of the annotations.
"""

import re
from collections.abc import Collection
from typing import Any

from griffe import Class, Extension, Function, Object

FIELD = re.compile(
    r"(?P<names>\*{0,2}\w+(, \*{0,2}\w+)*)( \((?P<type>\w+)\))?: (?P<text>\S.*)"
)
KEYWORDS = {"RETURNS": "Returns", "YIELDS": "Yields", "RAISES": "Raises"}


class PackageDocstrings(Extension):
    """Rewrites every docstring before mkdocstrings reads it."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring:
            title = "Attributes" if "dataclass" in obj.labels else "Args"
            obj.docstring.value = to_google(
                obj.docstring.value, field_names(obj), title, returned(obj)
            )


def field_names(obj: Object) -> set[str]:
    """The names that the docstring of an object may explain."""
    if isinstance(obj, Function):
        return {parameter.name for parameter in obj.parameters}
    if isinstance(obj, Class):
        return {*obj.members, *(parameter.name for parameter in obj.parameters)}
    return set()


def returned(obj: Object) -> str:
    """The annotation of what a function returns."""
    return str(obj.returns or "None") if isinstance(obj, Function) else "None"


def to_google(
    text: str, names: Collection[str], title: str = "Args", returns: str = "None"
) -> str:
    """Write a docstring in Google's style.

    text: A docstring of this package, without its indentation.
    names: The names of its arguments or attributes.
    title: The title above them, "Args" or "Attributes".
    returns: The annotation of the returned value.
    RETURNS: The docstring with a title and an indented block for each kind of field.
    """
    section, lines = "", []
    for line in text.splitlines():
        field = _field(line, names)
        if field is not None:
            new = KEYWORDS.get(field["names"], title)
            if new != section:
                lines += ["", f"{new}:"]
            section = new
            lines += [f"    {line}" for line in _google_lines(field, returns)]
        else:
            lines.append(f"    {line}" if section and line else line)
    return "\n".join(lines).strip()


def _field(line: str, names: Collection[str]) -> re.Match[str] | None:
    found = FIELD.match(line)
    if found is None or found["names"] in KEYWORDS:
        return found
    listed = [name.strip(" *") for name in found["names"].split(",")]
    return found if all(name in names for name in listed) else None


def _google_lines(field: re.Match[str], returns: str) -> list[str]:
    if field["names"] == "RAISES":
        return [f"{field['type']}: {field['text']}"]
    if field["names"] in KEYWORDS:
        return [f"{returns}: {field['text']}"]
    *others, last = field["names"].split(", ")
    return [*(f"{name}: See `{last}`." for name in others), f"{last}: {field['text']}"]
