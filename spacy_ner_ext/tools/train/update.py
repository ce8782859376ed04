"""One step of training: the gradients of a batch, in parts that fit into memory and in
shares of several ranks, and the update of the weights.

A component whose loss is a mean over the batch has a method `count_gold(examples)`, and
its `update` takes the result as `denominators`: with the counts of the whole batch, the
losses and gradients of the parts add up to those of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from spacy.language import Language
from spacy.training import Example
from spacy.training.loop import subdivide_batch
from spacy.util import logger
from thinc.api import Model, Optimizer

from ...training.batcher import divide
from ...util.errors import UserError
from ...util.memory import free_cached_memory, out_of_memory
from ...util.weights import as_tensor, iter_weights
from .exchange import Exchange, sum_counts
from .random_state import capture, restore, seed_cupy
from .ranks import Ranks
from .settings import Amount
from .shares import share_of

Examples = Sequence[Example]


@dataclass
class Updater:
    """Updates the weights of a pipeline by batches.

    A batch that does not fit into the memory of the GPU is repeated from its start in
    parts of half the size.

    accumulate: The number of parts of a batch, unless `sub_batch` is their size.
    max_docs: The most docs of a part that are known to fit.
    seed: Of training; CuPy draws from it, the rank and the number of the step.
    ranks: The processes that share the batches.
    divides: Whether to divide each batch over the ranks; otherwise each has its own.
    """

    nlp: Language
    optimizer: Optimizer
    frozen: list[str]
    annotating: list[str]
    accumulate: int
    sub_batch: Amount | None
    max_docs: int | None = None
    seed: int = 0
    ranks: Ranks = field(default_factory=Ranks)
    divides: bool = True

    def __post_init__(self) -> None:
        self.exchange = Exchange(self.ranks)

    def __call__(
        self, examples: Examples, dropout: float, step: int
    ) -> dict[str, float]:
        """Make a step, and return the losses by component."""
        self.ranks.step = step
        if self.ranks.size == 1:
            losses = self._compute(examples, dropout, step)
        else:
            losses = self._share(examples, dropout, step)
        for _, component in self._trained():
            component.finish_update(self.optimizer)
        self.optimizer.step_schedules()
        return losses

    def _share(self, examples: Examples, dropout: float, step: int) -> dict[str, float]:
        """Compute the gradients of the share of this rank, and sum those of all. An
        error is raised after the other ranks know of it."""
        losses: dict[str, float] = {}
        error: Exception | None = None
        mine: Examples = []
        counts = self._count_gold(mine)
        try:
            mine = examples
            if self.divides:
                mine = share_of(self.ranks, self.nlp, examples)
            counts = self._count_gold(mine)
        except Exception as err:  # noqa: BLE001
            error = err
        counts = sum_counts(self.ranks, counts)
        if error is None:
            try:
                losses = self._compute(mine, dropout, step, counts)
            except Exception as err:  # noqa: BLE001
                error = err
        self.exchange(list(self._trained()), losses, error)
        return losses

    def _compute(
        self,
        examples: Examples,
        dropout: float,
        step: int,
        denominators: dict[str, Any] | None = None,
    ) -> dict[str, float]:
        """Accumulate the gradients of examples."""
        before = capture()
        while True:
            seed_cupy(self.seed * 1_000_003 + step + 7919 * self.ranks.rank)
            parts = list(self._divide(examples))
            try:
                return self._accumulate(examples, parts, dropout, denominators)
            except out_of_memory() as err:
                self._halve(parts, step, err)
            # Outside of the handler, where the frames of the failed pass are freed.
            self._zero_gradients()
            restore(before)

    def _trained(self) -> Iterator[tuple[str, Any]]:
        for name, component in self.nlp.pipeline:
            if name in self.frozen or not getattr(component, "is_trainable", False):
                continue
            if isinstance(component.model, Model):  # type: ignore[attr-defined]
                yield name, component

    def _divide(self, examples: Examples) -> Iterator[Examples]:
        parts: Iterable[Examples] = subdivide_batch(examples, self.accumulate)
        if (size := self.sub_batch) is not None:
            parts = divide(self.nlp, examples, int(size.number), size.unit)
        for part in filter(len, parts):
            n_docs = min(self.max_docs or len(part), len(part))
            for first in range(0, len(part), n_docs):
                yield part[first : first + n_docs]

    def _count_gold(self, examples: Examples) -> dict[str, Any]:
        return {
            name: component.count_gold(examples)
            for name, component in self._trained()
            if hasattr(component, "count_gold")
        }

    def _accumulate(
        self,
        examples: Examples,
        parts: list[Examples],
        dropout: float,
        denominators: dict[str, Any] | None,
    ) -> dict[str, float]:
        losses: dict[str, float] = {}
        if denominators is None and len(parts) > 1:
            denominators = self._count_gold(examples)
        settings = {
            name: _OfUpdate(denominators=counts)
            for name, counts in (denominators or {}).items()
        }
        for part in parts:
            self.nlp.update(
                part,
                drop=dropout,
                losses=losses,
                sgd=False,  # type: ignore[arg-type]
                exclude=self.frozen,
                annotates=self.annotating,
                component_cfg=settings,  # type: ignore[arg-type]
            )
        return losses

    def _halve(self, parts: list[Examples], step: int, err: BaseException) -> None:
        largest = max(map(len, parts))
        if largest == 1:
            longest = max(len(example.predicted) for part in parts for example in part)
            raise UserError(
                f"Step {step}: a single document, of up to {longest} tokens, does not "
                "fit into the memory of the GPU: reduce max_batch_pieces of its "
                "encoder, or split long documents (max_length of convert or of the "
                "reader)."
            ) from err
        self.max_docs = largest // 2
        logger.warning(
            "Step %d: out of GPU memory with %d document(s) at once; the step is "
            "repeated, and training continues, with up to %d.",
            *(step, largest, self.max_docs),
        )

    def _zero_gradients(self) -> None:
        for weight in iter_weights(list(self._trained())):
            if weight.gradient is not None:
                as_tensor(weight.gradient).zero_()
        free_cached_memory()


class _OfUpdate(dict[str, Any]):
    """Arguments of `update` that spaCy does not copy for `pipe`, too."""

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return {}
