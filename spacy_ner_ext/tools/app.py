"""The command line, `python -m spacy_ner_ext`: one folder a command."""

from .audit.command import audit
from .calibrate.command import calibrate
from .card.command import card
from .check.command import check
from .convert.command import convert, export
from .errors import new_app, one_line_errors, run_app
from .evaluate.command import evaluate
from .explain.command import explain
from .init.command import init
from .params.command import params
from .plot.command import plot
from .predict.command import predict
from .predict.suggest_command import suggest
from .span_marker.command import distill_filter, export_span_marker
from .train.command import train

COMMANDS = (
    *(convert, export, check, params),
    *(export_span_marker, distill_filter, card, init, train, plot),
    *(audit, calibrate, evaluate, explain, predict, suggest),
)
# Settings of a config are overridden as in spaCy's own commands: --paths.train FILE.
OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}

app = new_app(
    name="spacy_ner_ext",
    help="Named-entity data and models for spaCy.",
    no_args_is_help=True,
)
for command in COMMANDS:
    settings = OVERRIDES if command in (audit, params, predict, train) else {}
    app.command(no_args_is_help=True, context_settings=settings)(
        one_line_errors(command)
    )


def main() -> None:
    """Run the command that the process's arguments name."""
    run_app(app, "python -m spacy_ner_ext")
