"""Errors that `python -m spacy_ner_ext audit` finds, of those put into a corpus.

    python benchmarks/audit.py train.spacy configs/crf_trf.cfg --seed 1 2 3 \
      --cleanlab-python cleanlab/bin/python --output audit.json --paths.encoder DIR

Of 5 % of the entities a third is dropped, a third gets another label, and of a third
one boundary moves by a token. Then, at as many suggestions as there are errors, the
share of errors that are at the place of a suggestion, and of those that accepting it
would correct, of

- the suggestions of `audit`;
- the entities in which prediction and gold differ, by the score of the prediction,
  those that were not predicted last ("disagreement");
- the tokens that cleanlab's token classification ranks lowest, with the marginals of
  the labels as probabilities; tokens of one entity, or next to each other, count once.

All three use the same pipelines, each for the documents of its own fold.

With --test, it also trains with the same config on the corpus as it was, with the
errors, and as `--weights` repairs it, and prints F1 on TEST.
"""

import argparse
import json
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common import machine_facts, one_thread, print_table, write

one_thread()

import numpy
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus
from spacy.vocab import Vocab

from spacy_ner_ext import audit, train
from spacy_ner_ext.crf.marginals import tag_marginals
from spacy_ner_ext.tools.audit.apply import apply_decisions
from spacy_ner_ext.tools.audit.folds import divide
from spacy_ner_ext.tools.options import read_overrides

SHARE = 0.05
FOLDS = 5
KINDS = ("dropped", "relabeled", "shifted")
Triple = tuple[int, int, str]


class Error(NamedTuple):
    """An error that was put into a document."""

    doc: int
    kind: str
    right: Triple
    wrong: Triple | None

    @property
    def tokens(self) -> set[int]:
        spans = [self.right, *([self.wrong] if self.wrong else [])]
        return {i for start, end, _ in spans for i in range(start, end)}


class Proposal(NamedTuple):
    """Entities to remove, and one to add, in a document."""

    doc: int
    old: tuple[Triple, ...]
    new: Triple | None
    tokens: frozenset[int]


def add_errors(docs: Sequence[Doc], seed: int) -> list[Error]:
    """Change the entities of documents in place."""
    generator = random.Random(seed)
    labels = sorted({ent.label_ for doc in docs for ent in doc.ents})
    gold = [[(e.start, e.end, e.label_) for e in doc.ents] for doc in docs]
    places = [(i, span) for i, spans in enumerate(gold) for span in spans]
    n = round(SHARE * len(places))
    generator.shuffle(places)
    errors: list[Error] = []
    for i, span in places:
        if len(errors) == n:
            break
        kind = KINDS[len(errors) % 3]
        others = [other for other in gold[i] if other != span]
        wrong = _wrong(kind, span, others, len(docs[i]), labels, generator)
        if kind != "dropped" and wrong is None:
            continue
        gold[i] = [*others, *([wrong] if wrong else [])]
        errors.append(Error(i, kind, span, wrong))
    for doc, spans in zip(docs, gold):
        doc.set_ents([Span(doc, *span) for span in sorted(spans)])
    return errors


def _wrong(
    kind: str,
    span: Triple,
    others: list[Triple],
    n: int,
    labels: list[str],
    generator: random.Random,
) -> Triple | None:
    start, end, label = span
    if kind == "dropped":
        return None
    if kind == "relabeled":
        return start, end, generator.choice([x for x in labels if x != label])
    moves = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    taken = {i for a, b, _ in others for i in range(a, b)}
    fine = [
        (start + a, end + b, label)
        for a, b in moves
        if 0 <= start + a < end + b <= n and taken.isdisjoint(range(start + a, end + b))
    ]
    return generator.choice(fine) if fine else None


def found(errors: Sequence[Error], proposals: Sequence[Proposal]) -> dict[str, Any]:
    """The errors at the places of as many proposals, each of which counts for one."""
    waiting: dict[int, list[Error]] = {}
    for error in errors:
        waiting.setdefault(error.doc, []).append(error)
    kinds = dict.fromkeys(KINDS, 0)
    n_corrected = 0
    for each in proposals[: len(errors)]:
        near = [e for e in waiting.get(each.doc, ()) if e.tokens & each.tokens]
        if near:
            waiting[each.doc].remove(near[0])
            kinds[near[0].kind] += 1
            old = (near[0].wrong,) if near[0].wrong else ()
            n_corrected += each.new == near[0].right and each.old == old
    n = len(errors)
    shares = {
        kind: kinds[kind] / sum(error.kind == kind for error in errors)
        for kind in KINDS
    }
    return {"found": sum(kinds.values()) / n, "corrected": n_corrected / n, **shares}


def proposals_of(suggestions: Any) -> list[Proposal]:
    result = []
    for suggestion in suggestions:
        doc, change = suggestion.document - 1, suggestion.change
        spans = [*change.gold, *([change.suggested] if change.suggested else [])]
        tokens = frozenset(i for a, b, _ in spans for i in range(a, b))
        result.append(Proposal(doc, change.gold, change.suggested, tokens))
    return result


def by_disagreement(docs: Sequence[Doc], folder: Path) -> list[Proposal]:
    ranked: list[tuple[float, Proposal]] = []
    for nlp, numbers in pipelines(docs, folder):
        for i, doc in zip(numbers, nlp.pipe(_bare(nlp, docs[j]) for j in numbers)):
            gold = {(e.start, e.end, e.label_) for e in docs[i].ents}
            seen = {(e.start, e.end, e.label_): e._.score for e in doc.ents}
            touched: set[int] = set()
            for span, score in seen.items():
                if span in gold:
                    continue
                old = [g for g in gold if g[0] < span[1] and span[0] < g[1]]
                tokens = frozenset(k for a, b, _ in (*old, span) for k in range(a, b))
                touched |= tokens
                ranked.append((-score, Proposal(i, tuple(old), span, tokens)))
            for span in gold - seen.keys():
                tokens = frozenset(range(*span[:2]))
                if not tokens & touched:
                    ranked.append((0.0, Proposal(i, (span,), None, tokens)))
    return [each for _, each in sorted(ranked, key=lambda r: (r[0], r[1].doc))]


def by_cleanlab(docs: Sequence[Doc], folder: Path, python: str) -> list[Proposal]:
    labels = sorted({ent.label_ for doc in docs for ent in doc.ents})
    arrays: dict[str, numpy.ndarray] = {}
    for nlp, numbers in pipelines(docs, folder):
        pipe: Any = nlp.get_pipe("crf_ner")
        for i in numbers:
            doc = _bare(nlp, docs[i])
            for name, before in nlp.pipeline:
                doc = before(doc) if name != "crf_ner" else doc
            marginals = tag_marginals(
                pipe.predict_lattice([doc]), pipe.tags.allowed_transitions
            )[:, 0]
            classes = [marginals[:, :1]]
            for label in labels:
                begin = pipe.tags.locate(label)[1]
                classes.append(marginals[:, begin : begin + 4].sum(1, keepdims=True))
            arrays[f"p{i}"] = numpy.concatenate(classes, axis=1)
            arrays[f"y{i}"] = numpy.array(
                [1 + labels.index(t.ent_type_) if t.ent_type_ else 0 for t in docs[i]]
            )
    numpy.savez(folder / "tokens.npz", **arrays)
    script = Path(__file__).parent / "audit_cleanlab.py"
    ranking = folder / "ranking.json"
    subprocess.run([python, script, folder / "tokens.npz", ranking], check=True)
    result: list[Proposal] = []
    seen: set[tuple[int, int]] = set()
    for i, token in json.loads(ranking.read_text()):
        own = [e for e in docs[i].ents if e.start <= token < e.end]
        tokens = set(range(own[0].start, own[0].end)) if own else {token}
        if any((i, k) in seen for k in tokens | {token - 1, token + 1}):
            seen |= {(i, k) for k in tokens}
            continue
        seen |= {(i, k) for k in tokens}
        result.append(Proposal(i, (), None, frozenset(tokens)))
    return result


def pipelines(docs: Sequence[Doc], folder: Path) -> Any:
    parts = divide(docs, FOLDS)
    for fold in range(FOLDS):
        nlp = spacy.load(folder / f"fold-{fold + 1}" / "run" / "model-best")
        yield nlp, [i for i, part in enumerate(parts) if part == fold and len(docs[i])]


def _bare(nlp: Any, doc: Doc) -> Doc:
    spaces = [bool(token.whitespace_) for token in doc]
    return Doc(nlp.vocab, words=[token.text for token in doc], spaces=spaces)


def run(args: argparse.Namespace, overrides: dict[str, Any], seed: int) -> Any:
    docs = [*DocBin().from_disk(args.corpus).get_docs(Vocab())][: args.limit]
    errors = add_errors(docs, seed)
    folder = args.folder / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    noisy = folder / "noisy.spacy"
    DocBin(store_user_data=True, docs=docs).to_disk(noisy)
    result = audit(
        noisy,
        config=args.config,
        output=folder,
        folds=FOLDS,
        overrides={**overrides, "system.seed": seed},
    )
    scores = repair(args, overrides, seed, result, docs) if args.test else {}
    ways = {"audit": proposals_of(result.suggestions)}
    ways["disagreement"] = by_disagreement(docs, folder)
    if args.cleanlab_python:
        ways["cleanlab"] = by_cleanlab(docs, folder, args.cleanlab_python)
    return {
        "errors": len(errors),
        "f1": scores,
        **{name: found(errors, proposals) for name, proposals in ways.items()},
    }


def repair(
    args: argparse.Namespace,
    overrides: dict[str, Any],
    seed: int,
    result: Any,
    docs: Sequence[Doc],
) -> dict[str, float]:
    """F1 on the test set after training on three versions of the corpus."""
    folder = args.folder / f"seed-{seed}"
    noisy, repaired = folder / "noisy.spacy", folder / "repaired.spacy"
    suggestions = folder / "suggestions.jsonl"
    with suggestions.open("w", encoding="utf8") as file:
        for each in result.suggestions:
            file.write(json.dumps(each.to_dict(docs[each.document - 1])) + "\n")
    print(apply_decisions(suggestions, noisy, repaired, weights=True))
    versions = {"clean": args.corpus, "errors": noisy, "repaired": repaired}
    scores = {}
    for name, path in versions.items():
        paths = {"paths.train": str(path), "paths.dev": str(args.dev)}
        settings = {**overrides, **paths, "system.seed": seed}
        trained = train(args.config, overrides=settings, silent=True)
        examples = Corpus(args.test)(trained.nlp)
        scores[name] = trained.nlp.evaluate(examples)["ents_f"]
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("config", type=Path)
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--folder", type=Path, default=Path("audit-benchmark"))
    parser.add_argument("--limit", type=int, help="The first documents only.")
    parser.add_argument("--cleanlab-python")
    parser.add_argument("--dev", type=Path, help="A .spacy file, needed with --test.")
    parser.add_argument("--test", type=Path)
    parser.add_argument("--output", type=Path)
    args, others = parser.parse_known_args()
    overrides = read_overrides(others)
    seeds = {seed: run(args, overrides, seed) for seed in args.seed}
    rows = [
        [str(seed), str(each["errors"]), way]
        + [f"{100 * value:.1f}" for value in each[way].values()]
        for seed, each in seeds.items()
        for way in each
        if way not in ("errors", "f1")
    ]
    head = ["seed", "errors", "ranking", "found", "corrected", *KINDS]
    print_table("Errors found, %", head, rows)
    if args.test:
        versions = ["clean", "errors", "repaired"]
        f1 = [
            [str(s), *(f"{100 * e['f1'][v]:.2f}" for v in versions)]
            for s, e in seeds.items()
        ]
        print_table("F1", ["seed", *versions], f1)
    facts = machine_facts("spacy", "thinc", "torch", "spacy-ner-ext")
    settings = {key: str(value) for key, value in vars(args).items()}
    write(args.output, {**facts, "seeds": seeds, "settings": settings})


if __name__ == "__main__":
    main()
