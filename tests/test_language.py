"""Sentences are plain technical English, in American spelling."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATTERNS = (
    *("*.md", "*.yml", "*.toml", "*.cff", "Makefile", "docs/*.md", "configs/*.cfg"),
    *(".github/**/*.yml", ".github/**/*.md", "packaging/**/*.*", "docs/scale/*"),
)
SOURCES = ("spacy_ner_ext", "scripts", "benchmarks", "docs/extensions", "tests")
# A phrase, and what to write in its place.
BANNED = {
    r"\b(tells?|told|telling)\b": "report, say, show",
    r"\b(mend|mends|mended|mending)\b": "fix",
    r"\b(go|goes|going|went|gone) on\b": "continue, resume",
    r"\bborders?\b(?![-:])": "boundary",
    r"\bthat there (is|are)\b": "that exists, or leave it out",
    r"(?<!there )(?<!There )\b(is|are|was|were) no (?!longer\b|more\b)": "is not a",
    r"\bbeside\b": "next to, compared with, besides",
    r"\bshall\b": "is to, must, will",
    r"\b(makes|make) no\b": "does not make a",
    r"\b(anew|likewise|aside)\b": "again, also, except",
    r"^\s*(\"\"\"|#+ )What [^?]*\b(is|are|has|have)\b": "a noun phrase",
    r"^\s*\"\"\"Let \w+": "a verb",
    r"\b(colour|behaviour|normalis|optimis|initialis|recognis|serialis|tokenis)\w*": (
        "American spelling"
    ),
}


def texts():
    for pattern in PATTERNS:
        for path in sorted(ROOT.glob(pattern)):
            yield path, path.read_text(encoding="utf8")
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, path.read_text(encoding="utf8")
    for path in sorted((ROOT / "spacy_ner_ext").rglob("*.jinja")):
        yield path, path.read_text(encoding="utf8")


def prose_lines(path, text):
    """The lines that people read: of Python docstrings, comments and strings."""
    lines = text.splitlines()
    if path.suffix != ".py":
        return enumerate(lines, start=1)
    numbers = {i for i, line in enumerate(lines, start=1) if "#" in line}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            numbers |= set(range(node.lineno, node.end_lineno + 1))
    return ((number, lines[number - 1]) for number in sorted(numbers))


LINES = [
    (f"{path.relative_to(ROOT)}:{number}", line)
    for path, text in texts()
    if path != Path(__file__)
    for number, line in prose_lines(path, text)
]


@pytest.mark.parametrize("phrase", BANNED)
def test_no_banned_phrase(phrase):
    pattern = re.compile(phrase)
    found = [
        f"{place}: {line.strip()}" for place, line in LINES if pattern.search(line)
    ]
    assert not found, f"write {BANNED[phrase]}:\n" + "\n".join(found)
