"""The pipeline and the optimizer of the current training, each known to the other."""

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
    """Create a callback for [training.before_update] that announces the pipeline to
    spacy_ner_ext.Adam.v1, since thinc passes numbers to an optimizer and no names.

    RETURNS: The callback.
    """
    return name_parameters


def name_parameters(nlp: Language, info: dict[str, Any] | None = None) -> None:
    """Announce the pipeline whose weights are updated next.

    info: Step and epoch, which spaCy passes; not used.
    RAISES (ValueError): If a listener expects vectors of another width than it gets,
        which spaCy's components do not check.
    """
    global _latest
    if announced() is not nlp:
        check_widths(nlp)
        _latest = weakref.ref(nlp)


def announced() -> Language | None:
    """The last announced pipeline."""
    return _latest()


def announce_optimizer(optimizer: Optimizer) -> None:
    """Announce the optimizer that updates weights."""
    global _latest_optimizer
    if announced_optimizer() is not optimizer:
        _latest_optimizer = weakref.ref(optimizer)


def announced_optimizer() -> Optimizer | None:
    """The last announced optimizer, for loggers, to which spaCy does not pass it."""
    return _latest_optimizer()
