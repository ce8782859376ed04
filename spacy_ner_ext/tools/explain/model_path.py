"""The quantity of a thinc model as a function of what its encoder sees."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy
import torch
from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2Vec, Tok2VecListener
from spacy.tokens import Doc
from thinc.api import Model, noop, torch2xp, xp2torch
from torch import Tensor

from ...encoder.shim import EncoderShim
from ...encoder.torch_shim import TorchShim
from .embeddings import EncodedDoc
from .targets import ModelTarget, NoGradientError, Target

DROPOUT = ("dropout", "fixed_dropout")


def find_encoders(nlp: Language, model: Model) -> list[Model]:
    """Find the Hugging Face encoders of this package in a model and in the models that
    it listens to."""
    found: dict[int, Model] = {}
    for node in model.walk():
        upstream = _find_upstream(nlp, node)
        inner = [] if upstream is None else find_encoders(nlp, upstream)
        own = [node] if any(isinstance(shim, TorchShim) for shim in node.shims) else []
        found.update({id(encoder): encoder for encoder in [*inner, *own]})
    return list(found.values())


def _find_upstream(nlp: Language, node: Model) -> Model | None:
    """The model whose vectors a listener receives; None for other layers."""
    if not isinstance(node, Tok2VecListener):
        return None
    # Vectors are passed in doc.tensor, so the last component to write it counts.
    for _, pipe in reversed(nlp.pipeline):
        if isinstance(pipe, Tok2Vec) and any(node is each for each in pipe.listeners):
            return pipe.model
    return None


class ModelPath:
    """The quantity of a component over one Transformer.v1; see integrate.integrate.

    The layers between the encoder and the quantity are those of thinc, which compute
    the gradient with respect to the token vectors by their own backward pass. They run
    in a copy without dropout, so the pipeline and its gradients stay as they are.

    RAISES (NoGradientError): If the quantity has no gradient with respect to the text.
    """

    def __init__(
        self, nlp: Language, target: Target, doc: Doc, baseline: str | None
    ) -> None:
        if not isinstance(target, ModelTarget):
            raise NoGradientError("its probabilities are not computed by a model")
        self.target, self.doc = target, doc
        encoders = find_encoders(nlp, target.pipe.model)
        if len(encoders) != 1 or not isinstance(encoders[0].shims[0], EncoderShim):
            raise NoGradientError("its model is not over one Transformer.v1")
        target.check_gradient()
        [encoder] = encoders
        dims: Any = {"nO": encoder.maybe_get_dim("nO")}
        given: Model = Model("given_vectors", self._give_vectors, dims=dims)
        self.layers = _copy(nlp, target.pipe.model, {id(encoder): given})
        self._check_layers(encoder)
        shim: Any = encoder.shims[0]
        self.encoded = EncodedDoc(shim, doc, baseline)
        self.baseline, self.at_once = self.encoded.baseline.name, self.encoded.at_once
        self.device = self.encoded.shim.model.device

    def _check_layers(self, encoder: Model) -> None:
        """Check that other words with the same vectors have the same value.

        With zeros as vectors, since probabilities of the text itself may be exactly 1.
        """
        doc = self.doc
        spaces = [bool(token.whitespace_) for token in doc]
        other = Doc(doc.vocab, words=["_"] * len(doc), spaces=spaces)
        self._vectors = [0 * vectors for vectors in encoder.predict([doc])]
        own, changed = (
            self.target.differentiate(self.layers.predict([each]))[0]
            for each in (doc, other)
        )
        if not numpy.allclose(own, changed, rtol=1e-5, atol=0):
            raise NoGradientError(
                "its model does not read the text by the encoder alone"
            )

    def value(self, scales: Tensor) -> Tensor:
        return _Layers.apply(self._run, self.encoded.vectors(scales))

    def _run(self, vectors: Any) -> tuple[numpy.ndarray, Callable[[], Any]]:
        self._vectors, self._gradient = list(vectors), 0 * vectors
        output, backprop = self.layers([self.doc] * len(vectors), is_train=True)
        values, d_output = self.target.differentiate(output)

        def differentiate() -> Any:
            backprop(d_output)
            return self._gradient

        return values, differentiate

    def _give_vectors(self, model: Model, X: list[Doc], is_train: bool) -> Any:
        """The layer in place of the encoder."""

        def backprop(d_vectors: Any) -> list[Doc]:
            for total, part in zip(self._gradient, d_vectors):
                total += part
            return []

        return self._vectors, backprop


def _copy(nlp: Language, model: Model, replaced: dict[int, Any]) -> Model:
    """Copy a model without dropout, and with copies of models in place of the listeners
    to them; `replaced` are further layers to replace, by their id."""
    for node in model.walk():
        upstream = _find_upstream(nlp, node)
        if upstream is not None:
            replaced[id(node)] = _copy(nlp, upstream, replaced)
        elif node.name in DROPOUT:
            replaced[id(node)] = noop()
    copied = copy.deepcopy(model, replaced)
    modules = (shim._model for node in copied.walk() for shim in node.shims)
    for module in modules:
        for part in module.modules() if isinstance(module, torch.nn.Module) else ():
            for name in ("p", "dropout"):
                if isinstance(getattr(part, name, None), float):
                    setattr(part, name, 0.0)
    return copied


class _Layers(torch.autograd.Function):
    """Layers of thinc as a function of torch."""

    @staticmethod
    def forward(ctx: Any, run: Callable[..., Any], vectors: Tensor) -> Tensor:
        # There may be torch modules among the layers, such as an LSTM.
        with torch.enable_grad():
            values, ctx.differentiate = run(torch2xp(vectors))
        ctx.like = vectors.dtype, vectors.device
        return torch.from_numpy(values).to(vectors.device)

    @staticmethod
    def backward(ctx: Any, *d_values: Tensor) -> Any:
        dtype, device = ctx.like
        gradient = xp2torch(ctx.differentiate(), device=device)
        return None, (gradient * d_values[0][:, None, None]).to(dtype)
