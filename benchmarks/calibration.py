"""Calibration errors of probabilities, before and after fitting.

    python benchmarks/calibration.py DEV TEST MODEL [MODEL ...] [--output results.json]

The temperature and the thresholds are fitted on DEV and measured on TEST; nothing is
written into the models. For a flat `crf_ner` the temperature that maximizes the
likelihood of the gold sequences of DEV, an alternative, is measured as well.
"""

import argparse
import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import machine_facts, one_thread, write

one_thread()

import numpy
import spacy
from spacy.language import Language
from spacy.training import Corpus, Example

from spacy_ner_ext import calibrate
from spacy_ner_ext.crf.marginals import log_partition
from spacy_ner_ext.crf.ner import CRFEntityRecognizer
from spacy_ner_ext.pipes.entities import EntityPipe
from spacy_ner_ext.pipes.find import find_component
from spacy_ner_ext.pipes.thresholds import threshold_of
from spacy_ner_ext.tools.calibrate.evidence import Evidence, collect
from spacy_ner_ext.tools.calibrate.fit import HIGHEST, LOWEST, measure, minimize

BATCH = 64
PRECISIONS = (0.8, 0.9)


def entities(nlp: Language, texts: Sequence[str]) -> list[list[tuple[int, int, str]]]:
    docs = nlp.pipe(texts, batch_size=BATCH)
    return [[(ent.start, ent.end, ent.label_) for ent in doc.ents] for doc in docs]


def by_likelihood(component: CRFEntityRecognizer, examples: list[Example]) -> float:
    """The temperature under which gold is most likely."""
    lattice = component.model.predict([example.predicted for example in examples])
    gold = component.encode_gold(examples)[:, 0]
    starts = numpy.cumsum(lattice.lengths) - lattice.lengths
    ends = starts + lattice.lengths - 1
    inner = numpy.delete(numpy.arange(len(gold)), starts)
    score = float(
        lattice.emissions[numpy.arange(len(gold)), gold].sum()
        + lattice.transitions[0][gold[inner - 1], gold[inner]].sum()
        + lattice.start[0][gold[starts]].sum()
        + lattice.end[0][gold[ends]].sum()
    )

    def loss(logarithm: float) -> float:
        temperature = math.exp(logarithm)
        tempered = lattice.scaled(1 / temperature)
        total = log_partition(tempered, component.tags.allowed_transitions).sum()
        return float(total) - score / temperature

    return math.exp(minimize(loss, math.log(LOWEST), math.log(HIGHEST)))


def at_precision(
    nlp: Language, dev: Path, test: Evidence, precision: float
) -> dict[str, Any]:
    """Precision on TEST of thresholds that reach a precision on DEV."""
    result = calibrate(nlp, dev, precision=precision, batch_size=BATCH)
    limits = [threshold_of(result.threshold, label) for label in test.labels.tolist()]
    kept = test.scores(result.temperature) >= numpy.array(limits)
    unreached = [label for label, each in result.labels.items() if not each.reached]
    reached = kept & ~numpy.isin(test.labels, unreached)
    return {
        "precision": float(test.correct[reached].mean()),
        "recall": float(test.correct[reached].sum() / sum(test.gold.values())),
        "unreached": unreached,
    }


def measure_model(path: Path, dev: Path, test: Path) -> dict[str, Any]:
    nlp = spacy.load(path)
    component = find_component(
        nlp, EntityPipe, None, "predicts probabilities of entities"
    )
    component.cfg.update(temperature=1.0, threshold=0.0)
    texts = [example.predicted.text for example in Corpus(test)(nlp)]
    found = entities(nlp, texts)
    evidence = collect(nlp, component, Corpus(test)(nlp), BATCH)
    start = time.process_time()
    result = calibrate(nlp, dev, batch_size=BATCH)
    seconds = time.process_time() - start
    results = {
        "model": str(path),
        "component": component.name,
        "found": len(evidence.correct),
        "temperature": result.temperature,
        "seconds": seconds,
        "same_entities": entities(nlp, texts) == found,
        "dev": {"before": vars(result.before), "after": vars(result.after)},
        "test": {
            "before": vars(measure(evidence, 1.0)),
            "after": vars(measure(evidence, result.temperature)),
        },
    }
    if isinstance(component, CRFEntityRecognizer) and component.tags.n_chains == 1:
        examples = [eg for eg in Corpus(dev)(nlp) if len(eg.predicted)]
        other = by_likelihood(component, examples)
        results["likelihood"] = {
            "temperature": other,
            "test": vars(measure(evidence, other)),
        }
    results["thresholds"] = {
        f"{precision:g}": at_precision(nlp, dev, evidence, precision)
        for precision in PRECISIONS
    }
    return results


def show(results: dict[str, Any]) -> None:
    same = "the same" if results["same_entities"] else "OTHER"
    print(
        f"{results['model']} ({results['component']}): temperature "
        f"{results['temperature']:.3f}, {results['found']} entities on test, {same}"
    )
    rows = {
        f"{split}, {when}": values
        for split in ("dev", "test")
        for when, values in results[split].items()
    }
    if "likelihood" in results:
        other = results["likelihood"]
        rows[f"test, by likelihood ({other['temperature']:.3f})"] = other["test"]
    for name, values in rows.items():
        print(f"  {name:32}", *(f"{key} {values[key]:.4f} " for key in values))
    for precision, each in results["thresholds"].items():
        print(
            f"  thresholds for {precision} on dev: on test precision "
            f"{each['precision']:.3f}, recall {each['recall']:.3f}; without "
            f"{', '.join(each['unreached']) or 'none'}"
        )


def show_means(results: list[dict[str, Any]]) -> None:
    for when in ("before", "after"):
        means = {
            key: statistics.mean(each["test"][when][key] for each in results)
            for key in results[0]["test"][when]
        }
        shown = (f"{key} {value:.4f} " for key, value in means.items())
        print(f"mean of {len(results)} on test, {when:6}", *shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dev", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    results = []
    for path in args.models:
        results.append(measure_model(path, args.dev, args.test))
        show(results[-1])
    show_means(results)
    facts = machine_facts("spacy", "numpy", "torch")
    write(args.output, {"machine": facts, "models": results})


if __name__ == "__main__":
    main()
