"""Training and annotation on workers that fail and are not equally fast, simulated.

    python benchmarks/simulate.py --workers 64 --step-seconds 0.2 --spread 0.1

Prints, as Markdown tables, the share of the time that is useful work:

- training, by the mean time between failures of a worker and the interval between
  checkpoints, with the best interval of the grid and those of Young and Daly;
- training without failures, by the number of workers and how much they differ;
- annotation, by the mean time between failures and the duration of a block.

All ranks of training wait for the slowest in each step, and a worker that fails takes
them back to the last checkpoint. Workers of annotation take the next block when they
are ready, and one that fails loses its block only. Times between failures are
exponentially distributed. The same seed gives the same tables.
"""

import argparse
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil, expm1, inf, sqrt

import numpy as np
from common import print_table

HOUR = 3600.0
MTBF_HOURS = (24.0, 168.0, 720.0, 4380.0)
INTERVALS = (60.0, 180.0, 600.0, 1800.0, 5400.0)
BLOCKS = (60.0, 600.0, 3600.0)
SPREADS = (0.0, 0.1, 0.3)
SIZES = (2, 8, 64)
# Steps whose durations are drawn where workers differ but do not fail.
N_STEPS = 20_000


@dataclass(frozen=True)
class Cluster:
    """Workers that do the same work.

    spread: The standard deviation of the time that a worker needs for a step or block,
        relative to the mean (log-normal).
    slow_share: How often a worker is slow in a step or block, 0 to 1.
    slow_factor: How many times as long it then takes.
    mtbf: The mean seconds between failures of one worker.
    checkpoint: Seconds in which a checkpoint is written.
    restart: Seconds from a failure, or the start, until work begins.
    """

    workers: int
    spread: float = 0.0
    slow_share: float = 0.0
    slow_factor: float = 1.0
    mtbf: float = inf
    checkpoint: float = 0.0
    restart: float = 0.0

    @property
    def mtbf_of_any(self) -> float:
        """The mean seconds between failures of any worker."""
        return self.mtbf / self.workers

    def durations(
        self, shape: tuple[int, ...], generator: np.random.Generator
    ) -> np.ndarray:
        """Random durations of mean 1, except for those of slow workers."""
        if not self.spread and not self.slow_share:
            return np.ones(shape)
        variance = np.log1p(self.spread**2)
        drawn = generator.lognormal(-variance / 2, sqrt(variance), shape)
        is_slow = generator.random(shape) < self.slow_share
        return np.where(is_slow, self.slow_factor, 1.0) * drawn


def step_durations(
    cluster: Cluster, n: int, generator: np.random.Generator
) -> np.ndarray:
    """The durations of n steps of training, in those of an average worker."""
    return cluster.durations((n, cluster.workers), generator).max(axis=1)


def train(
    cluster: Cluster,
    steps: int,
    step_seconds: float,
    every: int,
    generator: np.random.Generator,
    exchange: float = 0.0,
) -> float:
    """Seconds of training with a checkpoint after each `every` steps and at the end.

    exchange: Seconds of a step that do not depend on the slowest worker.
    """
    seconds, done = 0.0, 0
    until_failure = generator.exponential(cluster.mtbf_of_any)
    while done < steps:
        n = min(every, steps - done)
        work = step_durations(cluster, n, generator).sum() * step_seconds
        needed = work + n * exchange + cluster.checkpoint
        if needed <= until_failure:
            seconds, done = seconds + needed, done + n
            until_failure -= needed
            continue
        seconds += until_failure
        # Workers may also fail while they restart.
        while (
            until_failure := generator.exponential(cluster.mtbf_of_any)
        ) < cluster.restart:
            seconds += until_failure
        seconds += cluster.restart
        until_failure -= cluster.restart
    return seconds


def expected(cluster: Cluster, work: float, interval: float) -> float:
    """Daly's expected seconds of training for seconds of work that are divided by
    checkpoints, where all workers are equally fast."""
    n, mtbf = ceil(work / interval), cluster.mtbf_of_any
    if mtbf == inf:
        return work + n * cluster.checkpoint
    segment = expm1((work / n + cluster.checkpoint) / mtbf)
    return n * mtbf * np.exp(cluster.restart / mtbf) * segment


def young(cluster: Cluster) -> float:
    """Young's interval between checkpoints, in seconds."""
    return sqrt(2 * cluster.checkpoint * cluster.mtbf_of_any)


def daly(cluster: Cluster) -> float:
    """Daly's interval between checkpoints, in seconds."""
    cost, mtbf = cluster.checkpoint, cluster.mtbf_of_any
    if cost >= 2 * mtbf:
        return mtbf
    ratio = sqrt(cost / (2 * mtbf))
    return sqrt(2 * cost * mtbf) * (1 + ratio / 3 + ratio**2 / 9) - cost


def annotate(
    cluster: Cluster, blocks: int, block_seconds: float, generator: np.random.Generator
) -> float:
    """Seconds until all blocks are annotated."""
    ready = [cluster.restart] * cluster.workers
    ended = 0.0
    for duration in cluster.durations((blocks,), generator) * block_seconds:
        start = heapq.heappop(ready)
        # The next worker that is ready repeats the block of one that fails.
        while (until_failure := generator.exponential(cluster.mtbf)) < duration:
            start = heapq.heappushpop(ready, start + until_failure + cluster.restart)
        ended = max(ended, start + duration)
        heapq.heappush(ready, start + duration)
    return ended


# --- Tables ----------------------------------------------------------------------


def training_efficiency(
    cluster: Cluster, args: argparse.Namespace, interval: float
) -> float:
    """The share of useful work in training."""
    generator = np.random.default_rng(args.seed)
    seconds = args.step_seconds
    steps = max(1, round(args.hours * HOUR / seconds))
    every = max(1, round(interval / seconds))
    times = [train(cluster, steps, seconds, every, generator) for _ in range(args.runs)]
    return steps * seconds / float(np.mean(times))


def annotation_efficiency(
    cluster: Cluster, args: argparse.Namespace, seconds: float
) -> float:
    """The share of useful work where there are many blocks of that duration."""
    generator = np.random.default_rng(args.seed)
    blocks = max(1, round(args.hours * HOUR / seconds)) * cluster.workers
    time = annotate(cluster, blocks, seconds, generator)
    return blocks * seconds / (cluster.workers * time)


def intervals_table(cluster: Cluster, args: argparse.Namespace) -> None:
    # Stragglers are in the next table: here, Young's and Daly's formulas apply.
    cluster = replace(cluster, spread=0.0, slow_share=0.0)
    rows = []
    for hours in args.mtbf_hours:
        failing = replace(cluster, mtbf=hours * HOUR)
        shares = [
            training_efficiency(failing, args, interval) for interval in args.intervals
        ]
        best = args.intervals[int(np.argmax(shares))]
        rest = [f"{best:,.0f}", f"{young(failing):,.0f}", f"{daly(failing):,.0f}"]
        rows.append([f"{hours:,.0f} h", *percents(shares), *rest])
    names = [f"every {interval:,.0f} s" for interval in args.intervals]
    head = ["MTBF of a worker", *names, "best, s", "Young, s", "Daly, s"]
    print_table(f"Training on {cluster.workers} workers", head, rows)


def stragglers_table(cluster: Cluster, args: argparse.Namespace) -> None:
    rows = []
    for workers in args.sizes:
        generator = np.random.default_rng(args.seed)
        sized = [
            replace(cluster, workers=workers, spread=spread) for spread in args.spreads
        ]
        steps = [step_durations(each, N_STEPS, generator).mean() for each in sized]
        rows.append([str(workers), *percents(1 / mean for mean in steps)])
    head = ["workers", *(f"spread {spread:.0%}" for spread in args.spreads)]
    slow = f"a worker takes {args.slow_factor:g} times as long in {args.slow_share:.1%}"
    print_table(f"Training without failures; {slow} of the steps", head, rows)


def blocks_table(cluster: Cluster, args: argparse.Namespace) -> None:
    rows = []
    for hours in args.mtbf_hours:
        failing = replace(cluster, mtbf=hours * HOUR)
        shares = [annotation_efficiency(failing, args, each) for each in args.blocks]
        rows.append([f"{hours:,.0f} h", *percents(shares)])
    head = ["MTBF of a worker", *(f"blocks of {each:,.0f} s" for each in args.blocks)]
    print_table(f"Annotation on {cluster.workers} workers", head, rows)


def percents(shares: Iterable[float]) -> list[str]:
    return [f"{share:.1%}" for share in shares]


def read_args(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, value in (
        *(("--workers", 64), ("--runs", 100), ("--seed", 0)),
        *(("--step-seconds", 1.0), ("--hours", 8.0), ("--spread", 0.1)),
        *(("--slow-share", 0.001), ("--slow-factor", 3.0)),
        *(("--checkpoint-seconds", 2.0), ("--restart-seconds", 60.0)),
    ):
        parser.add_argument(name, type=type(value), default=value)
    for name, values in (
        *(("--mtbf-hours", MTBF_HOURS), ("--intervals", INTERVALS)),
        *(("--blocks", BLOCKS), ("--spreads", SPREADS), ("--sizes", SIZES)),
    ):
        kind = type(values[0])
        parser.add_argument(name, type=kind, nargs="+", default=values)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    args = read_args(arguments)
    cluster = Cluster(
        args.workers,
        args.spread,
        args.slow_share,
        args.slow_factor,
        checkpoint=args.checkpoint_seconds,
        restart=args.restart_seconds,
    )
    intervals_table(cluster, args)
    stragglers_table(cluster, args)
    blocks_table(cluster, args)


if __name__ == "__main__":
    main()
