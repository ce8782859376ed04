"""The directional derivative of forward-backward along rewards of words and tags."""

from typing import Any

from .blocks import carry_rewards, carry_rewards_back
from .device import Array

# A ScaledChains, whose file imports this one.
Chains = Any


def expected_rewards(chains: Chains, log_reward: Array) -> tuple[Array, Array]:
    """See ScaledChains.rewarded."""
    xp = chains.xp
    reward = xp.exp(log_reward).astype(chains.alpha.dtype)
    potentials = chains.potentials / chains.scale
    earned = chains.alpha * reward
    to_come = xp.zeros_like(chains.alpha)
    # after = potentials * (to_come + reward * beta): the backward message.
    after = chains.weighted * reward
    if chains.rows.pieces is not None:
        _join_pieces(chains, earned, to_come, after, potentials)
    _earn(chains, earned, potentials)
    _look_ahead(chains, to_come, after, potentials)
    steps = chains.count_transitions(earned, chains.weighted)
    steps += chains.count_transitions(chains.alpha, after)
    return earned * chains.beta + chains.alpha * to_come, steps * chains.steps


def _earn(chains: Chains, earned: Array, potentials: Array) -> None:
    """Add the rewards of previous words, in place."""
    xp, packing = chains.xp, chains.packing
    carried = xp.empty_like(chains.alpha[:, : packing.sizes[0]])
    product, earned, potentials, carried, steps = chains.for_loop(
        earned, potentials, carried, chains.steps
    )
    for (at, before), size in zip(packing.steps[1:], packing.sizes[1:]):
        here = carried[..., :size, :]
        product(earned[before], steps, out=here)
        xp.multiply(here, potentials[at], out=here)
        xp.add(earned[at], here, out=earned[at])


def _look_ahead(
    chains: Chains, to_come: Array, after: Array, potentials: Array
) -> None:
    """Add the rewards of later words, in place."""
    xp, packing = chains.xp, chains.packing
    back = xp.ascontiguousarray(chains.steps.transpose(0, 2, 1))
    carried = xp.empty_like(chains.alpha[:, : packing.sizes[0]])
    product, to_come, after, potentials, carried, back = chains.for_loop(
        to_come, after, potentials, carried, back
    )
    steps = list(enumerate(zip(packing.steps, packing.sizes)))
    for step, ((at, before), size) in reversed(steps):
        here = carried[..., :size, :]
        xp.multiply(potentials[at], to_come[at], out=here)
        xp.add(after[at], here, out=after[at])
        if step:
            product(after[at], back, out=to_come[before])


def _join_pieces(
    chains: Chains,
    earned: Array,
    to_come: Array,
    after: Array,
    potentials: Array,
) -> None:
    """Add the rewards of other pieces of a document to the first and last words of each
    piece, in place (see blocks)."""
    xp, packing, rows, alpha = chains.xp, chains.packing, chains.rows, chains.alpha
    pieces: Any = rows.pieces
    last, linked, before = pieces.last, pieces.linked, chains.ahead_of_pieces
    # The products, scaled as `alpha` is.
    products = chains.products[:, :, : alpha.shape[-1]].copy()
    reached = xp.matmul(alpha[:, before, None], products[:, linked])[:, :, 0]
    factor = alpha[:, last[linked]].sum(axis=-1) / reached.sum(axis=-1)
    products[:, linked] *= factor[..., None, None]
    local = earned.copy()
    _earn(chains, local, potentials)
    total = carry_rewards(products, local[:, last], packing, rows)
    earned[:, linked] += xp.matmul(total, chains.steps) * potentials[:, linked]
    local, ahead = xp.zeros_like(to_come), after.copy()
    _look_ahead(chains, local, ahead, potentials)
    own = xp.matmul(ahead[:, linked], chains.steps.transpose(0, 2, 1))
    to_come[:, before] = carry_rewards_back(products, own, packing, rows)
