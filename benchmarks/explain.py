"""Completeness, time and plausibility of explanations of trained pipelines.

    python benchmarks/explain.py --entities MODEL TEST --categories MODEL TEST

Integrated gradients of predicted entities, or of the best category of texts, with the
default settings. Reports the share of the difference of the values that the scores do
not account for, the number of gradients and the seconds; for entities also how often
one of their own tokens has the largest score, or one of the three largest, next to the
rate of a random order.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import machine_facts, one_thread, write

one_thread()

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_ner_ext import explain
from spacy_ner_ext.tools.explain.explanation import Explanation


def read(nlp: Language, path: Path) -> Iterator[Doc]:
    for doc in DocBin().from_disk(path).get_docs(nlp.vocab):
        words = [token.text for token in doc]
        spaces = [bool(token.whitespace_) for token in doc]
        yield nlp(Doc(nlp.vocab, words=words, spaces=spaces))


def entities(
    nlp: Language, path: Path, limit: int
) -> Iterator[tuple[Explanation, float]]:
    count = 0
    for doc in read(nlp, path):
        if count >= limit:
            return
        start = time.process_time()
        found = explain(nlp, doc)
        seconds = time.process_time() - start
        count += len(found)
        yield from ((explanation, seconds / len(found)) for explanation in found)


def categories(
    nlp: Language, path: Path, limit: int, longest: int
) -> Iterator[tuple[Explanation, float]]:
    docs = (doc for doc in read(nlp, path) if len(doc) <= longest)
    for doc, _ in zip(docs, range(limit)):
        category = max(doc.cats, key=doc.cats.__getitem__)
        start = time.process_time()
        [found] = explain(nlp, doc, category=category)
        yield found, time.process_time() - start


def own_ranks(found: Explanation) -> tuple[int, float, float]:
    """The rank of the best token of an entity, from 1, and the probabilities that one
    of its tokens is the first, or among the first three, of a random order."""
    assert found.start is not None and found.end is not None
    order = sorted(range(len(found.scores)), key=lambda i: -found.scores[i])
    own = range(found.start, found.end)
    rank = 1 + min(order.index(i) for i in own)
    n, others = len(order), len(order) - len(own)
    missed = 1.0
    for drawn in range(min(3, n)):
        missed *= max(0, others - drawn) / (n - drawn)
    return rank, len(own) / n, 1 - missed


def measure(found: list[tuple[Explanation, float]]) -> dict[str, Any]:
    errors = [
        abs(each.delta or 0.0) / abs(each.value - each.baseline_value)
        for each, _ in found
        if each.baseline_value is not None
    ]
    steps = [each.steps or 0 for each, _ in found]
    result: dict[str, Any] = {
        "explanations": len(found),
        "relative_error_median": statistics.median(errors),
        "relative_error_max": max(errors),
        "not_converged": sum(not each.converged for each, _ in found),
        "steps_median": statistics.median(steps),
        "steps_max": max(steps),
        "cpu_seconds_median": statistics.median(seconds for _, seconds in found),
        "tokens_median": statistics.median(len(each.tokens) for each, _ in found),
    }
    ranks = [own_ranks(each) for each, _ in found if each.is_entity]
    if ranks:
        first, first_by_chance, third_by_chance = (
            statistics.mean(column)
            for column in (
                [rank == 1 for rank, _, _ in ranks],
                [chance for _, chance, _ in ranks],
                [chance for _, _, chance in ranks],
            )
        )
        result["own_token_first"] = first
        result["own_token_first_by_chance"] = first_by_chance
        result["own_token_in_first_three"] = statistics.mean(r[0] <= 3 for r in ranks)
        result["own_token_in_first_three_by_chance"] = third_by_chance
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    pair = {"nargs": 2, "action": "append", "default": [], "metavar": ("MODEL", "TEST")}
    parser.add_argument("--entities", **pair)
    parser.add_argument("--categories", **pair)
    parser.add_argument("--limit", type=int, default=100, help="entities")
    parser.add_argument("--texts", type=int, default=50)
    parser.add_argument("--longest", type=int, default=300, help="tokens of a text")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    facts = machine_facts("spacy", "thinc", "torch", "captum", "spacy-ner-ext")
    print(facts)
    results: dict[str, Any] = {}
    for model, test in args.entities:
        nlp = spacy.load(model)
        results[model] = measure(list(entities(nlp, Path(test), args.limit)))
        print(model, results[model], flush=True)
    for model, test in args.categories:
        nlp = spacy.load(model)
        found = list(categories(nlp, Path(test), args.texts, args.longest))
        results[model] = measure(found)
        print(model, results[model], flush=True)
    settings = {key: str(value) for key, value in vars(args).items()}
    write(args.output, {**facts, "settings": settings, "results": results})


if __name__ == "__main__":
    main()
