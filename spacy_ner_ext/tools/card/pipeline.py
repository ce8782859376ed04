"""Read what the files of a saved pipeline say about it."""

import configparser
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalogue import RegistryError
from spacy import util
from spacy.cli.package import get_third_party_dependencies
from thinc.api import Config

from ...pipes.find import SPANCAT_FACTORIES, describe_component
from ...util.errors import UserError, one_line

CATEGORIES = "cats"
# Settings of [training] in the table of the card.
SETTINGS = (
    *("seed", "dropout", "accumulate_gradient", "max_steps", "max_epochs"),
    *("patience", "eval_frequency"),
)
# Settings that only fit one machine, or that nobody reads.
HIDDEN = ("logger", "before_to_disk", "before_update", "score_weights")
SECTIONS = ("nlp", "components", "training", "spacy_ner_ext")
RUN_VALUES = ("status", "step", "epochs", "best_step")


@dataclass(frozen=True)
class Task:
    """The spans or categories that a component predicts.

    keys: "ents" and names of span groups, or "cats" for categories.
    exclusive: The spans that never overlap: "all", those of one "label", or None.
    sizes: The lengths of the spans in tokens; None for any.
    """

    component: str
    factory: str
    keys: tuple[str, ...]
    labels: tuple[str, ...]
    exclusive: str | None = None
    sizes: range | tuple[int, ...] | None = None

    @property
    def is_categories(self) -> bool:
        return self.keys == (CATEGORIES,)

    @property
    def type(self) -> str:
        """The hub's name of the task."""
        return f"{'text' if self.is_categories else 'token'}-classification"


@dataclass(frozen=True)
class SavedPipeline:
    """The folder of a trained pipeline, its meta.json and its interpolated config."""

    path: Path
    meta: dict[str, Any]
    config: Config

    def tasks(self) -> list[Task]:
        found = (self._task(name) for name in self.config["nlp"]["pipeline"])
        return [task for task in found if task is not None]

    def _task(self, name: str) -> Task | None:
        settings = self.config["components"].get(name, {})
        factory = settings.get("factory", "")
        labels = tuple(self.meta.get("labels", {}).get(name, ()))
        if factory in ("textcat", "textcat_multilabel"):
            return Task(name, factory, (CATEGORIES,), labels)
        found = describe_component(name, factory, settings, labels)
        if found is None or factory == "entity_ruler":
            return None
        exclusive = None if factory in SPANCAT_FACTORIES else "all"
        if settings.get("structure") == "per_label":
            exclusive = "label"
        return Task(name, factory, found.target, labels, exclusive, _sizes(settings))

    def other_labels(self) -> dict[str, list[str]]:
        """The labels of all other components."""
        tasks = {task.component for task in self.tasks()}
        labels = self.meta.get("labels", {})
        return {
            name: list(labels[name])
            for name in self.config["nlp"]["pipeline"]
            if name not in tasks and labels.get(name)
        }

    def requirements(self) -> list[str]:
        """The packages that the pipeline needs besides spaCy, as in `spacy package`."""
        try:
            return sorted(get_third_party_dependencies(self.config))
        except RegistryError as err:
            what = f"{self.path} uses a function that is not installed"
            raise UserError(f"{what}: {one_line(err)}") from err

    def training_settings(self) -> dict[str, str]:
        """The settings of training, and the values of run.json, as texts."""
        training = self.config.get("training", {})
        found = {name: training.get(name) for name in SETTINGS}
        for name in ("optimizer", "batcher"):
            found[name] = training.get(name, {}).get(f"@{name}s")
        run = _read_run(self.path.parent / "run.json")
        found |= {name: run.get(name) for name in RUN_VALUES}
        return {
            name: f"{value:.4g}" if isinstance(value, float) else str(value)
            for name, value in found.items()
            if value is not None
        }

    def config_excerpt(self) -> str:
        """The sections of the config that define the pipeline and its training."""
        config = {name: self.config[name] for name in SECTIONS if name in self.config}
        training = config.get("training", {}).items()
        config["training"] = {k: v for k, v in training if k not in HIDDEN}
        return Config(config).to_str(interpolate=False).strip()


def _sizes(settings: Mapping[str, Any]) -> range | tuple[int, ...] | None:
    longest = settings.get("model", {}).get("entity_max_length")
    suggester = settings.get("suggester", {})
    if "sizes" in suggester:
        return tuple(suggester["sizes"])
    if longest or "max_size" in suggester:
        least = suggester.get("min_size", 1)
        return range(least, (longest or suggester["max_size"]) + 1)
    return None


def _read_run(path: Path) -> Mapping[str, Any]:
    """Read run.json; empty if another command trained the pipeline."""
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return run if isinstance(run, dict) else {}


def read_pipeline(path: Path) -> SavedPipeline:
    """Read the meta.json and config.cfg of a saved pipeline."""
    for name in ("meta.json", "config.cfg"):
        if not (path / name).is_file():
            raise UserError(
                f"{path} is not a pipeline, since it lacks {name}; give the folder "
                "that training wrote, such as training/model-best"
            )
    try:
        meta = util.load_meta(path / "meta.json")
        config = util.load_config(path / "config.cfg", interpolate=True)
        pipeline = SavedPipeline(path, meta, config)
        pipeline.tasks()
    except (ValueError, KeyError, configparser.Error) as err:
        raise UserError(f"{path} is not a valid pipeline: {one_line(err)}") from err
    return pipeline
