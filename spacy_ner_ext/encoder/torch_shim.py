"""The base of the torch modules around an encoder: updates, averages, saving, loading,
and the scaling of gradients for float16."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import safetensors.torch
import srsly
import torch
from spacy.tokens import Doc
from spacy.util import logger
from thinc.api import Optimizer, torch2xp, xp2torch
from thinc.shims import Shim
from torch import Tensor

from ..util.memory import fitting, free_cached_memory, out_of_memory
from ..util.tensors import norms_of, total_norm
from . import hf
from .pieces import PieceCache, Specials
from .settings import PretrainedSettings

Result = TypeVar("Result")
# Pieces that keep any GPU busy.
LARGEST_PASS = 16384


class GradientScaler:
    """The dynamic loss scaling of Micikevicius et al. (2018), Mixed Precision Training.

    The scale is halved after an overflow, and doubled after many steps without one. It
    works on any device; torch's own scaler depends on torch's own optimizers.
    """

    def __init__(
        self, enabled: bool, scale: float = 2.0**16, growth_interval: int = 2000
    ) -> None:
        self.enabled = enabled
        self.scale = scale if enabled else 1.0
        self.growth_interval = growth_interval
        self.n_skipped = self._n_good = 0

    def unscale(self, gradients: list[Tensor]) -> bool:
        """Divide the gradients of a step by the scale, in place, and adapt the scale.
        If not all are finite, it returns False, and the step has to be skipped."""
        if not self.enabled or not gradients:
            return True
        torch._foreach_mul_(gradients, 1.0 / self.scale)
        return self.adapt(total_norm(norms_of(gradients)))

    def adapt(self, norm: float) -> bool:
        """Adapt the scale to the norm of the gradients of a step. If it is not finite,
        this returns False, and the step has to be skipped."""
        if not self.enabled:
            return True
        finite = math.isfinite(norm)
        self._n_good = self._n_good + 1 if finite else 0
        if not finite:
            self.n_skipped += 1
            self.scale = max(1.0, self.scale / 2)
        elif self._n_good % self.growth_interval == 0:
            self.scale *= 2
        return finite

    def state(self) -> dict[str, float]:
        counts = {"n_good": self._n_good, "n_skipped": self.n_skipped}
        return {"scale": self.scale, **counts}

    def restore(self, state: dict[str, float]) -> None:
        """Restore what `state` returned; without effect if nothing is scaled."""
        if self.enabled:
            self.scale = state["scale"]
            self._n_good = int(state["n_good"])
            self.n_skipped = int(state["n_skipped"])


class TorchShim(Shim):
    """A torch module with a Hugging Face encoder as its `encoder`; it has no weights
    until they are loaded."""

    _model: Any
    # The settings that the shapes of the weights depend on.
    structural = "its settings"

    def __init__(self, settings: PretrainedSettings) -> None:
        super().__init__(None)
        self.settings: Any = settings
        self.tokenizer: Any = None
        self.specials = Specials([], [], 0)
        self.piece_cache: PieceCache = {}
        self.scaler = GradientScaler(settings.precision == "fp16")
        # How often passes were halved because memory was exhausted.
        self.n_halved = 0

    def words_of(self, doc: Doc) -> list[str]:
        """The words of a document that are cut into pieces."""
        return [token.text for token in doc]

    @property
    def is_loaded(self) -> bool:
        return self._model is not None

    @property
    def model(self) -> Any:
        """The torch module. RAISES (ValueError): If it has no weights yet."""
        if self._model is None:
            raise ValueError(
                f"The encoder '{self.settings.name}' of {self.settings.kind} has no "
                "weights: call nlp.initialize(), or load a trained pipeline."
            )
        return self._model

    def pass_size(self, most: int, bytes_each: int) -> int:
        """How many items of a pass fit into memory, at most `most`."""
        return self.halved(fitting(self.model.device, most, bytes_each))

    def halved(self, size: int) -> int:
        """The size of a pass after those that exhausted memory; in training, where a
        whole step is repeated instead, the size itself."""
        return size if self.model.training else max(1, size >> self.n_halved)

    @property
    def row_size(self) -> int:
        """Maximum pieces of a row, special pieces included."""
        raise NotImplementedError

    def layer_bytes(self) -> int:
        """An upper bound of the bytes that a piece takes in a layer (Korthikanti et al.
        2022, Reducing Activation Recomputation in Large Transformer Models, in
        float32)."""
        encoder = self.model.encoder
        hidden = hf.width_of(encoder)
        heads = getattr(encoder.config, "num_attention_heads", hidden // 64)
        return 68 * hidden + 10 * heads * self.row_size

    def run_in_memory(self, predict: Callable[[], Result]) -> Result:
        """Predict; where memory is exhausted, again with passes of half the size, down
        to one row."""
        before = self.n_halved
        while True:
            try:
                return predict()
            except out_of_memory():
                if LARGEST_PASS >> self.n_halved <= self.row_size:
                    self.n_halved = before
                    raise
            # Outside of the handler, where the frames of the failed pass are freed.
            self._halve_passes()

    def _halve_passes(self) -> None:
        free_cached_memory()
        self.n_halved += 1
        if self.n_halved == 1:
            logger.warning(
                "Out of GPU memory in a pass of the encoder '%s': prediction continues "
                "with passes of half the size; later cases are not reported.",
                self.settings.name,
            )

    def rebuild(
        self, encoder: Any, tokenizer: Any, weights: dict[str, Tensor], extra: str
    ) -> None:
        """Build the module for saved weights, which are set afterwards, around an
        encoder with arbitrary ones; `extra` is what the method `extra` returned."""
        raise NotImplementedError

    def extra(self) -> str:
        """Further state to save, as JSON."""
        return ""

    def finish_update(self, optimizer: Optimizer) -> None:
        """Update the weights by their gradients, and clear these.

        An optimizer that has a method `update_module` gets all weights in one call,
        and the scaler of their gradients; for others the norm of all gradients of the
        encoder together is clipped to their `grad_clip`, where thinc clips each array
        by itself.
        """
        weights: dict[str, Any] = {
            name: weight
            for name, weight in self.model.named_parameters()
            if weight.grad is not None
        }
        if hasattr(optimizer, "update_module"):
            optimizer.update_module(self.id, weights, self.scaler)
        elif self.scaler.unscale([weight.grad for weight in weights.values()]):
            if optimizer.grad_clip:
                clipped = list(weights.values())
                torch.nn.utils.clip_grad_norm_(clipped, optimizer.grad_clip)
            self._update_each(optimizer, weights)
        for weight in weights.values():
            weight.grad = None

    def _update_each(self, optimizer: Optimizer, weights: dict[str, Any]) -> None:
        for name, weight in weights.items():
            data: Any = torch2xp(weight.data)
            gradient: Any = torch2xp(weight.grad)
            data, _ = optimizer((self.id, name), data, gradient)
            weight.data = xp2torch(data, device=weight.device)

    @contextmanager
    def use_params(self, params: dict[tuple[int, str], Any]) -> Iterator[None]:
        """Use other weights temporarily, such as the averages of an optimizer."""
        weights = dict(self._model.named_parameters()) if self._model else {}
        replaced = {n: w.data for n, w in weights.items() if (self.id, n) in params}
        for name, before in replaced.items():
            array: Any = params[self.id, name]
            weights[name].data = xp2torch(array, device=before.device)
        try:
            yield
        finally:
            for name, before in replaced.items():
                weights[name].data = before

    def paths(self) -> dict[str, str]:
        """A path for the name of each weight, in the same form for all encoders, such
        as "layer.3.attention.self.query.weight"."""
        found = hf.layer_list(self.model.encoder)
        prefix = f"{found[0]}." if found else None
        paths = {}
        for name, _ in self.model.named_parameters():
            path = name.removeprefix("encoder.")
            if prefix and path.startswith(prefix):
                path = f"layer.{path.removeprefix(prefix)}"
            paths[name] = path
        return paths

    def copy(self) -> TorchShim:
        """A copy with its own id, by which optimizers distinguish its weights."""
        copied = type(self)(self.settings)
        if self._model is not None:
            state = self.model.state_dict()
            encoder = copy.deepcopy(self.model.encoder)
            tokenizer = copy.deepcopy(self.tokenizer)
            copied.rebuild(encoder, tokenizer, state, self.extra())
            copied.model.load_state_dict(state)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> TorchShim:
        return self.copy()

    def to_device(self, device_type: str, device_id: int) -> None:
        self.model.to("cpu" if device_type == "cpu" else f"cuda:{device_id}")

    def to_bytes(self) -> bytes:
        """Config, tokenizer and weights (safetensors); empty without weights."""
        if self._model is None:
            return b""
        parts = {
            "config": json.dumps(hf.config_of(self.model.encoder), sort_keys=True),
            "tokenizer": self.tokenizer.to_str(),
            "weights": safetensors.torch.save(without_aliases(self.model)),
        }
        if self.extra():
            parts["extra"] = self.extra()
        return srsly.msgpack_dumps(parts)

    def from_bytes(self, data: bytes) -> TorchShim:
        """Load what `to_bytes` saved; settings stay those of the config."""
        from tokenizers import Tokenizer

        if not data:
            self._model = None
            return self
        parts = srsly.msgpack_loads(data)
        encoder = hf.build(json.loads(parts["config"]), self.settings)
        tokenizer = Tokenizer.from_str(parts["tokenizer"])
        weights = safetensors.torch.load(parts["weights"])
        self.rebuild(encoder, tokenizer, weights, parts.get("extra", ""))
        expected = _shapes(without_aliases(self.model))
        if expected != _shapes(weights):
            names = {name for name, _ in expected ^ _shapes(weights)}
            differing = ", ".join(sorted(names)[:3])
            raise ValueError(
                f"The saved weights of the encoder '{self.settings.name}' do not fit "
                f"its settings ({differing}): set {self.structural} of "
                f"{self.settings.kind} to what it was trained with, or train again."
            )
        self.model.load_state_dict(weights, strict=False)
        return self


def without_aliases(module: torch.nn.Module) -> dict[str, Tensor]:
    """The state of a module, with tensors that share their memory once."""
    state: dict[str, Tensor] = {}
    seen = set()
    for name, tensor in module.state_dict().items():
        place = (tensor.data_ptr(), tensor.shape)
        if place not in seen:
            seen.add(place)
            state[name] = tensor.detach().cpu().contiguous()
    return state


def _shapes(weights: dict[str, Tensor]) -> set[tuple[str, torch.Size]]:
    return {(name, weight.shape) for name, weight in weights.items()}
