"""The config of a recipe: its template, filled by spaCy, with its comments."""

import json
import shlex
from pathlib import Path

from spacy import util
from thinc.api import Config

from ...util.errors import UserError
from ...util.templates import environment
from .comments import put_comments, take_comments
from .settings import Recipe, choose

FOLDER = Path(__file__).parent


def write_config(recipe: Recipe) -> str:
    """Write the config of a recipe, with all settings and with comments.

    RETURNS: The config; its first line is the command that writes it.
    RAISES (UserError): If spaCy cannot use it, for instance for its language.
    """
    template = _render(recipe)
    try:
        config = Config().from_str(template, interpolate=False)
        nlp = util.load_model_from_config(config, auto_fill=True, validate=False)
        filled = nlp.config.to_str()
    except ImportError as err:
        what = " ".join(str(err).split())
        raise UserError(f"--lang {recipe.lang} cannot be used: {what}") from err
    command = shlex.join(["python", "-m", "spacy_ner_ext", "init", *_arguments(recipe)])
    return f"# {command}\n\n{put_comments(filled, take_comments(template))}\n"


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
    """The options of `init` that name a recipe, without those that say nothing."""
    needed = ["CONFIG", "--component", recipe.component, "--pattern", recipe.pattern]
    usual = choose(recipe.component, recipe.pattern, lang=recipe.lang)
    if recipe.encoder and recipe.encoder != usual.encoder:
        needed += ["--encoder", recipe.encoder]
    if recipe.lang != choose().lang:
        needed += ["--lang", recipe.lang]
    for part in ("train", "dev"):
        path = getattr(recipe, part)
        if path != getattr(usual, part):
            needed += [f"--{part}", path]
    return needed
