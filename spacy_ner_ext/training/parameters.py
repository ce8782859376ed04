"""The pipeline and the optimizer of the current training, for each other."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from spacy import registry
from spacy.language import Language
from thinc.api import Optimizer

from ..pipes.listeners import check_widths

_latest: Callable[[], Language | None] = lambda: None  # noqa: E731
_latest_optimizer: Callable[[], Optimizer | None] = lambda: None  # noqa: E731


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


def announce_optimizer(optimizer: Optimizer) -> None:
    """Tell which optimizer is changing weights."""
    global _latest_optimizer
    if announced_optimizer() is not optimizer:
        _latest_optimizer = weakref.ref(optimizer)


def announced_optimizer() -> Optimizer | None:
    """The optimizer that changed weights last, for
    loggers: spaCy does not show them its own.
    """
    return _latest_optimizer()
