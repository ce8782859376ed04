"""Adam with groups of weights that have their own learning rate and weight decay."""

import difflib
import re
import weakref
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import torch
from spacy import registry
from spacy.language import Language
from thinc.api import Optimizer
from thinc.optimizers import FloatOrSeq
from thinc.types import FloatsXd

from .paths import Key, Parameter, announced, find_parameters

NO_DECAY = [
    r"(?i)norm[^.]*\.[^.]+\Z",
    r"\.(b|bias)\Z",
    r"\.crf\.(transitions|start|end)\Z",
]
DEFAULT = "default"


class Rate:
    """A learning rate and how it goes on.

    value (FloatOrSeq): A number, or a schedule: numbers for one step after another.
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
        """Go on to the next step; a schedule that has ended stays as it is."""
        self.value = next(self._following, self.value)


class Group:
    """Weights that share a learning rate.

    name (str): What it is called in the config.
    pattern (str): A regular expression that is searched in the paths of weights.
    rate (Rate): Its learning rate.
    weight_decay (float): The part of a weight, times the rate, that is taken from it
        at each step.
    """

    def __init__(
        self, name: str, pattern: str, rate: Rate, weight_decay: float
    ) -> None:
        self.name = name
        self.pattern = compile_pattern(pattern, f"the group '{name}'")
        self.rate = rate
        self.weight_decay = weight_decay


@registry.optimizers("spacy_ner_ext.Adam.v1")
def make_adam(
    learn_rate: FloatOrSeq = 3e-4,
    weight_decay: float = 0.01,
    groups: Dict[str, Dict[str, Any]] = {},  # noqa: B006 - spaCy fills configs with it
    no_decay: List[str] = NO_DECAY,
    grad_clip: float = 1.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> "GroupedAdam":
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, AdamW) and groups
    of weights.

    Under `spacy train` it needs the callback spacy_ner_ext.name_parameters.v1 as
    [training.before_update]; elsewhere call its `bind(nlp)` once.

    learn_rate (FloatOrSeq): The learning rate, or a schedule, of all weights that are
        in no group, and of groups that have none of their own.
    weight_decay (float): The weight decay of these.
    groups (Dict[str, Dict]): By name, the `pattern` of each group (a regular
        expression that is searched in the paths of weights, which
        `python -m spacy_ner_ext params CONFIG` prints), and optionally its
        `learn_rate` and `weight_decay`. A weight is in the first group that matches.
    no_decay (List[str]): Patterns of weights that have no decay in any group: by
        default biases, normalizations, and what a CRF adds to its emissions.
    grad_clip (float): The highest norm of gradients: of all of an encoder
        (spacy_ner_ext.Transformer.v1) together, and of each other array. 0 for none.
    beta1 (float): Decay of the mean of the gradients.
    beta2 (float): Decay of the mean of their squares.
    eps (float): Keeps from dividing by zero.
    RETURNS (GroupedAdam): The optimizer.
    RAISES (ValueError): If a group, a rate or a pattern is no such thing.
    """
    shared = Rate(learn_rate)
    made = []
    for name, settings in groups.items():
        _check_group(name, settings)
        rate = Rate(settings["learn_rate"]) if "learn_rate" in settings else shared
        decay = settings.get("weight_decay", weight_decay)
        made.append(Group(name, settings["pattern"], rate, decay))
    made.append(Group(DEFAULT, "", shared, weight_decay))
    options = {"beta1": beta1, "beta2": beta2, "eps": eps, "grad_clip": grad_clip}
    return GroupedAdam(made, no_decay, options)


class GroupedAdam(Optimizer):
    """See `make_adam`.

    groups (List[Group]): The groups; the last takes what no other does.
    no_decay (List[str]): Patterns of weights without decay.
    options (Dict[str, float]): beta1, beta2, eps and grad_clip.
    """

    def __init__(
        self, groups: List[Group], no_decay: List[str], options: Dict[str, Any]
    ) -> None:
        super().__init__(groups[-1].rate.value, use_averages=False, **options)
        self.groups = groups
        self.no_decay = [compile_pattern(text, "no_decay") for text in no_decay]
        self._pipeline: Callable[[], Optional[Language]] = lambda: None
        self._bound: Dict[Key, Tuple[Group, float]] = {}
        self._of_modules: Dict[int, torch.optim.AdamW] = {}

    def bind(self, nlp: Language) -> Dict[str, Group]:
        """Find the group of each weight of a pipeline.

        nlp (Language): The pipeline, initialized.
        RETURNS (Dict[str, Group]): The group of each weight, by its path.
        RAISES (ValueError): If no weight is in some group.
        """
        self._pipeline = weakref.ref(nlp)
        parameters = find_parameters(nlp)
        chosen = {p.path: self._choose(p.path) for p in parameters}
        for group in self.groups[:-1]:
            if group not in chosen.values():
                raise ValueError(_explain_unmatched(group, chosen))
        for parameter in parameters:
            group = chosen[parameter.path]
            decay = self.decay_of(parameter, group)
            self._bound[parameter.key] = group, decay
        return chosen

    def _choose(self, path: str) -> Group:
        return next(group for group in self.groups if group.pattern.search(path))

    def decay_of(self, parameter: Parameter, group: Group) -> float:
        """RETURNS (float): The weight decay of a weight of a group."""
        exempt = any(pattern.search(parameter.path) for pattern in self.no_decay)
        return 0.0 if exempt else group.weight_decay

    def _find(self, key: Key) -> Tuple[Group, float]:
        # A new label has new weights, in the pipeline that is known already.
        for nlp in (self._pipeline(), announced()):
            if key not in self._bound and nlp is not None:
                self.bind(nlp)
        if key not in self._bound:
            raise ValueError(
                "spacy_ner_ext.Adam.v1 does not know the pipeline that it trains: add "
                'before_update = {"@callbacks":"spacy_ner_ext.name_parameters.v1"} to '
                "[training], or call optimizer.bind(nlp) in your own loop."
            )
        return self._bound[key]

    def step_schedules(self) -> None:
        """Go on to the learning rates of the next step."""
        super().step_schedules()
        for rate in {id(group.rate): group.rate for group in self.groups}.values():
            rate.step()
        self.learn_rate = self.groups[-1].rate.value

    def __call__(
        self,
        key: Key,
        weights: FloatsXd,
        gradient: FloatsXd,
        *,
        lr_scale: float = 1.0,
    ) -> Tuple[FloatsXd, FloatsXd]:
        """Update an array; see thinc's Optimizer.

        RAISES (ValueError): If it is not known which weights these are.
        """
        group, decay = self._find(key)
        shown = self.learn_rate, self.L2
        self.learn_rate, self.L2 = group.rate.value, decay
        try:
            return super().__call__(key, weights, gradient, lr_scale=lr_scale)
        finally:
            self.learn_rate, self.L2 = shown

    def update_module(
        self, shim_id: int, weights: Dict[str, torch.nn.Parameter]
    ) -> None:
        """Update weights of a torch module in one call, by torch's own fused AdamW.

        shim_id (int): The id of the shim of the module.
        weights (Dict[str, torch.nn.Parameter]): The weights that have a gradient.
        RAISES (ValueError): If it is not known which weights these are.
        """
        adam = self._of_modules.get(shim_id)
        known = set() if adam is None else {id(w) for w in _weights_of(adam)}
        together: Dict[Tuple[str, float], Dict[str, Any]] = {}
        for name, weight in weights.items():
            if id(weight) not in known:
                group, decay = self._find((shim_id, name))
                settings = {"params": [], "weight_decay": decay, "rate": group.rate}
                together.setdefault((group.name, decay), settings)
                together[group.name, decay]["params"].append(weight)
        if adam is None:
            if not together:
                return
            options: Dict[str, Any] = {
                "betas": (self.b1, self.b2),
                "eps": self.eps,
                "fused": True,
            }
            adam = torch.optim.AdamW(list(together.values()), **options)
            self._of_modules[shim_id] = adam
        else:
            for settings in together.values():
                adam.add_param_group(settings)
        for torch_group in adam.param_groups:
            torch_group["lr"] = torch_group["rate"].value
        adam.step()


def _weights_of(adam: torch.optim.Optimizer) -> List[torch.nn.Parameter]:
    return [weight for group in adam.param_groups for weight in group["params"]]


def compile_pattern(text: str, where: str) -> "re.Pattern[str]":
    """Compile a pattern of a config.

    text (str): The regular expression.
    where (str): Whose it is, for the error.
    RETURNS (re.Pattern[str]): The pattern.
    RAISES (ValueError): If it is no regular expression.
    """
    try:
        return re.compile(text)
    except re.error as err:
        raise ValueError(
            f"The pattern {text!r} of {where} of spacy_ner_ext.Adam.v1 is no regular "
            f"expression ({err}): correct it."
        ) from err


def _check_group(name: str, settings: Dict[str, Any]) -> None:
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
            f"A group of spacy_ner_ext.Adam.v1 is called '{DEFAULT}', as what is in no "
            "group: give it another name."
        )


def _explain_unmatched(group: Group, chosen: Dict[str, Group]) -> str:
    """Why a group has no weights, with the paths that look most like its pattern."""
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
    near = difflib.get_close_matches(plain, _prefixes(chosen), n=5, cutoff=0.3)
    return (
        f"{start}matches no weight. Near it: {', '.join(near or list(chosen)[:5])}; "
        "`python -m spacy_ner_ext params CONFIG` prints all."
    )


def _prefixes(paths: Iterable[str]) -> List[str]:
    """All paths and what they start with, once each."""
    found: Dict[str, None] = {}
    for path in paths:
        parts = path.split(".")
        found.update({".".join(parts[:n]): None for n in range(1, len(parts) + 1)})
    return list(found)
