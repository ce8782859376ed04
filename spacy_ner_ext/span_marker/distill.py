"""A filter for a model that was trained without one, fitted on its own predictions."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy
import torch
from spacy.tokens import Doc
from torch import Tensor
from torch.nn import functional

from ..encoder.pieces import Ints
from .component import SpanMarkerRecognizer
from .decode import choose
from .filter import SpanFilter
from .gold import OUTSIDE
from .model import scorer_of

LEARN_RATE = 3e-3
# Every fifth batch of texts is held out, to find the threshold.
HELD_OUT = 5
# A span passes although its score is only this share of what it was: among other texts,
# on another machine or in bf16 scores differ by rounding.
MARGIN = 0.98


@dataclass(frozen=True)
class Distilled:
    """The settings of a filter, and its quality on held-out texts."""

    threshold: float
    ratio: float
    n_entities: int  # found by the model
    recall: float  # the share of them that passes the filter
    candidates: float  # spans that pass, per word


@dataclass(frozen=True)
class _Batch:
    """Spans of some windows, and the predictions of the model."""

    states: Tensor  # of the windows, shape (n_rows, n_pieces, hidden)
    local: Tensor  # the row of each span
    starts: Tensor
    ends: Tensor
    widths: Tensor
    is_entity: Tensor  # whether it has a label, 0 or 1
    is_chosen: numpy.ndarray  # whether it is an entity without overlap
    rows: Ints  # its window
    first: Ints

    def logits(self, filter_: SpanFilter) -> Tensor:
        return filter_(self.states, self.local, self.starts, self.ends, self.widths)


def distill(
    recognizer: SpanMarkerRecognizer,
    batches: Iterable[Sequence[Doc]],
    recall: float,
    epochs: int,
    report: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Distilled:
    """Fit a filter on a model's own predictions for batches of texts, and give it to
    the model.

    recall: The share of the model's entities in held-out texts that must pass.
    report: Wraps the epochs, to show progress.
    RAISES (ValueError): If the model finds no entity in the held-out texts.
    """
    recognizer.read_checkpoint()
    shim = recognizer.shim
    shim.set_filter(None, candidates="all")
    collected = [part for docs in batches for part in _collect(recognizer, docs)]
    held_out, learned = collected[::HELD_OUT], collected.copy()
    del learned[::HELD_OUT]
    if not learned or not any(batch.is_chosen.any() for batch in held_out):
        raise ValueError(
            f"'{recognizer.name}' finds too few entities in these texts to fit a "
            "filter: give it more of the texts that it is meant for."
        )
    hidden = collected[0].states.size(-1)
    filter_ = SpanFilter(hidden, shim.settings.entity_max_length)
    filter_.reset(shim.std)
    _fit(filter_.to(shim.model.device), learned, epochs, report)
    found = _measure(filter_, held_out, recall)
    thresholds = {"filter_threshold": found.threshold, "filter_ratio": found.ratio}
    shim.set_filter(filter_, candidates="filtered", **thresholds)
    return found


def _collect(recognizer: SpanMarkerRecognizer, docs: Sequence[Doc]) -> list[_Batch]:
    """The predictions of the model for all spans of some documents."""
    candidates, model = recognizer.find_candidates(docs), recognizer.model
    scores, spans = model.predict(candidates), candidates.spans
    labels, best = choose(model.ops, scores, recognizer.cfg["entity_bias"])
    is_chosen = numpy.zeros(len(spans), dtype=bool)
    is_chosen[best] = True
    found, move = [], recognizer.shim.model.move
    for rows, text in scorer_of(model).texts(candidates):
        own = numpy.flatnonzero(numpy.isin(spans.rows, rows))
        assert text.states is not None
        order = numpy.argsort(rows)
        local = order[numpy.searchsorted(rows[order], spans.rows[own])]
        found.append(
            _Batch(
                text.states,
                move(local),
                move(spans.starts[own]),
                move(spans.ends[own]),
                move(spans.widths[own]),
                move(labels[own] != OUTSIDE).float(),
                is_chosen[own],
                spans.rows[own],
                spans.first[own],
            )
        )
    return found


def _fit(
    filter_: SpanFilter,
    batches: Sequence[_Batch],
    epochs: int,
    report: Callable[[Iterable[int]], Iterable[int]],
) -> None:
    optimizer = torch.optim.Adam(filter_.parameters(), lr=LEARN_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    shuffled = numpy.random.default_rng(0)
    for _ in report(range(epochs)):
        for i in shuffled.permutation(len(batches)):
            batch = batches[i]
            loss = functional.binary_cross_entropy_with_logits(
                batch.logits(filter_), batch.is_entity, reduction="sum"
            )
            optimizer.zero_grad()
            (loss / batch.states[..., 0].numel()).backward()
            optimizer.step()
        schedule.step()


def _measure(
    filter_: SpanFilter, batches: Sequence[_Batch], recall: float
) -> Distilled:
    """Find the highest threshold that keeps the recall, and the lowest ratio that does
    not reduce it."""
    with torch.no_grad():
        scores = [torch.sigmoid(b.logits(filter_)).cpu().numpy() for b in batches]
    of_entities = numpy.sort(
        numpy.concatenate([s[b.is_chosen] for s, b in zip(scores, batches)])
    )
    n_lost = int((1 - recall) * len(of_entities) + 1e-9)
    threshold = MARGIN * float(of_entities[n_lost])
    ratio = 0.0
    n_candidates = n_words = 0
    for score, batch in zip(scores, batches):
        for row in numpy.unique(batch.rows):
            own = batch.rows == row
            size = len(numpy.unique(batch.first[own]))
            ranked = numpy.sort(-score[own])
            entities = -MARGIN * score[own & batch.is_chosen & (score >= threshold)]
            ranks = numpy.searchsorted(ranked, entities, side="right")
            ratio = max(ratio, *((ranks / size).tolist() or [0.0]))
            n_candidates += int((score[own] >= threshold).sum())
            n_words += size
    return Distilled(
        threshold,
        ratio,
        len(of_entities),
        float((of_entities >= threshold).mean()),
        n_candidates / n_words,
    )
