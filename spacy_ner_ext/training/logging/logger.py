"""spacy_ner_ext.Logger.v1: logs a training run to the console and to files."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Callable, Literal

from spacy import registry
from spacy.language import Language
from spacy.training.loggers import setup_table
from tqdm import tqdm
from wasabi import Printer
from wasabi import row as format_row

from ..averages import warn_about_torch
from .files import LOG, LOSSES, WEIGHTS, RunFiles, WeightFile, run_folder
from .row import Row, RowBuilder

LogStep = Callable[[dict[str, Any] | None], None]
Finalize = Callable[[], None]
SetUp = Callable[[Language, IO[str], IO[str]], tuple[LogStep, Finalize]]

MISSING = "-"


@registry.loggers("spacy_ner_ext.Logger.v1")
def make_logger(
    progress_bar: bool = False,
    console_output: bool = True,
    log_weights: bool = False,
    output_dir: str | None = None,
) -> SetUp:
    """Create a logger that prints a table and writes log.jsonl and loss.tsv.

    progress_bar: Show the steps until the next evaluation in a progress bar, if stderr
        is a terminal.
    console_output: Print the table.
    log_weights: Write statistics of all weights to weights.tsv.
    output_dir: The folder of the files; by default the output folder of the run.
    RETURNS: The logger.
    RAISES (ValueError): If `output_dir` is a file.
    """
    folder = None if output_dir is None else Path(output_dir)
    if folder is not None and folder.exists() and not folder.is_dir():
        raise ValueError(
            f"output_dir = {output_dir!r} of spacy_ner_ext.Logger.v1 is a file: give "
            "the name of a folder."
        )

    def set_up(
        nlp: Language, stdout: IO[str] = sys.stdout, stderr: IO[str] = sys.stderr
    ) -> tuple[LogStep, Finalize]:
        warn_about_torch(nlp)
        bar = Bar(nlp.config["training"]["eval_frequency"], stderr, progress_bar)
        logger = _Logger(nlp, stdout, bar, folder, log_weights)
        if console_output:
            logger.table = Table(nlp, logger.write)
        return logger.log_step, logger.finalize

    return set_up


class _Logger:
    def __init__(
        self,
        nlp: Language,
        stdout: IO[str],
        bar: "Bar",
        folder: Path | None,
        log_weights: bool,
    ) -> None:
        self._nlp = nlp
        self._stdout = stdout
        self._bar = bar
        self._folder = folder
        self._log_weights = log_weights
        self._rows = RowBuilder(nlp)
        self.table: Table | None = None
        self._files: RunFiles | None = None
        self._weights: WeightFile | None = None

    def log_step(self, info: dict[str, Any] | None) -> None:
        self._rows.count()
        if info is None:
            self._bar.count()
            return
        row = self._rows.build(info)
        if self._rows.n_rows == 1:
            self._open(self._folder or run_folder(info))
        self._log(row)

    def _open(self, folder: Path | None) -> None:
        msg = Printer(no_print=True)
        if folder is None:
            advice = "use --output, or output_dir of spacy_ner_ext.Logger.v1"
            self.write(msg.info(f"No log files are written: {advice}"))
            return
        self._files = RunFiles(folder, self._rows.first_step)
        names = [LOG, LOSSES]
        if self._log_weights:
            self._weights = WeightFile(folder, self._rows.first_step)
            names.append(WEIGHTS)
        elif not self._rows.first_step:
            # The file of an earlier training run in this folder.
            (folder / WEIGHTS).unlink(missing_ok=True)
        self.write(msg.info(f"Log files in {folder}: {', '.join(names)}"))

    def _log(self, row: Row) -> None:
        self._bar.close()
        if self.table is not None:
            self.table.add(row)
        if self._files is not None:
            self._files.add(row)
        if self._weights is not None:
            self._weights.add(row.step, self._nlp)
        self._bar.open(row)

    def write(self, text: str) -> None:
        print(text, file=self._stdout, flush=True)

    def finalize(self) -> None:
        for each in (self._bar, self._files, self._weights):
            if each is not None:
                each.close()


class Bar:
    """A progress bar of the steps until the next evaluation, on a terminal only."""

    def __init__(self, eval_frequency: int, stderr: IO[str], is_shown: bool) -> None:
        self._total = eval_frequency
        disable = None if is_shown else True
        self._settings: Any = {"disable": disable, "leave": False, "file": stderr}
        self._bar = tqdm(disable=True)

    def open(self, row: Row) -> None:
        if row.step and row.steps > 1:
            self._total = row.steps
        epoch = f"Epoch {row.epoch + 1}"
        self._bar = tqdm(desc=epoch, total=self._total, **self._settings)

    def count(self) -> None:
        self._bar.update()

    def close(self) -> None:
        self._bar.close()


class Table:
    """spaCy's training table, with speed, learning rates, gradient norms and the
    remaining time. The first row sets the columns, since the optimizer is unknown
    before."""

    def __init__(self, nlp: Language, write: Callable[[str], object]) -> None:
        self._write = write
        self._components = [
            n for n, each in nlp.pipeline if getattr(each, "is_trainable", False)
        ]
        weights = nlp.config["training"]["score_weights"]
        self._scores = [name for name, weight in weights.items() if weight is not None]
        self._widths: list[int] = []

    def add(self, row: Row) -> None:
        """Print a row, below a header if it is the first."""
        cells = self._cells(row)
        if not self._widths:
            header, self._widths, _ = setup_table(
                cols=[column for column, _, _ in cells],
                widths=[width for _, width, _ in cells],
            )
            self._print(header, "l")
            self._print(["-" * width for width in self._widths], "l")
        self._print([cell for _, _, cell in cells], "r")

    def _print(self, cells: list[str], align: Literal["l", "r"]) -> None:
        aligns = [align for _ in cells]
        self._write(format_row(cells, self._widths, spacing=2, aligns=aligns))

    def _cells(self, row: Row) -> list[tuple[str, int, str]]:
        """The name, the width and the content of each column."""
        cells = [("E", 3, str(row.epoch)), ("#", 6, str(row.step))]
        for name in self._components:
            cells.append((f"Loss {name}", 8, _number(row.losses.get(name))))
        for name in self._scores:
            scale = 1 if name == "speed" else 100
            cells.append((name, 6, _number(row.scores.get(name, 0.0) * scale)))
        cells.append(("Score", 6, _number(row.score)))
        cells.append(("Words/s", 7, _number(row.words_per_second, 0)))
        for name, rate in row.rates.items():
            title = "Rate" if len(row.rates) == 1 else f"Rate {name}"
            cells.append((title, 8, f"{rate:.2e}"))
        if row.gradient_norm_max is not None:
            cells.append(("Grad norm", 9, _number(row.gradient_norm)))
        if row.exchange_seconds is not None:
            per_step = 1000 * row.exchange_seconds / max(1, row.steps)
            cells.append(("Exchange ms", 11, _number(per_step, 0)))
        return [*cells, ("Left", 8, format_duration(row.remaining_seconds))]


def _number(value: float | None, digits: int = 2) -> str:
    return MISSING if value is None else f"{value:.{digits}f}"


def format_duration(seconds: float | None) -> str:
    """Format a duration, such as "1:02:03" or "2d 03h"; "-" for None."""
    if seconds is None:
        return MISSING
    duration = timedelta(seconds=round(seconds))
    if duration.days:
        return f"{duration.days}d {duration.seconds // 3600:02}h"
    return str(duration)
