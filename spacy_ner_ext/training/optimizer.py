"""Adam with groups of weights that have their own learning rate and weight decay."""

import weakref
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

import torch
from spacy import registry
from spacy.language import Language
from thinc.api import Optimizer, xp2torch
from thinc.optimizers import FloatOrSeq
from thinc.types import FloatsXd

from .averages import Averages
from .fused import FusedAdams
from .gradients import GradientWatch
from .groups import (
    NO_DECAY,
    ParameterGroup,
    choose_groups,
    compile_pattern,
    make_groups,
)
from .nodes import Key
from .parameters import Parameter, announce_optimizer, announced, find_parameters
from .spikes import Spikes


@registry.optimizers("spacy_ner_ext.Adam.v1")
def make_adam(
    learn_rate: FloatOrSeq = 3e-4,
    weight_decay: float = 0.01,
    groups: Dict[str, Dict[str, Any]] = {},  # noqa: B006 - spaCy fills configs with it
    no_decay: List[str] = NO_DECAY,
    grad_clip: float = 1.0,
    grad_max_norm: float = 0.0,
    spikes: str = "none",
    spike_window: int = 100,
    spike_deviations: float = 7.0,
    averages: float = 0.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> "GroupedAdam":
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, AdamW) and groups
    of weights.

    Under `spacy train` it needs the callback spacy_ner_ext.name_parameters.v1 as
    [training.before_update]; elsewhere call its `bind(nlp)` once.

    learn_rate: The learning rate, or a schedule, of all weights that are in no group,
        and of groups that have none of their own.
    weight_decay: The weight decay of these.
    groups: By name, the `pattern` of each group (a regular expression that is searched
        in the paths of weights, which `python -m spacy_ner_ext params CONFIG` prints),
        and optionally its `learn_rate` and `weight_decay`. A weight is in the first
        group that matches.
    no_decay: Patterns of weights that have no decay in any group: by default biases,
        normalizations, and what a CRF adds to its emissions.
    grad_clip: The highest norm of gradients: of all of an encoder
        (spacy_ner_ext.Transformer.v1) together, and of each other array. 0 for none.
    grad_max_norm: The highest norm of all gradients of the pipeline together, which are
        scaled down to it before `grad_clip`. 0 for none.
    spikes: What is done in a step whose gradients are far larger than in those before:
        "none"; "clip_mean" to scale all gradients down to the mean of their norms,
        "clip_threshold" to the highest norm that would have been no spike, or "skip" to
        change no weight. But for "none", a step whose norm is infinite or not a number
        is always skipped. See Spikes.
    spike_window: The steps that mean and standard deviation of the norm are about;
        there are no spikes before.
    spike_deviations: How many standard deviations above the mean a norm is a spike.
    averages: The decay of an exponential moving average of all weights, such as 0.999:
        evaluated and saved in the place of the weights, which training goes on with. 0
        for none. See Averages.
    beta1: Decay of the mean of the gradients.
    beta2: Decay of the mean of their squares.
    eps: Keeps from dividing by zero.
    RETURNS: The optimizer.
    RAISES (ValueError): If a group, a rate, a pattern or another setting is no such
        thing.
    """
    made = make_groups(groups, learn_rate, weight_decay)
    options = {"beta1": beta1, "beta2": beta2, "eps": eps, "grad_clip": grad_clip}
    watch = GradientWatch(grad_max_norm, Spikes(spikes, spike_window, spike_deviations))
    return GroupedAdam(made, no_decay, options, watch, Averages(averages))


class GroupedAdam(Optimizer):
    """See `make_adam`.

    groups: The groups; the last takes what no other does.
    no_decay: Patterns of weights without decay.
    options: beta1, beta2, eps and grad_clip.
    gradients: Measures and limits the norm of all gradients.
    averaging: Keeps the averages of weights.
    """

    def __init__(
        self,
        groups: List[ParameterGroup],
        no_decay: List[str],
        options: Dict[str, Any],
        gradients: GradientWatch,
        averaging: Averages,
    ) -> None:
        super().__init__(groups[-1].rate.value, use_averages=False, **options)
        self.groups = groups
        self.no_decay = [compile_pattern(text, "no_decay") for text in no_decay]
        self.gradients = gradients
        self.averaging = averaging
        self.averages = averaging.arrays
        self._pipeline: Callable[[], Optional[Language]] = lambda: None
        self._bound: Dict[Key, Tuple[ParameterGroup, float]] = {}
        self._updated: Set[Key] = set()
        betas = self.b1, self.b2
        self.fused = FusedAdams(self._find, {"betas": betas, "eps": self.eps})

    def bind(self, nlp: Language) -> Dict[str, ParameterGroup]:
        """Find the group of each weight of a pipeline.

        RETURNS: The group of each weight, by its path.
        RAISES (ValueError): If no weight is in some group.
        """
        self._pipeline = weakref.ref(nlp)
        parameters = find_parameters(nlp)
        chosen = choose_groups(self.groups, [p.path for p in parameters])
        for parameter in parameters:
            group = chosen[parameter.path]
            decay = self.decay_of(parameter, group)
            self._bound[parameter.key] = group, decay
        self.averaging.bind(nlp)
        return chosen

    def decay_of(self, parameter: Parameter, group: ParameterGroup) -> float:
        """The weight decay of a weight of a group."""
        exempt = any(pattern.search(parameter.path) for pattern in self.no_decay)
        return 0.0 if exempt else group.weight_decay

    def _find(self, key: Key) -> Tuple[ParameterGroup, float]:
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

    def _begin(self, key: Key, unscaled: Optional[int] = None) -> None:
        """Begin a step with its first weight, when there are all gradients."""
        # Loops other than that of spaCy may have no schedules.
        if key in self._updated:
            self._updated.clear()
        if not self._updated:
            nlp = self._pipeline()
            if nlp is not None:
                self.gradients.measure(nlp, unscaled)
            self.averaging.begin_step()
            announce_optimizer(self)
        self._updated.add(key)

    def step_schedules(self) -> None:
        """Go on to the learning rates of the next step."""
        super().step_schedules()
        self._updated.clear()
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
        self._begin(key)
        if self.gradients.skips:
            gradient.fill(0)
            return weights, gradient
        gradient *= self.gradients.factor
        self.averaging.begin({key: xp2torch(weights)})
        shown = self.learn_rate, self.L2, self.averages
        self.learn_rate, self.L2, self.averages = group.rate.value, decay, None
        try:
            result = super().__call__(key, weights, gradient, lr_scale=lr_scale)
        finally:
            self.learn_rate, self.L2, self.averages = shown
        self.averaging.update({key: xp2torch(result[0])})
        return result

    def update_module(
        self, shim_id: int, weights: Dict[str, torch.nn.Parameter]
    ) -> None:
        """Update weights of a torch module in one call, by torch's own fused AdamW.

        shim_id: The id of the shim of the module.
        weights: The weights that have a gradient.
        RAISES (ValueError): If it is not known which weights these are.
        """
        by_key = {(shim_id, name): weight for name, weight in weights.items()}
        if not by_key:
            return
        first = next(iter(by_key))
        self._find(first)
        self._begin(first, unscaled=shim_id)
        if not self.gradients.skips:
            self.gradients.limit_module(shim_id, weights.values(), self.grad_clip)
            self.averaging.begin(by_key)
            self.fused.update(shim_id, weights)
            self.averaging.update(by_key)
