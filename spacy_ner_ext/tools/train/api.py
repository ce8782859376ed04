"""Training from Python, as `python -m spacy_ner_ext train` does it."""

from __future__ import annotations

import difflib
import io
import shlex
import sys
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
from thinc.api import Config, require_gpu

from ...util.errors import UserError
from .checkpoint import check_config, find_lost_paths, read_checkpoint
from .merged import Start
from .progress import Progress, Result
from .run import Callback, Run
from .run_folder import check_output, prepare_output
from .settings import EPOCHS, SECTION, STEPS, Amount, read_amount, read_settings


@dataclass(frozen=True)
class Trained:
    """What training gives.

    nlp: The best pipeline.
    scores: Its scores on the development corpus.
    score: Its main score.
    step: The step after which it was saved.
    path: Where it is saved.
    reason: Why training ended.
    signal: The signal that stopped it.
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
    silent: bool = False,
) -> Trained:
    """Train a pipeline.

    config: A training config, or its file.
    output: Where pipelines, checkpoints and logs go; None to keep the best pipeline in
        memory alone.
    overrides: Settings in place of those of the config, by full names, such as
        {"training.max_steps": 100}.
    callbacks: Called after each step with what a logger of spaCy gets ("step", "epoch",
        "losses", "score" and "other_scores" where it was evaluated, "is_best",
        "optimizer"); one that returns True ends training.
    resume: Whether to go on from the last checkpoint in `output`.
    resume_to: Go on, and until there: "25 epochs" or "4000 steps".
    checkpoint_every: Steps between checkpoints, in place of [spacy_ner_ext]
        checkpoint_every.
    keep_checkpoints: How many of them stay, in place of [spacy_ner_ext]
        keep_checkpoints.
    overwrite: Whether an older run in `output` that has checkpoints may go.
    gpu_id: The GPU, -1 for the CPU.
    silent: Whether nothing is printed.
    RETURNS: The best pipeline and its scores.
    RAISES (UserError): If a setting, the output or the checkpoint cannot be used.
    RAISES (ValueError): If the config makes no pipeline that can be trained.
    """
    if gpu_id >= 0:
        require_gpu(gpu_id)
    wants_start = resume or resume_to is not None
    if wants_start and output is None:
        raise UserError("To resume a run, name the output folder that it has.")
    loaded = load(config, overrides or {})
    given = {"checkpoint_every": checkpoint_every, "keep_checkpoints": keep_checkpoints}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) if output is None else Path(output)
        start = find_start(place) if wants_start else None
        if start is None:
            check_output(place, overwrite)
        if start is not None:
            loaded = extend(loaded, start.progress, resume_to)
        settings = read_settings(loaded.interpolate(), given)
        nlp = _initialize(loaded, start, gpu_id)
        if start is None:
            prepare_output(place)
        run = Run(
            nlp,
            settings,
            place,
            start=start,
            callbacks=callbacks,
            use_gpu=gpu_id,
            stdout=io.StringIO() if silent else sys.stdout,
            stderr=io.StringIO() if silent else sys.stderr,
        )
        reason = run()
        return _finish(run, reason, place, is_kept=output is not None)


def load(
    config: str | Path | Mapping[str, Any], overrides: Mapping[str, Any]
) -> Config:
    """Load a config.

    config: The config, or its file.
    overrides: Settings in place of its own.
    RAISES (UserError): If [training] has no such setting.
    """
    # spaCy overrides nothing in a section that is not there.
    own = {name for name in overrides if name.startswith(f"{SECTION}.")}
    others = {name: overrides[name] for name in overrides.keys() - own}
    if isinstance(config, (str, Path)):
        loaded = util.load_config(config, others, interpolate=False)
    else:
        text = Config(dict(config)).to_str(interpolate=False)
        loaded = util.load_config_from_str(text, others, interpolate=False)
    for name in sorted(own):
        loaded.setdefault(SECTION, {})[name.partition(".")[2]] = overrides[name]
    _check_names(loaded)
    return loaded


def _check_names(config: Config) -> None:
    """What [training] does not know is found before anything is made."""
    known = list(ConfigSchemaTraining.model_fields)
    for name in config.get("training", {}):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise UserError(
                f"[training] has no setting {name}"
                + (f"; did you mean {near[0]}?" if near else f": {', '.join(known)}.")
            )


def find_start(output: Path) -> Start:
    """Find where a run goes on.

    RAISES (UserError): If there is none.
    """
    path, checkpoint = read_checkpoint(output)
    return Start(path, checkpoint)


def extend(config: Config, progress: Progress, until: str | None) -> Config:
    """Let a run go on for longer. Schedules that end with training.max_steps end later,
    and patience begins anew.

    config: The config, with its variables.
    progress: How far the run is; what it is extended to is noted there.
    until: Such as "25 epochs" or "4000 steps"; None for what it was extended to before,
        if it was.
    RETURNS: The config of the longer run.
    RAISES (UserError): If that is no such thing, was passed already, or the length of
        an epoch is unknown.
    """
    is_new = until is not None and until != progress.extended_to
    until = until or progress.extended_to
    if until is None:
        return config
    goal = read_amount("--resume-to", until, (EPOCHS, STEPS), "25 epochs")
    if is_new:
        done = progress.epochs if goal.unit == EPOCHS else progress.step
        if goal.number <= done:
            raise UserError(
                f"--resume-to {until!r}: the run has made {done:g} {goal.unit} "
                "already; name more."
            )
        progress.extended_to = until
        progress.extended_at = Result(0.0, progress.step, progress.epochs)
    overrides = _extend(config.interpolate()["training"], progress, goal)
    text = config.to_str(interpolate=False)
    return util.load_config_from_str(text, overrides, interpolate=False)


def _extend(
    training: Mapping[str, Any], progress: Progress, goal: Amount
) -> dict[str, Any]:
    """The settings of a longer run."""
    if goal.unit == EPOCHS:
        return _extend_epochs(training, progress, goal.number)
    no_end = {"training.max_epochs": 0} if training["max_epochs"] > 0 else {}
    return {"training.max_steps": int(goal.number), **no_end}


def _extend_epochs(
    training: Mapping[str, Any], progress: Progress, epochs: Fraction
) -> dict[str, Any]:
    n_steps = progress.steps_per_epoch
    if training["max_epochs"] < 0 or epochs % 1:
        raise UserError(
            "--resume-to takes whole epochs, and not those of a stream "
            '(training.max_epochs = -1): name steps, such as "4000 steps".'
        )
    if n_steps is None:
        raise UserError(
            "--resume-to: the run has not come to the end of its first epoch, so that "
            'the length of one is unknown: name steps, such as "4000 steps".'
        )
    overrides = {"training.max_epochs": int(epochs)}
    if training["max_steps"]:
        overrides["training.max_steps"] = ceil(n_steps * epochs)
    return overrides


def _initialize(config: Config, start: Start | None, gpu_id: int) -> Language:
    before = None if start is None else start.checkpoint.config
    try:
        nlp = init_nlp(config, use_gpu=gpu_id)
    except ValueError as err:
        if before is not None and (lost := find_lost_paths(before, config)):
            name, path = next(iter(lost.items()))
            raise UserError(
                f"The run began with {name} = {path!r}, now it has none: repeat the "
                "settings of the first call, such as "
                f"{shlex.join([f'--{name}', path])}."
            ) from err
        raise
    if before is not None:
        check_config(before, nlp.config)
    return nlp


def _finish(run: Run, reason: str, place: Path, is_kept: bool) -> Trained:
    best = run.progress.saved
    if best is None:
        raise UserError("Training ended before its first evaluation.")
    path = place / DIR_MODEL_BEST
    return Trained(
        nlp=util.load_model(path),
        scores=best.scores,
        score=best.score,
        step=best.step,
        path=path if is_kept else None,
        reason=reason,
        signal=run.stops.signal,
    )
