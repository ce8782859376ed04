"""Entity scores of configs/crf_trf.cfg in a fixed budget, mean over seeds.

    python benchmarks/scores.py wnut17 train.spacy dev.spacy test.spacy
    python benchmarks/scores.py ncbi ncbi-disease/standoff

WNUT17: 3 epochs of 16 sentences a batch. NCBI-disease (BRAT standoff with the folders
train, devel and test): 300 steps of 768 word pieces, whole documents. The last weights
are scored, without any choice on dev or test; an entity whose boundaries are not those
of tokens counts as missed. One thread.
"""

import argparse
import re
import statistics
import time
from pathlib import Path
from typing import Any

from common import machine_facts, one_thread, write

one_thread()

import spacy
import torch
from spacy import util
from spacy.cli._util import parse_config_overrides
from spacy.language import Language
from spacy.scorer import PRFScore
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config, require_gpu, set_gpu_allocator

ROOT = Path(__file__).parent.parent
# An entity: its first and last character, and its label.
Entity = tuple[int, int, str]
ENTITY_LINE = re.compile(r"(?m)^T\d+\t(\S+) (\d+) (\d+)\t")
BY_SENTENCES = {
    "@batchers": "spacy.batch_by_sequence.v1",
    "size": 16,
    "get_length": None,
}


def read_standoff(folder: Path, nlp: Language) -> list[tuple[Doc, set[Entity]]]:
    """Documents, and all their entities, also those that tokens cannot hold."""
    found = []
    for path in sorted(folder.glob("*.txt")):
        doc = nlp.make_doc(path.read_text(encoding="utf8"))
        lines = path.with_suffix(".ann").read_text(encoding="utf8")
        entities = {
            (int(start), int(end), label)
            for label, start, end in re.findall(
                r"(?m)^T\d+\t(\S+) (\d+) (\d+)\t", lines
            )
        }
        spans = [doc.char_span(start, end, label) for start, end, label in entities]
        doc.ents = util.filter_spans([span for span in spans if span is not None])
        found.append((doc, entities))
    return found


def read_docbin(path: Path, nlp: Language) -> list[tuple[Doc, set[Entity]]]:
    docs = list(DocBin().from_disk(path).get_docs(nlp.vocab))
    return [(doc, entities_of(doc)) for doc in docs]


def entities_of(doc: Doc) -> set[Entity]:
    return {(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents}


def score(nlp: Language, gold: list[tuple[Doc, set[Entity]]]) -> dict[str, float]:
    result = PRFScore()
    copies = [Example(copy(doc, nlp), doc).predicted for doc, _ in gold]
    for doc, (_, entities) in zip(nlp.pipe(copies), gold):
        result.score_set(entities_of(doc), entities)
    values = {"p": result.precision, "r": result.recall, "f": result.fscore}
    return {name: round(100 * value, 2) for name, value in values.items()}


def copy(doc: Doc, nlp: Language) -> Doc:
    spaces = [bool(token.whitespace_) for token in doc]
    return Doc(nlp.vocab, words=[token.text for token in doc], spaces=spaces)


def run(args: argparse.Namespace, files: dict[str, Path], seed: int) -> dict[str, Any]:
    batcher, steps = BY_SENTENCES, args.steps
    config = util.load_config(ROOT / "configs" / args.config, interpolate=False)
    if args.corpus == "wnut17":
        n_sentences = len(read_docbin(args.train, spacy.blank("en")))
        steps = steps or 3 * -(-n_sentences // 16)
        config["training"]["batcher"] = batcher
    overrides = {
        "paths.train": str(files["train"]),
        "paths.dev": str(files["dev"]),
        "paths.encoder": args.encoder,
        "system.seed": seed,
        # spaCy counts from 0, and stops after the step of this number.
        "training.max_steps": (steps or 300) - 1,
        "training.eval_frequency": 10**6,
        **parse_config_overrides([f"--{setting}" for setting in args.set]),
    }
    config = Config().from_str(config.to_str(), overrides=overrides, interpolate=False)
    start = time.perf_counter()
    nlp, _ = train(init_nlp(config), None, use_gpu=args.gpu_id)
    result: dict[str, Any] = {"seed": seed, "seconds": time.perf_counter() - start}
    if args.save is not None:
        args.save.mkdir(parents=True, exist_ok=True)
        nlp.to_disk(args.save / f"{args.corpus}-{seed}")
    for name in ("dev", "test"):
        gold = (
            read_docbin(files[name], nlp)
            if args.corpus == "wnut17"
            else read_standoff(args.train / FOLDERS[name], nlp)
        )
        result[name] = score(nlp, gold)
    return result


FOLDERS = {"train": "train", "dev": "devel", "test": "test"}


def prepare_ncbi(args: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """Write .spacy files for training; what tokens cannot hold is counted."""
    nlp, files = spacy.blank("en"), {}
    for name, source in FOLDERS.items():
        read = read_standoff(args.train / source, nlp)
        files[name] = folder / f"{name}.spacy"
        DocBin(docs=[doc for doc, _ in read]).to_disk(files[name])
        n_gold = sum(len(entities) for _, entities in read)
        n_lost = n_gold - sum(len(doc.ents) for doc, _ in read)
        print(f"{name}: {len(read)} documents, {n_gold} entities, {n_lost} misaligned")
    return files


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", choices=("wnut17", "ncbi"))
    parser.add_argument("train", type=Path, help="train.spacy, or the folder of NCBI")
    parser.add_argument("dev", type=Path, nargs="?")
    parser.add_argument("test", type=Path, nargs="?")
    parser.add_argument("--config", default="crf_trf.cfg")
    parser.add_argument("--encoder", default="assets/encoder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int)
    parser.add_argument("--set", nargs="*", default=[], metavar="SETTING=VALUE")
    parser.add_argument("--gpu-id", type=int, default=-1)
    parser.add_argument("--save", type=Path, help="where to keep the pipelines")
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    torch.set_num_threads(1)
    if args.gpu_id >= 0:
        set_gpu_allocator("pytorch")
        require_gpu(args.gpu_id)
    with util.make_tempdir() as folder:
        files = {"train": args.train, "dev": args.dev, "test": args.test}
        if args.corpus == "ncbi":
            files = prepare_ncbi(args, folder)
        runs = []
        for seed in args.seeds:
            runs.append(run(args, files, seed))
            print(runs[-1], flush=True)
    mean = {
        name: {k: statistics.mean(r[name][k] for r in runs) for k in ("p", "r", "f")}
        for name in ("dev", "test")
    }
    print(f"mean of {len(runs)}: {mean}")
    facts = machine_facts("spacy", "thinc", "torch", "transformers", "spacy-ner-ext")
    settings = {key: str(value) for key, value in vars(args).items()}
    results = {"machine": facts, "settings": settings, "runs": runs, "mean": mean}
    write(args.output, results)


if __name__ == "__main__":
    main()
