"""Names for all weights of a pipeline, as groups of an optimizer select them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spacy import registry
from spacy.language import Language
from thinc.api import Model
from thinc.shims import Shim

from ..pipes.listeners import check_widths
from .nodes import Key

if TYPE_CHECKING:
    from .optimizer import GroupedAdam


@dataclass(frozen=True)
class Parameter:
    """A weight array of a pipeline.

    path: Where it is, such as "crf_ner.tok2vec.transformer.layer.3.output.
        dense.weight": the component, the sublayers by the names that their parents have
        for them, and the array.
    key: What thinc calls it when it is updated: the id of its node or shim, and its
        name there.
    shape: Its shape.
    trainable: False for what is frozen in an encoder.
    """

    path: str
    key: Key
    shape: tuple[int, ...]
    trainable: bool


def find_parameters(nlp: Language) -> list[Parameter]:
    """Find all weights of a pipeline.

    RETURNS: The weights, in the order of the pipeline; those of a node that stands in
        several places once.
    """
    found: list[Parameter] = []
    seen: set[int] = set()
    taken: set[str] = set()
    for name, component in nlp.pipeline:
        model = getattr(component, "model", None)
        if isinstance(model, Model):
            found.extend(_walk(model, name, {}, seen, taken))
    return found


def _walk(
    node: Model, prefix: str, names: dict[int, str], seen: set[int], taken: set[str]
) -> Iterator[Parameter]:
    """The weights of a node and of those below."""
    if node.id in seen:
        return
    seen.add(node.id)
    if node.id in names:
        prefix = f"{prefix}.{names[node.id]}"
    if (node.param_names or node.shims) and names.get(node.id) != node.name:
        # Its own name as well, so that a transformer is found as one anywhere.
        prefix = f"{prefix}.{node.name}"
    if node.param_names or node.shims:
        prefix = _number(prefix, taken)
        taken.add(prefix)
    for name in node.param_names:
        if node.has_param(name):
            shape = node.get_param(name).shape
            yield Parameter(f"{prefix}.{name}", (node.id, name), shape, True)
    for shim in node.shims:
        yield from _walk_shim(shim, prefix)
    names = dict(names)
    for name in reversed(node.ref_names):
        target = node.maybe_get_ref(name)
        if target is not None and target is not node:
            names[target.id] = name
    for layer in node.layers:
        yield from _walk(layer, prefix, names, seen, taken)


def _number(path: str, taken: set[str]) -> str:
    """The path of a node with a number if there is one of that name already. What the
    weight is called stays last, where patterns of norms and biases look for it."""
    numbered, number = path, 1
    while numbered in taken:
        number += 1
        numbered = f"{path}_{number}"
    return numbered


def _walk_shim(shim: Shim, prefix: str) -> Iterator[Parameter]:
    module: Any = getattr(shim, "_model", None)
    if not hasattr(module, "named_parameters"):
        return
    paths = shim.paths() if hasattr(shim, "paths") else {}
    for name, weight in module.named_parameters():
        path = f"{prefix}.{paths.get(name, name)}"
        key, shape = (shim.id, name), tuple(weight.shape)
        yield Parameter(path, key, shape, bool(weight.requires_grad))


_latest: Callable[[], Language | None] = lambda: None  # noqa: E731
_latest_optimizer: Callable[[], GroupedAdam | None] = lambda: None  # noqa: E731


@registry.callbacks("spacy_ner_ext.name_parameters.v1")
def make_name_parameters() -> Callable[[Language, dict[str, Any]], None]:
    """Make a callback for [training.before_update] that tells spacy_ner_ext.Adam.v1
    which pipeline it trains. thinc gives an optimizer numbers, and never names.

    RETURNS: The callback.
    """
    return name_parameters


def name_parameters(nlp: Language, info: dict[str, Any] | None = None) -> None:
    """Announce the pipeline whose weights are updated next.

    info: Step and epoch, which spaCy passes.
    RAISES (ValueError): If a listener expects vectors of another width than it will
        get; spaCy's own components do not check that.
    """
    global _latest
    if announced() is not nlp:
        check_widths(nlp)
        _latest = weakref.ref(nlp)


def announced() -> Language | None:
    """The pipeline that was announced last."""
    return _latest()


def announce_optimizer(optimizer: GroupedAdam) -> None:
    """Tell which optimizer is changing weights."""
    global _latest_optimizer
    if announced_optimizer() is not optimizer:
        _latest_optimizer = weakref.ref(optimizer)


def announced_optimizer() -> GroupedAdam | None:
    """The optimizer that changed weights last, for
    loggers: spaCy does not show them its own.
    """
    return _latest_optimizer()
