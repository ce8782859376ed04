"""Throughput, memory and fault tolerance of `python -m spacy_ner_ext predict` on Ray.

    python benchmarks/annotate.py throughput MODEL train.spacy
    python benchmarks/annotate.py memory MODEL train.spacy
    python benchmarks/annotate.py kills MODEL train.spacy --texts 200000

Texts are those of a .spacy file, repeated, each with a number appended to a word.

- throughput: words per second with one and with two workers of one thread, between
  the first and the last commit. They alternate, so that both see the same machine.
- memory: the peak of a worker with 20,000 and with 200,000 texts, without the memory
  of Ray's object store, which all processes share.
- kills: ten workers and three commands are killed (SIGKILL) at random; the rows are
  compared with those of the local engine.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from common import (
    descendants,
    machine_facts,
    one_thread,
    print_table,
    write,
)

one_thread()

import pyarrow.dataset
import pyarrow.parquet
from predict import write_texts

from spacy_ner_ext.tools.predict.chunks import TEXTS

WORKERS = (1, 2)
SIZES = (20_000, 200_000)
ACTOR = "MapBatches(Annot"
N_ACTORS, N_COMMANDS = 10, 3


class Run:
    """The command as a process."""

    def __init__(
        self, args: argparse.Namespace, texts: Path, out: Path, workers: int
    ) -> None:
        command = [sys.executable, "-m", "spacy_ner_ext", "predict"]
        ray = ["--engine", "ray", "--ray-node-ip", "127.0.0.1"] if workers else []
        options = [*ray, "--workers", workers or 1, "--batch-size", args.batch_size]
        self.out = out
        self.process = subprocess.Popen(
            [str(part) for part in (*command, args.model, texts, out, *options)],
            stderr=subprocess.PIPE,
            text=True,
        )

    def is_running(self) -> bool:
        return self.process.poll() is None

    def actors(self) -> list[int]:
        below = descendants(self.process.pid).items()
        return [process for process, line in below if ACTOR in line]

    def n_committed(self) -> int:
        return len(list(self.out.glob("_checkpoint/*.parquet")))

    def kill(self) -> None:
        """Kill the command, and wait until its workers have ended."""
        below = descendants(self.process.pid)
        self.process.kill()
        self.process.wait()
        workers = [p for p, line in below.items() if line.startswith("ray::Map")]
        while any(Path(f"/proc/{process}").exists() for process in workers):
            time.sleep(0.1)

    def end(self) -> None:
        _, err = self.process.communicate()
        if self.process.returncode:
            raise RuntimeError(err[-2000:])


def throughput(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    texts = folder / "texts.txt"
    words_per_text = write_texts(args.corpus, args.texts, texts) / args.texts
    speeds: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    starts = []
    for number in range(args.rounds):
        for workers in WORKERS:
            out, begun = folder / f"{number}_{workers}", time.time()
            Run(args, texts, out, workers).end()
            start, texts_per_second = measure(out)
            speeds[workers].append(texts_per_second * words_per_text)
            if workers == 1:
                starts.append(start - begun)
    one, two = (median(speeds[workers]) for workers in WORKERS)
    row = [args.model, f"{one:,.0f}", f"{two:,.0f}", f"{two / (2 * one):.2f}"]
    head = ["pipeline", "words/s, 1 worker", "2 workers", "of twice one"]
    print_table("Throughput", head, [row])
    shares = [two / (2 * one) for one, two in zip(*speeds.values(), strict=True)]
    print("Of twice one, each round:", *(f"{share:.2f}" for share in shares))
    return {
        "words_per_second": speeds,
        "share_of_twice_one": two / (2 * one),
        "start_seconds": median(starts),
    }


def measure(out: Path) -> tuple[float, float]:
    """When the first text was begun, and texts per second, from the files in which
    chunks are committed."""
    commits = sorted(
        (path.stat().st_mtime, pyarrow.parquet.read_metadata(path).num_rows * TEXTS)
        for path in out.glob("_checkpoint/*.parquet")
    )
    (first, n_first), (last, _) = commits[0], commits[-1]
    speed = sum(n for _, n in commits[1:]) / (last - first)
    return first - n_first / speed, speed


def memory(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    peaks = {}
    for n in SIZES:
        texts = folder / f"{n}.txt"
        write_texts(args.corpus, n, texts)
        run = Run(args, texts, folder / f"out{n}", 1)
        peak = 0.0
        while run.is_running():
            peak = max([peak, *map(own_mib, run.actors())])
            time.sleep(0.5)
        run.end()
        peaks[n] = peak
    ratio = peaks[SIZES[1]] / peaks[SIZES[0]]
    row = [*(f"{peaks[n]:,.0f}" for n in SIZES), f"{ratio:.3f}"]
    head = [*(f"MiB, {n:,} texts" for n in SIZES), "ratio"]
    print_table("Peak memory of a worker", head, [row])
    return {"peak_mib": peaks, "ratio": ratio}


def own_mib(process: int) -> float:
    """MiB of memory of a process, without that of Ray's object store, which processes
    share and which Ray bounds."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf8")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB$", status, re.MULTILINE))
    # One that has just ended has none.
    return (int(found.get("VmRSS", 0)) - int(found.get("RssShmem", 0))) / 1024


def kills(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    texts, out, local = folder / "texts.txt", folder / "ray", folder / "local"
    write_texts(args.corpus, args.texts, texts)
    generator = random.Random(0)
    n_killed = 0
    for number in range(N_COMMANDS + 1):
        run = Run(args, texts, out, 2)
        before = run.n_committed()
        until = round(N_ACTORS * (number + 1) / (N_COMMANDS + 1))
        while run.is_running() and n_killed < until:
            time.sleep(generator.uniform(0, 3))
            if actors := run.actors():
                os.kill(generator.choice(actors), signal.SIGKILL)
                n_killed += 1
        if number == N_COMMANDS:
            run.end()
            break
        # Each run commits something, so that the next has something to skip.
        while run.is_running() and run.n_committed() == before:
            time.sleep(generator.uniform(0, 1))
        run.kill()
    Run(args, texts, local, 0).end()
    rows, expected = (read(path) for path in (out, local))
    found = {
        "killed": {"workers": n_killed, "commands": N_COMMANDS},
        "texts": args.texts,
        "lost": args.texts - len({row["id"] for row in rows}),
        "doubled": len(rows) - len({row["id"] for row in rows}),
        "equal": rows == expected,
    }
    print(f"kills: {found}", flush=True)
    return found


def read(folder: Path) -> list[dict[str, Any]]:
    rows = pyarrow.dataset.dataset(folder).to_table().to_pylist()
    return sorted(rows, key=lambda row: row["id"])


PARTS = {"throughput": throughput, "memory": memory, "kills": kills}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("model")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--texts", type=int, default=81_920)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    results = machine_facts("spacy", "thinc", "torch", "ray", "spacy-ner-ext")
    with TemporaryDirectory() as name:
        results[args.part] = PARTS[args.part](args, Path(name))
    settings = {key: str(value) for key, value in vars(args).items()}
    write(args.output, {**results, "settings": settings})


if __name__ == "__main__":
    main()
