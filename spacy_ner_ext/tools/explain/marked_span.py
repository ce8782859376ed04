"""The log-probability of a marked span, and the way to it from the pieces of its
text."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy
import torch
from spacy.tokens import Doc
from torch import Tensor

from ...encoder.pieces import Ints, pad
from ...span_marker.component import SpanMarkerRecognizer
from ...span_marker.markers import Pairs
from ...span_marker.model import scorer_of
from ...span_marker.scorer import Candidates
from ...span_marker.windows import DocWords, read_words, words_before
from ...util.errors import UserError
from .embeddings import Embedded, embedded_as, rows_at_once
from .targets import Subject, Target


class MarkedSpan(Target):
    """The log-probability that a span has a label, once it is marked: what a filter
    says about it is no part of it.

    component: The component.
    doc: The document of the span.
    subject: The span.
    RAISES (UserError): If the component never marks the span.
    """

    def __init__(
        self, component: SpanMarkerRecognizer, doc: Doc, subject: Subject
    ) -> None:
        super().__init__(subject)
        self.component = component
        self.label = 1 + component.labels.index(subject.label)
        self.shim = component.shim
        self._check(doc)

    def _check(self, doc: Doc) -> None:
        words, sentences, first, last = self._find([doc])
        longest = self.shim.settings.entity_max_length
        name = self.subject.component
        if int(last[0] - first[0]) >= longest:
            raise UserError(
                f"the span has {int(last[0] - first[0]) + 1} words, and '{name}' "
                f"marks {longest} at most (entity_max_length): name a shorter span"
            )
        if first[0] > last[0] or last[0] >= words.sentences[sentences[0], 1]:
            raise UserError(
                f"'{name}' marks spans of words within a sentence: name another span"
            )

    def _find(self, docs: Sequence[Doc]) -> tuple[DocWords, Ints, Ints, Ints]:
        """The words of documents; sentence, first and last word of the span in each."""
        words = read_words(docs)
        start, end = self.subject.start, self.subject.end
        before = [words_before(doc) for doc in docs]
        offsets = words.doc_starts[:-1]
        first = offsets + numpy.array([each[start] for each in before])
        last = offsets + numpy.array([each[end] - 1 for each in before])
        boundaries = words.sentences[:, 0]
        sentences = numpy.searchsorted(boundaries, first, side="right") - 1
        return words, sentences, first, last

    def locate(self, docs: Sequence[Doc]) -> Candidates:
        """Find the span and its window in documents."""
        words, *where = self._find(docs)
        scorer, context = scorer_of(self.component.model), self.component.context
        return replace(scorer.candidates(words, context, where), use_filter=False)

    def values(self, docs: Sequence[Doc]) -> numpy.ndarray:
        """See Target.values."""
        model = self.component.model
        logits = model.ops.to_numpy(model.predict(self.locate(docs)).logits)
        return self.log_probabilities(torch.from_numpy(logits)).numpy()

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """That of the label, float64, for each row of logits."""
        scaled = logits.double() / self.component.cfg["temperature"]
        return torch.log_softmax(scaled, dim=-1)[:, self.label]


class MarkedSpanPath:
    """The way from the embeddings of the pieces of a span's window to the log-
    probability of its label; see gradients.Path.

    target: The span.
    doc: Its document.
    baseline: What the path begins with, see Embedded.
    """

    def __init__(self, target: MarkedSpan, doc: Doc, baseline: str | None) -> None:
        self.target, self.shim = target, target.shim
        found = target.locate([doc])
        words, windows, spans = found.words, found.windows, found.spans
        row = slice(int(spans.rows[0]), int(spans.rows[0]) + 1)
        boundaries = windows.starts[row], windows.ends[row]
        ids, mask, flat = pad(windows.pieces.ids, *boundaries, self.shim.specials)
        is_text = (flat >= boundaries[0]) & (flat < boundaries[1])
        # Words are counted without white space.
        tokens = numpy.append(words.tokens, -1)
        owners = numpy.full(flat.shape, -1)
        owners[is_text] = tokens[windows.pieces.tokens[flat[is_text]]]
        self.batch = ids, mask
        self.places = int(spans.starts[0]), int(spans.ends[0])
        self.embedded = Embedded(self.shim, ids, owners, len(doc), baseline)
        self.inputs: tuple[Tensor, ...] = (self.embedded.inputs,)
        self.baselines: tuple[Tensor, ...] = (self.embedded.baselines,)
        self.baseline = self.embedded.baseline
        self.at_once = rows_at_once(self.shim, ids.size)

    def value(self, *points: Tensor) -> Tensor:
        """See gradients.Path."""
        rows = points[0].flatten(0, 1)
        n, model = len(rows), self.shim.model
        model.eval()
        ids, mask = (x.repeat(n, axis=0) for x in self.batch)
        start, end = (numpy.full(n, place) for place in self.places)
        pairs = Pairs(numpy.zeros(n, dtype="int64"), numpy.arange(n), start, end)
        given = embedded_as(model.encoder, rows)
        with model.running("fp32"):
            with given:
                text = model.read(ids, mask, model.with_text)
            # Other encoders see text and markers together.
            again = embedded_as(model.encoder, rows)
            with nullcontext() if model.structured else again:
                logits = model.classify([text], pairs, n)
        return self.target.log_probabilities(logits)

    def to_tokens(self, *attributions: Tensor) -> numpy.ndarray:
        """See gradients.Path."""
        return self.embedded.to_tokens(attributions[0])
