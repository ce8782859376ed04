"""Apple GPUs: thinc computes on the processor, and torch on "mps" without float64.

Here torch stays on the CPU, and every operation that makes float64 numbers fails.
"""

import pytest
import torch
from thinc.api import MPSOps, fix_random_seed, use_ops
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from spacy_ner_ext.training.optimizer import make_adam
from spacy_ner_ext.util.weights import iter_weights
from tests.helpers.pipelines import (
    PIPELINES,
    TEXTS,
    build,
    make_examples,
    output,
    train,
)


class WithoutFloat64(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        for x in tree_leaves(found):
            if isinstance(x, torch.Tensor) and x.dtype == torch.float64:
                raise TypeError(
                    "Cannot convert a MPS Tensor to float64 dtype as the MPS framework "
                    f"doesn't support float64 ({func})"
                )
        return found


def trained(name):
    fix_random_seed(0)
    nlp = build(name)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    settings = {"averages": 0.9, "spikes": "clip_mean", "spike_window": 2}
    sgd = make_adam(learn_rate=0.005, grad_max_norm=1.0, **settings)
    sgd.bind(nlp)
    losses = train(nlp, examples, 4, sgd=sgd)
    weights = {weight.path: weight.array.tolist() for weight in iter_weights(nlp)}
    return losses, weights, [output(doc) for doc in nlp.pipe(TEXTS)]


@pytest.mark.parametrize("name", PIPELINES)
def test_components_without_float64(name, monkeypatch):
    expected = trained(name)
    # What thinc.api.require_gpu selects on a Mac.
    for module in ("encoder.shim", "span_marker.shim"):
        place = f"spacy_ner_ext.{module}.get_torch_default_device"
        monkeypatch.setattr(place, lambda: torch.device("cpu"))
    with use_ops("mps"), WithoutFloat64():
        assert isinstance(build(name).pipeline[-1][1].model.ops, MPSOps)
        assert trained(name) == expected
