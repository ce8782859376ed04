"""Training with word pieces cut in advance by threads, compared with none.

    python benchmarks/prefetch.py train.spacy dev.spacy --encoder assets/encoder \
        --output results.json

Trains configs/crf_trf.cfg with 0, 1 and 2 threads in turns, step by step, on the same
batches. Prints words per second of the whole step, batches included, the ratio to no
thread, and the share of a step that goes into cutting documents. torch runs on one
thread; a tokenizer uses all cores unless TOKENIZERS_PARALLELISM is false.
"""

import argparse
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import machine_facts, one_thread, write

one_thread()

import torch
from spacy.schemas import ConfigSchemaTraining
from spacy.training.initialize import init_nlp
from spacy.training.loop import create_train_batches
from spacy.util import load_config, registry, resolve_dot_names

from spacy_ner_ext.encoder import shim
from spacy_ner_ext.tools.train.prefetch import prefetch

CONFIG = Path(__file__).parent.parent / "configs" / "crf_trf.cfg"


class Trial:
    """One pipeline in training."""

    def __init__(self, overrides: dict[str, Any], num_workers: int) -> None:
        self.nlp = init_nlp(load_config(CONFIG, overrides=overrides))
        config = self.nlp.config.interpolate()
        schema: Any = ConfigSchemaTraining
        self.training = registry.resolve(config["training"], schema=schema)
        (corpus,) = resolve_dot_names(config, [self.training["train_corpus"]])
        self.training["optimizer"].bind(self.nlp)
        batcher = self.training["batcher"]
        batches = create_train_batches(self.nlp, corpus, batcher, 0)
        self.batches: Iterator[Any] = prefetch(batches, self.nlp, num_workers)
        # The same order in each trial, whatever the others draw.
        self.state = random.Random(0).getstate()
        self.seconds: list[float] = []
        self.words: list[int] = []
        self.cutting: list[float] = []

    def step(self) -> None:
        random.setstate(self.state)
        start, before = time.perf_counter(), CUT.seconds
        _, batch = next(self.batches)
        drop, sgd = self.training["dropout"], self.training["optimizer"]
        self.nlp.update(batch, drop=drop, sgd=sgd)
        self.seconds.append(time.perf_counter() - start)
        self.cutting.append(CUT.seconds - before)
        self.words.append(sum(map(len, batch)))
        self.state = random.getstate()

    def results(self, skip: int) -> dict[str, float]:
        """Words a second, and the share of cutting, without the first steps."""
        seconds = sum(self.seconds[skip:])
        return {
            "words_per_second": sum(self.words[skip:]) / seconds,
            "share_of_cutting": sum(self.cutting[skip:]) / seconds,
        }


class _Timed:
    """Measures how long encoders wait for their word pieces."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.cut = shim.cut_words

    def __call__(self, *args: Any) -> Any:
        start = time.perf_counter()
        try:
            return self.cut(*args)
        finally:
            self.seconds += time.perf_counter() - start


CUT = _Timed()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train", type=Path)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--encoder", type=Path, default=Path("assets/encoder"))
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--skip", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    setattr(shim, "cut_words", CUT)  # noqa: B010
    overrides = {
        "paths.train": str(args.train),
        "paths.dev": str(args.dev),
        "paths.encoder": str(args.encoder),
    }
    facts = machine_facts("spacy", "torch", "tokenizers", "spacy-ner-ext")
    print(facts)
    trials = {number: Trial(overrides, number) for number in args.workers}
    for number in range(args.steps):
        # Each is the first in turn, as the machine may be busier later in a round.
        first = number % len(trials)
        order = [*trials.values()]
        for trial in [*order[first:], *order[:first]]:
            trial.step()
    results = {number: trial.results(args.skip) for number, trial in trials.items()}
    ratios = _ratios(trials, args.skip)
    for number, found in results.items():
        print(f"{number} threads: {found}, median ratio {ratios[number]:.3f}")
    settings = {key: str(value) for key, value in vars(args).items()}
    found = {"settings": settings, "results": results, "ratios": ratios}
    write(args.output, {**facts, **found})


def _ratios(trials: dict[int, Trial], skip: int) -> dict[int, float]:
    """The median over steps of the speed in relation to the first trial."""
    base, *_ = trials.values()
    return {
        number: statistics.median(
            one / other for one, other in zip(base.seconds[skip:], trial.seconds[skip:])
        )
        for number, trial in trials.items()
    }


if __name__ == "__main__":
    main()
