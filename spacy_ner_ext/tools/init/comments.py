"""Comments of a config, which spaCy loses when it fills one."""

import re
from collections.abc import Iterator

# A section, or a setting of it; the setting is empty for the section itself.
Place = tuple[str, str]
SECTION = re.compile(r"\[(.+)\]\Z")
SETTING = re.compile(r"([^\s=#\[][^=]*?)\s*=")


def take_comments(text: str) -> dict[Place, list[str]]:
    """Collect the comments of a config.

    text: A config; each comment has a line of its own, right above what it is about.
    RETURNS: The lines by the section or setting below them.
    """
    taken: dict[Place, list[str]] = {}
    waiting: list[str] = []
    for line, place in _places(text):
        if line.startswith("#"):
            waiting.append(line)
        else:
            if place and waiting:
                taken[place] = waiting
            waiting = []
    return taken


def put_comments(text: str, comments: dict[Place, list[str]]) -> str:
    """Put comments into a config.

    comments: The lines by the section or setting below them.
    """
    lines: list[str] = []
    for line, place in _places(text):
        lines.extend(comments.get(place, ()) if place else ())
        lines.append(line)
    return "\n".join(lines)


def _places(text: str) -> Iterator[tuple[str, Place | None]]:
    """Lines, each with what it starts."""
    section = ""
    for line in text.splitlines():
        head, setting = SECTION.match(line), SETTING.match(line)
        if head:
            section = head[1]
            yield line, (section, "")
        else:
            yield line, (section, setting[1]) if setting else None
