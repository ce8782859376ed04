"""The architecture `SpanMarker.v1`: candidate spans to scores."""

from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional, Tuple, Union, cast

import numpy
import torch
from spacy import registry
from spacy.tokens import Doc
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d, Ragged

from .scorer import Candidates, CandidateScores, SpanScorer
from .settings import Context, SpanMarkerSettings
from .shim import SpanMarkerShim
from .windows import read_words, words_before


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
    """Build SpanMarker (Aarsen 2023): each candidate span is marked by a pair of pieces
    in the encoder's input, and classified from the encoder's output at these.

    A text passes through the encoder once, whatever the number of spans. The model has
    the signature of spaCy's span categorizers, which can use it with any suggester;
    gradients are those of the logits. `span_marker_ner` passes `scorer.Candidates`
    instead, and gets `scorer.CandidateScores`.

    name: The encoder: name on the Hugging Face hub or path of a folder; the weights
        must be safetensors, or in a folder a pytorch_model.bin (read with
        weights_only), the tokenizer a fast one.
    candidates: "all" marks all spans, as the original; "filtered" only those that a
        filter on the states of the text selects, which is trained with the rest. If
        None, "filtered", or "all" for a trained model without a filter. Used by
        `span_marker_ner`; spaCy's span categorizers have a suggester.
    head: The input of the classifier: "markers" as the original, or "markers+text" to
        add the states of the first and the last piece of the span.
    entity_max_length: Maximum words of an entity.
    model_max_length: Maximum pieces of a window, special pieces included.
    stride: Pieces from one window of a long sentence to the next; by default half a
        window.
    markers_per_batch: Maximum pairs of markers in one pass; bounds memory and does not
        change results. By default 1024 on the CPU (512 in training), and on a GPU what
        fits into half of the free memory, at most 32768 (8192).
    marker_init: The initial embeddings of the markers: "mask" for that of the encoder's
        mask piece (or the mean of all pieces without one), which learns much faster;
        "random" as in the original.
    position_offset: Added to the column of a piece to get its position: 2 as in the
        original, "auto" for the positions that the encoder was trained with.
    filter_threshold: Minimum probability of a span to pass the filter.
    filter_ratio: Maximum spans that pass the filter, per word of a window.
    activation: "softmax" for one label per span (`span_marker_ner`,
        `spancat_singlelabel`), or "logistic" for several (`spancat`).
    precision: "fp32", or "bf16" or "fp16" for mixed precision.
    freeze: True to freeze all weights of the encoder, or the number of layers to
        freeze, counted from the lowest, together with the embeddings.
    tokenizer_config: Arguments of AutoTokenizer.from_pretrained.
    transformer_config: Arguments of AutoModel.from_pretrained.
    trust_remote_code: Whether code that comes with the encoder may run.
    RETURNS: The model; the scores of spans have shape (n_spans, n_labels).
    RAISES (ValueError): If a setting has an invalid value.
    """
    settings = SpanMarkerSettings(**locals())
    return Model(
        "span_marker",
        forward,
        init=init,
        dims={"nO": None},
        shims=[SpanMarkerShim(settings)],
    )


def shim_of(model: Model) -> SpanMarkerShim:
    return cast(SpanMarkerShim, model.shims[0])


def scorer_of(model: Model) -> SpanScorer:
    """The algorithm with the weights of the model."""
    return SpanScorer(shim_of(model))


def init(model: Model, X: Any = None, Y: Optional[Floats2d] = None) -> None:
    """Load the pretrained encoder; the classes are the columns of Y."""
    if Y is None:
        raise ValueError(
            "SpanMarker needs to know the number of its labels: initialize it by a "
            "component, such as span_marker_ner or spancat."
        )
    # spaCy's span categorizers pass X; they have a suggester, and need no filter.
    shim_of(model).load(Y.shape[1], with_filter=X is None)
    model.set_dim("nO", Y.shape[1], force=True)


def forward(model: Model, X: Any, is_train: bool) -> Tuple[Any, Callable]:
    if isinstance(X, Candidates):
        return _score(model, X, is_train)
    return _categorize(model, X, is_train)


def _score(
    model: Model, candidates: Candidates, is_train: bool
) -> Tuple[CandidateScores, Callable[[CandidateScores], Candidates]]:
    """The logits of candidates, and a callback for their gradient."""
    network, scaler = shim_of(model).model, shim_of(model).scaler
    network.train(is_train)
    if is_train:
        chosen, *outputs = scorer_of(model).score(candidates)
    else:
        run_in_memory = shim_of(model).run_in_memory
        chosen, *outputs = run_in_memory(lambda: _predict(model, candidates))
    arrays: Any = [x if x is None else torch2xp(x.detach()) for x in outputs]

    def backprop(gradient: CandidateScores) -> Candidates:
        # A prediction may have changed the mode since, and passes run a second time.
        network.train()
        tensors, gradients = [], []
        for output, array in zip(outputs, (gradient.logits, gradient.filter_logits)):
            if output is not None and output.requires_grad:
                tensors.append(output)
                d_output = xp2torch(cast(Any, array), device=output.device)
                gradients.append(d_output * scaler.scale)
        if tensors:
            torch.autograd.backward(tensors, gradients)
        return candidates

    return CandidateScores(candidates, chosen, *arrays), backprop


@torch.inference_mode()
def _predict(
    model: Model, candidates: Candidates
) -> Tuple[Any, torch.Tensor, Optional[torch.Tensor]]:
    return scorer_of(model).score(candidates)


def _categorize(
    model: Model, X: Tuple[List[Doc], Ragged], is_train: bool
) -> Tuple[Floats2d, Callable[[Floats2d], Tuple[List[Doc], Ragged]]]:
    """The scores of the spans that spaCy's span categorizers suggest."""
    docs, ragged = X
    xp, settings = model.ops.xp, shim_of(model).settings
    words = read_words(docs, by_sentence=False)
    doc_of, first, last = _to_words(docs, ragged)
    # A document without words has no sentence, and its spans no window.
    known = numpy.flatnonzero(numpy.isin(doc_of, words.sentence_docs))
    sentences = numpy.searchsorted(words.sentence_docs, doc_of[known])
    spans = (sentences, first[known], last[known])
    candidates = scorer_of(model).candidates(words, Context(), spans)
    candidates = replace(candidates, use_filter=False)
    scored, backprop_scored = _score(model, candidates, is_train)
    scores: Any = model.ops.alloc2f(len(doc_of), model.get_dim("nO"))
    softmax = settings.activation == "softmax"
    if softmax:
        scores[:, -1] = 1  # The negative label of spaCy's span categorizer.
    activate = model.ops.softmax if softmax else model.ops.sigmoid
    if len(known):
        scores[xp.asarray(known)] = activate(scored.logits)

    def backprop(d_scores: Floats2d) -> Tuple[List[Doc], Ragged]:
        gradient: Any = d_scores[xp.asarray(known)]
        backprop_scored(CandidateScores(candidates, scored.chosen, gradient))
        return docs, ragged

    return scores, backprop


def _to_words(docs: List[Doc], ragged: Ragged) -> Tuple[Any, Any, Any]:
    """The document, first and last word of spans of tokens. White space around a span
    is not part of it; a span of white space is replaced by a neighboring word."""
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
