"""Load pipelines, and the code that they need."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spacy import util
from spacy.language import Language

from ..util.errors import UserError, one_line


def load_pipeline(
    model: str | Path, overrides: Mapping[str, Any] | None = None
) -> Language:
    """Load a pipeline.

    model: Its folder, or the name of an installed package.
    overrides: Settings of its config by their full names.
    RAISES (UserError): If it cannot be loaded.
    """
    try:
        return util.load_model(model, config=dict(overrides or {}))
    # What damaged weights and factories of other packages raise has no common class.
    except Exception as err:
        raise UserError(
            f"{model} is no pipeline that can be loaded: {one_line(err)}"
        ) from err


def import_functions(path: Path | None) -> None:
    """Import a Python file, for the functions that it registers.

    path: The file; None for none.
    RAISES (UserError): If it cannot be imported.
    """
    if path is None:
        return
    try:
        util.import_file("python_code", path)
    # The file may raise anything.
    except Exception as err:
        raise UserError(
            f"--code {path} cannot be imported: {type(err).__name__}: {one_line(err)}"
        ) from err
