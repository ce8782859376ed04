"""The algorithm of SpanMarker: texts to candidate spans, and these to logits.

1. Cut the texts into windows, and list the candidate spans in them (`candidates`).
2. Read the windows, batch by batch: the encoder's keys, values and states of each text.
3. Filter the spans by the states of their text, if there is a filter.
4. Mark the remaining spans, and classify the states of their markers.

Steps 2 to 4 are `score`, which is differentiable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from thinc.types import Floats1d, Floats2d
from torch import Tensor

from ..encoder.pieces import Ints, group_by_length, pad
from ..encoder.torch_shim import LARGEST_PASS
from .candidates import Spans, all_spans, place
from .filter import select_spans
from .markers import EncodedText, Pairs
from .network import SpanMarkerNetwork
from .settings import Context, SpanMarkerSettings
from .shim import SpanMarkerShim
from .windows import DocWords, SentenceWindows, cut

# Pieces of a pass of texts, and pairs of a pass of markers. Few fit the caches of a
# CPU; in training, where activations of the last pass are kept, they bound memory.
MAX_BATCH_PIECES = {"cpu": 512, "cuda": LARGEST_PASS}
MARKERS_PER_BATCH = {"cpu": 1024, "cuda": 32768}
MARKERS_PER_BATCH_TRAINING = {"cpu": 512, "cuda": 8192}


@dataclass(frozen=True)
class Candidates:
    """The candidate spans of some documents: the input of the model."""

    words: DocWords
    windows: SentenceWindows
    spans: Spans
    required: Any = None  # bools: marked whatever the filter's score; None for none
    use_filter: bool = True


@dataclass(frozen=True)
class CandidateScores:
    """The output of the model for candidate spans, or its gradient."""

    candidates: Candidates
    chosen: Ints  # the indices of the spans that were marked, ascending
    logits: Floats2d  # of these, shape (n_chosen, n_labels)
    filter_logits: Floats1d | None = None  # of all; None without a filter


class SpanScorer:
    """Runs the algorithm with the weights and settings of a model."""

    def __init__(self, shim: SpanMarkerShim) -> None:
        self.network: SpanMarkerNetwork = shim.model
        self.tokenizer, self.specials = shim.tokenizer, shim.specials
        self.settings: SpanMarkerSettings = shim.settings
        self.piece_cache = shim.piece_cache
        self.shim = shim

    @property
    def size(self) -> int:
        """Maximum pieces of a window, without special pieces: that of the settings,
        bounded by the positions of the encoder."""
        size = self.settings.model_max_length
        if self.network.n_positions is not None:
            size = min(size, self.network.n_positions - self.network.offset)
        return size - len(self.specials)

    def candidates(
        self, words: DocWords, context: Context, spans: Sequence[Ints] | None = None
    ) -> Candidates:
        """Cut sentences into windows, and place spans (sentence, first and last word)
        in them, by default all."""
        size, stride = self.size, self.settings.stride
        windows = cut(self.tokenizer, words, size, stride, context, self.piece_cache)
        if spans is None:
            spans = all_spans(windows, words, self.settings.entity_max_length)
        return Candidates(words, *place(windows, len(self.specials.before), *spans))

    @property
    def filters(self) -> bool:
        """Whether the filter selects spans."""
        has_filter = self.network.filter is not None
        if self.settings.candidates == "filtered" and not has_filter:
            raise ValueError(
                'candidates = "filtered" of SpanMarker, but this model was trained '
                "without a filter: fit one with `python -m spacy_ner_ext "
                'distill-filter`, or set candidates = "all".'
            )
        return has_filter and self.settings.candidates != "all"

    def score(self, candidates: Candidates) -> tuple[Ints, Tensor, Tensor | None]:
        """Score candidates: the indices of the marked spans, ascending; their logits;
        and the filter's logits of all spans, or None."""
        self._start(candidates)
        trains = torch.is_grad_enabled()
        limit = self._markers_per_batch(trains)
        around = [*self.specials.before, *self.specials.after, self.specials.padding]
        ids = numpy.append(candidates.windows.pieces.ids, around) if trains else None
        with self.network.running(self.settings.precision, ids):
            for rows in self.batches():
                self._filter(rows, self.read(rows))
                # In training all texts are needed for the backward pass; in prediction
                # memory does not grow with their number.
                n_waiting = sum(len(numbers) for numbers, _ in self._waiting)
                if not trains and n_waiting >= limit:
                    self._classify(limit)
            self._classify(limit)
        return self._result()

    @torch.no_grad()
    def texts(self, candidates: Candidates) -> list[tuple[Ints, EncodedText]]:
        """The windows of candidates, batch by batch, with their states."""
        self._start(candidates)
        with self.network.eval().running(self.settings.precision):
            return [
                (rows, self.read(rows, with_states=True)) for rows in self.batches()
            ]

    @torch.inference_mode()
    def select(self, candidates: Candidates) -> Ints:
        """The spans that `score` would mark, without marking them."""
        self._start(candidates)
        if not self._use_filter:
            return numpy.arange(len(candidates.spans))
        with self.network.eval().running(self.settings.precision):
            for rows in self.batches():
                self._filter(rows, self.read(rows))
                self._texts.clear()
        return numpy.concatenate([_NONE, *(numbers for numbers, _ in self._waiting)])

    def _start(self, candidates: Candidates) -> None:
        self.windows, self.spans = candidates.windows, candidates.spans
        self._use_filter = candidates.use_filter and self.filters
        self._required = candidates.required
        if self._required is None:
            self._required = numpy.zeros(len(self.spans), dtype=bool)
        # The spans of each window.
        self._by_row = numpy.argsort(self.spans.rows, kind="stable")
        rows = range(len(self.windows.starts) + 1)
        self._bounds = numpy.searchsorted(self.spans.rows[self._by_row], rows)
        # Texts that were read, and spans in them that wait for markers.
        self._texts: list[EncodedText] = []
        self._waiting: list[tuple[Ints, Pairs]] = []
        self._marked: list[tuple[Ints, Tensor]] = []
        self._filtered: list[tuple[Ints, Tensor]] = []

    def _markers_per_batch(self, trains: bool) -> int:
        defaults = MARKERS_PER_BATCH_TRAINING if trains else MARKERS_PER_BATCH
        if most := self.settings.markers_per_batch:
            return self.shim.halved(most)
        most = defaults.get(self.network.device.type, defaults["cuda"])
        # In training the activations of all layers are kept.
        n_layers = self.network.encoder.config.num_hidden_layers if trains else 1
        return self.shim.pass_size(most, 2 * n_layers * self.shim.layer_bytes())

    def batches(self) -> list[Ints]:
        """Batches of windows of similar length, without those that have no spans."""
        used = numpy.unique(self.spans.rows)
        lengths = (self.windows.ends - self.windows.starts)[used]
        device = self.network.device.type
        most = MAX_BATCH_PIECES.get(device, MAX_BATCH_PIECES["cuda"])
        limit = self.shim.pass_size(most, self.shim.layer_bytes())
        return [used[group] for group in group_by_length(lengths, self.specials, limit)]

    def read(self, rows: Ints, with_states: bool = False) -> EncodedText:
        """Pass the texts of some windows through the encoder."""
        starts, ends = self.windows.starts[rows], self.windows.ends[rows]
        ids, mask, _ = pad(self.windows.pieces.ids, starts, ends, self.specials)
        needed = with_states or self._use_filter or self.network.with_text
        return self.network.read(ids, mask, needed)

    def _filter(self, rows: Ints, text: EncodedText) -> None:
        """Queue the spans of some windows for marking, all or the best."""
        slices = [slice(*self._bounds[row : row + 2]) for row in rows]
        numbers = numpy.concatenate([self._by_row[part] for part in slices])
        counts = [part.stop - part.start for part in slices]
        local = numpy.repeat(numpy.arange(len(rows)), counts)
        if self._use_filter:
            kept = self._select(text, numbers, local)
            numbers, local = numbers[kept], local[kept]
        batch = numpy.full(len(numbers), len(self._texts))
        columns = self.spans.starts[numbers], self.spans.ends[numbers]
        self._waiting.append((numbers, Pairs(batch, local, *columns)))
        self._texts.append(text)

    def _select(self, text: EncodedText, numbers: Ints, local: Ints) -> Any:
        network, settings = self.network, self.settings
        assert network.filter is not None
        spans = self.spans[numbers]
        arrays = (local, spans.starts, spans.ends, spans.widths)
        logits = network.filter(text.states, *map(network.move, arrays))
        self._filtered.append((numbers, logits))
        probabilities = torch.sigmoid(logits.detach()).cpu().numpy()
        return select_spans(
            local,
            spans.first,
            probabilities,
            settings.filter_ratio,
            settings.filter_threshold,
            self._required[numbers],
        )

    def _classify(self, limit: int) -> None:
        """Mark and classify the spans that wait, and forget their texts."""
        if not self._waiting:
            return
        numbers, pairs = zip(*self._waiting)
        arrays = [(p.batches, p.rows, p.starts, p.ends) for p in pairs]
        together = Pairs(*(numpy.concatenate(column) for column in zip(*arrays)))
        logits = self.network.classify(self._texts, together, limit)
        self._marked.append((numpy.concatenate(numbers), logits))
        self._texts, self._waiting = [], []

    def _result(self) -> tuple[Ints, Tensor, Tensor | None]:
        nothing = self.network.classifier.weight.new_zeros(0, self.network.n_labels)
        chosen, logits = self._in_order([*self._marked, (_NONE, nothing)])
        filtered = self._in_order(self._filtered)[1] if self._filtered else None
        return chosen, logits, filtered

    def _in_order(self, parts: list[tuple[Ints, Tensor]]) -> tuple[Ints, Tensor]:
        """Concatenate results in the order of the spans."""
        numbers = numpy.concatenate([numbers for numbers, _ in parts])
        order = numpy.argsort(numbers)
        tensors = torch.cat([tensor for _, tensor in parts])
        return numbers[order], tensors[self.network.move(order)]


_NONE: Ints = numpy.zeros(0, dtype="int64")
