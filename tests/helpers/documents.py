"""The documents of the repository, and what is in them."""

import re
from pathlib import Path

from thinc.api import Config

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = tuple(sorted(path.name for path in DOCS.glob("*.md")))


def read(name):
    """The text of a page, or of README.md."""
    folder = ROOT if name == "README.md" else DOCS
    return (folder / name).read_text(encoding="utf8")


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def block(name, head):
    """The one block of settings of a page that begins with this section."""
    found = [text for text in blocks(read(name), "ini") if text.startswith(head)]
    assert len(found) == 1, f"{head} in {name}"
    return found[0]


def parse(text):
    """A block of settings as a config, with the sections that are above its own."""
    sections = re.findall(r"^\[([^\]]+)\]$", text, re.M)
    above = []
    for section in sections:
        parts = section.split(".")
        for i in range(1, len(parts)):
            name = ".".join(parts[:i])
            if name not in (*above, *sections):
                above.append(name)
    heads = "".join(f"[{name}]\n\n" for name in above)
    return Config().from_str(heads + text, interpolate=False)
