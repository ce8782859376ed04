"""Metrics of `evaluate` compared with seqeval, nervaluate, EDS-NLP and spaCy.

    python benchmarks/metrics.py training/model-best test.spacy
        --edsnlp-python edsnlp/bin/python

One prediction of a corpus is scored by each of them: seqeval in strict mode, from BILOU
and from IOB2 tags; nervaluate, all documents at once; EDS-NLP's own code in its own
environment (see peer_edsnlp_metrics.py); `spacy evaluate`. The exit code is 1 if a
number differs by more than 1e-9. For a label without gold or without a prediction,
EDS-NLP's recall or precision is 1 instead of 0; such labels are left out.
"""

import argparse
import json
import subprocess
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import machine_facts, one_thread

one_thread()

import spacy
from nervaluate import Evaluator
from seqeval.metrics import classification_report
from seqeval.scheme import BILOU, IOB2
from spacy.training import Corpus

from spacy_ner_ext import evaluate
from spacy_ner_ext.tools.evaluate.predict import predict
from spacy_ner_ext.tools.evaluate.span_keys import find_span_keys

TOLERANCE = 1e-9
PEER = Path(__file__).parent / "peer_edsnlp_metrics.py"
AVERAGES = ("micro", "macro", "weighted")
Numbers = dict[str, float]
Span = tuple[int, int, str]


def read_entities(model: str, corpus: Path) -> list[dict[str, Any]]:
    """Words, gold and predictions of each document."""
    nlp = spacy.load(model)
    keys = find_span_keys(nlp)
    assert keys is not None
    return [
        {
            "words": [token.text for token in each.example.reference],
            "gold": [entity.key for entity in each.entities.gold],
            "predicted": [entity.key for entity in each.entities.predicted],
        }
        for each in predict(nlp, corpus, keys)
    ]


def to_tags(n_tokens: int, spans: list[Span], scheme: Any) -> list[str]:
    last, alone = ("L", "U") if scheme is BILOU else ("I", "B")
    tags = ["O"] * n_tokens
    for start, end, label in spans:
        tags[start:end] = [f"I-{label}"] * (end - start)
        tags[end - 1] = f"{last}-{label}"
        tags[start] = f"B-{label}" if end - start > 1 else f"{alone}-{label}"
    return tags


def by_seqeval(documents: list[dict[str, Any]], scheme: Any) -> Numbers:
    sides = [
        [to_tags(len(each["words"]), each[side], scheme) for each in documents]
        for side in ("gold", "predicted")
    ]
    found = classification_report(
        *sides, output_dict=True, mode="strict", scheme=scheme, zero_division=0
    )
    return {
        f"{key.removesuffix(' avg')} {short}": float(scores[name])
        for key, scores in found.items()
        for short, name in zip("prfs", ("precision", "recall", "f1-score", "support"))
    }


def ours_exact(metrics: dict[str, Any]) -> Numbers:
    exact = metrics["exact"]
    rows = {**{name: exact[name] for name in AVERAGES}, **exact["labels"]}
    return {
        f"{key} {short}": float(scores[name])
        for key, scores in rows.items()
        for short, name in zip("prfs", ("p", "r", "f", "support"))
    }


def as_dict(span: Span) -> dict[str, Any]:
    start, end, label = span
    return {"label": label, "start": start, "end": end - 1}


def by_nervaluate(documents: list[dict[str, Any]]) -> Numbers:
    sides = [
        [[as_dict(span) for span in each[side]] for each in documents]
        for side in ("gold", "predicted")
    ]
    entities = (entity for side in sides for doc in side for entity in doc)
    labels = sorted({entity["label"] for entity in entities})
    found = Evaluator(*sides, tags=labels, loader="dict").evaluate()
    parts = {"all": found["overall"], **found["entities"]}
    return {
        f"{key} {scheme} {name}": float(value)
        for key, schemes in parts.items()
        for scheme, result in schemes.items()
        for name, value in vars(result).items()
    }


def ours_nervaluate(found: dict[str, Any]) -> Numbers:
    labels = found["labels"]
    overall = {scheme: values for scheme, values in found.items() if scheme != "labels"}
    return {
        f"{key} {scheme} {name}": float(value)
        for key, schemes in {"all": overall, **labels}.items()
        for scheme, result in schemes.items()
        for name, value in result.items()
    }


def by_edsnlp(python: str, documents: list[dict[str, Any]]) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "spans.json"
        path.write_text(json.dumps(documents))
        done = subprocess.run([python, PEER, path], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def to_numbers(metrics: dict[str, Any]) -> Numbers:
    """Micro and labels of EDS-NLP, or of ours in its form."""
    return {
        f"{metric} {key} {name}": float(scores[name])
        for metric, rows in metrics.items()
        for key, scores in rows.items()
        for name in ("p", "r", "f", "support", "positives")
        if scores["support"] and scores["positives"]
    }


def in_their_form(metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        metric: {
            key: {**scores, "positives": scores["predicted"]}
            for key, scores in {"micro": found["micro"], **found["labels"]}.items()
        }
        for metric, found in metrics.items()
    }


def by_spacy(model: str, corpus: Path) -> Numbers:
    nlp = spacy.load(model)
    scores = nlp.evaluate(Corpus(corpus)(nlp))
    rows = {"micro": {name: scores[f"ents_{name}"] for name in "prf"}}
    rows.update(scores["ents_per_type"])
    return {f"{key} {name}": row[name] for key, row in rows.items() for name in "prf"}


def compare(name: str, ours: Numbers, theirs: Numbers) -> bool:
    if set(ours) != set(theirs):
        print(f"{name}: only in one: {sorted(set(ours) ^ set(theirs))}")
        return False
    differences = {key: abs(ours[key] - theirs[key]) for key in ours}
    worst = max(differences, key=differences.__getitem__)
    largest = differences[worst]
    print(
        f"{name:24} {len(ours):4} numbers, largest difference {largest:.1e} ({worst})"
    )
    return largest <= TOLERANCE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--edsnlp-python")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", module="seqeval")
    documents = read_entities(args.model, args.corpus)
    found = evaluate(spacy.load(args.model), args.corpus, resamples=0).to_dict()
    entities = found["entities"]
    exact = ours_exact(entities["metrics"])
    same = [
        compare("seqeval, strict, BILOU", exact, by_seqeval(documents, BILOU)),
        compare("seqeval, strict, IOB2", exact, by_seqeval(documents, IOB2)),
        compare(
            "nervaluate",
            ours_nervaluate(entities["nervaluate"]),
            by_nervaluate(documents),
        ),
    ]
    if args.edsnlp_python:
        theirs = by_edsnlp(args.edsnlp_python, documents)
        ours = to_numbers(in_their_form(entities["metrics"]))
        same.append(compare("EDS-NLP", ours, to_numbers(theirs)))
    theirs = by_spacy(args.model, args.corpus)
    same.append(compare("spacy evaluate", {key: exact[key] for key in theirs}, theirs))
    print(json.dumps({name: exact[f"micro {name}"] for name in "prf"}))
    print(json.dumps(machine_facts("spacy", "seqeval", "nervaluate")))
    sys.exit(not all(same))


if __name__ == "__main__":
    main()
