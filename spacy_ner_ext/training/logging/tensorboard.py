"""spacy_ner_ext.TensorBoardLogger.v1: logs a training run for TensorBoard."""

import sys
from pathlib import Path
from typing import IO, Any, Iterator

from spacy import registry
from spacy.language import Language
from wasabi import Printer

from ...util.extras import require
from .files import run_folder
from .logger import Finalize, LogStep, SetUp
from .row import Row, RowBuilder


@registry.loggers("spacy_ner_ext.TensorBoardLogger.v1")
def make_tensorboard_logger(
    log_dir: str | None = None, run_name: str | None = None
) -> SetUp:
    """Create a logger that writes losses, scores, learning rates, gradient norms and
    speed for TensorBoard.

    log_dir: The folder of the event files; by default `tensorboard` in the output
        folder of the run.
    run_name: A subfolder of that folder, which TensorBoard shows as the name of the
        run.
    RETURNS: The logger.
    RAISES (UserError): If TensorBoard is not installed.
    """
    tensorboard = require("torch.utils.tensorboard", "tensorboard")

    def set_up(
        nlp: Language, stdout: IO[str] = sys.stdout, stderr: IO[str] = sys.stderr
    ) -> tuple[LogStep, Finalize]:
        rows, writer = RowBuilder(nlp), None

        def log_step(info: dict[str, Any] | None) -> None:
            nonlocal writer
            rows.count()
            if info is None:
                return
            row = rows.build(info)
            if rows.n_rows == 1:
                folder = _find_folder(log_dir, run_name, info)
                print(_describe(folder), file=stdout, flush=True)
                if folder is not None:
                    # Hides what an earlier process wrote of the same steps.
                    hidden = {"purge_step": rows.first_step}
                    writer = tensorboard.SummaryWriter(str(folder), **hidden)
            if writer is not None:
                for name, number in scalars(row):
                    writer.add_scalar(name, number, row.step)
                writer.flush()

        def finalize() -> None:
            if writer is not None:
                writer.close()

        return log_step, finalize

    return set_up


def _describe(folder: Path | None) -> str:
    if folder is None:
        advice = "use --output, or log_dir of spacy_ner_ext.TensorBoardLogger.v1"
        text = f"Nothing is written for TensorBoard: {advice}"
    else:
        text = f"Watch the run with: tensorboard --logdir {folder}"
    return Printer(no_print=True).info(text)


def _find_folder(
    log_dir: str | None, run_name: str | None, info: dict[str, Any]
) -> Path | None:
    run = run_folder(info)
    folder = Path(log_dir) if log_dir else None if run is None else run / "tensorboard"
    return folder / run_name if folder is not None and run_name else folder


def scalars(row: Row) -> Iterator[tuple[str, float]]:
    """Name all numbers of a row; TensorBoard groups them by the part before the slash.
    Losses are means per step."""
    for name, loss in row.losses.items():
        yield f"loss/{name}", loss / max(1, row.steps)
    for name, score in {"score": row.score, **row.scores}.items():
        if isinstance(score, dict):
            yield from _flatten(score, f"{name}/")
        else:
            yield f"score/{name}", score
    for name, rate in row.rates.items():
        yield f"rate/{name}", rate
    others = {
        "gradient/norm": row.gradient_norm,
        "gradient/norm_max": row.gradient_norm_max,
        "gradient/spikes": row.gradient_spikes,
        "speed/words_per_second": row.words_per_second,
    }
    yield from ((name, each) for name, each in others.items() if each is not None)


def _flatten(scores: dict[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for key, value in scores.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
