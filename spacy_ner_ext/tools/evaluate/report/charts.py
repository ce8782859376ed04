"""The charts of the page, which need matplotlib."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ....util.errors import UserError

# Lines of a chart that can still be told apart.
MOST_LINES = 7


def import_figures() -> Any:
    """Import what draws charts.

    RAISES (UserError): If matplotlib is missing.
    """
    try:
        return import_module(".figures", __package__)
    except ImportError as err:
        raise UserError(
            'the report needs matplotlib: pip install "spacy-ner-ext[report]"'
        ) from err
