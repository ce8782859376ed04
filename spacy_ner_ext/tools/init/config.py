"""Write the config of a recipe: a template, filled by spaCy, with its comments."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from spacy import util
from thinc.api import Config

from ...util.errors import UserError, one_line
from ...util.templates import environment
from .recipes import Recipe, choose

SECTION = re.compile(r"\[(.+)\]\Z")
SETTING = re.compile(r"([^\s=#\[][^=]*?)\s*=")
# A section and a setting in it; the setting is empty for the section itself.
Place = tuple[str, str]


def write_config(recipe: Recipe) -> str:
    """Write the config of a recipe, with all settings and with comments; its first line
    is the command that writes it."""
    values = {name: json.dumps(value) for name, value in asdict(recipe).items()}
    values["component"] = recipe.component
    if not recipe.encoder:
        values["encoder"] = ""
    templates = environment(Path(__file__).parent)
    text = templates.get_template(f"{recipe.pattern}.cfg.jinja").render(values)
    try:
        config = Config().from_str(text, interpolate=False)
        nlp = util.load_model_from_config(config, auto_fill=True, validate=False)
    except ImportError as err:
        what = f"--lang {recipe.lang} cannot be used"
        raise UserError(f"{what}: {one_line(err)}") from err
    # spaCy loses the comments when it fills a config.
    filled = put_comments(nlp.config.to_str(), take_comments(text))
    command = shlex.join(["python", "-m", "spacy_ner_ext", "init", *_arguments(recipe)])
    return f"# {command}\n\n{filled}\n"


def _arguments(recipe: Recipe) -> list[str]:
    """The arguments of `init` for a recipe, without defaults."""
    arguments = ["CONFIG", "--component", recipe.component, "--pattern", recipe.pattern]
    # The default encoder depends on the language.
    encoder = choose(recipe.component, recipe.pattern, lang=recipe.lang).encoder
    usual = replace(choose(), encoder=encoder)
    for option in ("encoder", "lang", "train", "dev"):
        value = getattr(recipe, option)
        if value != getattr(usual, option):
            arguments += [f"--{option}", value]
    return arguments


def take_comments(text: str) -> dict[Place, list[str]]:
    """Collect the comment lines of a config, by the section or setting below them."""
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
    """Insert comment lines above their sections and settings."""
    lines: list[str] = []
    for line, place in _places(text):
        lines.extend(comments.get(place, ()) if place else ())
        lines.append(line)
    return "\n".join(lines)


def _places(text: str) -> Iterator[tuple[str, Place | None]]:
    """All lines, with the section or setting that starts there."""
    section = ""
    for line in text.splitlines():
        head, setting = SECTION.match(line), SETTING.match(line)
        if head:
            section = head[1]
            yield line, (section, "")
        else:
            yield line, (section, setting[1]) if setting else None
