"""Errors that the user can mend, told without a traceback."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from ..util.errors import UserError


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that errors that the user can mend, and those of files, become
    one line on stderr and exit code 1.

    RETURNS: The command with the same arguments and help.
    """

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except UserError as err:
            message = str(err)
        except OSError as err:
            # Such as a name that is too long, or a loop of links.
            place = "" if err.filename is None else f"{err.filename}: "
            message = f"{place}{err.strerror or err}"
        else:
            return
        typer.echo(f"Error: {message}", err=True)
        raise typer.Exit(1)

    return wrapped
