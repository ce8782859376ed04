"""Long documents on a GPU: recursions over blocks of words instead of words.

A GPU computes a step for many documents as fast as for one, so a long document is cut
into pieces that are processed at once. The matrix product of the steps of a piece maps
the tags before it to those of its last word (Särkkä and García-Fernández 2021, Temporal
Parallelization of Bayesian Smoothers). A first pass computes these products for all
pieces, a second goes from piece to piece, and a third from word to word within all
pieces: of n words in pieces of sqrt(n), about 3 sqrt(n) steps. The products are n_tags
times more work, so that on a CPU it would be slower.
"""

import math
from typing import Any, NamedTuple

import numpy
from thinc.api import get_array_module

from .device import Array
from .lattice import Lattice
from .packing import DeviceRows, Packing

# Seconds that the host needs to launch an operation of a GPU.
LAUNCH = 6e-6
# Pieces are used if they need at most this share of the time of a word at a time.
MIN_GAIN = 0.7


class Cost(NamedTuple):
    """The operations of a recursion on a GPU."""

    word: float  # launches of a step without pieces
    inside: float  # launches of a step within all pieces, products included
    across: float  # launches of a step from piece to piece
    rate: float  # n_tags^3 per second


def block_length(lattice: Lattice, cost: Cost) -> int | None:
    """The length of the pieces that need the least time; None for whole documents."""
    n_steps = max(lattice.lengths, default=0)
    if isinstance(lattice.emissions, numpy.ndarray) or not n_steps:
        return None
    length = math.ceil(math.sqrt(cost.across * n_steps / cost.inside))
    n_launches = cost.inside * length + cost.across * n_steps / length
    n_cells = len(lattice.emissions) * lattice.n_chains
    seconds = LAUNCH * n_launches + n_cells * lattice.n_tags**3 / cost.rate
    return length if seconds < MIN_GAIN * LAUNCH * cost.word * n_steps else None


def multiply_steps(
    potentials: Array, steps: Array, start: Array, packing: Packing, every: int
) -> Array:
    """The weight of all paths through each piece from a tag before it (n_tags) or the
    start of the document (1) to a tag of its last word, relative to the highest, shape
    (n_chains, n_pieces, n_tags + 1, n_tags); scaled after `every` steps."""
    xp: Any = get_array_module(potentials)
    n_chains, _, n_tags = potentials.shape
    sources = xp.concatenate([steps, start[:, None]], axis=1)
    products = sources[:, None] * potentials[:, : packing.sizes[0], None]
    carried = xp.empty_like(products)
    for step, size in enumerate(packing.sizes[1:], start=1):
        here, there = products[:, :size], carried[:, :size]
        rows = n_chains, size * (n_tags + 1), n_tags
        xp.matmul(here.reshape(rows), steps, out=there.reshape(rows))
        offset = packing.offsets[step]
        xp.multiply(there, potentials[:, offset : offset + size, None], out=here)
        if step % every == 0:
            here /= here.max(axis=(2, 3), keepdims=True)
    return products / products.max(axis=(2, 3), keepdims=True)


def carry(
    products: Array, steps: Array, start: Array, packing: Packing, rows: DeviceRows
) -> Array:
    """The messages into the first word of each piece, which sum to 1 except at the
    start of a document, shape (n_chains, n_pieces, n_tags)."""
    xp: Any = get_array_module(products)
    n_tags = products.shape[-1]
    pieces: Any = rows.pieces
    entries = xp.empty_like(products[:, :, 0])
    entries[:, pieces.opening] = start[:, None]
    state, states = products[:, pieces.opening, n_tags], []
    for piece in by_rank(pieces.linked, packing):
        state = state[:, : len(piece)]
        states.append(state)
        state = xp.matmul(state[:, :, None], products[:, piece, :n_tags])[:, :, 0]
        state = state / state.sum(axis=-1, keepdims=True)
    carried = xp.matmul(xp.concatenate(states, axis=1), steps)
    entries[:, pieces.linked] = carried / carried.sum(axis=-1, keepdims=True)
    return entries


def carry_back(
    products: Array, end: Array, packing: Packing, rows: DeviceRows
) -> Array:
    """The messages back to the last word of each piece, up to a factor, shape
    (n_chains, n_pieces, n_tags)."""
    xp: Any = get_array_module(products)
    n_tags = products.shape[-1]
    pieces: Any = rows.pieces
    exits = xp.empty_like(products[:, :, 0])
    exits[:, pieces.closing] = end[:, None]
    state = xp.empty_like(exits[:, : len(packing.order)])
    state[...] = end[:, None]
    states = []
    for piece in reversed(by_rank(pieces.linked, packing)):
        here = state[:, : len(piece)]
        message = xp.matmul(products[:, piece, :n_tags], here[..., None])[..., 0]
        xp.divide(message, message.sum(axis=-1, keepdims=True), out=here)
        states.append(message)
    exits[:, pieces.previous] = xp.concatenate(states[::-1], axis=1)
    return exits


def carry_rewards(
    products: Array, local: Array, packing: Packing, rows: DeviceRows
) -> Array:
    """The rewards of paths up to the last word before each linked piece, (n_chains,
    n_linked, n_tags), from those earned within each piece, (n_chains, n_pieces,
    n_tags)."""
    xp: Any = get_array_module(products)
    pieces: Any = rows.pieces
    state, states = local[:, pieces.opening], []
    for piece in by_rank(pieces.linked, packing):
        state = state[:, : len(piece)]
        states.append(state)
        state = xp.matmul(state[:, :, None], products[:, piece])[:, :, 0]
        state = state + local[:, piece]
    return xp.concatenate(states, axis=1)


def carry_rewards_back(
    products: Array, local: Array, packing: Packing, rows: DeviceRows
) -> Array:
    """The rewards of paths after the last word before each linked piece, (n_chains,
    n_linked, n_tags), from those of the linked pieces alone, of the same shape."""
    xp: Any = get_array_module(products)
    pieces: Any = rows.pieces
    states: list[Array] = []
    end = local.shape[1]
    for piece in reversed(by_rank(pieces.linked, packing)):
        here = local[:, end - len(piece) : end]
        end -= len(piece)
        if states:
            later = products[:, piece[: states[-1].shape[1]]]
            carried = xp.matmul(later, states[-1][..., None])[..., 0]
            here = here.copy()
            here[:, : carried.shape[1]] += carried
        states.append(here)
    return xp.concatenate(states[::-1], axis=1)


def by_rank(linked: Array, packing: Packing) -> list[Array]:
    """Cut the linked pieces into the second ones of documents, the third, ..."""
    parts, start = [], 0
    for n in packing.n_linked:
        parts.append(linked[start : start + n])
        start += n
    return parts
