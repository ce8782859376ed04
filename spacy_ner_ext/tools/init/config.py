"""Write the config of a recipe: a template, filled by spaCy, with its comments."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from spacy import util
from thinc.api import Config

from ...util.errors import UserError, one_line
from ...util.templates import environment
from .recipes import Recipe, choose

FOLDER = Path(__file__).parent
SECTION = re.compile(r"\[(.+)\]\Z")
SETTING = re.compile(r"([^\s=#\[][^=]*?)\s*=")
# A section and a setting in it; the setting is empty for the section itself.
Place = tuple[str, str]


def write_config(recipe: Recipe) -> str:
    """Write the config of a recipe, with all settings and with comments.

    RETURNS: The config; its first line is the command that writes it.
    RAISES (UserError): If spaCy does not support the language.
    """
    template = _render(recipe)
    try:
        config = Config().from_str(template, interpolate=False)
        nlp = util.load_model_from_config(config, auto_fill=True, validate=False)
    except ImportError as err:
        raise UserError(
            f"--lang {recipe.lang} cannot be used: {one_line(err)}"
        ) from err
    # spaCy loses the comments when it fills a config.
    filled = put_comments(nlp.config.to_str(), take_comments(template))
    command = shlex.join(["python", "-m", "spacy_ner_ext", "init", *_arguments(recipe)])
    return f"# {command}\n\n{filled}\n"


def _render(recipe: Recipe) -> str:
    template = environment(FOLDER).get_template(f"{recipe.pattern}.cfg.jinja")
    return template.render(
        component=recipe.component,
        encoder=json.dumps(recipe.encoder) if recipe.encoder else None,
        lang=json.dumps(recipe.lang),
        train=json.dumps(recipe.train),
        dev=json.dumps(recipe.dev),
    )


def _arguments(recipe: Recipe) -> list[str]:
    """The arguments of `init` for a recipe, without defaults."""
    arguments = ["CONFIG", "--component", recipe.component, "--pattern", recipe.pattern]
    # The default encoder depends on the language.
    encoder = choose(recipe.component, recipe.pattern, lang=recipe.lang).encoder
    default = choose()
    for option, usual in (
        *(("encoder", encoder), ("lang", default.lang)),
        *(("train", default.train), ("dev", default.dev)),
    ):
        value = getattr(recipe, option)
        if value != usual:
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
