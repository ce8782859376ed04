"""The best valid tag sequence of each document (Viterbi 1967; Forney 1973).

The forward pass keeps only the best scores. The backward pass recomputes the
predecessor of each tag on the best path: n_tags times less work than back-pointers.
"""

from typing import Any

import numpy
from thinc.api import get_array_module

from .blocks import Cost, block_length, by_rank
from .device import Array, fetch
from .forward_backward import to_chains
from .lattice import Lattice
from .packing import Packing
from .tags import AllowedTransitions, BlockStructure

# With fewer tags one full step is faster than a step in blocks.
MIN_TAGS_FOR_BLOCKS = 20
# The number of candidate scores computed at once, so that they fit into the CPU cache,
# or into the memory of a GPU.
MAX_CANDIDATES = 2**18
MAX_CANDIDATES_ON_GPU = 2**26
# On a GPU: addition, maximum and addition of the emissions.
COST = Cost(word=3, inside=6, across=5, rate=1e11)


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
    whole = Packing.from_lengths(lattice.lengths)
    tags = numpy.zeros((len(whole.rows), lattice.n_chains), dtype="int32")
    if whole.n_steps == 0 or lattice.n_chains == 0:
        return tags
    packing = Packing.from_lengths(lattice.lengths, block_length(lattice, COST))
    search = Search(lattice, allowed_transitions, packing, allowed)
    tags[whole.rows] = search.trace_back(search.forward(), whole).T
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
        self.rows = packing.on_device(lattice.emissions)
        blocks = allowed_transitions.blocks
        # A step in blocks needs less work but more operations: not for a GPU.
        use_blocks = xp is numpy and packing.pieces is None
        use_blocks = use_blocks and lattice.n_tags >= MIN_TAGS_FOR_BLOCKS
        self.blocks = blocks if use_blocks else None
        self.order = self.blocks.order if self.blocks else None
        emissions = to_chains(lattice.emissions, packing, lattice.n_chains)
        if allowed is not None:
            mask = to_chains(xp.asarray(allowed), packing, lattice.n_chains)
            emissions = xp.where(mask, emissions, -xp.inf)
        columns = self._sort(emissions.transpose(0, 2, 1))
        # Scores relative to a word's best tag are small enough for float32.
        self.emissions = columns - columns.max(axis=1, keepdims=True)
        valid = allowed_transitions.on_device(lattice.emissions)
        scores = xp.where(valid, lattice.stack_parameters(), -xp.inf)
        n_tags = lattice.n_tags
        steps = self._sort(scores[:, :n_tags]).transpose(0, 2, 1)
        # From column to row.
        self.steps_to = self._sort(steps)
        self.steps = xp.ascontiguousarray(self.steps_to.transpose(0, 2, 1))
        self.start, self.end = (self._sort(scores[:, n_tags + i]) for i in (0, 1))

    def _sort(self, scores: Array) -> Array:
        """Bring the tags of the second axis into the order of the blocks."""
        if self.order is None:
            return self.xp.ascontiguousarray(scores)
        return self.xp.ascontiguousarray(scores[:, self.order])

    def forward(self) -> Array:
        """The score of the best path to each tag of each word."""
        xp, packing = self.xp, self.packing
        scores = xp.empty_like(self.emissions)
        parts = self._parts()
        entries = self.start[:, :, None]
        if packing.pieces is not None:
            entries = self._join_pieces(parts[0])
        for step, (offset, size) in enumerate(zip(packing.offsets, packing.sizes)):
            here = scores[:, :, offset : offset + size]
            emissions = self.emissions[:, :, offset : offset + size]
            if step == 0:
                xp.add(emissions, entries, out=here)
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
        limit = MAX_CANDIDATES if xp is numpy else MAX_CANDIDATES_ON_GPU
        width = max(16, limit // max(1, steps.size))
        memory: Any = xp.empty(0, steps.dtype)

        def step(ahead: Array, here: Array) -> None:
            nonlocal memory
            if memory.size < steps.size * min(width, ahead.shape[2]):
                memory = xp.empty(steps.size * min(width, ahead.shape[2]), steps.dtype)
            for first in range(0, ahead.shape[2], width):
                some = ahead[:, sources, None, first : first + width]
                shape = (n_chains, n_sources, n_targets, some.shape[-1])
                candidates = memory[: steps.size * some.shape[-1]].reshape(shape)
                xp.add(some, steps, out=candidates)
                into = here[:, targets, first : first + width]
                if xp is numpy:
                    # Faster than `out` with memory that is not contiguous.
                    into[...] = candidates.max(axis=1)
                else:
                    candidates.max(axis=1, out=into)

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

    def _join_pieces(self, step: Any) -> Array:
        """The scores of the best paths into each piece of a document (see blocks),
        without the emission of its first word, shape (n_chains, n_tags, n_pieces)."""
        xp, packing = self.xp, self.packing
        pieces: Any = self.rows.pieces
        best = self._cross_pieces(step)
        entries = xp.empty_like(best[..., 0])
        entries[:, :, pieces.opening] = self.start[:, :, None]
        state, states = best[:, :, pieces.opening, -1], []
        for piece in by_rank(pieces.linked, packing):
            state = state[:, :, : len(piece)]
            states.append(state)
            through = best[:, :, piece, :-1]
            through = through + state.transpose(0, 2, 1)[:, None]
            state = through.max(axis=-1)
            state = state - state.max(axis=1, keepdims=True)
        joined = xp.concatenate(states, axis=2)
        step(joined, joined)
        entries[:, :, pieces.linked] = joined
        return entries

    def _cross_pieces(self, step: Any) -> Array:
        """The score of the best path through each piece to each tag of its last word,
        from each tag before it and from the start of the document, shape (n_chains,
        n_tags, n_pieces, n_tags + 1)."""
        xp, packing = self.xp, self.packing
        sources = xp.concatenate([self.steps_to, self.start[:, :, None]], axis=2)
        first = self.emissions[:, :, : packing.sizes[0], None]
        best = sources[:, :, None] + first
        for offset, size in zip(packing.offsets[1:], packing.sizes[1:]):
            emissions = self.emissions[:, :, offset : offset + size, None]
            here = best[:, :, :size]
            flat = here.reshape(*here.shape[:2], -1)
            step(flat, flat)
            xp.add(here, emissions, out=here)
        return best

    def trace_back(self, scores: Array, whole: Packing) -> numpy.ndarray:
        """The tags of the best paths, packed as `whole` documents, shape (n_chains,
        n_words): on the host, since each depends on the next."""
        scores, into, end = fetch([scores, self.steps_to, self.end], scores.dtype)
        if whole is not self.packing:
            scores = scores[:, :, numpy.argsort(self.packing.rows)[whole.rows]]
        tags = numpy.zeros((scores.shape[0], scores.shape[2]), dtype="int32")
        last = whole.last
        tags[:, last] = (scores[:, :, last] + end[:, :, None]).argmax(axis=1)
        chain = numpy.arange(scores.shape[0])[:, None]
        for step in range(whole.n_steps - 1, 0, -1):
            offset, size = whole.offsets[step], whole.sizes[step]
            before = whole.offsets[step - 1]
            following = tags[:, offset : offset + size]
            ahead = scores[:, :, before : before + size].transpose(0, 2, 1)
            best = (ahead + into[chain, following]).argmax(axis=-1)
            tags[:, before : before + size] = best
        return tags
