"""`crf_tagger` compared with spaCy's `tagger`: same tok2vec, batches, steps.

    python benchmarks/tagger.py train.spacy test.spacy --output results.json

Documents without tags are tagged by the rule of tag_rule.py. Prints accuracy on the
test file and words per CPU second in training and prediction, with their ratios.
"""

import argparse
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

from common import machine_facts, one_thread, write

one_thread()

import spacy
from pipeline import TOK2VEC, batches, copy_words
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.util import fix_random_seed
from tag_rule import tag_words
from thinc.api import Adam

FACTORIES = ("tagger", "crf_tagger")
CONFIG = {"model": {"tok2vec": TOK2VEC}}


def read(path: Path, vocab: spacy.vocab.Vocab, limit: int | None = None) -> list[Doc]:
    docs = list(DocBin().from_disk(path).get_docs(vocab))[:limit]
    for doc in docs:
        if not doc.has_annotation("TAG"):
            for token, tag in zip(doc, tag_words([token.text for token in doc])):
                token.tag_ = tag
    return docs


class Trial:
    """One pipeline of one component, trained batch by batch."""

    def __init__(self, name: str, train: Path, limit: int | None, seed: int) -> None:
        fix_random_seed(seed)
        self.nlp = spacy.blank("xx")
        self.nlp.add_pipe(name, config=CONFIG)
        docs = read(train, self.nlp.vocab, limit)
        self.examples = [Example(copy_words(doc), doc) for doc in docs]
        self.nlp.initialize(lambda: self.examples)
        self.optimizer = Adam(0.001, L2=0.01, grad_clip=1.0, L2_is_weight_decay=True)
        self.seconds = 0.0
        self.words = 0

    def step(self, indices: list[int], drop: float) -> None:
        batch = [self.examples[i] for i in indices]
        start = time.process_time()
        self.nlp.update(batch, sgd=self.optimizer, drop=drop)
        self.seconds += time.process_time() - start
        self.words += sum(len(example.reference) for example in batch)


def measure_prediction(trials: dict[str, Trial], test: Path, repeats: int) -> dict:
    """Words a CPU-second of each, the best of some passes in turns."""
    best = dict.fromkeys(trials, 0.0)
    for _ in range(repeats):
        for name, trial in trials.items():
            docs = [copy_words(doc) for doc in read(test, trial.nlp.vocab)]
            start = time.process_time()
            for _ in trial.nlp.pipe(docs, batch_size=256):
                pass
            seconds = time.process_time() - start
            best[name] = max(best[name], sum(map(len, docs)) / seconds)
    return best


def run(args: argparse.Namespace, seed: int) -> dict[str, dict[str, float]]:
    trials = {name: Trial(name, args.train, args.sentences, seed) for name in FACTORIES}
    n_docs = len(trials["tagger"].examples)
    # Step by step in turns, so that a busy moment of the machine hits both.
    for indices in batches(n_docs, args.batch_size, args.steps, seed):
        for trial in trials.values():
            trial.step(indices, args.dropout)
    speeds = measure_prediction(trials, args.test, args.repeats)
    results = {}
    for name, trial in trials.items():
        docs = read(args.test, trial.nlp.vocab)
        scores = trial.nlp.evaluate([Example(copy_words(doc), doc) for doc in docs])
        results[name] = {
            "accuracy": scores["tag_acc"],
            "train_words_per_second": trial.words / trial.seconds,
            "predict_words_per_second": speeds[name],
        }
    return results


def summarize(runs: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    mean: dict[str, dict[str, float]] = {
        name: {key: statistics.mean(r[name][key] for r in runs) for key in values}
        for name, values in runs[0].items()
    }
    ratios = {
        key: mean["crf_tagger"][key] / value for key, value in mean["tagger"].items()
    }
    print(f"{'':26}{'tagger':>12}{'crf_tagger':>12}{'ratio':>8}")
    for key, value in mean["tagger"].items():
        ours = mean["crf_tagger"][key]
        print(f"{key:26}{value:12.5g}{ours:12.5g}{ratios[key]:8.3f}")
    return {"mean": mean, "ratios": ratios}


def describe(path: Path, limit: int | None = None) -> dict[str, Any]:
    docs = read(path, spacy.blank("xx").vocab, limit)
    tags = Counter(token.tag_ for doc in docs for token in doc)
    return {"docs": len(docs), "words": sum(map(len, docs)), "tags": dict(tags)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--sentences", type=int, help="of the training file")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    facts = machine_facts("spacy", "thinc", "numpy", "spacy-ner-ext")
    data = {"train": describe(args.train, args.sentences), "test": describe(args.test)}
    print(facts, data)
    runs = []
    for seed in args.seeds:
        runs.append(run(args, seed))
        print(f"seed {seed}: {runs[-1]}", flush=True)
    settings = {key: str(value) for key, value in vars(args).items()}
    summary = summarize(runs)
    results = {**facts, "data": data, "settings": settings, "runs": runs, **summary}
    write(args.output, results)


if __name__ == "__main__":
    main()
