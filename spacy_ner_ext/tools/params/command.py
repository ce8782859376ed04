"""List the weights of a pipeline with their groups and learning rates."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from spacy import util
from spacy.cli._util import parse_config_overrides
from spacy.training.initialize import init_nlp

from ...util.errors import UserError
from ..output import printer
from .params import Planned, Rates, plan


def params(
    context: typer.Context,
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG", help="The training config.", exists=True, dir_okay=False
        ),
    ],
) -> None:
    """Print path, shape, group, learning rate and weight decay of each weight.

    The paths are what the patterns of the groups of spacy_ner_ext.Adam.v1 are
    searched in. The pipeline is initialized as for training, so the corpus and the
    encoder of the config must be there; settings are overridden as in `spacy train`.
    The learning rate is that of the first step, the highest, and that of the last.

    \b
    Example:
      python -m spacy_ner_ext params configs/crf_trf.cfg --paths.train train.spacy
    """
    for argument in context.args:
        if argument.startswith("--") and "." not in argument:
            raise UserError(
                f"no such option {argument}: settings of the config are overridden by "
                "their full names, such as --paths.train FILE"
            )
    try:
        overrides = parse_config_overrides(context.args)
        loaded = util.load_config(config, overrides, interpolate=False)
        planned = plan(init_nlp(loaded))
    except (ValueError, KeyError, OSError) as err:
        what = " ".join(str(err).split())
        raise UserError(
            f"{config} makes no pipeline that can be trained: {what}"
        ) from err
    printer().table(
        [_row(each) for each in planned],
        header=("path", "shape", "group", "learning rate", "decay"),
        divider=True,
        max_col=200,
    )
    _print_summary(planned)


def _row(each: Planned) -> tuple[str, ...]:
    shape = " x ".join(map(str, each.parameter.shape))
    rates = describe(each.rates) if each.parameter.trainable else "frozen"
    return each.parameter.path, shape, each.group, rates, f"{each.weight_decay:g}"


def describe(rates: Rates) -> str:
    """The rates, such as "0 > 5e-05 > 1e-07"; one if they are equal."""
    shown = [f"{rate:.3g}" for rate in (rates.first, rates.highest, rates.last)]
    return shown[0] if len(set(shown)) == 1 else " > ".join(shown)


def _print_summary(planned: list[Planned]) -> None:
    sizes: Counter[str] = Counter()
    for each in planned:
        size = 1
        for length in each.parameter.shape:
            size *= length
        sizes["frozen" if not each.parameter.trainable else each.group] += size
    groups = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    printer().good(f"{len(planned)} arrays; weights by group: {groups}")
