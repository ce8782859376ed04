"""The log-probability of a marked span of `span_marker_ner`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy
import torch
from spacy.tokens import Doc
from torch import Tensor

from ...encoder.pieces import pad
from ...span_marker.markers import Pairs
from ...span_marker.model import scorer_of
from ...span_marker.scorer import Candidates
from ...span_marker.windows import DocWords, read_words, words_before
from ...util.errors import UserError
from .embeddings import Baseline, embedded_as, find_owners, max_batch_pieces
from .targets import Target


class MarkedSpan(Target):
    """The log-probability that a span has a label once it is marked, whatever the
    filter says about it."""

    def check_span(self, doc: Doc) -> None:
        """RAISES (UserError): If the component never marks the span."""
        words, sentences, first, last = self._find([doc])
        longest = self.pipe.shim.settings.entity_max_length
        if last[0] - first[0] >= longest:
            raise UserError(
                f"the span has {int(last[0] - first[0]) + 1} words, and '{self.name}' "
                f"marks {longest} at most (entity_max_length): name a shorter span"
            )
        if first[0] > last[0] or last[0] >= words.sentences[sentences[0], 1]:
            raise UserError(
                f"'{self.name}' marks spans of words within a sentence: name another "
                "span"
            )

    def _find(self, docs: Sequence[Doc]) -> tuple[DocWords, Any, Any, Any]:
        """The words of documents; sentence, first and last word of the span in each."""
        words, before = read_words(docs), [words_before(doc) for doc in docs]
        offsets = words.doc_starts[:-1]
        first = offsets + numpy.array([each[self.start] for each in before])
        last = offsets + numpy.array([each[self.end] - 1 for each in before])
        starts = words.sentences[:, 0]
        return words, numpy.searchsorted(starts, first, side="right") - 1, first, last

    def locate(self, docs: Sequence[Doc]) -> Candidates:
        """Find the span and its window in documents."""
        words, *where = self._find(docs)
        scorer, context = scorer_of(self.pipe.model), self.pipe.context
        return replace(scorer.candidates(words, context, where), use_filter=False)

    def values(self, docs: Sequence[Doc]) -> numpy.ndarray:
        """See Target.values."""
        model = self.pipe.model
        logits = model.ops.to_numpy(model.predict(self.locate(docs)).logits)
        return self.log_probabilities(torch.from_numpy(logits)).numpy()

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Those of the label, float64, one for each row of logits."""
        scaled = logits.double() / self.pipe.cfg["temperature"]
        index = 1 + self.pipe.labels.index(self.label)
        return torch.log_softmax(scaled, dim=-1)[:, index]


class MarkedSpanPath:
    """The log-probability as a function of what the encoder sees of each token; see
    integrate.Path."""

    def __init__(self, target: MarkedSpan, doc: Doc, name: str | None) -> None:
        self.target, self.shim = target, target.pipe.shim
        found = target.locate([doc])
        windows, spans = found.windows, found.spans
        row = slice(int(spans.rows[0]), int(spans.rows[0]) + 1)
        sides = windows.starts[row], windows.ends[row]
        self.ids, self.mask, flat = pad(windows.pieces.ids, *sides, self.shim.specials)
        tokens = found.words.tokens[windows.pieces.tokens]
        self.owners = find_owners(tokens, *sides, flat)
        self.places = int(spans.starts[0]), int(spans.ends[0])
        self.encoder_baseline = Baseline(self.shim, name)
        self.baseline, self.device = self.encoder_baseline.name, self.shim.model.device
        self.at_once = max(1, max_batch_pieces(self.shim) // self.ids.size)

    def value(self, scales: Tensor) -> Tensor:
        """See integrate.Path."""
        n, model = len(scales), self.shim.model.eval()
        first = numpy.arange(n)[:, None] * scales.size(1)
        owners = numpy.where(self.owners < 0, -1, self.owners + first)
        ids, mask = self.ids.repeat(n, axis=0), self.mask.repeat(n, axis=0)
        rows = self.encoder_baseline.embed(ids, owners, scales.flatten())
        start, end = (numpy.full(n, place) for place in self.places)
        pairs = Pairs(numpy.zeros(n, dtype="int64"), numpy.arange(n), start, end)
        with model.running("fp32"):
            with embedded_as(model.encoder, rows):
                text = model.read(ids, mask, model.with_text)
            # Encoders without shared attention read text and markers together.
            again = embedded_as(model.encoder, rows)
            with nullcontext() if model.structured else again:
                logits = model.classify([text], pairs, n)
        return self.target.log_probabilities(logits)
