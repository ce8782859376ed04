"""Errors of the user's data, told without a traceback."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from ..data.errors import DataError


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that a `DataError` becomes one line on stderr and exit code 1.

    command (Callable[..., None]): The command.
    RETURNS (Callable[..., None]): The command with the same arguments and help.
    """

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except DataError as err:
            typer.echo(f"Error: {err}", err=True)
            raise typer.Exit(1) from None

    return wrapped
