"""The templates of what the package writes: pages, cards, configs."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

# What all pages look like: page.css.jinja.
SHARED = Path(__file__).parent


def environment(folder: Path, *, autoescape: bool = False) -> Environment:
    """Make what renders the templates of a folder.

    folder: The folder; those beside this file can be included.
    autoescape: Whether values are escaped for HTML.
    RETURNS: Raises an error for a value that is not given.
    """
    return Environment(
        loader=FileSystemLoader([folder, SHARED]),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
