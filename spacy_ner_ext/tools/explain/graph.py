"""A look into a component's model: what of it reads documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2Vec, Tok2VecListener
from spacy.tokens import Doc
from thinc.api import Model

from ...encoder.shim import EncoderShim
from .untouched import replaced

# Layers of spaCy that read each word by itself.
READS_WORDS = ("extract_features", "static_vectors", "charembed")


@dataclass
class Call:
    """One call of a layer.

    node: The layer.
    reads_docs: Whether its input are documents.
    makes_vectors: Whether its output are token vectors.
    inner: The calls that it made.
    """

    node: Model
    reads_docs: bool
    makes_vectors: bool = False
    inner: list[Call] = field(default_factory=list)


@dataclass(frozen=True)
class Readers:
    """The layers of a model that documents go into.

    sources: Those that give token vectors to the rest: encoders, and embeddings of
        words.
    others: Those whose output has no gradient.
    """

    sources: Sequence[Model]
    others: Sequence[Model]

    def why_not(self) -> str | None:
        """Why there is no gradient for all that is read; None
        if there is.
        """
        if not self.others and self.sources:
            return None
        names = ", ".join(dict.fromkeys(node.name for node in self.others))
        return f"its model reads documents by {names or 'no layer that is known'}"


@contextmanager
def connected(nlp: Language, model: Model) -> Iterator[list[Model]]:
    """Let the listeners in a model call what they listen to, for a while.

    model: The model of one of its components.
    YIELDS: All layers of it, and of what it listens to.
    """
    nodes: list[Model] = []
    waiting = [model]
    with ExitStack() as stack:
        while waiting:
            for node in waiting.pop().walk():
                if any(node is known for known in nodes):
                    continue
                nodes.append(node)
                upstream = find_upstream(nlp, node)
                if upstream is not None:
                    stack.enter_context(replaced(node, _calling(upstream)))
                    waiting.append(upstream)
        yield nodes


def find_upstream(nlp: Language, node: Model) -> Model | None:
    """Find the model whose vectors a listener gets.

    RETURNS: The model; None if there is none, or the layer is no listener.
    """
    if not isinstance(node, Tok2VecListener):
        return None
    # Vectors pass through doc.tensor, so that the last to write it counts.
    for _, pipe in reversed(nlp.pipeline):
        if isinstance(pipe, Tok2Vec) and any(node is each for each in pipe.listeners):
            return pipe.model
    return None


def _calling(upstream: Model) -> Callable[..., Any]:
    def forward(model: Model, X: list[Doc], is_train: bool) -> Any:
        return upstream(X, is_train)

    return forward


# --- What reads documents -----------------------------------------------------


def find_readers(nodes: Sequence[Model], model: Model, doc: Doc) -> Readers:
    """Run a model once, and see which layers read the document."""
    top = Call(model, reads_docs=True)
    stack = [top]
    with ExitStack() as patches:
        for node in nodes:
            patches.enter_context(replaced(node, _traced(node._func, stack)))
        model.predict([doc])
    sources, others = _sort(top.inner[0])
    unique = {id(node): node for node in sources}
    return Readers(list(unique.values()), others)


def _traced(forward: Callable[..., Any], stack: list[Call]) -> Callable[..., Any]:
    def traced(model: Model, X: Any, is_train: bool) -> Any:
        call = Call(model, _are(X, Doc))
        stack[-1].inner.append(call)
        stack.append(call)
        try:
            Y, backprop = forward(model, X, is_train)
        finally:
            stack.pop()
        call.makes_vectors = _are_vectors(Y)
        return Y, backprop

    return traced


def _are(values: Any, kind: type) -> bool:
    is_list = isinstance(values, (list, tuple)) and len(values) > 0
    return is_list and all(isinstance(value, kind) for value in values)


def _are_vectors(values: Any) -> bool:
    if not isinstance(values, list) or not values:
        return False
    dtypes = [getattr(value, "dtype", None) for value in values]
    return all(dtype is not None and dtype.kind == "f" for dtype in dtypes)


def _sort(call: Call) -> tuple[list[Model], list[Model]]:
    """The sources among a call and those inside of it, and the other readers: the
    innermost layer that makes vectors of documents is a source, if all that it does
    is to look words up, or if it is an encoder."""
    if not call.reads_docs:
        return [], []
    if is_encoder(call.node):
        return [call.node], []
    if not call.inner:
        return [], [call.node]
    parts = [_sort(inner) for inner in call.inner]
    sources = [node for part, _ in parts for node in part]
    others = [node for _, part in parts for node in part]
    if call.makes_vectors and not sources and _only_look_up(others):
        return [call.node], []
    return sources, others


def _only_look_up(nodes: Sequence[Model]) -> bool:
    return bool(nodes) and all(node.name in READS_WORDS for node in nodes)


def is_encoder(node: Model) -> bool:
    """Whether a layer is a spacy_ner_ext.Transformer.v1."""
    return bool(node.shims) and isinstance(node.shims[0], EncoderShim)
