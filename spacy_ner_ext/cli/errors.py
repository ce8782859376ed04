"""Errors that the user can mend, told without a traceback."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from ..errors import UserError


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that a `UserError` becomes one line on stderr and exit code 1.

    command (Callable[..., None]): The command.
    RETURNS (Callable[..., None]): The command with the same arguments and help.
    """

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except UserError as err:
            typer.echo(f"Error: {err}", err=True)
            raise typer.Exit(1) from None

    return wrapped
