"""Jinja templates of pages, model cards and configs."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

# The folder of page.css.jinja, the style of all pages.
SHARED = Path(__file__).parent


def environment(folder: Path, *, autoescape: bool = False) -> Environment:
    """Create the environment of the templates in a folder, which can also include
    those of this package. Undefined values raise an error.

    autoescape: Whether to escape values for HTML.
    """
    return Environment(
        loader=FileSystemLoader([folder, SHARED]),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
