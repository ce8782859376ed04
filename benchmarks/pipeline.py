"""`crf_ner` compared with spaCy's `ner`: same tok2vec, batches and steps, one thread.

    python benchmarks/pipeline.py train.spacy test.spacy --output results.json

Prints words per CPU second in training and prediction, and precision, recall and
F-score on the test file for each seed, with the ratios of the two.
"""

import argparse
import random
import statistics
import time
from pathlib import Path
from typing import Any

from common import machine_facts, one_thread, write

one_thread()

import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.util import fix_random_seed, minibatch
from thinc.api import Adam

TOK2VEC = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "pretrained_vectors": None,
    "width": 96,
    "depth": 4,
    "embed_size": 2000,
    "window_size": 1,
    "maxout_pieces": 3,
    "subword_features": True,
}


def read(path: Path, vocab: spacy.vocab.Vocab) -> list[Example]:
    docs = DocBin().from_disk(path).get_docs(vocab)
    return [Example(copy_words(doc), doc) for doc in docs]


def copy_words(doc: Doc) -> Doc:
    spaces = [bool(token.whitespace_) for token in doc]
    return Doc(doc.vocab, words=[token.text for token in doc], spaces=spaces)


class Trial:
    """One pipeline of one component, trained batch by batch."""

    def __init__(self, factory: str, train: Path, seed: int) -> None:
        fix_random_seed(seed)
        self.nlp = spacy.blank("en")
        config = {"model": {"tok2vec": TOK2VEC}}
        self.name = factory
        self.nlp.add_pipe(factory, config=config)
        self.examples = read(train, self.nlp.vocab)
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


def batches(n_docs: int, size: int, steps: int, seed: int) -> list[list[int]]:
    generator = random.Random(seed)
    chosen: list[list[int]] = []
    while len(chosen) < steps:
        order = generator.sample(range(n_docs), n_docs)
        chosen.extend(minibatch(order, size))
    return chosen[:steps]


def predict(trial: Trial, examples: list[Example], repeats: int) -> float:
    """Words a CPU-second, the best of some passes."""
    best = 0.0
    words = sum(len(example.reference) for example in examples)
    for _ in range(repeats):
        docs = [copy_words(example.reference) for example in examples]
        start = time.process_time()
        for _ in trial.nlp.pipe(docs, batch_size=256):
            pass
        best = max(best, words / (time.process_time() - start))
    return best


def run(args: argparse.Namespace, seed: int) -> dict[str, dict[str, Any]]:
    trials = {name: Trial(name, args.train, seed) for name in ("ner", "crf_ner")}
    n_docs = len(trials["ner"].examples)
    # Step by step in turns, so that a busy moment of the machine hits both.
    for indices in batches(n_docs, args.batch_size, args.steps, seed):
        for trial in trials.values():
            trial.step(indices, args.dropout)
    results = {}
    for name, trial in trials.items():
        test = read(args.test, trial.nlp.vocab)
        speed = predict(trial, test, args.repeats)
        scores = trial.nlp.evaluate(read(args.test, trial.nlp.vocab))
        results[name] = {
            "train_words_per_second": trial.words / trial.seconds,
            "predict_words_per_second": speed,
            **{key: scores[key] for key in ("ents_p", "ents_r", "ents_f")},
        }
    return results


def summarize(runs: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    mean: dict[str, dict[str, float]] = {
        name: {
            key: statistics.mean(r[name][key] for r in runs) for key in runs[0][name]
        }
        for name in ("ner", "crf_ner")
    }
    ratios = {key: mean["crf_ner"][key] / mean["ner"][key] for key in mean["ner"]}
    print(f"{'':28}{'spaCy ner':>12}{'crf_ner':>12}{'ratio':>8}")
    for key, value in mean["ner"].items():
        print(f"{key:28}{value:12.4g}{mean['crf_ner'][key]:12.4g}{ratios[key]:8.2f}")
    return {"mean": mean, "ratios": ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    facts = machine_facts("spacy", "thinc", "numpy", "spacy-ner-ext")
    print(facts)
    runs = []
    for seed in args.seeds:
        runs.append(run(args, seed))
        print(f"seed {seed}: {runs[-1]}", flush=True)
    settings = {key: str(value) for key, value in vars(args).items()}
    summary = summarize(runs)
    write(args.output, {**facts, "settings": settings, "runs": runs, **summary})


if __name__ == "__main__":
    main()
