"""Adam with groups of weights that have their own learning rate and weight decay.

One implementation, torch's fused AdamW, updates all weights: in one call those of an
encoder, and in one those of the other layers of a component of this package, as tensors
that share their memory. Components of spaCy pass their arrays one by one.
"""

import weakref
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Set,
    Tuple,
)

import torch
from spacy import registry
from spacy.language import Language
from thinc.api import Optimizer
from thinc.optimizers import FloatOrSeq
from thinc.types import FloatsXd
from torch import Tensor

from ..encoder.torch_shim import GradientScaler
from ..util.weights import Key, Weight, as_tensor, iter_weights
from .averages import Averages
from .gradients import GradientMonitor
from .groups import (
    NO_DECAY,
    ParameterGroup,
    choose_groups,
    compile_pattern,
    make_groups,
)
from .parameters import announce_optimizer, announced
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
    """Create an Adam optimizer with decoupled weight decay (Loshchilov and Hutter 2019,
    AdamW) and groups of weights.

    Under `spacy train` it needs the callback spacy_ner_ext.name_parameters.v1 as
    [training.before_update]; in your own loop call its `bind(nlp)` once.

    learn_rate: Learning rate, or a schedule, of all weights in no group and of groups
        without their own.
    weight_decay: Weight decay of the same weights.
    groups: By name, the `pattern` of each group (a regular expression that is searched
        in the paths of weights, which `python -m spacy_ner_ext params CONFIG` prints),
        and optionally its `learn_rate` and `weight_decay`. A weight is in the first
        group that matches.
    no_decay: Patterns of weights without decay in any group: by default biases,
        normalizations, and the transitions of a CRF.
    grad_clip: Maximum norm of the gradients of an encoder
        (spacy_ner_ext.Transformer.v1), all together, and of each other array. 0 for no
        limit.
    grad_max_norm: Maximum norm of all gradients of the pipeline together, which are
        scaled down to it before `grad_clip`. 0 for no limit.
    spikes: What to do in a step whose gradients are far larger than before: "none";
        "clip_mean" to scale all gradients down to the mean of the norms so far,
        "clip_threshold" to scale them down to the largest norm that is not a spike, or
        "skip" to leave all weights unchanged. Unless it is "none", steps whose norm is
        infinite or not a number are always skipped. See Spikes.
    spike_window: Steps over which mean and standard deviation of the norm are weighted;
        the first ones cannot be spikes.
    spike_deviations: Standard deviations above the mean from which a norm is a spike.
    averages: Decay of an exponential moving average of all weights, such as 0.999. The
        average is evaluated and saved in place of the weights; training continues from
        the weights. 0 for none. See Averages.
    beta1: Decay of the mean of the gradients.
    beta2: Decay of the mean of their squares.
    eps: Added to the denominator.
    RETURNS: The optimizer.
    RAISES (ValueError): If a setting cannot be used.
    """
    made = make_groups(groups, learn_rate, weight_decay)
    options = {"beta1": beta1, "beta2": beta2, "eps": eps, "grad_clip": grad_clip}
    monitor = GradientMonitor(
        grad_max_norm, Spikes(spikes, spike_window, spike_deviations)
    )
    return GroupedAdam(made, no_decay, options, monitor, Averages(averages))


class GroupedAdam(Optimizer):
    """The optimizer that `make_adam` creates.

    groups: The groups; the last has all weights that match no other.
    no_decay: Patterns of weights without decay.
    options: beta1, beta2, eps and grad_clip.
    gradients: Measures and limits the norm of all gradients.
    averaging: Averages the weights.
    """

    def __init__(
        self,
        groups: List[ParameterGroup],
        no_decay: List[str],
        options: Dict[str, Any],
        gradients: GradientMonitor,
        averaging: Averages,
    ) -> None:
        super().__init__(groups[-1].rate.value, use_averages=False, **options)
        self.mom1: Dict[Key, Any] = {}
        self.mom2: Dict[Key, Any] = {}
        self.groups = groups
        self.no_decay = [compile_pattern(text, "no_decay") for text in no_decay]
        self.gradients = gradients
        self.averaging = averaging
        self.averages = averaging.arrays
        self._pipeline: Callable[[], Optional[Language]] = lambda: None
        self._bound: Dict[Key, Tuple[ParameterGroup, float]] = {}
        self._updated: Set[Key] = set()

    def bind(self, nlp: Language) -> Dict[str, ParameterGroup]:
        """Find the group of each weight of a pipeline.

        RETURNS: The group of each weight, by its path.
        RAISES (ValueError): If a group has no weights.
        """
        self._pipeline = weakref.ref(nlp)
        weights = list(iter_weights(nlp))
        chosen = choose_groups(self.groups, [weight.path for weight in weights])
        for weight in weights:
            group = chosen[weight.path]
            self._bound[weight.key] = group, self.decay_of(weight, group)
        self.averaging.bind(nlp)
        return chosen

    def decay_of(self, weight: Weight, group: ParameterGroup) -> float:
        """The weight decay of a weight in a group."""
        exempt = any(pattern.search(weight.path) for pattern in self.no_decay)
        return 0.0 if exempt else group.weight_decay

    def step_schedules(self) -> None:
        """Advance to the learning rates of the next step."""
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
        """Update an array in place and set its gradient to zero.

        key: Id of the layer, and name of the array.
        weights: The array.
        gradient: Its gradient, of the same shape.
        lr_scale: Multiplies the learning rate.
        RETURNS: The array and its gradient.
        RAISES (ValueError): If the optimizer does not know the pipeline, or an array is
            read-only.
        """
        self._update_arrays({key: (weights, gradient)}, lr_scale)
        return weights, gradient

    def update_arrays(self, arrays: Mapping[Key, Tuple[FloatsXd, FloatsXd]]) -> None:
        """Update arrays of thinc's layers, given with their gradients, in one call; see
        `__call__`."""
        self._update_arrays(arrays, 1.0)

    def _update_arrays(
        self, arrays: Mapping[Key, Tuple[FloatsXd, FloatsXd]], lr_scale: float
    ) -> None:
        used = {key: pair for key, pair in arrays.items() if pair[1].size}
        weights = {key: as_tensor(weight) for key, (weight, _) in used.items()}
        gradients = {key: as_tensor(gradient) for key, (_, gradient) in used.items()}
        if not weights:
            return
        self._begin(weights)
        if not self.gradients.skips:
            self.gradients.limit_arrays(gradients, self.grad_clip)
            self._update(weights, list(gradients.values()), True, lr_scale)
        torch._foreach_zero_(list(gradients.values()))

    def update_module(
        self,
        shim_id: int,
        weights: Dict[str, torch.nn.Parameter],
        scaler: GradientScaler,
    ) -> None:
        """Update the weights of a torch module in one call.

        shim_id: Id of the shim of the module.
        weights: The weights that have a gradient, by name.
        scaler: The scaler of their gradients.
        RAISES (ValueError): If the optimizer does not know the pipeline.
        """
        found = {(shim_id, name): w.detach() for name, w in weights.items()}
        gradients = [w.grad for w in weights.values() if w.grad is not None]
        if not found:
            return
        self._begin(found)
        scale = scaler.scale
        norm = self.gradients.norm_of_module(shim_id, gradients)
        if scaler.adapt(norm) and not self.gradients.skips:
            self.gradients.limit_module(gradients, norm, self.grad_clip, scale)
            self._update(found, gradients, False)

    def _update(
        self,
        weights: Dict[Key, Tensor],
        gradients: List[Tensor],
        as_thinc: bool,
        lr_scale: float = 1.0,
    ) -> None:
        together: Dict[Tuple[float, float, int], List[int]] = {}
        for i, (key, weight) in enumerate(weights.items()):
            group, decay = self._bound[key]
            settings = group.rate.value * lr_scale, decay, self._count(key, weight)
            together.setdefault(settings, []).append(i)
        self.averaging.begin(weights)
        # torch takes the memory of each for one block, in the order of its elements.
        keys, arrays = list(weights), [w.contiguous() for w in weights.values()]
        gradients = [gradient.contiguous() for gradient in gradients]
        for (rate, decay, count), places in together.items():
            self._step(
                [keys[i] for i in places],
                [arrays[i] for i in places],
                [gradients[i] for i in places],
                *(rate, decay, count, as_thinc),
            )
        for weight, array in zip(weights.values(), arrays):
            if array is not weight:
                weight.copy_(array)
        self.averaging.update(weights)

    def _check_known(self, key: Key) -> None:
        # A new label has new weights, in a pipeline that is already bound.
        for nlp in (self._pipeline(), announced()):
            if key not in self._bound and nlp is not None:
                self.bind(nlp)
        if key not in self._bound:
            raise ValueError(
                "spacy_ner_ext.Adam.v1 does not know the pipeline that it trains: add "
                'before_update = {"@callbacks":"spacy_ner_ext.name_parameters.v1"} to '
                "[training], or call optimizer.bind(nlp) in your own loop."
            )

    def _begin(self, keys: Iterable[Key]) -> None:
        """Begin a step at its first weights, when all gradients are complete."""
        for key in keys:
            self._check_known(key)
        # Loops other than spaCy's may not call `step_schedules`.
        if not self._updated.isdisjoint(keys):
            self._updated.clear()
        if not self._updated:
            self.gradients.measure(self._pipeline())
            self.averaging.begin_step()
            announce_optimizer(self)
        self._updated.update(keys)

    def _count(self, key: Key, weight: Tensor) -> int:
        """Count the update of a weight, from 1; one with a new shape starts again."""
        if key not in self.mom1 or self.mom1[key].shape != weight.shape:
            self.nr_update[key] = 0
            for moments in (self.mom1, self.mom2):
                moments[key] = torch.zeros_like(weight)
        self.nr_update[key] += 1
        return self.nr_update[key]

    def _step(
        self,
        keys: List[Key],
        weights: List[Tensor],
        gradients: List[Tensor],
        rate: float,
        decay: float,
        count: int,
        as_thinc: bool,
    ) -> None:
        """Apply AdamW to weights that share their settings and number of updates."""
        # Filled on the device, which needs no copy from the host.
        counter = torch.full((), float(count), device=weights[0].device)
        # thinc adds eps before the correction of the bias, torch after.
        eps = self.eps / (1 - self.b2**count) ** 0.5 if as_thinc else self.eps
        # thinc's order: the decay is applied to the updated weights.
        kept = 1 - rate * decay
        torch._fused_adamw_(
            weights,
            gradients,
            [self.mom1[key] for key in keys],
            [self.mom2[key] for key in keys],
            [],
            [counter] * len(keys),
            lr=rate * kept,
            beta1=self.b1,
            beta2=self.b2,
            weight_decay=decay / kept,
            eps=eps,
            amsgrad=False,
            maximize=False,
        )
