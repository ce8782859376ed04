"""Hooks of MkDocs: pages written from the code, and copies of the files of the
repository that pages link to."""

import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distribution
from itertools import groupby
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.main import get_command

from spacy_ner_ext.tools.app import app

ROOT = Path(__file__).parents[2]
PROGRAM = "python -m spacy_ner_ext"
# All pages are in one folder: a link out of it does not lead to a page.
OUTSIDE = re.compile(r"\]\(\.\./([^)#]+)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the written pages, and the files of the repository that pages link."""
    files.append(File.generated(config, "commands.md", content=commands_page()))
    files.append(File.generated(config, "registered.md", content=registered_page()))
    for name in sorted(linked_names(Path(config.docs_dir))):
        source = str(ROOT / name)
        files.append(File.generated(config, f"repository/{name}", abs_src_path=source))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Point links out of the folder of the pages to the copies in the site."""
    return OUTSIDE.sub(r"](repository/\1", markdown)


def linked_names(docs: Path) -> set[str]:
    """Find the files outside the folder of the pages that pages link to."""
    texts = [page.read_text(encoding="utf8") for page in docs.glob("*.md")]
    return {name for text in texts for name in OUTSIDE.findall(text)}


def commands_page() -> str:
    """The page with the help of every command."""
    lines = ["# Commands", "", "What each command prints with `--help`.", ""]
    group = get_command(app)
    for name, command in sorted(group.commands.items()):
        context = click.Context(command, info_name=f"{PROGRAM} {name}")
        context.terminal_width = 80
        lines += [f"## {name}", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(lines)


def registered_page() -> str:
    """The page with the function behind every registered name."""
    lines = ["# Registered names", ""]
    points = distribution("spacy-ner-ext").entry_points
    by_group = sorted(points, key=lambda point: (point.group, point.name))
    for group, members in groupby(by_group, lambda point: point.group):
        if group != "spacy_factories":  # They have a page of their own.
            lines += [f"## {group.partition('_')[2].capitalize()}", ""]
            lines += [line for point in members for line in _entry(point)]
    return "\n".join(lines)


def _entry(point: EntryPoint) -> Iterator[str]:
    yield f"::: {point.value.replace(':', '.')}"
    yield "    options:"
    yield f"      heading: {point.name}"
    yield f"      toc_label: {point.name.partition('.')[2]}"
    yield "      heading_level: 3"
    yield ""
