"""Training with one and with two ranks of one thread each.

    python benchmarks/train_ranks.py train.spacy dev.spacy --encoder assets/encoder \
        --output train_ranks.json

Runs the same steps of a config with torchrun, in turns, with one rank and with two:
with batches of the config's size, of half of it, and of two and four times as much.
Prints words per second, their ratios, and the share of time in the exchange of
gradients as a Markdown table; `scale.py` fits its cost model to the output.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import machine_facts, one_thread, print_table, write

one_thread()

import torch
import torch.distributed as dist
from spacy.tokens import DocBin
from spacy.util import load_config
from spacy.vocab import Vocab

from spacy_ner_ext import train
from spacy_ner_ext.tools.train import run_folder

CONFIG = Path(__file__).parents[1] / "configs" / "crf_trf.cfg"
# The first steps, which fill caches, do not count; nor does the last one, before which
# a checkpoint is written, and after which the pipeline is evaluated.
WARM_UP = 2
# Batches relative to that of the config.
SCALES = (0.5, 1, 2, 4)
EXCHANGED_BYTES = (2**16, 2**20, 2**23, 25 * 2**20, 100 * 2**20)
EXCHANGES = 5


# --- One rank ----------------------------------------------------------------------


def run_rank(args: argparse.Namespace) -> None:
    """Train as one rank; rank 0 writes what it measured."""
    torch.set_num_threads(1)
    found = {"exchanges": time_exchanges()} if args.exchange else time_training(args)
    if int(os.environ["RANK"]) == 0:
        args.rank_output.write_text(json.dumps(found), encoding="utf8")


def time_exchanges() -> list[dict[str, float]]:
    """The median seconds in which two ranks sum arrays of several sizes."""
    dist.init_process_group("gloo")
    found = []
    for n_bytes in EXCHANGED_BYTES:
        array = torch.zeros(n_bytes // 4)
        times = []
        for _ in range(EXCHANGES):
            dist.barrier()
            start = time.perf_counter()
            dist.all_reduce(array)
            times.append(time.perf_counter() - start)
        found.append({"bytes": n_bytes, "seconds": statistics.median(times)})
    dist.destroy_process_group()
    return found


def time_training(args: argparse.Namespace) -> dict[str, Any]:
    """The seconds of each step, of the start and of a checkpoint."""
    record, n = Record(args.started), args.steps + WARM_UP + 1
    run_folder.write_checkpoint = record.timed(run_folder.write_checkpoint)
    overrides = {
        "paths.train": str(args.train),
        "paths.dev": str(args.dev),
        "paths.encoder": str(args.encoder),
        "training.max_steps": n,
        "training.eval_frequency": n,
        "corpora.dev.limit": 4,
        "training.batcher.size": f"{args.pieces} pieces",
        "training.logger.console_output": False,
    }
    train(
        args.config,
        args.rank_output.with_suffix(""),
        overrides=overrides,
        callbacks=[record],
        checkpoint_every=n - 1,
        silent=True,
    )
    return {
        "steps": record.steps[WARM_UP - 1 : -1],
        "start_seconds": record.started,
        "checkpoint_seconds": record.checkpoint,
        "gradient_bytes": record.n_bytes,
    }


class Record:
    """A callback that notes the seconds and words of each step but the first. Only that
    of rank 0 is called."""

    def __init__(self, begun: float) -> None:
        self.steps: list[dict[str, float]] = []
        self.begun, self.started, self.checkpoint = begun, 0.0, 0.0
        self.n_bytes = 0
        self._last: dict[str, float] = {}

    def __call__(self, info: dict[str, Any]) -> None:
        now = {"seconds": time.perf_counter(), "words": info["words"]}
        if (exchange := info["exchange"]) is not None:
            now |= {"exchange": exchange.seconds, "waited": exchange.seconds_waited}
            self.n_bytes = exchange.n_bytes
        if self._last:
            self.steps.append({name: now[name] - self._last[name] for name in now})
        else:
            self.started = time.time() - self.begun
        self._last = now

    def timed(self, save: Callable[..., None]) -> Callable[..., None]:
        """The function that writes a checkpoint, with a note of its seconds."""

        def write_checkpoint(*arguments: Any) -> None:
            start = time.perf_counter()
            save(*arguments)
            self.checkpoint = time.perf_counter() - start

        return write_checkpoint


# --- All runs ----------------------------------------------------------------------


def launch(
    args: argparse.Namespace, folder: Path, ranks: int, *options: object
) -> dict[str, Any]:
    """Run this script with torchrun, and return what rank 0 measured."""
    output = folder / f"{time.monotonic_ns()}.json"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", ranks]
    address = ["--master-addr", "127.0.0.1", "--master-port", port]
    own = [args.train, args.dev, "--encoder", args.encoder, "--config", args.config]
    own += ["--steps", args.steps, "--rank-output", output, "--started", time.time()]
    command = [*torchrun, *address, __file__, *own, *options]
    subprocess.run([sys.executable, *map(str, command)], check=True)
    return json.loads(output.read_text(encoding="utf8"))


def summarize(
    ranks: int, pieces: int, runs: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Means per step; those of a step are medians over the runs."""
    steps = list(zip(*(run["steps"] for run in runs)))
    words = [step[0]["words"] for step in steps]
    if any(one["words"] != n for n, step in zip(words, steps) for one in step):
        raise RuntimeError("the runs had different batches")

    def total(name: str) -> float:
        found = [[one.get(name, 0.0) for one in step] for step in steps]
        return sum(map(statistics.median, found))

    return {
        "ranks": ranks,
        "batch_pieces": pieces,
        "words_per_step": sum(words) / len(steps),
        "seconds_per_step": total("seconds") / len(steps),
        "exchange_per_step": total("exchange") / len(steps),
        "waited_per_step": total("waited") / len(steps),
        "words_per_second": sum(words) / total("seconds"),
        "start_seconds": statistics.median(run["start_seconds"] for run in runs),
        "checkpoint_seconds": statistics.median(
            run["checkpoint_seconds"] for run in runs
        ),
    }


def print_results(runs: Iterable[dict[str, Any]], ratios: Mapping[int, float]) -> None:
    rows = [
        [
            str(run["batch_pieces"]),
            str(run["ranks"]),
            f"{run['words_per_second']:,.0f}",
            f"{ratios[run['batch_pieces']]:.2f}" if run["ranks"] > 1 else "1",
            f"{run['seconds_per_step']:.3f}",
            *(
                f"{run[f'{name}_per_step'] / run['seconds_per_step']:.1%}"
                for name in ("exchange", "waited")
            ),
        ]
        for run in runs
    ]
    head = ["pieces per batch", "ranks", "words/s", "ratio", "seconds per step"]
    head += ["exchange of gradients", "of it waiting for the slower rank"]
    print_table("Training with one and two ranks", head, rows)


def bytes_per_word(corpus: Path) -> float:
    docs = list(DocBin().from_disk(corpus).get_docs(Vocab()))
    return sum(len(doc.text.encode()) + 1 for doc in docs) / sum(map(len, docs))


def read_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("train", type=Path)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path)
    for name, kind in (("rank-output", Path), ("pieces", int), ("started", float)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    parser.add_argument("--exchange", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = read_args()
    if args.rank_output is not None:
        run_rank(args)
        return
    size = load_config(args.config)["training"]["batcher"]["size"]
    pieces = int(size.split()[0])
    kinds = [(n, int(scale * pieces)) for scale in SCALES for n in (1, 2)]
    measured: dict[tuple[int, int], list[dict[str, Any]]] = {kind: [] for kind in kinds}
    results = machine_facts("spacy", "thinc", "torch", "spacy-ner-ext")
    with TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(args.repeats):
            for ranks, n in kinds:
                run = launch(args, folder, ranks, "--pieces", n)
                measured[ranks, n].append(run)
        results |= launch(args, folder, 2, "--exchange")
    runs = [summarize(*kind, found) for kind, found in measured.items()]
    speeds = {(run["ranks"], run["batch_pieces"]): run for run in runs}
    ratios = {
        n: speeds[2, n]["words_per_second"] / speeds[1, n]["words_per_second"]
        for _, n in kinds
    }
    results |= {
        "batch_pieces": pieces,
        "gradient_bytes": measured[2, pieces][0]["gradient_bytes"],
        "bytes_per_word": bytes_per_word(args.train),
        "runs": runs,
        "ratios": ratios,
    }
    print_results(runs, ratios)
    write(args.output, results)


if __name__ == "__main__":
    main()
