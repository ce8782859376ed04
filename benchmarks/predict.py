"""Memory, speed and resumption of `python -m spacy_ner_ext predict`.

    python benchmarks/predict.py MODEL train.spacy --output results.json

The texts are those of a .spacy file, repeated, each with a number appended to one of
its words, so that new words keep occurring. Prints

- the overhead of the command: its processor time relative to `nlp.pipe` writing the
  same lines, alternating in one process;
- the peak memory until 10 %, 50 % and all lines are written, and words per second,
  including the start;
- with one and with two processes, whether a run that is killed (SIGKILL) at random
  moments and resumed writes the same bytes as one that is not.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import machine_facts, one_thread, peak_mib, write

one_thread()

import spacy
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_ner_ext.tools.predict.inputs import open_source
from spacy_ner_ext.tools.predict.outputs import Stream
from spacy_ner_ext.tools.predict.predict import BATCH_SIZE, describe
from spacy_ner_ext.tools.predict.run import Prediction
from spacy_ner_ext.tools.predict.worker import PipelineSource

SHARES = (0.1, 0.5, 1.0)


def write_texts(corpus: Path, n: int, path: Path) -> int:
    """Write texts with new words in each. Returns the number of words."""
    generator = random.Random(0)
    docs = DocBin().from_disk(corpus).get_docs(Vocab())
    texts = [words for doc in docs if (words := doc.text.split())]
    n_words = 0
    with path.open("w", encoding="utf8") as file:
        for number in range(n):
            words = list(texts[number % len(texts)])
            words[generator.randrange(len(words))] += str(number)
            n_words += len(words)
            file.write(" ".join(words) + "\n")
    return n_words


# --- Overhead -------------------------------------------------------------------


load = cache(spacy.load)


def plain(model: str, texts: Path, target: Path, batch_size: int) -> float:
    """Processor seconds of `nlp.pipe` for the same lines."""
    nlp = load(model)
    start = time.process_time()
    with texts.open(encoding="utf8") as file, target.open("w", encoding="utf8") as out:
        lines = (line.rstrip("\n") for line in file)
        for doc in nlp.pipe(lines, batch_size=batch_size):
            line = {"text": doc.text, **describe(doc)}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    return time.process_time() - start


def own(model: str, texts: Path, target: Path, batch_size: int) -> float:
    """Processor seconds of the command."""
    pipeline = PipelineSource(model)
    pipeline.load()
    prediction = Prediction(pipeline, open_source([str(texts)], "text"), batch_size)
    start = time.process_time()
    with target.open("wb") as out:
        for _ in prediction.run(Stream(out)):
            pass
    return time.process_time() - start


def overhead(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    texts = folder / "some.txt"
    write_texts(args.corpus, args.overhead_texts, texts)
    ways = {"plain": plain, "predict": own}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.repeats):
        for name, way in ways.items():
            target = folder / f"{name}.jsonl"
            seconds[name].append(way(args.model, texts, target, args.batch_size))
    same = (folder / "plain.jsonl").read_bytes() == (
        folder / "predict.jsonl"
    ).read_bytes()
    # The least, as other processes only ever add to it.
    ratio = min(seconds["predict"]) / min(seconds["plain"])
    found = {"seconds": seconds, "ratio": ratio, "same": same}
    print(f"overhead: {found}", flush=True)
    return found


# --- The command ------------------------------------------------------------------


class Run:
    """The command as a process, and its output.

    out: The output.
    n_process: The number of processes.
    """

    def __init__(
        self, args: argparse.Namespace, texts: Path, out: Path, n_process: int
    ) -> None:
        command = [sys.executable, "-m", "spacy_ner_ext", "predict", args.model, texts]
        options = ["--n-process", n_process, "--batch-size", args.batch_size]
        self.part = out.with_name(f"{out.name}.part")
        self.process = subprocess.Popen(
            [str(part) for part in (*command, "--output", out, *options)],
            stderr=subprocess.DEVNULL,
        )

    def is_running(self) -> bool:
        return self.process.poll() is None

    def size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def end(self) -> None:
        if self.process.wait() != 0:
            raise RuntimeError(f"{self.process.args} failed")


def measure(
    args: argparse.Namespace, texts: Path, out: Path, n_words: int
) -> dict[str, Any]:
    """A run in one process, with its peak memory at some places."""
    samples = []
    begun = time.perf_counter()
    run = Run(args, texts, out, 1)
    while run.is_running():
        samples.append((run.size(), peak_mib(run.process.pid)))
        time.sleep(0.2)
    run.end()
    seconds = time.perf_counter() - begun
    peaks = {}
    for share in SHARES:
        end = share * out.stat().st_size
        peaks[round(share * args.texts)] = max(p for size, p in samples if size <= end)
    found = {
        "peak_mib": peaks,
        "seconds": seconds,
        "words_per_second": n_words / seconds,
    }
    print(f"one process: {found}", flush=True)
    return found


def kill_and_resume(
    args: argparse.Namespace, texts: Path, whole: Path, n_process: int
) -> dict[str, Any]:
    """Kill a run at random places, and resume it each time."""
    generator = random.Random(n_process)
    out = whole.with_name(f"killed{n_process}.jsonl")
    total = whole.stat().st_size
    places = sorted(generator.uniform(0, total) for _ in range(args.kills))
    sizes = []
    for place in places:
        run = Run(args, texts, out, n_process)
        while run.is_running() and run.size() < place:
            time.sleep(0.001)
        time.sleep(generator.uniform(0, 0.2))
        run.process.kill()
        run.process.wait()
        sizes.append(run.size())
    Run(args, texts, out, n_process).end()
    found = {
        "processes": n_process,
        "killed_at_bytes": sizes,
        "of_bytes": total,
        "same_bytes": out.read_bytes() == whole.read_bytes(),
        "lines": len(out.read_bytes().splitlines()),
    }
    print(f"killed: {found}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--overhead-texts", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    results = machine_facts("spacy", "thinc", "torch", "spacy-ner-ext")
    with TemporaryDirectory() as name:
        folder = Path(name)
        results["overhead"] = overhead(args, folder)
        texts, whole = folder / "texts.txt", folder / "whole.jsonl"
        n_words = write_texts(args.corpus, args.texts, texts)
        results["run"] = measure(args, texts, whole, n_words)
        results["killed"] = [
            kill_and_resume(args, texts, whole, n_process) for n_process in (1, 2)
        ]
    settings = {key: str(value) for key, value in vars(args).items()}
    write(args.output, {**results, "settings": settings})


if __name__ == "__main__":
    main()
