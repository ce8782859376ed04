"""What an optimizer will do to each weight of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass, replace

from spacy import registry
from spacy.language import Language
from thinc.api import Config, Optimizer

from ...training.groups import DEFAULT
from ...training.optimizer import GroupedAdam
from ...training.parameters import Parameter, find_parameters


@dataclass(frozen=True)
class Rates:
    """A learning rate over all steps of training: the first, the highest, the last."""

    first: float
    highest: float
    last: float


@dataclass(frozen=True)
class Planned:
    """How a weight will be trained.

    parameter: The weight.
    group: Its group.
    rates: Its learning rate over the steps.
    weight_decay: Its weight decay.
    """

    parameter: Parameter
    group: str
    rates: Rates
    weight_decay: float


def plan(nlp: Language) -> list[Planned]:
    """Find out how each weight of a pipeline will be trained by its own config.

    RETURNS: The weights, in the order of the pipeline.
    RAISES (ValueError): If a group of the optimizer has no weights.
    """
    settings = nlp.config.interpolate()["training"]
    config = Config({"optimizer": settings["optimizer"]})
    optimizer = registry.resolve(config)["optimizer"]
    frozen = tuple(f"{name}." for name in settings["frozen_components"])
    parameters = [
        replace(p, trainable=p.trainable and not p.path.startswith(frozen))
        for p in find_parameters(nlp)
    ]
    if not isinstance(optimizer, GroupedAdam):
        rates = _follow(optimizer, settings["max_steps"])[DEFAULT]
        return [Planned(p, DEFAULT, rates, optimizer.L2) for p in parameters]
    groups = optimizer.bind(nlp)
    rates_of = _follow(optimizer, settings["max_steps"])
    return [
        Planned(
            parameter,
            groups[parameter.path].name,
            rates_of[groups[parameter.path].name],
            optimizer.decay_of(parameter, groups[parameter.path]),
        )
        for parameter in parameters
    ]


def _follow(optimizer: Optimizer, n_steps: int) -> dict[str, Rates]:
    """The rates of all groups of an optimizer over some steps."""
    seen: dict[str, list[float]] = {}
    # spaCy makes one step more than max_steps.
    for _ in range(n_steps + 1):
        for name, rate in _current(optimizer).items():
            seen.setdefault(name, []).append(rate)
        optimizer.step_schedules()
    return {name: Rates(r[0], max(r), r[-1]) for name, r in seen.items()}


def _current(optimizer: Optimizer) -> dict[str, float]:
    if isinstance(optimizer, GroupedAdam):
        return {group.name: group.rate.value for group in optimizer.groups}
    return {DEFAULT: float(optimizer.learn_rate)}
