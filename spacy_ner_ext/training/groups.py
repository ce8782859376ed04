"""Groups of weights, and their learning rates."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

from thinc.optimizers import FloatOrSeq

NO_DECAY = [
    r"(?i)norm[^.]*\.[^.]+\Z",
    r"\.(b|bias)\Z",
    r"\.crf\.(transitions|start|end)\Z",
]
DEFAULT = "default"


class Rate:
    """A learning rate: a number, or a schedule of one number for each step.

    RAISES (ValueError): If it is neither.
    """

    def __init__(self, value: FloatOrSeq) -> None:
        values: Any = [value] if isinstance(value, (int, float)) else value or []
        self._following = iter(values)
        first = next(self._following, None)
        if not isinstance(first, (int, float)):
            raise ValueError(
                f"A learning rate is {value!r}: set learn_rate to a number or to a "
                'schedule, such as {"@schedules":"spacy_ner_ext.linear_warmup.v1", ..}.'
            )
        self.value = float(first)

    def step(self) -> None:
        """Advance to the next step; a schedule that has ended keeps its last value."""
        self.value = next(self._following, self.value)


class ParameterGroup:
    """Weights that share a learning rate.

    pattern: A regular expression that is searched in the paths of weights.
    weight_decay: The fraction of a weight, times the rate, that is subtracted in each
        step.
    """

    def __init__(
        self, name: str, pattern: str, rate: Rate, weight_decay: float
    ) -> None:
        self.name = name
        self.pattern = compile_pattern(pattern, f"the group '{name}'")
        self.rate = rate
        self.weight_decay = weight_decay


def make_groups(
    settings: dict[str, dict[str, Any]], learn_rate: FloatOrSeq, weight_decay: float
) -> list[ParameterGroup]:
    """Create the groups of a config, and a last one for all other weights.

    settings: The settings of each group, by its name.
    learn_rate: The learning rate of groups without their own.
    weight_decay: The weight decay of groups without their own.
    RAISES (ValueError): If a setting cannot be used.
    """
    shared = Rate(learn_rate)
    made = []
    for name, found in settings.items():
        _check_group(name, found)
        rate = Rate(found["learn_rate"]) if "learn_rate" in found else shared
        decay = found.get("weight_decay", weight_decay)
        made.append(ParameterGroup(name, found["pattern"], rate, decay))
    return [*made, ParameterGroup(DEFAULT, "", shared, weight_decay)]


def compile_pattern(text: str, where: str) -> re.Pattern[str]:
    """Compile a pattern of a config.

    where: The setting that it belongs to, for the error.
    RAISES (ValueError): If it is not a regular expression.
    """
    try:
        return re.compile(text)
    except re.error as err:
        raise ValueError(
            f"The pattern {text!r} of {where} of spacy_ner_ext.Adam.v1 is not a "
            f"regular expression ({err}): correct it."
        ) from err


def _check_group(name: str, settings: dict[str, Any]) -> None:
    unknown = set(settings) - {"pattern", "learn_rate", "weight_decay"}
    if "pattern" not in settings or unknown:
        what = f"has no setting {sorted(unknown)}" if unknown else "has no pattern"
        raise ValueError(
            f"The group '{name}' of spacy_ner_ext.Adam.v1 {what}: its settings are "
            "pattern, learn_rate and weight_decay."
        )
    decay = settings.get("weight_decay", 0.0)
    if not isinstance(decay, (int, float)):
        raise ValueError(
            f"The weight_decay of the group '{name}' of spacy_ner_ext.Adam.v1 is "
            f"{decay!r}: set it to a number."
        )
    if name == DEFAULT:
        raise ValueError(
            f"A group of spacy_ner_ext.Adam.v1 is called '{DEFAULT}', the name of the "
            "weights in no group: give it another name."
        )


def choose_groups(
    groups: list[ParameterGroup], paths: Iterable[str]
) -> dict[str, ParameterGroup]:
    """Find the group of each path: the first that matches.

    RAISES (ValueError): If a group has no weights.
    """
    chosen = {
        path: next(group for group in groups if group.pattern.search(path))
        for path in paths
    }
    for group in groups[:-1]:
        if group not in chosen.values():
            raise ValueError(_explain_unmatched(group, chosen))
    return chosen


def _explain_unmatched(group: ParameterGroup, chosen: dict[str, ParameterGroup]) -> str:
    """Explain why a group has no weights, with the paths closest to its pattern."""
    matching = [path for path in chosen if group.pattern.search(path)]
    start = (
        f"The pattern {group.pattern.pattern!r} of the group '{group.name}' of "
        "spacy_ner_ext.Adam.v1 "
    )
    if matching:
        earlier = sorted({chosen[path].name for path in matching})
        return (
            f"{start}matches only weights of the earlier {', '.join(earlier)}: put it "
            "before that, or remove it."
        )
    plain = re.sub(r"[\\^$]", "", group.pattern.pattern)
    near = difflib.get_close_matches(plain, _prefixes(chosen), n=3, cutoff=0.3)
    return (
        f"{start}matches no weight. Closest: {', '.join(near or list(chosen)[:3])}; "
        "`python -m spacy_ner_ext params CONFIG` prints all paths."
    )


def _prefixes(paths: Iterable[str]) -> list[str]:
    """All paths and their prefixes, once each."""
    found: dict[str, None] = {}
    for path in paths:
        parts = path.split(".")
        found.update({".".join(parts[:n]): None for n in range(1, len(parts) + 1)})
    return list(found)
