"""`spacy_ner_ext.train`: train a pipeline from Python."""

from __future__ import annotations

import difflib
import random
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

from spacy import util
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training.initialize import init_nlp
from spacy.training.loop import DIR_MODEL_BEST
from thinc.api import Config, fix_random_seed

from ...util.errors import UserError
from ..device import use_device
from .checkpoint import Checkpoint, check_config, read_checkpoint
from .progress import Progress, Result
from .ranks import TIMEOUT, gpu_of_rank, joined
from .run import Callback, Run
from .run_folder import check_output, prepare_output
from .settings import EPOCHS, SECTION, STEPS, read_amount, read_settings


@dataclass(frozen=True)
class Trained:
    """The result of `train`.

    nlp: The best pipeline.
    scores: Its scores on the development corpus, 0 to 1.
    score: Its main score, the weighted sum by `training.score_weights`.
    step: The step after which it was saved, from 0.
    path: Its folder; None if it was not saved.
    reason: Why training ended.
    signal: The number of the signal that stopped it; None if none did.
    """

    nlp: Language
    scores: dict[str, Any]
    score: float
    step: int
    path: Path | None
    reason: str
    signal: int | None = None


def train(
    config: str | Path | Mapping[str, Any],
    output: str | Path | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    resume: bool = False,
    resume_to: str | None = None,
    checkpoint_every: int | None = None,
    keep_checkpoints: int | None = None,
    overwrite: bool = False,
    gpu_id: int = -1,
    rank_timeout: int = TIMEOUT,
    silent: bool = False,
) -> Trained:
    """Train a pipeline as `spacy train` does, with checkpoints from which a run that
    was stopped or killed continues bit for bit.

    The settings of the config section [spacy_ner_ext] apply, too. Ctrl-C and
    termination signals stop training after the current step and save a checkpoint.

    In processes that torchrun or Ray starts, each batch is shared, and all get the
    result. Without dropout it is that of one process, up to the rounding of sums.

    config: A training config, or the path of its file.
    output: The folder of the run: model-best, model-last, checkpoints, run.json and the
        files of loggers. None to keep the best pipeline in memory only.
    overrides: Settings that override those of the config, by full names, such as
        {"training.max_steps": 100}.
    callbacks: Functions that are called after each step with a dictionary, as spaCy
        passes it to loggers: "step", "epoch", "losses", "words", "seconds",
        "optimizer", and, if the step was followed by an evaluation, "score",
        "other_scores" and "is_best", otherwise None. One that returns True ends
        training, one that returns a `signal.Signals` stops it as that signal does. Of
        several processes, only the first calls them.
    resume: Whether to continue from the last checkpoint in `output`.
    resume_to: Continue, and extend the run to a later end: "25 epochs" or "4000 steps",
        counted from its start. Schedules that end with training.max_steps end later,
        and patience restarts.
    checkpoint_every: Steps between checkpoints, 0 for none; overrides the setting of
        [spacy_ner_ext].
    keep_checkpoints: How many of the last checkpoints to keep; overrides the setting of
        [spacy_ner_ext].
    overwrite: Whether to remove an older run in `output` that has checkpoints.
    gpu_id: The GPU; -1 for the CPU. Several processes on a machine take one each,
        beginning with this one.
    rank_timeout: Seconds that a process waits for another before it gives up.
    silent: Whether to print nothing.
    RETURNS: The best pipeline and its scores.
    RAISES (UserError): If a setting, the output folder or the checkpoint cannot be
        used; if `resume` is set and there is no checkpoint, or the config or the data
        differ from those that the run started with; or if training ends before its
        first evaluation.
    RAISES (ValueError): If spaCy rejects the config or the training data, or the loss
        is not finite.
    """
    gpu_id = gpu_of_rank(gpu_id)
    if gpu_id >= 0:
        use_device(gpu_id)
    given = {"checkpoint_every": checkpoint_every, "keep_checkpoints": keep_checkpoints}
    resumes = resume or resume_to is not None
    if resumes and output is None:
        raise UserError("To resume a run, name its output folder.")
    with joined(rank_timeout) as ranks, tempfile.TemporaryDirectory() as temporary:
        with ranks.together():
            if output is None and ranks.size > 1:
                raise UserError(
                    f"{ranks.size} processes train together: name a folder that all of "
                    "them reach with --output."
                )
            loaded = load(config, overrides or {})
            folder = Path(temporary) if output is None else Path(output)
            checkpoint = read_checkpoint(folder) if resumes else None
            if checkpoint is None:
                check_output(folder, overwrite)
            else:
                loaded = extend(loaded, checkpoint, resume_to)
            settings = read_settings(loaded.interpolate(), given)
            if ranks.size > 1:
                # Unless the config has a seed, which is set next.
                fix_random_seed(ranks.broadcast(random.getrandbits(32)))
            nlp = _initialize(loaded, checkpoint, gpu_id)
            run = Run(
                *(nlp, settings, folder, checkpoint, callbacks, gpu_id, silent, ranks)
            )
        # After all that a setting can make impossible.
        with ranks.together():
            if ranks.is_first:
                prepare_output(folder, is_new=checkpoint is None)
        reason, best = run(), run.progress.saved
        if best is None:
            raise UserError(
                "Training ended before its first evaluation: train for at least one "
                "step."
            )
        path = folder / DIR_MODEL_BEST
        with ranks.together():
            return Trained(
                nlp=util.load_model(path),
                scores=best.scores,
                score=best.score,
                step=best.step,
                path=None if output is None else path,
                reason=reason,
                signal=run.signals.received,
            )


def load(
    config: str | Path | Mapping[str, Any], overrides: Mapping[str, Any]
) -> Config:
    """Load a config, or the file of one, and override settings."""
    # spaCy does not add settings to sections that the config lacks.
    own = {name for name in overrides if name.startswith(f"{SECTION}.")}
    others = {name: overrides[name] for name in overrides.keys() - own}
    if isinstance(config, (str, Path)):
        loaded = util.load_config(config, others, interpolate=False)
    else:
        text = Config(dict(config)).to_str(interpolate=False)
        loaded = util.load_config_from_str(text, others, interpolate=False)
    for name in sorted(own):
        loaded.setdefault(SECTION, {})[name.partition(".")[2]] = overrides[name]
    known = list(ConfigSchemaTraining.model_fields)
    for name in loaded.get("training", {}):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise UserError(
                f"[training] has no setting {name}"
                + (f"; did you mean {near[0]}?" if near else f": {', '.join(known)}.")
            )
    return loaded


def extend(config: Config, checkpoint: Checkpoint, until: str | None) -> Config:
    """The config of a longer run, not interpolated. An extension is recorded in the
    progress of the checkpoint.

    until: Such as "25 epochs" or "4000 steps"; None for an earlier extension, if any.
    """
    progress = Progress()
    progress.restore(checkpoint.state["progress"])
    is_new = until is not None and until != progress.extended_to
    until = until or progress.extended_to
    if until is None:
        return config
    goal = read_amount("--resume-to", until, (EPOCHS, STEPS), "25 epochs")
    if is_new:
        done = progress.epochs if goal.unit == EPOCHS else progress.step
        if goal.number <= done:
            raise UserError(
                f"--resume-to {until!r}: the run has already made {done:g} "
                f"{goal.unit}; name more."
            )
        progress.extended_to = until
        progress.extended_at = Result(0.0, progress.step, progress.epochs)
        checkpoint.state["progress"] = progress.state()
    training = config.interpolate()["training"]
    if goal.unit == EPOCHS:
        overrides = _extend_epochs(training, progress, goal.number)
    else:
        overrides = {"training.max_steps": int(goal.number)}
        if training["max_epochs"] > 0:
            overrides["training.max_epochs"] = 0
    text = config.to_str(interpolate=False)
    return util.load_config_from_str(text, overrides, interpolate=False)


def _extend_epochs(
    training: Mapping[str, Any], progress: Progress, epochs: Fraction
) -> dict[str, Any]:
    n_steps = progress.steps_per_epoch
    if training["max_epochs"] < 0 or epochs % 1:
        raise UserError(
            "--resume-to takes whole epochs, and not for a stream "
            '(training.max_epochs = -1): name steps, such as "4000 steps".'
        )
    if n_steps is None:
        raise UserError(
            "--resume-to: the length of an epoch is unknown, since the run has not "
            'finished its first one: name steps, such as "4000 steps".'
        )
    overrides = {"training.max_epochs": int(epochs)}
    if training["max_steps"]:
        overrides["training.max_steps"] = ceil(n_steps * epochs)
    return overrides


def _initialize(config: Config, checkpoint: Checkpoint | None, gpu_id: int) -> Language:
    before = None if checkpoint is None else checkpoint.config
    try:
        nlp = init_nlp(config, use_gpu=gpu_id)
    except ValueError as err:
        old = Config().from_str(before or "", interpolate=False).get("paths", {})
        for name, path in old.items():
            if path is not None and config.get("paths", {}).get(name) is None:
                raise UserError(
                    f"The run started with paths.{name} = {str(path)!r}, now it is not "
                    "set: repeat the settings of the first call, such as "
                    f"{shlex.join([f'--paths.{name}', str(path)])}."
                ) from err
        raise
    if before is not None:
        check_config(before, nlp.config)
    return nlp
