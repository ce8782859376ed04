"""Load pipelines and the code that they need."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spacy import util
from spacy.language import Language

from ..util.errors import UserError, one_line
from ..util.extras import advice

# What spaCy's errors say of names that spacy-transformers registers.
SPACY_TRANSFORMERS = re.compile(r"factory for 'transformer'|'spacy-transformers\.")


def load_pipeline(
    model: str | Path, overrides: Mapping[str, Any] | None = None
) -> Language:
    """Load a pipeline from its folder or from an installed package.

    overrides: Settings of its config by their full names.
    """
    try:
        return util.load_model(model, config=dict(overrides or {}))
    # Errors of damaged weights and of other packages have no common class.
    except Exception as err:
        raise missing_extra(model, err) or UserError(
            f"{model} is not a pipeline that can be loaded; give its folder or the "
            f"name of an installed package: {one_line(err)}"
        ) from err


def missing_extra(what: str | Path, err: Exception) -> UserError | None:
    """Name the extra that a pipeline or config needs, by spaCy's error about it; None
    if the error has another reason."""
    extra = "spacy-transformers"
    if not SPACY_TRANSFORMERS.search(str(err)) or find_spec("spacy_transformers"):
        return None
    return UserError(f"{what} needs {extra}, which is not installed; {advice(extra)}")


def import_functions(path: Path | None) -> None:
    """Import a Python file for the functions that it registers."""
    if path is None:
        return
    try:
        util.import_file("python_code", path)
    # The file may raise anything.
    except Exception as err:
        raise UserError(
            f"--code {path} cannot be imported: {type(err).__name__}: {one_line(err)}"
        ) from err
