"""`text_cnn`: convolutions over the token vectors of another component."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy
from spacy.language import Language
from spacy.pipeline.tok2vec import Tok2Vec, Tok2VecListener
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from thinc.api import Model, Optimizer, set_dropout_rate
from thinc.types import Floats2d

from ..pipes.labels import sample_docs
from ..pipes.listeners import DEFAULT_TOK2VEC, check_widths, check_widths_of
from ..pipes.updates import finish_update

DEFAULT_TEXT_CNN_MODEL: dict[str, Any] = {
    "@architectures": "spacy_ner_ext.TextCNN.v1",
    "kernel_sizes": [3, 4, 5],
    "out_channels": None,
    "output_size": None,
    "activation": "relu",
    "normalize": "pre",
    "residual": True,
    "dropout": None,
    "tok2vec": DEFAULT_TOK2VEC,
}


@Language.factory(
    "text_cnn",
    assigns=["doc.tensor"],
    default_config={"model": DEFAULT_TEXT_CNN_MODEL},
)
def make_text_cnn(nlp: Language, name: str, model: Model) -> "TextCNNPipe":
    """Create a `text_cnn` component.

    model: A spacy_ner_ext.TextCNN.v1 over token vectors, usually over a listener to
        `tok2vec` or `transformer`.
    """
    return TextCNNPipe(nlp.vocab, model, name)


class TextCNNPipe(Tok2Vec):
    """Re-contextualize token vectors and share them with listeners.

    This is spaCy's Tok2Vec component, so `spacy.Tok2VecListener.v1` with the name of
    the component as `upstream` listens to it. Vectors are passed in doc.tensor: the
    components after it can listen to it, but not to a Tok2Vec component before it.
    """

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
    ) -> None:
        """Initialize the component for training: shapes and weights.

        get_examples: Returns the training examples.
        nlp: The pipeline.
        RAISES (ValueError): If no document has a token, a component after this one
            listens to a Tok2Vec component before it, by name or by "*", or a listener
            expects vectors of another width than it gets.
        """
        validate_get_examples(get_examples, "TextCNNPipe.initialize")
        self._check_listeners(nlp)
        check_widths(nlp)
        self.model.initialize(X=sample_docs(self.name, get_examples()))
        check_widths_of(self)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from the gradients of the components that listen, as spaCy's Tok2Vec,
        but for all documents at once.

        examples: The examples.
        drop: The dropout rate.
        sgd: The optimizer; None to only accumulate gradients.
        losses: The losses by component; that of this one is the sum of the squares of
            the gradients.
        RETURNS: The losses.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        validate_examples(examples, "TextCNNPipe.update")
        docs = [example.predicted for example in examples]
        set_dropout_rate(self.model, drop)
        vectors, backprop_vectors = self.model.begin_update(docs)
        ops: Any = self.model.ops
        lengths = numpy.array([len(x) for x in vectors], dtype="int32")
        gradients: list[Any] = []

        def accumulate(d_vectors: list[Floats2d]) -> list[Floats2d]:
            gradients.append(ops.flatten(d_vectors))
            return []

        def backprop(d_vectors: list[Floats2d]) -> list[Doc]:
            accumulate(d_vectors)
            losses[self.name] += float(sum((each**2).sum() for each in gradients))
            flat = sum(gradients[1:], gradients[0])
            d_docs = backprop_vectors(ops.unflatten(flat, lengths))
            if sgd not in (None, False):
                self.finish_update(sgd)
            return d_docs

        batch_id = Tok2VecListener.get_batch_id(docs)
        for i, listener in enumerate(self.listeners, 1):
            is_last = i == len(self.listeners)
            listener.receive(batch_id, vectors, backprop if is_last else accumulate)
        return losses

    def finish_update(self, sgd: Optimizer) -> None:
        """Update the weights by their gradients.

        sgd: The optimizer.
        """
        finish_update(self.model, sgd)

    def _check_listeners(self, nlp: Language | None) -> None:
        names = [] if nlp is None else nlp.pipe_names
        if nlp is None or self.name not in names:
            return
        place = names.index(self.name)
        before = [n for n in names[:place] if isinstance(nlp.get_pipe(n), Tok2Vec)]
        listening = [(name, upstreams(nlp, name)) for name in names[place + 1 :]]
        for i, (name, listened) in enumerate(listening):
            for upstream, is_tok2vec in listened:
                if is_tok2vec:
                    self._check_listener(name, upstream, before)
                    continue
                # Only the last listener passes gradients on to the upstream component.
                later = [n for n, ups in listening[i + 1 :] if (self.name, True) in ups]
                if upstream in ("*", *names[:place]) and later:
                    raise ValueError(
                        f"'{name}' listens to '{upstream}' between '{self.name}' and "
                        f"'{later[-1]}', so gradients of '{later[-1]}' would not reach "
                        f"it: move '{name}' before '{self.name}' or after "
                        f"'{later[-1]}'."
                    )

    def _check_listener(self, name: str, upstream: str, before: list[str]) -> None:
        if upstream in before:
            raise ValueError(
                f"'{name}' listens to '{upstream}', but '{self.name}' between them "
                f"replaces its vectors in doc.tensor: move '{name}' before "
                f"'{self.name}', or set its upstream to '{self.name}'."
            )
        if upstream == "*" and before:
            raise ValueError(
                f"'{name}' listens to '*', which includes both '{before[-1]}' and "
                f"'{self.name}', so '{before[-1]}' would not be trained: set the "
                f"upstream of its listener to '{self.name}'."
            )


def upstreams(nlp: Language, name: str) -> list[tuple[str, bool]]:
    """The upstream of each listener of a component, and whether it is a listener to a
    Tok2Vec component, not to a transformer."""
    model = getattr(nlp.get_pipe(name), "model", None)
    nodes = model.walk() if isinstance(model, Model) else ()
    return [
        (node.upstream_name, isinstance(node, Tok2VecListener))
        for node in nodes
        if hasattr(node, "upstream_name")
    ]
