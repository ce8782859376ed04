"""What a sweep is about, written down so that it can go on."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from spacy import registry, util
from thinc.api import Config

from ...errors import UserError
from ..loop.api import load
from ..loop.checkpoint import flatten
from ..loop.settings import SECTION, RunSettings
from ..watch.files import replacing
from .sampler import Proposals, draw
from .space import Range, Settings, combine

FILE = "sweep.json"


@dataclass(frozen=True)
class Plan:
    """What a sweep is about.

    config (str): The text of the config.
    overrides (Dict[str, Any]): Settings that all trials have, by full names.
    grid (Dict[str, List[Any]]): The values of settings, of which all combinations are
        tried.
    space (Dict[str, Union[Range, List[Any]]]): What settings are drawn from instead.
    trials (int): How many times they are drawn.
    sampler_seed (int): The seed of the drawing.
    seeds (List[int]): The seeds that all settings are trained with; that of the config
        if it is empty.
    metric (Optional[str]): The score to compare; None for that of the training.
    """

    config: str
    overrides: Settings = field(default_factory=dict)
    grid: dict[str, list[Any]] = field(default_factory=dict)
    space: dict[str, Range | list[Any]] = field(default_factory=dict)
    trials: int = 0
    sampler_seed: int = 0
    seeds: list[int] = field(default_factory=list)
    metric: str | None = None

    @property
    def names(self) -> list[str]:
        """RETURNS (List[str]): The settings that are tried."""
        return [*self.grid, *self.space]

    @property
    def n_trials(self) -> int:
        """RETURNS (int): How many runs of the training there are."""
        n_settings = self.trials or sum(1 for _ in combine(self.grid))
        return n_settings * max(1, len(self.seeds))

    def propose(self) -> Proposals:
        """Propose settings.

        YIELDS (Dict[str, Any]): A value for each setting; its score has to be sent.
        """
        if self.space:
            yield from draw(self.space, self.trials, self.sampler_seed)
        else:
            yield from combine(self.grid)

    def make_config(self, settings: Settings) -> Config:
        """Make the config of a trial.

        settings (Dict[str, Any]): Its settings.
        RETURNS (Config): The config, with its variables.
        """
        config = Config().from_str(self.config, interpolate=False)
        return load(config, {**self.overrides, **settings})

    def seed_settings(self, seed: int | None) -> Settings:
        """Name the settings that a seed has in the config.

        seed (Optional[int]): The seed; None for that of the config.
        RETURNS (Dict[str, Any]): The settings.
        """
        if seed is None:
            return {}
        config = self.make_config({})
        places = [name for name in ("system", "training") if name in config]
        return {f"{name}.seed": seed for name in places if "seed" in config[name]}

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (Dict[str, Any]): The plan as plain JSON values."""
        return json.loads(json.dumps(asdict(self)))


def read_plan_config(path: Path, overrides: Settings) -> str:
    """Read the config of a sweep.

    path (Path): The config.
    overrides (Dict[str, Any]): Settings in place of its own.
    RETURNS (str): Its text.
    RAISES (UserError): If it is no config.
    """
    try:
        load(path, overrides)
    except (ValueError, KeyError) as err:
        what = " ".join(str(err).split())[:300]
        raise UserError(f"{path} is no config that can be used: {what}") from err
    return path.read_text(encoding="utf8")


def check_settings(plan: Plan) -> None:
    """Check that the config has the settings that are tried.

    plan (Plan): The plan.
    RAISES (UserError): If it has not, or makes no pipeline.
    """
    known = _known_settings(plan)
    for name in plan.names:
        if name in plan.overrides:
            raise UserError(f"{name} is both tried and set by --{name}; leave one out")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise UserError(f"the config has no setting {name}; near it: {near[0]}")


def _known_settings(plan: Plan) -> Sequence[str]:
    """The settings of the config, and those that functions have by default."""
    config = plan.make_config({})
    try:
        nlp = util.load_model_from_config(config, auto_fill=True, validate=False)
        filled: Mapping[str, Any] = registry.fill(nlp.config, validate=False)
    except (ValueError, KeyError, OSError) as err:
        what = " ".join(str(err).split())[:300]
        raise UserError(f"the config makes no pipeline: {what}") from err
    own = [f"{SECTION}.{each.name}" for each in fields(RunSettings)]
    return sorted({*flatten(config), *flatten(filled), *own})


def begin(plan: Plan, folder: Path, *, resume: bool) -> None:
    """Make the folder of a sweep, or check that it has this one.

    plan (Plan): The plan.
    folder (Path): The folder.
    resume (bool): Whether the sweep goes on.
    RAISES (UserError): If there is a sweep and none is meant, or the other way round,
        or it is another one.
    """
    file = folder / FILE
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name a folder")
    if not resume:
        if file.exists():
            raise UserError(
                f"{folder} has a sweep; go on with --resume, or name another folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(file) as stream:
            stream.write(f"{json.dumps(plan.to_dict(), indent=2)}\n".encode())
    elif not file.is_file():
        raise UserError(f"{folder} has no sweep to resume; leave out --resume")
    else:
        _check_same(plan, file)


def _check_same(plan: Plan, file: Path) -> None:
    try:
        before = json.loads(file.read_text(encoding="utf8"))
    except ValueError as err:
        raise UserError(f"{file} cannot be read ({err}); begin a new sweep") from err
    for name, value in plan.to_dict().items():
        if before.get(name) != value:
            shown = "" if name == "config" else f" of {before.get(name)}, not {value}"
            raise UserError(
                f"{file.parent} has a sweep with another {name}{shown}: give what it "
                "began with, or name another folder"
            )
