"""A saved pipeline, described by its own files."""

import configparser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalogue import RegistryError
from spacy import util
from spacy.cli.package import get_third_party_dependencies
from thinc.api import Config

from ...pipes.spans import ENTS
from ...util.errors import UserError

CATEGORIES = "cats"


@dataclass(frozen=True)
class Task:
    """What a component finds.

    component: Its name.
    factory: What makes it.
    places: Where gold is: "ents" and span groups, or "cats".
    labels: Its labels.
    flat: Which of its spans exclude each other: "all", "label" for those of the same
        label; None if overlaps are no problem.
    """

    component: str
    factory: str
    places: tuple[str, ...]
    labels: tuple[str, ...]
    flat: str | None = None

    @property
    def is_categories(self) -> bool:
        """Whether it finds categories of texts and no spans."""
        return self.places == (CATEGORIES,)


@dataclass(frozen=True)
class SavedPipeline:
    """The folder of a trained pipeline.

    path: The folder.
    meta: Its meta.json.
    config: Its config.cfg, without variables.
    """

    path: Path
    meta: dict[str, Any]
    config: Config

    @property
    def components(self) -> dict[str, Any]:
        """The settings of each component."""
        return self.config["components"]

    def tasks(self) -> list[Task]:
        """What the components that find entities, spans or
        categories do, in the order of the pipeline.
        """
        found = (self._task(name) for name in self.config["nlp"]["pipeline"])
        return [task for task in found if task is not None]

    def other_labels(self) -> dict[str, list[str]]:
        """The labels of all other components."""
        tasks = {task.component for task in self.tasks()}
        labels = self.meta.get("labels", {})
        return {
            name: list(labels[name])
            for name in self.config["nlp"]["pipeline"]
            if name not in tasks and labels.get(name)
        }

    def _task(self, name: str) -> Task | None:
        settings = self.components.get(name, {})
        factory = settings.get("factory", "")
        labels = tuple(self.meta.get("labels", {}).get(name, ()))
        if factory in ("crf_ner", "span_marker_ner"):
            target = settings.get("target", ENTS)
            places = (target,) if isinstance(target, str) else tuple(target)
            per_label = settings.get("structure") == "per_label"
            return Task(name, factory, places, labels, "label" if per_label else "all")
        if factory in ("ner", "beam_ner"):
            return Task(name, factory, (ENTS,), labels, "all")
        if factory in ("spancat", "spancat_singlelabel"):
            return Task(name, factory, (settings.get("spans_key", "sc"),), labels)
        if factory in ("textcat", "textcat_multilabel"):
            return Task(name, factory, (CATEGORIES,), labels)
        return None

    def requirements(self) -> list[str]:
        """List what the pipeline needs beside spaCy, as `spacy package` does.

        RAISES (UserError): If it uses a function that is not installed.
        """
        try:
            return sorted(get_third_party_dependencies(self.config))
        except RegistryError as err:
            what = " ".join(str(err).split())
            raise UserError(
                f"{self.path} uses a function that is not installed: {what[:300]}"
            ) from err


def read_pipeline(path: Path) -> SavedPipeline:
    """Read the files that describe a saved pipeline.

    path: The folder of the pipeline.
    RAISES (UserError): If the folder has no pipeline.
    """
    for name in ("meta.json", "config.cfg"):
        if not (path / name).is_file():
            raise UserError(
                f"{path} is no pipeline, as it has no {name}; give the folder that "
                "training wrote, such as training/model-best"
            )
    try:
        meta = util.load_meta(path / "meta.json")
        config = util.load_config(path / "config.cfg", interpolate=True)
        components = [config["components"], config["nlp"]["pipeline"]]
    # A section below one that is not there is a KeyError.
    except (ValueError, KeyError, configparser.Error) as err:
        what = " ".join(str(err).split())[:300]
        raise UserError(f"{path} is no pipeline that can be read: {what}") from err
    assert components
    return SavedPipeline(path, meta, config)
