"""A cost model of training and annotation on many workers.

    python benchmarks/scale.py train_ranks.json --annotation annotate.json --gbit 10

It is fitted to what `train_ranks.py` and `annotate.py` measured on one machine, and
prints, as Markdown tables, what it predicts for more workers and a terabyte of text.

- A step of training takes a part that every rank repeats (such as the update of the
  weights), the time for its share of the words, and the exchange of all gradients:
  2 (N - 1) messages to the neighbor in a ring of N, of one N-th of the bytes each.
- Annotation takes the time for the words of a worker, after the pipeline is loaded.
  Workers do not wait for each other, but share what the storage can deliver.

Workers are taken to be equally fast and not to fail: see `simulate.py`.
"""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from common import print_table, write

TERABYTE = 1e12
DAY = 86_400.0
WORKERS = (1, 2, 8, 64)


@dataclass(frozen=True)
class Link:
    """A network between neighbors in a ring.

    latency: Seconds of a message without its content.
    bandwidth: Bytes per second.
    """

    latency: float
    bandwidth: float

    def exchange(self, workers: int, n_bytes: float) -> float:
        """Seconds in which arrays are summed over workers."""
        messages = 2 * (workers - 1)
        return messages * (self.latency + n_bytes / workers / self.bandwidth)


@dataclass(frozen=True)
class Training:
    """The cost of a step.

    fixed: Seconds that each rank needs, however few its words are.
    speed: Words per second of one rank, beyond that.
    n_bytes: The bytes of all gradients.
    words: The words of a batch, over all ranks.
    """

    fixed: float
    speed: float
    n_bytes: float
    words: float
    link: Link

    def step(self, workers: int) -> float:
        """Seconds of a step whose words are divided among workers."""
        own = self.fixed + self.words / workers / self.speed
        return own + self.link.exchange(workers, self.n_bytes)

    def words_per_second(self, workers: int) -> float:
        return self.words / self.step(workers)

    def grown(self, workers: int) -> "Training":
        """With batches that many times as large."""
        return replace(self, words=self.words * workers)


@dataclass(frozen=True)
class Annotation:
    """The cost of annotation.

    speed: Words per second of one worker.
    start: Seconds until a worker has loaded the pipeline.
    bytes_per_word: Bytes of text.
    storage: Bytes per second that the storage delivers to all workers together.
    """

    speed: float
    start: float
    bytes_per_word: float
    storage: float

    def words_per_second(self, workers: int) -> float:
        return min(workers * self.speed, self.storage / self.bytes_per_word)

    def seconds(self, workers: int, n_bytes: float) -> float:
        words = n_bytes / self.bytes_per_word
        return self.start + words / self.words_per_second(workers)


def fit_link(measured: Iterable[Mapping[str, float]]) -> Link:
    """A link from exchanges between two ranks of arrays of several sizes.

    Two ranks exchange two messages of half the bytes.
    """
    sizes, seconds = _columns(measured, "bytes", "seconds")
    slope, constant = _line(sizes, seconds)
    return Link(max(constant, 0.0) / 2, 1 / slope)


def fit_training(results: Mapping[str, Any], link: Link) -> Training:
    """The cost of a step from those of one rank with batches of several sizes."""
    runs = [run for run in results["runs"] if run["ranks"] == 1]
    words, seconds = _columns(runs, "words_per_step", "seconds_per_step")
    slope, constant = _line(words, seconds)
    batch = _of_config(results, 1)["words_per_step"]
    n_bytes = results["gradient_bytes"]
    return Training(max(constant, 0.0), 1 / slope, n_bytes, batch, link)


def fit_annotation(
    results: Mapping[str, Any], bytes_per_word: float, storage: float
) -> Annotation:
    """The cost of annotation from runs of one worker."""
    measured = results["throughput"]
    speed = median(measured["words_per_second"]["1"])
    return Annotation(speed, measured["start_seconds"], bytes_per_word, storage)


def _columns(rows: Iterable[Mapping[str, float]], *names: str) -> list[np.ndarray]:
    table = [[row[name] for name in names] for row in rows]
    return list(np.array(table, dtype=float).T)


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The slope and constant of the line that is nearest in relative terms: small
    arrays and batches count as much as large ones."""
    weights = 1 / y
    columns = np.stack([x * weights, weights], axis=1)
    (slope, constant), *_ = np.linalg.lstsq(columns, np.ones_like(y))
    return float(slope), float(constant)


def _of_config(results: Mapping[str, Any], ranks: int) -> Mapping[str, float]:
    """The run with the batches of the config."""
    size = results["batch_pieces"]
    (run,) = (
        run
        for run in results["runs"]
        if run["ranks"] == ranks and run["batch_pieces"] == size
    )
    return run


def check(results: Mapping[str, Any], training: Training) -> dict[str, float]:
    """Words per second of two ranks relative to one, predicted and measured."""
    one, two = (_of_config(results, n)["words_per_second"] for n in (1, 2))
    predicted = training.words_per_second(2) / training.words_per_second(1)
    return {"predicted": predicted, "measured": two / one}


# --- Tables ----------------------------------------------------------------------


def training_table(
    training: Training, workers: Sequence[int], n_words: float
) -> list[dict[str, float]]:
    """Predictions for the batches of the config and for those that grow with the
    number of workers, and the days of an epoch of that many words."""
    found, rows = [], []
    base = training.words_per_second(1)
    for n in workers:
        grown = training.grown(n)
        row = {
            "workers": n,
            "words_per_second": training.words_per_second(n),
            "share_of_exchange": training.link.exchange(n, training.n_bytes)
            / training.step(n),
            "grown_words_per_second": grown.words_per_second(n),
            "epoch_days": n_words / grown.words_per_second(n) / DAY,
        }
        found.append(row)
        same, more = row["words_per_second"], row["grown_words_per_second"]
        rows.append(
            [
                str(n),
                f"{same:,.0f} ({same / base / n:.0%})",
                f"{row['share_of_exchange']:.0%}",
                f"{more:,.0f} ({more / base / n:.0%})",
                f"{row['epoch_days']:,.1f}",
            ]
        )
    head = [
        *("workers", "batch of the config: words/s", "exchange of gradients"),
        *("batch x workers: words/s", "days for an epoch of the text"),
    ]
    print_table("Training (in brackets: of what N workers could give)", head, rows)
    return found


def annotation_table(
    name: str, annotation: Annotation, workers: Sequence[int], n_bytes: float
) -> list[dict[str, float]]:
    found, rows = [], []
    for n in workers:
        seconds = annotation.seconds(n, n_bytes)
        speed = annotation.words_per_second(n)
        row = {
            "workers": n,
            "words_per_second": speed,
            "days": seconds / DAY,
            "worker_hours": n * seconds / 3600,
        }
        found.append(row)
        cells = (f"{row['days']:,.1f}", f"{row['worker_hours']:,.0f}")
        rows.append([str(n), f"{speed:,.0f}", *cells])
    head = ["workers", "words/s", "days for the text", "worker-hours"]
    print_table(f"Annotation, {name}", head, rows)
    return found


def read_args(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("training", type=Path, help="of train_ranks.py")
    parser.add_argument(
        "--annotation",
        type=Path,
        nargs="+",
        default=[],
        help="of annotate.py throughput, one for each pipeline",
    )
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS)
    parser.add_argument("--bytes", type=float, default=TERABYTE, help="of text")
    parser.add_argument(
        "--gbit", type=float, help="of the network; by default as measured here"
    )
    parser.add_argument("--latency-us", type=float, default=50.0, help="with --gbit")
    parser.add_argument(
        "--storage-gbit", type=float, default=25.0, help="of all workers together"
    )
    parser.add_argument("--output", type=Path)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    args = read_args(arguments)
    results = json.loads(args.training.read_text(encoding="utf8"))
    here = fit_link(results["exchanges"])
    training = fit_training(results, here)
    found: dict[str, Any] = {"fitted": vars(training) | {"link": vars(here)}}
    found["two_ranks"] = check(results, training)
    print(json.dumps(found, indent=2))
    if args.gbit is not None:
        network = Link(args.latency_us * 1e-6, args.gbit * 1e9 / 8)
        training = replace(training, link=network)
    n_words = args.bytes / results["bytes_per_word"]
    found["training"] = training_table(training, args.workers, n_words)
    storage = args.storage_gbit * 1e9 / 8
    for path in args.annotation:
        measured = json.loads(path.read_text(encoding="utf8"))
        name = measured["settings"]["model"]
        annotation = fit_annotation(measured, results["bytes_per_word"], storage)
        table = annotation_table(name, annotation, args.workers, args.bytes)
        found[f"annotation, {name}"] = table
    write(args.output, found)


if __name__ == "__main__":
    main()
