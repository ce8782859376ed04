"""One step of training: a batch in parts, and then the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from spacy.language import Language
from spacy.training import Example
from spacy.training.loop import subdivide_batch
from spacy.util import logger
from thinc.api import Model, Optimizer
from thinc.util import has_cupy_gpu

from ...training.batcher import cut
from ...util.errors import UserError
from .pieces import count_pieces
from .random_state import capture, restore
from .settings import PIECES, WORDS, Amount

Examples = Sequence[Example]


class Updating:
    """Learns from batches, in parts that fit into memory.

    The parts give the gradient of the whole batch: components that average get its
    numbers by `begin_batch`, and those of spaCy add up. A batch that does not fit
    into the memory of the GPU is done again from its start, in parts half as large.

    nlp: The pipeline.
    optimizer: The optimizer.
    frozen: The components that do not learn.
    annotating: Those whose predictions others learn from.
    accumulate: The parts of a batch, as many docs in each.
    sub_batch: The size of a part, in place of that.
    max_docs: The most docs of a part that are known to fit.
    """

    def __init__(
        self,
        nlp: Language,
        optimizer: Optimizer,
        frozen: list[str],
        annotating: list[str],
        accumulate: int,
        sub_batch: Amount | None,
        max_docs: int | None = None,
    ) -> None:
        self.nlp = nlp
        self.optimizer = optimizer
        self.frozen = frozen
        self.annotating = annotating
        self.accumulate = accumulate
        self.sub_batch = sub_batch
        self.max_docs = max_docs

    def __call__(
        self, examples: Examples, dropout: float, step: int
    ) -> dict[str, float]:
        """Make a step.

        step: The number of the step, for the log.
        RAISES (UserError): If not even one document fits into memory.
        """
        before = capture()
        while True:
            parts = list(self._divide(examples))
            try:
                losses = self._accumulate(examples, parts, dropout)
                break
            except _out_of_memory() as err:
                self._halve(parts, step, err)
            # Outside of the handler, where the frames of the failed pass are gone.
            self._forget()
            restore(before)
        for component in self._learning():
            component.finish_update(self.optimizer)
        self.optimizer.step_schedules()
        return losses

    def _learning(self) -> Iterator[Any]:
        for name, component in self.nlp.pipeline:
            if name in self.frozen or not getattr(component, "is_trainable", False):
                continue
            if isinstance(component.model, Model):  # type: ignore[attr-defined]
                yield component

    # --- Parts ----------------------------------------------------------------

    def _divide(self, examples: Examples) -> Iterator[Examples]:
        parts = (
            subdivide_batch(examples, self.accumulate)
            if self.sub_batch is None
            else divide(self.nlp, examples, self.sub_batch)
        )
        for part in filter(len, parts):
            size = min(self.max_docs or len(part), len(part))
            for first in range(0, len(part), size):
                yield part[first : first + size]

    def _accumulate(
        self, examples: Examples, parts: list[Examples], dropout: float
    ) -> dict[str, float]:
        losses: dict[str, float] = {}
        averaging = [c for c in self._learning() if hasattr(c, "begin_batch")]
        begun: list[Any] = []
        try:
            for component in averaging if len(parts) > 1 else ():
                begun.append(component)
                component.begin_batch(examples)
            for part in parts:
                self.nlp.update(
                    part,
                    drop=dropout,
                    losses=losses,
                    sgd=False,  # type: ignore[arg-type]
                    exclude=self.frozen,
                    annotates=self.annotating,
                )
        finally:
            for component in begun:
                component.end_batch()
        return losses

    # --- Memory ---------------------------------------------------------------

    def _halve(self, parts: list[Examples], step: int, err: BaseException) -> None:
        largest = max(map(len, parts))
        if largest == 1:
            longest = max(len(example.predicted) for part in parts for example in part)
            raise UserError(
                f"Step {step}: a document of up to {longest} tokens alone does not fit "
                "into the memory of the GPU: set max_batch_pieces of its encoder, or "
                "cut long documents (max_length of convert or of the reader)."
            ) from err
        self.max_docs = largest // 2
        logger.warning(
            "Step %d: out of GPU memory with %d document(s) at once; the step is done "
            "again, and training goes on, with up to %d.",
            *(step, largest, self.max_docs),
        )

    def _forget(self) -> None:
        """Set all gradients to zero."""
        for component in self._learning():
            for node in component.model.walk():
                for name in node.grad_names:
                    node.get_grad(name).fill(0)
                for shim in node.shims:
                    module: Any = getattr(shim, "_model", None)
                    if isinstance(module, torch.nn.Module):
                        module.zero_grad()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def divide(nlp: Language, examples: Examples, size: Amount) -> Iterator[Examples]:
    """Divide a batch into parts of about one size, documents of similar length
    together.

    nlp: The pipeline, with an encoder if pieces are counted.
    size: The most pieces, words or docs of a part.
    YIELDS: The parts; one document may be larger.
    RAISES (UserError): If pieces are meant, and no component has an encoder.
    """
    count: dict[str, Callable[[], list[int]]] = {
        PIECES: lambda: count_pieces(nlp, examples),
        WORDS: lambda: [len(example.predicted) for example in examples],
    }
    sizes = count.get(size.unit, lambda: [1] * len(examples))()
    lengths = [len(example.predicted) for example in examples]
    ranked = sorted(range(len(examples)), key=lambda i: (sizes[i], lengths[i]))
    counted = [(sizes[i], examples[i]) for i in ranked]
    for part, _ in cut(counted, int(size.number), padded=False):
        yield part


def _out_of_memory() -> tuple[type[BaseException], ...]:
    kinds: list[type[BaseException]] = [torch.cuda.OutOfMemoryError]
    if has_cupy_gpu:
        from cupy.cuda.memory import OutOfMemoryError

        kinds.append(OutOfMemoryError)
    return tuple(kinds)
