"""Commands as programs: errors in one line, signals, output of any script."""

import signal
import sys
from collections.abc import Callable
from functools import wraps
from io import TextIOWrapper
from typing import Any

import typer

from ..util.errors import UserError


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that a UserError or an error of a file becomes one line on
    stderr and exit code 1."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except UserError as err:
            raise _reported(str(err)) from err
        except OSError as err:
            # Such as a name that is too long, or a loop of links.
            place = "" if err.filename is None else f"{err.filename}: "
            raise _reported(f"{place}{err.strerror or err}") from err

    return wrapped


def new_app(**settings: Any) -> typer.Typer:
    """Create a command line with plain help and without rich's tracebacks."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        **settings,
    )


def run_app(app: typer.Typer, name: str) -> None:
    """Run a command line with the arguments of the process.

    name: What the help calls it, such as "python -m spacy_ner_ext".
    """
    # Tables show labels and tokens in any script, whatever stdout can encode.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    # As Ctrl-C does, so that half-written files are removed; nohup is respected.
    for signal_name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, signal_name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)
    app(prog_name=name)


def run_command(command: Callable[..., None], name: str) -> None:
    """Run a single command as a program."""
    app = new_app()
    app.command(no_args_is_help=True)(one_line_errors(command))
    run_app(app, name)


def _reported(message: str) -> typer.Exit:
    typer.echo(f"Error: {message}", err=True)
    return typer.Exit(1)


def _stop(number: int, _: object) -> None:
    # Torchrun stops the ranks that lost another, which are about to report it.
    if isinstance(sys.exc_info()[1], UserError):
        return
    sys.exit(128 + number)
