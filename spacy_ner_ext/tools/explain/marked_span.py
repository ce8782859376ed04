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
from .embeddings import Baseline, embedded_as, max_batch_pieces, without_owner
from .targets import Target


class MarkedSpan(Target):
    """The log-probability that a span has a label if it is marked, whatever score the
    filter gives it."""

    def check_span(self, doc: Doc) -> None:
        """RAISES (UserError): If the component never marks the span."""
        words, (sentence, first, last) = self._find([doc])
        longest = self.pipe.shim.settings.entity_max_length
        if last[0] - first[0] >= longest:
            raise UserError(
                f"the span has {int(last[0] - first[0]) + 1} words, and '{self.name}' "
                f"marks {longest} at most (entity_max_length): name a shorter span"
            )
        if first[0] > last[0] or last[0] >= words.sentences[sentence[0], 1]:
            raise UserError(
                f"'{self.name}' marks spans of words within a sentence: name another "
                "span"
            )

    def _find(self, docs: Sequence[Doc]) -> tuple[DocWords, Any]:
        """The words of documents; sentence, first and last word of the span in each."""
        words = read_words(docs)
        ends = numpy.array([words_before(doc)[list(self.span[:2])] for doc in docs])
        first, last = (words.doc_starts[:-1, None] + ends - [0, 1]).T
        sentences = numpy.searchsorted(words.sentences[:, 0], first, side="right") - 1
        return words, (sentences, first, last)

    def locate(self, docs: Sequence[Doc]) -> Candidates:
        """Find the span and its window in documents."""
        words, spans = self._find(docs)
        scorer = scorer_of(self.pipe.model)
        found = scorer.candidates(words, self.pipe.context, spans)
        return replace(found, use_filter=False)

    def values(self, docs: Sequence[Doc]) -> numpy.ndarray:
        model = self.pipe.model
        logits = model.ops.to_numpy(model.predict(self.locate(docs)).logits)
        return self.log_probabilities(torch.from_numpy(logits)).numpy()

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Those of the label, float64, one for each row of logits."""
        # An Apple GPU has no float64.
        scaled = logits.cpu().double() / self.pipe.cfg["temperature"]
        index = 1 + self.pipe.labels.index(self.label)
        return torch.log_softmax(scaled, dim=-1)[:, index]


class MarkedSpanPath:
    """The log-probability as a function of what the encoder sees of each token; see
    integrate.integrate."""

    def __init__(self, target: MarkedSpan, doc: Doc, name: str | None) -> None:
        self.target, shim = target, target.pipe.shim
        found = target.locate([doc])
        windows, spans = found.windows, found.spans
        sides = windows.starts[spans.rows], windows.ends[spans.rows]
        self.ids, self.mask, _ = pad(windows.pieces.ids, *sides, shim.specials)
        tokens = found.words.tokens[windows.pieces.tokens]
        self.owners = pad(tokens, *sides, without_owner(shim.specials))[0]
        self.places = spans.starts, spans.ends
        self.network, self.embeddings = shim.model, Baseline(shim, name)
        self.baseline, self.device = self.embeddings.name, shim.model.device
        self.at_once = max(1, max_batch_pieces(shim) // self.ids.size)

    def value(self, scales: Tensor) -> Tensor:
        n, network = len(scales), self.network.eval()
        first = numpy.arange(n)[:, None] * scales.size(1)
        owners = numpy.where(self.owners < 0, -1, self.owners + first)
        ids, mask = self.ids.repeat(n, axis=0), self.mask.repeat(n, axis=0)
        rows = self.embeddings.embed(ids, owners, scales.flatten())
        columns = (place.repeat(n) for place in self.places)
        pairs = Pairs(numpy.zeros(n, dtype="int64"), numpy.arange(n), *columns)
        with network.running("fp32"):
            with embedded_as(network.encoder, rows):
                text = network.read(ids, mask, network.with_text)
            # Encoders without shared attention read text and markers together.
            again = embedded_as(network.encoder, rows)
            with nullcontext() if network.structured else again:
                logits = network.classify([text], pairs, n)
        return self.target.log_probabilities(logits)
