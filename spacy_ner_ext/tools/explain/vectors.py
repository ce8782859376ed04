"""The way from token vectors, through the rest of a thinc model, to a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import Model, torch2xp, xp2torch
from torch import Tensor

from ...util.errors import UserError
from .embeddings import EncoderSource
from .graph import Readers, is_encoder
from .targets import ModelTarget
from .untouched import replaced_vectors


class Source(Protocol):
    """The way to the token vectors that a layer makes of a document.

    inputs, baselines: The end and the start of the path, of shape (1, ...).
    baseline: What the start is called.
    at_once: The points of the path that are computed together.
    """

    inputs: Tensor
    baselines: Tensor
    baseline: str
    at_once: int

    def vectors(self, points: Tensor) -> Tensor:
        """Token vectors, shape (n_points, n_tokens, width)."""

    def to_tokens(self, attributions: Tensor) -> numpy.ndarray:
        """What the tokens have, shape (n_tokens,)."""


class WordSource:
    """The vectors of words that a layer looks up; the path starts at zero.

    node: The layer.
    doc: The document.
    baseline: "zero", or None for the same.
    RAISES (UserError): If it is anything else.
    """

    baseline = "zero"
    # In spaCy's MishWindowEncoder the documents of a batch see each other.
    at_once = 1

    def __init__(self, node: Model, doc: Doc, baseline: str | None) -> None:
        if baseline not in (None, self.baseline):
            raise UserError(
                f"words that no encoder cuts into pieces start at zero and not at "
                f"'{baseline}': leave baseline out"
            )
        self.inputs = xp2torch(node.predict([doc])[0])[None]
        self.baselines = torch.zeros_like(self.inputs)

    def vectors(self, points: Tensor) -> Tensor:
        """See Source."""
        return points

    def to_tokens(self, attributions: Tensor) -> numpy.ndarray:
        """See Source."""
        return attributions[0].double().sum(-1).cpu().numpy()


class ModelPath:
    """The way from embeddings through a component's model to a number; see
    gradients.Path.

    target: The number.
    readers: What of the model reads documents.
    doc: The document.
    baseline: What the path begins with, see embeddings.Embedded.
    """

    def __init__(
        self, target: ModelTarget, readers: Readers, doc: Doc, baseline: str | None
    ) -> None:
        self.target, self.doc, self.nodes = target, doc, readers.sources
        self.sources: list[Source] = [
            EncoderSource(node.shims[0], doc, baseline)  # type: ignore[arg-type]
            if is_encoder(node)
            else WordSource(node, doc, baseline)
            for node in readers.sources
        ]
        self.inputs = tuple(source.inputs for source in self.sources)
        self.baselines = tuple(source.baselines for source in self.sources)
        names = dict.fromkeys(source.baseline for source in self.sources)
        self.baseline = ", ".join(names)
        self.at_once = min(source.at_once for source in self.sources)

    def value(self, *points: Tensor) -> Tensor:
        """See gradients.Path."""
        vectors = [source.vectors(part) for source, part in zip(self.sources, points)]
        return _Rest.apply(self._run, *vectors)

    def to_tokens(self, *attributions: Tensor) -> numpy.ndarray:
        """See gradients.Path."""
        parts = zip(self.sources, attributions)
        return numpy.sum([source.to_tokens(part) for source, part in parts], axis=0)

    def _run(
        self, vectors: Sequence[Any]
    ) -> tuple[numpy.ndarray, Callable[[], list[Any]]]:
        """Run the model with other token vectors."""
        model = self.target.model
        gradients = [model.ops.xp.zeros_like(part) for part in vectors]
        docs = [self.doc] * len(vectors[0])
        with replaced_vectors(self.nodes, [list(part) for part in vectors], gradients):
            output, backprop = model(docs, is_train=True)
        values, d_output = self.target.differentiate(output)

        def differentiate() -> list[Any]:
            backprop(d_output)
            return gradients

        return values, differentiate


class _Rest(torch.autograd.Function):
    """A thinc model as a function of torch."""

    @staticmethod
    def forward(ctx: Any, run: Callable[..., Any], *vectors: Tensor) -> Tensor:
        # The model may have torch layers of its own, such as an LSTM.
        with torch.enable_grad():
            values, ctx.differentiate = run([torch2xp(each) for each in vectors])
        ctx.like = [(each.dtype, each.device) for each in vectors]
        return torch.from_numpy(values).to(vectors[0].device)

    @staticmethod
    def backward(ctx: Any, *d_values: Tensor) -> Any:
        # The points do not know of each other.
        factors = d_values[0][:, None, None]
        gradients = [
            (xp2torch(array, device=device) * factors).to(dtype)
            for array, (dtype, device) in zip(ctx.differentiate(), ctx.like)
        ]
        return None, *gradients
