"""The exchange of gradients between ranks: one sum over all weights of a pipeline.

Unlike `DistributedDataParallel`, which knows the parameters of torch modules only, it
includes the arrays of thinc's layers, on NumPy and CuPy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, is_dataclass
from timeit import default_timer as timer
from typing import Any

import torch
import torch.distributed as dist
from thinc.shims import PyTorchShim
from torch import Tensor

from ...util.weights import Weight, as_tensor, iter_weights
from .checkpoint import UNSEEN
from .ranks import Ranks

# As in DistributedDataParallel: large enough for bandwidth, small enough that copies
# into one bucket run while another is sent.
BUCKET_BYTES = 25 * 2**20
# An array with so many rows is taken for a table of embeddings.
ROWS = 4096
# Buckets that are sent at a time, of which each takes memory.
IN_FLIGHT = 2
Sent = tuple[list[Tensor], Tensor, Any]


@dataclass
class Exchange:
    """Sums gradients over ranks.

    seconds: The time in it so far.
    seconds_waited: The part of it that this rank waited for the slowest one.
    n_bytes: The bytes of the gradients of the last step.
    """

    ranks: Ranks
    seconds: float = 0.0
    seconds_waited: float = 0.0
    n_bytes: int = 0

    def __call__(
        self,
        components: Sequence[tuple[str, Any]],
        losses: dict[str, float],
        error: Exception | None,
    ) -> None:
        """Replace the gradients and losses of components by their sums over the ranks,
        unless a rank failed in the step: then all leave it, that rank with its error.
        """
        start = timer()
        weights = list(iter_weights(components))
        names = [name for name, _ in components]
        scalers, parsers = _scalers(weights), _parsers(components)
        failed = [0.0] * self.ranks.size
        failed[self.ranks.rank] = float(error is not None)
        numbers = [
            *failed,
            *(losses.get(name, 0.0) for name in names),
            *(float(scaler.found_inf) for scaler in scalers),
            *(float(action in unseen) for unseen, n in parsers for action in range(n)),
            *(float(weight.gradient is not None) for weight in weights),
        ]
        found = iter(self.ranks.sum(numbers))
        self.ranks.leave([bool(next(found)) for _ in failed], error)
        losses.update({name: next(found) for name in names})
        for scaler in scalers:
            scaler._found_inf = bool(next(found))
        for unseen, n in parsers:
            numbers = [next(found) for _ in range(n)]
            unseen &= {
                i for i, n_ranks in enumerate(numbers) if n_ranks == self.ranks.size
            }
        used = [weight for weight in weights if next(found)]
        sent = timer()
        self._sum_rows([_gradient(weight) for weight in used])
        self.seconds_waited += sent - start
        self.seconds += timer() - start

    def _sum_rows(self, gradients: list[Tensor]) -> None:
        """Sum gradients in place; of embedding tables, only the rows that a rank has
        used are sent."""
        tables = [each for each in gradients if each.ndim == 2 and len(each) >= ROWS]
        rows = dict(zip(map(id, tables), self._used_rows(tables)))
        used = {i: table[rows[i]] for i, table in zip(map(id, tables), tables)}
        self._sum([used.get(id(each), each) for each in gradients])
        for table in tables:
            table.index_copy_(0, rows[id(table)], used[id(table)])

    def _used_rows(self, tables: Sequence[Tensor]) -> Iterator[Tensor]:
        if not tables:
            return
        # Some bit of a row is set, whatever the type of its numbers.
        bits = [table.contiguous().view(torch.uint8).amax(dim=1) for table in tables]
        flags = torch.cat([each.cpu() for each in bits])
        with self.ranks.reported():
            dist.all_reduce(flags, dist.ReduceOp.MAX, group=self.ranks.group)
        for table, each in zip(tables, flags.split([len(table) for table in tables])):
            yield each.nonzero().squeeze(1).to(table.device)

    def _sum(self, gradients: list[Tensor]) -> None:
        """Sum gradients in place. A bucket is sent while others are copied."""
        self.n_bytes = sum(gradient.nbytes for gradient in gradients)
        sent: deque[Sent] = deque()
        with self.ranks.reported():
            for bucket in _buckets(gradients):
                flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
                group = None if flat.is_cuda else self.ranks.group
                work = dist.all_reduce(flat, group=group, async_op=True)
                sent.append((bucket, flat, work))
                if len(sent) > IN_FLIGHT:
                    _receive(*sent.popleft())
            while sent:
                _receive(*sent.popleft())
            if any(gradient.is_cuda for gradient in gradients):
                # The norm of the gradients, which is next, waits as well.
                torch.cuda.current_stream().synchronize()


def _receive(bucket: list[Tensor], flat: Tensor, work: Any) -> None:
    work.wait()
    parts = flat.split([gradient.numel() for gradient in bucket])
    shaped = [part.view(each.shape) for part, each in zip(parts, bucket)]
    torch._foreach_copy_(bucket, shaped)


def sum_counts(ranks: Ranks, counts: Mapping[str, Any]) -> dict[str, Any]:
    """Sum what `count_gold` of each component returned: a number, or a dataclass of
    numbers."""
    flat = [_numbers(count) for count in counts.values()]
    total = iter(map(int, ranks.sum([number for each in flat for number in each])))
    return {
        name: type(count)(*(next(total) for _ in numbers))
        for (name, count), numbers in zip(counts.items(), flat)
    }


def _numbers(count: Any) -> Sequence[int]:
    return astuple(count) if is_dataclass(count) else [count]  # type: ignore[arg-type]


def _scalers(weights: Sequence[Weight]) -> list[Any]:
    """The gradient scalers of thinc's torch modules, which look for overflows in the
    backward pass of their rank."""
    shims = {w.shim.id: w.shim for w in weights if isinstance(w.shim, PyTorchShim)}
    return [shim._grad_scaler for shim in shims.values()]


def _parsers(components: Sequence[tuple[str, Any]]) -> list[tuple[set[int], int]]:
    """The actions of each of spaCy's parsers that were in no example yet, which it
    rules out, and their number in all."""
    return [
        (component.model.attrs[UNSEEN], len(component.move_names))
        for _, component in components
        if UNSEEN in component.model.attrs
    ]


def _gradient(weight: Weight) -> Tensor:
    """The gradient of a weight, zeros where this rank has none."""
    if weight.gradient is None:
        weight.add_gradient()
        node, name = weight.node, weight.key[1]
        gradient = weight.array.grad if weight.shim else node.get_grad(name)
        return as_tensor(gradient)
    return as_tensor(weight.gradient)


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Divide gradients, in their order, into buckets of one device and type."""
    kinds: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for gradient in gradients:
        bucket = kinds.setdefault((gradient.device, gradient.dtype), [])
        bucket.append(gradient)
        if sum(each.nbytes for each in bucket) >= BUCKET_BYTES:
            yield kinds.pop((gradient.device, gradient.dtype))
    yield from kinds.values()
