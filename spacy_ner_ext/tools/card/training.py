"""How a pipeline was trained, from its config and from what the run left beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thinc.api import Config

from .pipeline import SavedPipeline

SETTINGS = {
    "seed": "seed",
    "dropout": "dropout",
    "accumulate_gradient": "parts of a batch",
    "max_steps": "most steps",
    "max_epochs": "most epochs",
    "patience": "patience, in steps",
    "eval_frequency": "steps between evaluations",
}
# What no other machine has, or no one can read.
LEFT_OUT = ("logger", "before_to_disk", "before_update", "score_weights")
# What `python -m spacy_ner_ext train` reads in place of some of [training].
OWN = "spacy_ner_ext"
RUN = "run.json"
RUN_SETTINGS = {
    "status": "run",
    "step": "last step",
    "epochs": "epochs made",
    "best_step": "step of the best evaluation",
}


def training_settings(pipeline: SavedPipeline) -> dict[str, str]:
    """List the settings of the training.

    RETURNS: Values by what they are called; empty if its config has no training.
    """
    training = pipeline.config.get("training", {})
    found = {
        shown: _value(training[name])
        for name, shown in SETTINGS.items()
        if training.get(name) is not None
    }
    for name in ("optimizer", "batcher"):
        if name in training:
            found[name] = str(training[name].get(f"@{name}s", ""))
    run = _read_run(pipeline.path)
    found |= {
        shown: _value(run[name]) for name, shown in RUN_SETTINGS.items() if name in run
    }
    return found


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _read_run(path: Path) -> Mapping[str, Any]:
    """What `spacy_ner_ext train` wrote of the run; nothing if something else did."""
    file = path.parent / RUN
    if not file.is_file():
        return {}
    try:
        run = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return run if isinstance(run, dict) else {}


def config_excerpt(pipeline: SavedPipeline) -> str:
    """Show the settings that make the pipeline and train it.

    RETURNS: The sections [nlp], [components], [training] and [spacy_ner_ext] of its
        config.
    """
    config = pipeline.config
    training = {
        name: value
        for name, value in config.get("training", {}).items()
        if name not in LEFT_OUT
    }
    nlp = {name: config["nlp"][name] for name in ("lang", "pipeline")}
    sections = {"nlp": nlp, "components": config["components"], "training": training}
    if OWN in config:
        sections[OWN] = config[OWN]
    return Config(sections).to_str(interpolate=False).strip()
