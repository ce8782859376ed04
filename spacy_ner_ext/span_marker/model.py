"""The architecture of the span marker: documents and spans to scores."""

from typing import Any, Callable, Dict, List, Optional, Tuple, Union, cast

import numpy
from spacy import registry
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d, Ragged

from .candidates import place
from .settings import Context, SpanMarkerSettings
from .shim import SpanMarkerShim
from .step import CandidateScores
from .words import read_words, words_before


@registry.architectures("spacy_ner_ext.SpanMarker.v1")
def build_span_marker(
    name: str,
    candidates: Optional[str] = None,
    head: str = "markers+text",
    entity_max_length: int = 8,
    model_max_length: int = 256,
    stride: Optional[int] = None,
    markers_per_batch: Optional[int] = None,
    marker_init: str = "mask",
    position_offset: Union[int, str] = 2,
    filter_threshold: float = 0.01,
    filter_ratio: float = 0.3,
    activation: str = "softmax",
    precision: str = "fp32",
    freeze: Union[bool, int] = False,
    tokenizer_config: Dict[str, Any] = {},  # noqa: B006 - spaCy fills configs with it
    transformer_config: Dict[str, Any] = {},  # noqa: B006
    trust_remote_code: bool = False,
) -> Model[Tuple[List[Doc], Ragged], Floats2d]:
    """Build SpanMarker (Aarsen 2023), which marks candidate spans by a pair of pieces
    in the encoder's own input, and classifies them by what becomes of these.

    A text passes through the encoder once, whatever the number of spans; pairs attend
    to what was kept of it. It has the signature of spaCy's span categorizers, which
    can use it with any suggester; gradients are those of the logits.

    name: The encoder: name on the Hugging Face hub or path of a folder; the weights
        must be safetensors, the tokenizer a fast one.
    candidates: "all" marks all spans, as the original; "filtered" those that a filter,
        trained along, finds worth it by the text alone. If None, "filtered", or "all"
        for a trained model that has no filter. Used by `span_marker_ner`; spaCy's span
        categorizers bring a suggester.
    head: What the classifier sees: "markers" as the original, or "markers+text" for
        also the text's own states at the first and the last piece of the span.
    entity_max_length: The most words of an entity.
    model_max_length: The most pieces of a window, special pieces included.
    stride: Pieces from one window of a longer sentence to the next; by default half a
        window.
    markers_per_batch: The most pairs of markers in one pass; it bounds memory and
        changes no result. By default 1024 on the CPU (512 in training) and 32768 on a
        GPU (8192).
    marker_init: How the embeddings of the markers of a new model start: "mask" as that
        of the encoder's mask piece (or the mean of all, if it has none), which learns
        much faster; "random" as in the original.
    position_offset: What is added to the place of a piece to get its position: 2 as the
        original, "auto" for what the encoder was trained with.
    filter_threshold: The lowest probability that the filter lets through.
    filter_ratio: The most spans that it lets through, for each word of a window.
    activation: "softmax" for one label a span (`span_marker_ner`,
        `spancat_singlelabel`), or "logistic" for several (`spancat`).
    precision: "fp32", or "bf16" or "fp16" for mixed precision.
    freeze: Whether all weights of the encoder stay as they are, or how many layers do,
        counted from the lowest, together with the embeddings.
    tokenizer_config: Arguments of AutoTokenizer.from_pretrained.
    transformer_config: Arguments of AutoModel.from_pretrained.
    trust_remote_code: Whether code that comes with the encoder may run.
    RETURNS: The model.
    RAISES (ValueError): If a setting has a value that makes no model.
    """
    settings = SpanMarkerSettings(
        name=name,
        candidates=candidates,
        head=head,
        entity_max_length=entity_max_length,
        model_max_length=model_max_length,
        stride=stride,
        markers_per_batch=markers_per_batch,
        marker_init=marker_init,
        position_offset=position_offset,
        filter_threshold=filter_threshold,
        filter_ratio=filter_ratio,
        activation=activation,
        precision=precision,
        freeze=freeze,
        tokenizer_config=dict(tokenizer_config),
        transformer_config=dict(transformer_config),
        trust_remote_code=trust_remote_code,
    )
    return Model(
        "span_marker",
        forward,
        init=init,
        dims={"nO": None},
        shims=[SpanMarkerShim(settings)],
    )


def shim_of(model: Model) -> SpanMarkerShim:
    """What runs the model."""
    return cast(SpanMarkerShim, model.shims[0])


def init(model: Model, X: Any = None, Y: Optional[Floats2d] = None) -> None:
    """Load the pretrained encoder; the classes are the columns of Y."""
    if Y is None:
        raise ValueError(
            "SpanMarker needs to know the number of its labels: initialize it by a "
            "component, such as span_marker_ner or spancat."
        )
    # spaCy's span categorizers come with spans, which no filter has to find.
    shim_of(model).load(Y.shape[1], with_filter=X is None)
    model.set_dim("nO", Y.shape[1], force=True)


def resize_output(model: Model, n_labels: int) -> Model:
    """Append classes; the weights of the others stay as they are.

    n_labels: The number of all classes.
    """
    shim_of(model).resize(n_labels)
    model.set_dim("nO", n_labels, force=True)
    return model


def forward(
    model: Model, X: Tuple[List[Doc], Ragged], is_train: bool
) -> Tuple[Floats2d, Callable[[Floats2d], Tuple[List[Doc], Ragged]]]:
    docs, ragged = X
    shim, xp = shim_of(model), model.ops.xp
    words = read_words(docs, by_sentence=False)
    windows = shim.cut(words, Context())
    doc_of, first, last = _to_words(docs, ragged)
    # A document without words has no sentence, and its spans no place.
    known = numpy.flatnonzero(numpy.isin(doc_of, words.sentence_docs))
    sentence = numpy.searchsorted(words.sentence_docs, doc_of[known])
    windows, spans = place(windows, shim.n_before, sentence, first[known], last[known])
    every = numpy.ones(len(spans), dtype=bool)
    if is_train:
        scored, backprop_scored = shim.begin_scoring(windows, spans, every, False)
    else:
        scored = shim.score(windows, spans, False)
    softmax = shim.settings.activation == "softmax"
    scores: Any = model.ops.alloc2f(len(doc_of), model.get_dim("nO"))
    if softmax:
        scores[:, -1] = 1  # The negative label of spaCy's span categorizer.
    activate = model.ops.softmax if softmax else model.ops.sigmoid
    if len(known):
        scores[xp.asarray(known)] = activate(scored.logits)

    def backprop(d_scores: Floats2d) -> Tuple[List[Doc], Ragged]:
        gradient: Any = d_scores[xp.asarray(known)]
        backprop_scored(CandidateScores(scored.chosen, gradient, None))
        return docs, ragged

    return scores, backprop


def _to_words(docs: List[Doc], ragged: Ragged) -> Tuple[Any, Any, Any]:
    """The document, first and last word of spans of tokens. White space around a span
    is no part of it; a span of white space stands for the word before or behind."""
    lengths = numpy.asarray(ragged.lengths.tolist(), dtype="int64")
    tokens = numpy.asarray(ragged.dataXd.tolist(), dtype="int64").reshape(-1, 2)
    doc_of = numpy.repeat(numpy.arange(len(lengths)), lengths)
    first, last = numpy.zeros((2, len(tokens)), dtype="int64")
    n_spans = n_words = 0
    for doc, length in zip(docs, lengths.tolist()):
        before = words_before(doc)
        part = slice(n_spans, n_spans + length)
        top = max(int(before[-1]) - 1, 0)
        own = numpy.minimum(before[tokens[part, 0]], top)
        first[part] = n_words + own
        last[part] = n_words + numpy.maximum(before[tokens[part, 1]] - 1, own)
        n_spans, n_words = n_spans + length, n_words + int(before[-1])
    return doc_of, first, last
