"""The command line, `python -m spacy_ner_ext`: one file a command, arguments only."""

import signal
import sys
from io import TextIOWrapper

import typer

from .calibrate.command import calibrate
from .card.command import card
from .check.command import check
from .convert.command import convert
from .convert.export_command import export
from .errors import one_line_errors
from .evaluate.command import evaluate
from .explain.command import explain
from .init.command import init
from .params.command import params
from .plot.command import plot
from .predict.command import predict
from .span_marker.distill_filter import distill_filter
from .span_marker.export import export_span_marker
from .train.command import train

COMMANDS = (
    *(convert, export, check, params),
    *(export_span_marker, distill_filter, card, init, train, plot),
    *(calibrate, evaluate, explain, predict),
)
# Settings of a config are overridden as in spaCy's own commands: --paths.train FILE.
OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}

app = typer.Typer(
    name="spacy_ner_ext",
    help="Named-entity data and models for spaCy.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in COMMANDS:
    settings = OVERRIDES if command in (params, predict, train) else {}
    app.command(no_args_is_help=True, context_settings=settings)(
        one_line_errors(command)
    )


def main() -> None:
    """Run the command that the process's arguments name."""
    # Tables show labels and tokens in any script, whatever stdout can encode.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    # As Ctrl-C does, so that half-written files go; but nohup is to be heard.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)
    app(prog_name="python -m spacy_ner_ext")


def _stop(number: int, _: object) -> None:
    sys.exit(128 + number)
