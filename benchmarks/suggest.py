"""The value of `suggest`: a pool of labeled documents, from which it chooses.

    python benchmarks/suggest.py TRAIN.spacy DEV.spacy TEST.spacy [--seeds 1 2 3]

For each seed, a pipeline is trained on a few documents drawn at random. In each of five
rounds it chooses more of the pool, up to a third of it, and is trained again, with gold
as the annotator. The same with documents drawn at random in the same order of sizes,
and once with half of the pool. DEV chooses the step of training, TEST is scored. One
thread. `--set training.max_steps=800` overrides settings of the config.
"""

import argparse
import random
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import machine_facts, one_thread, write

one_thread()

import spacy
from spacy.cli._util import parse_config_overrides
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus

from spacy_ner_ext import suggest, train
from spacy_ner_ext.data.read import read_docs

ROOT = Path(__file__).parent.parent
ROUNDS, START = 5, 50
STRATEGIES = ("suggest", "random")


class Simulation:
    """The documents, and how pipelines are trained and scored on them."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args, self.folder = args, folder
        self.pool = [*read_docs(args.train, spacy.blank(args.lang).vocab)]
        self.third = len(self.pool) // 3
        self.start = min(START, self.third // (ROUNDS + 1))

    def sizes(self) -> list[int]:
        """How many documents are labeled before and after each round."""
        new = self.third - self.start
        return [self.start + new * i // ROUNDS for i in range(ROUNDS + 1)]

    def fit(self, docs: Sequence[Doc], seed: int) -> tuple[Language, dict[str, Any]]:
        """Train on some documents, and score on TEST."""
        path = self.folder / "labeled.spacy"
        DocBin(docs=docs, store_user_data=True).to_disk(path)
        overrides = {
            "paths.train": str(path),
            "paths.dev": str(self.args.dev),
            "system.seed": seed,
            **parse_config_overrides([*self.args.set]),
        }
        nlp = train(self.args.config, overrides=overrides, silent=True).nlp
        scores = nlp.evaluate([*Corpus(self.args.test)(nlp)])
        words = sum(map(len, docs))
        result = {"documents": len(docs), "words": words, "f": scores["ents_f"]}
        return nlp, result

    def run(self, strategy: str, seed: int) -> list[dict[str, Any]]:
        """The scores before the first round and after each."""
        pool = [*self.pool]
        random.Random(seed).shuffle(pool)
        labeled: list[Doc] = []
        results = []
        chosen = [*range(self.start)]
        for size in [*self.sizes()[1:], 0]:
            labeled += [pool[i] for i in chosen]
            taken = set(chosen)
            pool = [doc for i, doc in enumerate(pool) if i not in taken]
            nlp, result = self.fit(labeled, seed)
            results.append(result)
            print(strategy, "seed", seed, result, flush=True)
            new = max(size - len(labeled), 0)
            chosen = [*range(new)]
            if strategy == "suggest" and new:
                found = suggest(nlp, pool, number=new, per=self.args.per)
                chosen = [each["index"] for each in found]
        return results

    def half(self, seed: int) -> dict[str, Any]:
        """The score of half of the pool, drawn at random."""
        pool = [*self.pool]
        random.Random(seed).shuffle(pool)
        return self.fit(pool[: len(pool) // 2], seed)[1]


def show(seeds: Sequence[dict[str, Any]]) -> None:
    print(f"\n{'':10}{'documents':>10}{'words':>9}  F, mean (deviation)")
    for strategy in STRATEGIES:
        for step in zip(*(each[strategy] for each in seeds)):
            _row(strategy, step)
    _row("half", [each["half"] for each in seeds])


def _row(name: str, results: Sequence[dict[str, Any]]) -> None:
    scores = [100 * each["f"] for each in results]
    words = statistics.mean(each["words"] for each in results)
    spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
    n = statistics.mean(each["documents"] for each in results)
    mean = statistics.mean(scores)
    print(f"{name:10}{n:10.0f}{words:9.0f}  {mean:.1f} ({spread:.1f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("train", "dev", "test"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--config", default=ROOT / "configs" / "crf_cpu.cfg", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--per", choices=["text", "word"], default="text")
    parser.add_argument("--lang", default="en")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    args.set = [f"--{each}" for each in args.set]
    facts = machine_facts("spacy", "thinc", "torch")
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        simulation = Simulation(args, Path(folder))
        for seed in args.seeds:
            runs: dict[str, Any] = {s: simulation.run(s, seed) for s in STRATEGIES}
            results.append({"seed": seed, **runs, "half": simulation.half(seed)})
            write(args.output, {"machine": facts, "per": args.per, "seeds": results})
    show(results)


if __name__ == "__main__":
    main()
