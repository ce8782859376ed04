"""The best valid tag sequence of each document (Viterbi 1967; Forney 1973).

The forward pass keeps only the best scores. The backward pass recomputes the
predecessor of each tag on the best path: n_tags times less work than back-pointers.
"""

from typing import Any

import numpy
from thinc.api import get_array_module

from .device import Array
from .forward_backward import to_chains
from .lattice import Lattice
from .packing import Packing
from .tags import AllowedTransitions, BlockStructure

# With fewer tags one full step is faster than a step in blocks.
MIN_TAGS_FOR_BLOCKS = 20
# The number of candidate scores computed at once, so that they fit into the CPU cache.
MAX_CANDIDATES = 2**18


def best_paths(
    lattice: Lattice,
    allowed_transitions: AllowedTransitions,
    allowed: Array | None = None,
) -> numpy.ndarray:
    """Find the best valid tag sequence of each document.

    allowed: Whether a word may have a tag, bool, shape (n_words, n_chains * n_tags);
        each document must have a valid path.
    RETURNS: Tags on the host, shape (n_words, n_chains), int32.
    """
    xp = get_array_module(lattice.emissions)
    packing = Packing.from_lengths(lattice.lengths)
    tags = numpy.zeros((len(packing.rows), lattice.n_chains), dtype="int32")
    if packing.n_steps == 0 or lattice.n_chains == 0:
        return tags
    search = Search(lattice, allowed_transitions, packing, allowed)
    found = search.trace_back(search.forward())
    found = found if xp is numpy else found.get()
    tags[packing.rows] = found.T
    if search.order is not None:
        tags = search.order[tags].astype("int32")
    return tags


class Search:
    """One Viterbi search. Scores have shape (n_chains, n_tags, n_words), so that the
    running documents are contiguous and all operations are vectorized."""

    def __init__(
        self,
        lattice: Lattice,
        allowed_transitions: AllowedTransitions,
        packing: Packing,
        allowed: Array | None,
    ) -> None:
        xp: Any = get_array_module(lattice.emissions)
        self.xp, self.packing = xp, packing
        use_blocks = (
            allowed_transitions.blocks and lattice.n_tags >= MIN_TAGS_FOR_BLOCKS
        )
        self.blocks = allowed_transitions.blocks if use_blocks else None
        self.order = self.blocks.order if self.blocks else None
        order = xp.arange(lattice.n_tags)
        if self.order is not None:
            order = xp.asarray(self.order)
        emissions = to_chains(lattice.emissions, packing, lattice.n_chains)
        if allowed is not None:
            mask = to_chains(xp.asarray(allowed), packing, lattice.n_chains)
            emissions = xp.where(mask, emissions, -xp.inf)
        columns = emissions.transpose(0, 2, 1)[:, order]
        # Scores relative to a word's best tag are small enough for float32.
        self.emissions = columns - columns.max(axis=1, keepdims=True)
        self.steps = self._mask(lattice.transitions, allowed_transitions.transitions)
        self.steps = xp.ascontiguousarray(self.steps[:, order][:, :, order])
        self.start = self._mask(lattice.start, allowed_transitions.start)[:, order]
        self.end = self._mask(lattice.end, allowed_transitions.end)[:, order]

    def _mask(self, scores: Array, valid: numpy.ndarray) -> Array:
        return self.xp.where(self.xp.asarray(valid), scores, -self.xp.inf)

    def forward(self) -> Array:
        """The score of the best path to each tag of each word."""
        xp, packing = self.xp, self.packing
        scores = xp.empty_like(self.emissions)
        parts = self._parts()
        for step, (offset, size) in enumerate(zip(packing.offsets, packing.sizes)):
            here = scores[:, :, offset : offset + size]
            emissions = self.emissions[:, :, offset : offset + size]
            if step == 0:
                xp.add(emissions, self.start[:, :, None], out=here)
                continue
            before = packing.offsets[step - 1]
            ahead = scores[:, :, before : before + size]
            for part in parts:
                part(ahead, here)
            xp.add(here, emissions, out=here)
            if step % 32 == 0:
                here -= here.max(axis=1, keepdims=True)
        return scores

    def _parts(self) -> list[Any]:
        """The functions that compute one step."""
        if self.blocks is None:
            return [self._full(slice(None), slice(None))]
        blocks: BlockStructure = self.blocks
        parts = [self._full(blocks.sources, blocks.targets)]
        parts += [self._within(*part) for part in blocks.within]
        return parts

    def _full(self, sources: slice, targets: slice) -> Any:
        """A step in which every source tag may be followed by every target tag."""
        xp = self.xp
        steps = xp.ascontiguousarray(self.steps[:, sources, targets])[..., None]
        n_chains, n_sources, n_targets, _ = steps.shape
        width = max(16, MAX_CANDIDATES // max(1, n_chains * n_sources * n_targets))
        size = n_chains * n_sources * n_targets * width
        memory = xp.empty(min(size, steps.size * max(self.packing.sizes)), steps.dtype)

        def step(ahead: Array, here: Array) -> None:
            for first in range(0, ahead.shape[2], width):
                some = ahead[:, sources, None, first : first + width]
                shape = (n_chains, n_sources, n_targets, some.shape[-1])
                candidates = memory[: steps.size * some.shape[-1]].reshape(shape)
                xp.add(some, steps, out=candidates)
                here[:, targets, first : first + width] = candidates.max(axis=1)

        return step

    def _within(self, target: slice, sources: Any) -> Any:
        """A step in which a target tag may only follow source tags of its label."""
        xp = self.xp
        own = xp.arange(target.stop - target.start)
        steps = [
            self.steps[:, source, target][:, own, own][..., None] for source in sources
        ]

        def step(ahead: Array, here: Array) -> None:
            best = ahead[:, sources[0]] + steps[0]
            for source, scores in zip(sources[1:], steps[1:]):
                xp.maximum(best, ahead[:, source] + scores, out=best)
            here[:, target] = best

        return step

    def trace_back(self, scores: Array) -> Array:
        """The tags of the best paths, packed, shape (n_chains, n_words)."""
        xp, packing = self.xp, self.packing
        tags = xp.zeros((scores.shape[0], scores.shape[2]), dtype="int32")
        last = xp.asarray(packing.last)
        tags[:, last] = (scores[:, :, last] + self.end[:, :, None]).argmax(axis=1)
        chain = xp.arange(scores.shape[0])[:, None]
        into = xp.ascontiguousarray(self.steps.transpose(0, 2, 1))
        for step in range(packing.n_steps - 1, 0, -1):
            offset, size = packing.offsets[step], packing.sizes[step]
            before = packing.offsets[step - 1]
            following = tags[:, offset : offset + size]
            ahead = scores[:, :, before : before + size].transpose(0, 2, 1)
            best = (ahead + into[chain, following]).argmax(axis=-1)
            tags[:, before : before + size] = best
        return tags
