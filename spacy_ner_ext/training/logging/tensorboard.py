"""A logger that writes what TensorBoard shows."""

import sys
from pathlib import Path
from typing import IO, Any, Callable, Dict, Iterator, Optional, Tuple

from spacy import registry
from spacy.language import Language
from wasabi import Printer

from .files import run_folder
from .logger import Finalize, LogStep, SetUp
from .row import Row, Watch

FOLDER = "tensorboard"


@registry.loggers("spacy_ner_ext.TensorBoardLogger.v1")
def make_tensorboard_logger(
    log_dir: Optional[str] = None, run_name: Optional[str] = None
) -> SetUp:
    """Make a logger that writes losses, scores, learning rates, norms of gradients and
    speed for TensorBoard.

    log_dir: The folder of the event files; by default tensorboard beside the models.
    run_name: What TensorBoard calls the training: a folder in that one.
    RETURNS: The logger.
    RAISES (ImportError): If TensorBoard is not installed.
    """
    make_writer = _import_writer()

    def set_up(
        nlp: Language, stdout: IO[str] = sys.stdout, stderr: IO[str] = sys.stderr
    ) -> Tuple[LogStep, Finalize]:
        writing = _Writing(Watch(nlp), make_writer, stdout, log_dir, run_name)
        return writing.log_step, writing.finalize

    return set_up


class _Writing:
    """What is done at the steps of one training."""

    def __init__(
        self,
        watch: Watch,
        make_writer: Callable[..., Any],
        stdout: IO[str],
        log_dir: Optional[str],
        run_name: Optional[str],
    ) -> None:
        self._watch = watch
        self._make_writer = make_writer
        self._stdout = stdout
        self._log_dir, self._run_name = log_dir, run_name
        self._is_first = True
        self._writer: Any = None

    def log_step(self, info: Optional[Dict[str, Any]]) -> None:
        self._watch.count()
        if info is None:
            return
        row = self._watch.row(info)
        if self._is_first:
            self._is_first = False
            self._open(_find_folder(self._log_dir, self._run_name, info))
        if self._writer is not None:
            for name, number in scalars(row):
                self._writer.add_scalar(name, number, row.step)
            self._writer.flush()

    def _open(self, folder: Optional[Path]) -> None:
        msg = Printer(no_print=True)
        if folder is None:
            where = "use --output, or log_dir of spacy_ner_ext.TensorBoardLogger.v1"
            text = msg.info(f"Nothing is written for TensorBoard: {where}")
        else:
            # What an earlier process wrote of steps that come again is not shown.
            first = self._watch.first_step
            self._writer = self._make_writer(str(folder), purge_step=first)
            text = msg.info(f"To watch it: tensorboard --logdir {folder}")
        print(text, file=self._stdout, flush=True)

    def finalize(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _import_writer() -> Callable[..., Any]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as err:
        raise ImportError(
            "spacy_ner_ext.TensorBoardLogger.v1 needs TensorBoard: install it with "
            'pip install "spacy-ner-ext[tensorboard]", or use another logger.'
        ) from err
    return SummaryWriter


def _find_folder(
    log_dir: Optional[str], run_name: Optional[str], info: Dict[str, Any]
) -> Optional[Path]:
    run = run_folder(info)
    folder = Path(log_dir) if log_dir else None if run is None else run / FOLDER
    return folder / run_name if folder is not None and run_name else folder


def scalars(row: Row) -> Iterator[Tuple[str, float]]:
    """Name all numbers of a row; what is before the slash groups them.

    YIELDS: Name and number; losses are means of a step.
    """
    for name, loss in row.losses.items():
        yield f"loss/{name}", loss / max(1, row.steps)
    yield "score/score", row.score
    for name, score in row.scores.items():
        if isinstance(score, dict):
            for label, number in _flatten(score):
                yield f"{name}/{label}", number
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


def _flatten(scores: Dict[str, Any]) -> Iterator[Tuple[str, float]]:
    for key, value in scores.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{name}", each) for name, each in _flatten(value))
        else:
            yield key, value
