"""List the weights of a pipeline with their groups and learning rates."""

from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from spacy import registry, util
from spacy.language import Language
from spacy.training.initialize import init_nlp
from thinc.api import Config, Optimizer

from ...training.groups import DEFAULT
from ...training.optimizer import GroupedAdam
from ...util.errors import UserError, one_line
from ...util.weights import iter_weights
from ..loading import missing_extra
from ..options import read_overrides
from ..output import printer

HEADER = ("path", "shape", "group", "learning rate", "decay")
FROZEN = "frozen"


class Planned(NamedTuple):
    """How a weight array will be trained; `rates` are the learning rate of the first
    step, the highest, and that of the last."""

    path: str
    shape: tuple[int, ...]
    group: str
    rates: tuple[float, ...]
    decay: float
    trainable: bool

    def row(self) -> tuple[str, ...]:
        """The cells below `HEADER`, with rates such as "0 > 5e-05 > 1e-07"."""
        rates = [f"{rate:.3g}" for rate in self.rates]
        shown = rates[0] if len(set(rates)) == 1 else " > ".join(rates)
        shape = " x ".join(map(str, self.shape))
        rate = shown if self.trainable else FROZEN
        return self.path, shape, self.group, rate, f"{self.decay:g}"


def params(
    context: typer.Context,
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG", help="The training config.", exists=True, dir_okay=False
        ),
    ],
) -> None:
    """Print path, shape, group, learning rate and weight decay of each weight array.

    The patterns of the groups of spacy_ner_ext.Adam.v1 are searched in the paths. The
    pipeline is initialized as for training, so the corpus and the encoder of the config
    must exist; settings are overridden as in `spacy train`. The learning rates are that
    of the first step, the highest, and that of the last step.

    \b
    Example:
      python -m spacy_ner_ext params configs/crf_trf.cfg --paths.train train.spacy
    """
    overrides = read_overrides(context.args)
    try:
        loaded = util.load_config(config, overrides, interpolate=False)
        planned = list(plan(init_nlp(loaded)))
    except (ValueError, KeyError, OSError) as err:
        raise missing_extra(config, err) or UserError(
            f"{config} cannot be used for training: {one_line(err)}"
        ) from err
    rows = [each.row() for each in planned]
    printer().table(rows, header=HEADER, divider=True, max_col=200)
    sizes: Counter[str] = Counter()
    for each in planned:
        sizes[each.group if each.trainable else FROZEN] += prod(each.shape)
    groups = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    printer().good(f"{len(planned)} arrays; weights by group: {groups}")


def plan(nlp: Language) -> Iterator[Planned]:
    """Find how the config of a pipeline trains each weight array.

    RAISES (ValueError): If a group of the optimizer has no weights.
    """
    settings = nlp.config.interpolate()["training"]
    config = Config({"optimizer": settings["optimizer"]})
    optimizer: Any = registry.resolve(config)["optimizer"]
    frozen = tuple(f"{name}." for name in settings["frozen_components"])
    groups = optimizer.bind(nlp) if isinstance(optimizer, GroupedAdam) else {}
    rates = _follow(optimizer, settings["max_steps"])
    for weight in iter_weights(nlp):
        name, decay = DEFAULT, optimizer.L2
        if groups:
            group = groups[weight.path]
            name, decay = group.name, optimizer.decay_of(weight, group)
        trainable = weight.trainable and not weight.path.startswith(frozen)
        yield Planned(weight.path, weight.shape, name, rates[name], decay, trainable)


def _follow(optimizer: Optimizer, n_steps: int) -> dict[str, tuple[float, ...]]:
    """The first, highest and last learning rate of all groups."""
    seen: dict[str, list[float]] = {}
    # spaCy makes one step more than max_steps.
    for _ in range(n_steps + 1):
        if isinstance(optimizer, GroupedAdam):
            current = {group.name: group.rate.value for group in optimizer.groups}
        else:
            current = {DEFAULT: float(optimizer.learn_rate)}
        for name, rate in current.items():
            seen.setdefault(name, []).append(rate)
        optimizer.step_schedules()
    return {name: (r[0], max(r), r[-1]) for name, r in seen.items()}
