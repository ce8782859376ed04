"""The logger of a training: console and files."""

import sys
from pathlib import Path
from typing import IO, Any, Callable, Dict, List, Optional, Tuple, Union

from spacy import registry
from spacy.language import Language
from tqdm import tqdm
from wasabi import Printer

from ..averages import warn_about_torch
from .files import LOG, LOSSES, WEIGHTS, RunFiles, run_folder
from .row import Row, Watch
from .table import Table
from .weights import WeightFile

LogStep = Callable[[Optional[Dict[str, Any]]], None]
Finalize = Callable[[], None]
SetUp = Callable[[Language, IO[str], IO[str]], Tuple[LogStep, Finalize]]


@registry.loggers("spacy_ner_ext.Logger.v1")
def make_logger(
    progress_bar: bool = False,
    console_output: bool = True,
    log_weights: bool = False,
    output_dir: Optional[str] = None,
) -> SetUp:
    """Make a logger that prints a table and writes log.jsonl and loss.tsv.

    progress_bar: Whether a bar shows the steps until the next evaluation, if stderr is
        a terminal.
    console_output: Whether the table is printed.
    log_weights: Whether statistics of all weights are written to weights.tsv.
    output_dir: The folder of the files; by default that of the models.
    RETURNS: The logger.
    RAISES (ValueError): If the folder is a file.
    """
    folder = None if output_dir is None else Path(output_dir)
    if folder is not None and folder.exists() and not folder.is_dir():
        raise ValueError(
            f"output_dir = {output_dir!r} of spacy_ner_ext.Logger.v1 is a file: give "
            "the name of a folder."
        )

    def set_up(
        nlp: Language, stdout: IO[str] = sys.stdout, stderr: IO[str] = sys.stderr
    ) -> Tuple[LogStep, Finalize]:
        warn_about_torch(nlp)
        logger = _Logger(nlp, stdout, folder, log_weights)
        if console_output:
            logger.add_table()
        if progress_bar:
            logger.add_bar(stderr)
        return logger.log_step, logger.finalize

    return set_up


class _Logger:
    """What is done at the steps of one training."""

    def __init__(
        self, nlp: Language, stdout: IO[str], folder: Optional[Path], log_weights: bool
    ) -> None:
        self._nlp = nlp
        self._stdout = stdout
        self._folder = folder
        self._log_weights = log_weights
        self._watch = Watch(nlp)
        self._is_first = True
        self._table: Optional[Table] = None
        self._bar: Optional[Bar] = None
        self._files: Optional[RunFiles] = None
        self._weights: Optional[WeightFile] = None

    def add_table(self) -> None:
        self._table = Table(self._nlp, self._write)

    def add_bar(self, stderr: IO[str]) -> None:
        self._bar = Bar(self._nlp.config["training"]["eval_frequency"], stderr)

    def log_step(self, info: Optional[Dict[str, Any]]) -> None:
        self._watch.count()
        if info is None:
            if self._bar is not None:
                self._bar.count()
            return
        row = self._watch.row(info)
        if self._is_first:
            self._is_first = False
            self._open(self._folder or run_folder(info))
        self._log(row)

    def _open(self, folder: Optional[Path]) -> None:
        msg = Printer(no_print=True)
        if folder is None:
            where = "use --output, or output_dir of spacy_ner_ext.Logger.v1"
            self._write(msg.info(f"No log files are written: {where}"))
            return
        self._files = RunFiles(folder, self._watch.first_step)
        names = [LOG, LOSSES]
        if self._log_weights:
            self._weights = WeightFile(folder, self._watch.first_step)
            names.append(WEIGHTS)
        elif not self._watch.first_step:
            # Those of an earlier training are not of this one.
            (folder / WEIGHTS).unlink(missing_ok=True)
        self._write(msg.info(f"Log files in {folder}: {', '.join(names)}"))

    def _log(self, row: Row) -> None:
        if self._bar is not None:
            self._bar.close()
        if self._table is not None:
            self._table.add(row)
        if self._files is not None:
            self._files.add(row)
        if self._weights is not None:
            self._weights.add(row.step, self._nlp)
        if self._bar is not None:
            self._bar.open(row)

    def _write(self, text: str) -> None:
        print(text, file=self._stdout, flush=True)

    def finalize(self) -> None:
        closed: List[Union[Bar, RunFiles, WeightFile, None]]
        closed = [self._bar, self._files, self._weights]
        for each in closed:
            if each is not None:
                each.close()


class Bar:
    """A bar that shows the steps until the next evaluation.

    eval_frequency: How many these are at first, later as many as the last time.
    stderr: Where it is shown, if that is a terminal.
    """

    def __init__(self, eval_frequency: int, stderr: IO[str]) -> None:
        self._stderr = stderr
        self._total = eval_frequency
        self._bar: Optional[tqdm] = None

    def open(self, row: Row) -> None:
        """Start a bar after an evaluation."""
        if row.step and row.steps > 1:
            self._total = row.steps
        self._bar = tqdm(
            desc=f"Epoch {row.epoch + 1}",
            total=self._total,
            disable=None,
            leave=False,
            file=self._stderr,
        )

    def count(self) -> None:
        """Count a step."""
        if self._bar is not None:
            self._bar.update()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
