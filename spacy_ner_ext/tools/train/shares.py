"""The share of each rank in a batch, and in the documents of an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from heapq import heapify, heapreplace
from timeit import default_timer as timer
from typing import Any

from spacy.language import Language, _replace_numpy_floats
from spacy.scorer import Scorer
from spacy.tokens import Doc
from spacy.training import Example

from ...encoder.torch_shim import TorchShim
from ...training.batcher import count_pieces
from ...util.errors import UserError
from ...util.weights import iter_shims
from .batches import Position
from .ranks import Ranks


def divide_evenly(sizes: Sequence[int], n: int) -> list[list[int]]:
    """Divide items into `n` shares of about the same total size, by their positions:
    the largest first, each to the share that has least (Graham 1969)."""
    loads = [(0, share) for share in range(n)]
    heapify(loads)
    shares: list[list[int]] = [[] for _ in loads]
    for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        load, share = loads[0]
        shares[share].append(i)
        heapreplace(loads, (load + sizes[i], share))
    return [sorted(share) for share in shares]


def share_of(ranks: Ranks, nlp: Language, examples: Sequence[Example]) -> list[Example]:
    """The examples of a batch that this rank takes: about the same number of word
    pieces for each, or of words without an encoder."""
    if ranks.size == 1:
        return list(examples)
    shares = divide_evenly(_sizes(nlp, examples), ranks.size)
    return [examples[i] for i in shares[ranks.rank]]


def _sizes(nlp: Language, examples: Sequence[Example]) -> list[int]:
    shims = iter_shims(nlp)
    if any(isinstance(shim, TorchShim) and shim.is_loaded for shim in shims):
        return count_pieces(nlp, examples)
    return [len(example.predicted) for example in examples]


def divide_corpus(corpus: Any, max_epochs: int, ranks: Ranks) -> bool:
    """Set the share of this rank in a corpus of shards, if it is to be divided, and
    return whether it is."""
    if not getattr(corpus, "divide", False):
        return False
    if max_epochs != -1:
        raise UserError(
            f"training.max_epochs = {max_epochs} with divide = true of Shards.v1: set "
            "max_epochs to -1, by which shards are read one after another."
        )
    corpus.rank, corpus.n_ranks = ranks.rank, ranks.size
    return True


def redivided(
    position: Position | None, n_before: int, ranks: Ranks, has_schedule: bool
) -> Position | None:
    """The position in a divided corpus where a run of `n_before` ranks continues: with
    another number of ranks, the start of the epoch."""
    if position is None or n_before == ranks.size:
        return position
    if has_schedule:
        raise UserError(
            f"The checkpoint is of {n_before} process(es), now there are {ranks.size}: "
            "with divide = true of Shards.v1 and a schedule in [training.batcher], "
            "resume with the same number."
        )
    return replace(position, n_batches=0)


def _to_bytes(doc: Doc) -> bytes:
    """A document with its annotation, without vectors."""
    data: dict[Any, Any] = doc.user_data
    data.pop(("._.", "trf_data", None, None), None)
    return doc.to_bytes(exclude=["tensor"])


class DividedEvaluation:
    """A pipeline whose `evaluate` divides the documents over the ranks, so that spaCy's
    loop can evaluate it.

    The predicted documents come to rank 0, since spaCy's scorers return ratios, which
    cannot be summed; the scores are those of one process, whatever the scorer.
    """

    def __init__(self, ranks: Ranks, nlp: Language) -> None:
        self.ranks, self.nlp = ranks, nlp
        self.pipe_names = nlp.pipe_names

    def evaluate(self, examples: Iterable[Example]) -> dict[str, Any]:
        """Evaluate, and return the scores on all ranks."""
        ranks, nlp = self.ranks, self.nlp
        examples = [Example(each.x.copy(), each.y) for each in examples]
        start = timer()
        shares = divide_evenly(_sizes(nlp, examples), ranks.size)
        mine = [examples[i].predicted for i in shares[ranks.rank]]
        with ranks.together():
            predicted = [_to_bytes(doc) for doc in nlp.pipe(mine)]
        found = ranks.gather(predicted)
        duration = timer() - start
        scores: dict[str, Any] = {}
        with ranks.together():
            if ranks.is_first:
                for share, docs in zip(shares, found):
                    for i, data in zip(share, docs):
                        examples[i].predicted = Doc(nlp.vocab).from_bytes(data)
                scores = _replace_numpy_floats(Scorer(nlp=nlp).score(examples))
                n_words = sum(len(example.predicted) for example in examples)
                scores["speed"] = n_words / duration
        return ranks.broadcast(scores)
