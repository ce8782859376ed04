"""What torch modules learn in training beside their weights."""

from __future__ import annotations

from itertools import islice
from typing import Any

from spacy.language import Language
from thinc.shims import PyTorchShim, Shim

from ..encoder.torch_shim import TorchShim
from .nodes import find_nodes
from .parameters import find_parameters


def save_shims(nlp: Language) -> dict[str, Any]:
    """Collect what else the torch modules of a pipeline learn in training: the factors
    of their gradient scalers.

    RETURNS: Facts that fit into JSON, by the path of a weight of each module.
    """
    facts = {}
    for path, shim in _shims(nlp).items():
        if isinstance(shim, TorchShim) and shim.scaler.enabled:
            facts[path] = shim.scaler.state()
        elif isinstance(shim, PyTorchShim) and shim._grad_scaler._enabled:
            scaler: Any = shim._grad_scaler
            n_good = int(scaler._growth_tracker)
            facts[path] = {"scale": float(scaler._scale), "n_good": n_good}
    return facts


def restore_shims(nlp: Language, facts: dict[str, Any]) -> None:
    """Go on with what `save_shims` gave.

    facts: The facts; those of modules that scale no gradients now have no effect.
    """
    shims = _shims(nlp)
    for path, state in facts.items():
        shim = shims.get(path)
        if isinstance(shim, TorchShim):
            shim.scaler.restore(state)
        elif isinstance(shim, PyTorchShim):
            shim._grad_scaler._scale.fill_(state["scale"])
            shim._grad_scaler._growth_tracker.fill_(state["n_good"])


def _shims(nlp: Language) -> dict[str, Shim]:
    """The torch modules, by the path of their first weight."""
    paths = {parameter.key: parameter.path for parameter in find_parameters(nlp)}
    found = {}
    for node in find_nodes(nlp):
        for shim in node.shims:
            if hasattr(shim._model, "named_parameters"):
                for name, _ in islice(shim._model.named_parameters(), 1):
                    found[paths[shim.id, name]] = shim
    return found
