"""The CRF's loss, gradient and best path compared with pytorch-crf, on one thread or on
a GPU (`--gpu-id 0`).

    python benchmarks/crf.py --repeats 5 --output results.json

Both sides get the same scores, gold tags and lengths, in turns, and their results must
agree. The reference is pytorch-crf in float64, since its float32 gradients differ by
more than the tolerance for many words. In the rows of a tag scheme this package knows
which transitions are allowed; pytorch-crf, which does not, gets low scores for the
others.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import machine_facts, one_thread, write

one_thread()

import numpy
import torch
from thinc.api import (
    get_current_ops,
    get_torch_default_device,
    require_gpu,
    set_gpu_allocator,
)

try:
    import torchcrf
except ImportError:
    sys.exit("pytorch-crf is not installed: pip install pytorch-crf==0.7.2")

from spacy_ner_ext.crf.lattice import Lattice
from spacy_ner_ext.crf.objectives import joint
from spacy_ner_ext.crf.tags import AllowedTransitions, TagSet
from spacy_ner_ext.crf.viterbi import best_paths

# Practically impossible, compared with scores of variance 1. The usual -10,000 would
# make pytorch-crf's gradient several times slower: exp is slow where it underflows.
INVALID = -30.0
TOLERANCE = 1e-4
SCORES = ("emissions", "transitions", "start", "end")


@dataclass(frozen=True)
class Case:
    """A row of the table; with labels, of the scheme BILUO."""

    n_tags: int
    n_labels: int | None = None
    n_steps: int = 128
    n_docs: int = 32

    @property
    def name(self) -> str:
        if self.n_labels is None:
            return f"{self.n_tags} tags"
        return f"{self.n_tags} tags, {self.n_labels} labels in BILUO"

    @property
    def allowed_transitions(self) -> AllowedTransitions:
        if self.n_labels is None:
            everything = numpy.ones((self.n_tags, self.n_tags), bool)
            return AllowedTransitions(everything, everything[0], everything[0])
        return TagSet(tuple(map(str, range(self.n_labels)))).allowed_transitions


CASES = [
    *(Case(9), Case(25), Case(130)),
    *(Case(9, n_labels=2), Case(25, n_labels=6), Case(129, n_labels=32)),
]


def move(lattice: Lattice, function: Callable[[Any], Any]) -> Lattice:
    """Convert the arrays of a lattice."""
    arrays = (getattr(lattice, name) for name in SCORES)
    return Lattice(**dict(zip(SCORES, map(function, arrays))), lengths=lattice.lengths)


class Ours:
    """The CRF of this package."""

    def __init__(self, lattice: Lattice, gold: numpy.ndarray, case: Case) -> None:
        self.lattice = move(lattice, get_current_ops().asarray)
        self.gold, self.allowed_transitions = gold, case.allowed_transitions

    def learn(self) -> tuple[float, Lattice]:
        return joint(self.lattice, self.gold, self.allowed_transitions)

    def search(self) -> numpy.ndarray:
        paths = best_paths(self.lattice, self.allowed_transitions)
        return get_current_ops().to_numpy(paths)[:, 0]


class Peer:
    """pytorch-crf with the same scores, padded as it needs them."""

    def __init__(
        self,
        lattice: Lattice,
        gold: numpy.ndarray,
        case: Case,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        device, lengths = get_torch_default_device(), torch.tensor(lattice.lengths)
        mask = torch.arange(int(lengths.max()))[None] < lengths[:, None]
        emissions = torch.zeros(*mask.shape, case.n_tags, dtype=dtype)
        emissions[mask] = torch.from_numpy(lattice.emissions).to(dtype)
        tags = torch.zeros(mask.shape, dtype=torch.long)
        tags[mask] = torch.from_numpy(gold[:, 0]).long()
        self.lengths, self.mask, self.gold = (
            lattice.lengths,
            mask.to(device),
            tags.to(device),
        )
        self.emissions = emissions.to(device).requires_grad_()
        self.crf = torchcrf.CRF(case.n_tags, batch_first=True).to(device, dtype)
        allowed_transitions = case.allowed_transitions
        with torch.no_grad():
            for parameter, scores, valid in (
                (
                    self.crf.transitions,
                    lattice.transitions,
                    allowed_transitions.transitions,
                ),
                (self.crf.start_transitions, lattice.start, allowed_transitions.start),
                (self.crf.end_transitions, lattice.end, allowed_transitions.end),
            ):
                masked = numpy.where(valid, scores[0], numpy.float32(INVALID))
                parameter.copy_(torch.from_numpy(masked))

    def learn(self) -> tuple[float, Lattice]:
        self.emissions.grad = None
        self.crf.zero_grad()
        loss = -self.crf(self.emissions, self.gold, self.mask, reduction="sum")
        loss.backward()
        gradient = Lattice(
            self.emissions.grad[self.mask],
            self.lengths,
            self.crf.transitions.grad[None],
            self.crf.start_transitions.grad[None],
            self.crf.end_transitions.grad[None],
        )
        return loss.item(), gradient

    def search(self) -> numpy.ndarray:
        with torch.no_grad():
            paths = self.crf.decode(self.emissions, self.mask)
        return numpy.concatenate(paths)


def draw(case: Case, full: bool, seed: int) -> tuple[Lattice, numpy.ndarray]:
    """Scores, lengths and valid gold tags."""
    rng = numpy.random.default_rng(seed)
    lengths = rng.integers(case.n_steps // 3, case.n_steps + 1, case.n_docs)
    lengths[0] = case.n_steps
    if full:
        lengths[:] = case.n_steps

    def scores(*shape: int) -> numpy.ndarray:
        return rng.normal(size=shape).astype("float32")

    def lattice() -> Lattice:
        n = case.n_tags
        ends = scores(1, n), scores(1, n)
        emissions = scores(int(lengths.sum()), n)
        return Lattice(emissions, lengths.tolist(), scores(1, n, n), *ends)

    # The best path under other scores is a valid one.
    return lattice(), best_paths(lattice(), case.allowed_transitions)


def take_turns(
    first: Callable[[], Any], second: Callable[[], Any], repeats: int
) -> tuple[float, float]:
    """Median processor time of both (on a GPU, by the clock), call by call in turns, so
    that a busy moment of the machine hits both; each is called once before."""
    on_gpu = get_current_ops().device_type == "gpu"
    clock = time.perf_counter if on_gpu else time.process_time
    first(), second()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for function, seconds in zip((first, second), times):
            start = clock()
            function()
            if on_gpu:
                torch.cuda.synchronize()
            seconds.append(clock() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def compare(one: Ours, other: Peer) -> list[str]:
    """Describe where the two sides differ."""
    (loss, gradient), (other_loss, other_gradient) = one.learn(), other.learn()
    problems = []
    if abs(loss - other_loss) > TOLERANCE * abs(other_loss):
        problems.append(f"loss {loss} against {other_loss}")
    gradient = move(gradient, get_current_ops().to_numpy)
    other_gradient = move(other_gradient, lambda scores: scores.cpu().numpy())
    for name in SCORES:
        mine, theirs = getattr(gradient, name), getattr(other_gradient, name)
        # Relative where it is large: that of a transition is a sum over all words.
        apart = numpy.abs(mine - theirs) / numpy.maximum(1, numpy.abs(theirs))
        if apart.max() > TOLERANCE:
            problems.append(f"gradient of {name}: {apart.max():.1e} apart")
    different = int((one.search() != other.search()).sum())
    if different:
        problems.append(f"{different} tags of the best paths")
    return problems


def run(case: Case, args: argparse.Namespace) -> dict[str, Any]:
    lattice, gold = draw(case, args.full, args.seed)
    ours, peer = Ours(lattice, gold, case), Peer(lattice, gold, case)
    exact = Peer(lattice, gold, case, torch.float64)
    result: dict[str, Any] = {"case": case.name, "problems": compare(ours, exact)}
    for task in ("learn", "search"):
        pair = getattr(ours, task), getattr(peer, task)
        mine, theirs = take_turns(*pair, args.repeats)
        result[task] = {"ours": mine, "pytorch-crf": theirs, "ratio": theirs / mine}
    return result


def print_row(result: dict[str, Any]) -> None:
    cells = [f"{result['case']:32}"]
    for task in ("learn", "search"):
        row = result[task]
        cells.append(f"{1000 * row['ours']:10.1f}{1000 * row['pytorch-crf']:10.1f}")
        cells.append(f"{row['ratio']:7.1f}x")
    print("".join(cells), flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--full", action="store_true", help="all documents of the same length"
    )
    parser.add_argument("--gpu-id", type=int, default=-1)
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    torch.set_num_threads(1)
    if args.gpu_id >= 0:
        set_gpu_allocator("pytorch")
        require_gpu(args.gpu_id)
    facts = machine_facts("numpy", "torch", "pytorch-crf", "thinc", "spacy-ner-ext")
    facts["gpu"] = torch.cuda.get_device_name() if args.gpu_id >= 0 else None
    lengths = "128 words" if args.full else "42 to 128 words"
    kind = "CPU milliseconds" if args.gpu_id < 0 else "milliseconds"
    print(f"32 documents of {lengths}; {kind}, median of {args.repeats}")
    print(f"{'':32}{'loss and gradient':>28}{'best path':>28}")
    print(f"{'':32}" + f"{'ours':>10}{'peer':>10}{'ratio':>8}" * 2)
    results = []
    for case in CASES:
        results.append(run(case, args))
        print_row(results[-1])
    for name, value in facts.items():
        print(f"{name}: {value}")
    settings = {"full": args.full, "repeats": args.repeats, "seed": args.seed}
    write(args.output, {"machine": facts, "settings": settings, "results": results})
    problems = [f"{r['case']}: {text}" for r in results for text in r["problems"]]
    if problems:
        sys.exit("The two sides disagree:\n" + "\n".join(problems))


if __name__ == "__main__":
    main()
