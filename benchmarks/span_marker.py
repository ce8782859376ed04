"""`span_marker_ner` beside SpanMarker: prediction, training and memory.

    python benchmarks/span_marker.py train.spacy test.spacy --encoder assets/encoder \\
        --checkpoint FOLDER --span-marker-python sm/bin/python --output results.json

FOLDER is a model that SpanMarker trained: both predict with its weights, and their
entities are compared. SpanMarker runs in an environment of its own, which
benchmarks/peer_span_marker.py describes, as a process that lives as long as this one:
all systems take the same sentences in turns, on one thread or on a GPU (`--gpu-id 0`).
What is timed is all from words to entities; in training SpanMarker's tokenizer, which
its Trainer runs once before the first step, is not timed, and ours is.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from common import machine_facts, one_thread, write

one_thread()
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import spacy
import torch
from encoder import show
from encoder_systems import Sentences, long_documents, read, words_of
from spacy import registry, util
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from thinc.api import fix_random_seed, get_current_ops, require_gpu, set_gpu_allocator

from spacy_ner_ext.span_marker.model import shim_of

PEER = "SpanMarker"
FACTORY = "span_marker_ner"
# The model's settings of the pipelines that are trained.
TRAINED = {
    "all, markers": {"candidates": "all", "head": "markers"},
    "filtered, markers+text": {"candidates": "filtered", "head": "markers+text"},
}
OPTIMIZER = {"@optimizers": "spacy_ner_ext.Adam.v1", "learn_rate": 5e-5}
BATCH, MEMORY_STEPS = 16, 3
# First word, end, label and probability of each entity of each sentence.
Entities = list[list[tuple[int, int, str, float]]]


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of processor time of a call (on a GPU, by the clock) and its result."""
    on_gpu = get_current_ops().device_type == "gpu"
    clock = perf_counter if on_gpu else process_time
    start = clock()
    result = function()
    if on_gpu:
        torch.cuda.synchronize()
    return clock() - start, result


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def spread(docs: list[Doc], limit: int | None) -> list[Doc]:
    """Some of the documents, from all over the file."""
    n_docs = min(limit or len(docs), len(docs))
    return [docs[i * len(docs) // n_docs] for i in range(n_docs)]


class Peer:
    """SpanMarker, in the process of another Python."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args, self.file = args, folder / "sentences.json"
        script = str(Path(__file__).with_name("peer_span_marker.py"))
        self.command = [str(args.span_marker_python), script]
        self.command += ["--encoder", args.encoder, "--gpu-id", str(args.gpu_id)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            self.command, stdin=pipe, stdout=pipe, encoding="utf8"
        )

    def ask(self, task: str, **arguments: Any) -> Any:
        request = json.dumps({"task": task, **arguments})
        with suppress(BrokenPipeError):
            print(request, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"The process of SpanMarker ended at the task '{task}', see above")
        return json.loads(answer)

    def write(self, sentences: Sentences, docs: list[Doc] | None = None) -> str:
        tags = [[tag(token) for token in doc] for doc in docs or []]
        content = {"sentences": sentences, "tags": tags}
        self.file.write_text(json.dumps(content), encoding="utf8")
        return str(self.file)


def tag(token: Any) -> str:
    return f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O"


# --- Prediction ---------------------------------------------------------------


class PeerPipeline:
    def __init__(self, peer: Peer, precision: str) -> None:
        self.peer, self.precision = peer, precision

    def predict(self, sentences: Sentences) -> tuple[float, Entities]:
        arguments: dict[str, Any] = {"batch_size": self.peer.args.peer_batch_size}
        arguments |= {"file": self.peer.write(sentences), "precision": self.precision}
        answer = self.peer.ask("predict", **arguments)
        return answer["seconds"], [list(map(tuple, e)) for e in answer["entities"]]


class Pipeline:
    def __init__(self, nlp: Language) -> None:
        self.nlp = nlp
        nlp.batch_size = 256

    def predict(self, sentences: Sentences) -> tuple[float, Entities]:
        def run() -> list[Doc]:
            docs = (Doc(self.nlp.vocab, words=words) for words in sentences)
            return list(self.nlp.pipe(docs))

        seconds, docs = timed(run)
        return seconds, [
            [(ent.start, ent.end, ent.label_, ent._.score) for ent in doc.ents]
            for doc in docs
        ]


def of_checkpoint(checkpoint: Path, precision: str) -> Pipeline:
    nlp = spacy.blank("en")
    config = {"checkpoint": str(checkpoint), "model": {"precision": precision}}
    nlp.add_pipe(FACTORY, config=config)
    return Pipeline(nlp)


def of_folder(folder: Path, precision: str) -> Pipeline:
    """A saved pipeline, which must have a filter."""
    components = util.load_config(folder / "config.cfg")["components"]
    names = [n for n, each in components.items() if each.get("factory") == FACTORY]
    if len(names) != 1:
        sys.exit(f"{folder} has {len(names)} components of {FACTORY}: one is needed")
    setting = {f"components.{names[0]}.model.precision": precision}
    nlp = spacy.load(folder, config=setting)
    if not shim_of(nlp.get_pipe(names[0]).model).filters:
        sys.exit(f"'{names[0]}' of {folder} has no filter, or does not use it")
    return Pipeline(nlp)


def in_turns(
    systems: dict[str, Any], sentences: Sentences, repeats: int
) -> tuple[dict[str, float], dict[str, Entities]]:
    """Words a second of each system, the median of some passes, and what it finds."""
    passes: dict[str, list[float]] = {name: [] for name in systems}
    found: dict[str, Entities] = {}
    for system in systems.values():
        system.predict(sentences[:8])
    for i in range(repeats):
        for name, system in systems.items():
            seconds, found[name] = system.predict(sentences)
            passes[name].append(seconds)
            progress(f"pass {i + 1} of {repeats}: {name}, {seconds:.1f} s")
    n_words = sum(map(len, sentences))
    medians = {name: statistics.median(each) for name, each in passes.items()}
    return {name: n_words / each for name, each in medians.items()}, found


def compare(found: Entities, expected: Entities) -> dict[str, Any]:
    """In how many sentences entities differ, and by how much scores of equal ones."""
    n_differing, largest = 0, 0.0
    for ours, theirs in zip(found, expected, strict=True):
        scores = [{entity[:3]: entity[3] for entity in each} for each in (ours, theirs)]
        n_differing += scores[0].keys() != scores[1].keys()
        for entity in scores[0].keys() & scores[1].keys():
            largest = max(largest, abs(scores[0][entity] - scores[1][entity]))
    return {
        "entities": sum(map(len, found)),
        "sentences that differ": n_differing,
        "largest difference of scores": largest,
    }


def measure_prediction(
    args: argparse.Namespace, peer: Peer, sentences: Sentences, precision: str
) -> dict[str, Any]:
    systems: dict[str, Any] = {PEER: PeerPipeline(peer, precision)}
    systems[f"{FACTORY}, all"] = of_checkpoint(args.checkpoint, precision)
    if args.filtered is None:
        print("\nNo row for a filter: give a pipeline that has one by --filtered")
    else:
        systems[f"{FACTORY}, filtered"] = of_folder(args.filtered, precision)
    speeds, found = in_turns(systems, sentences, args.repeats)
    n_words = sum(map(len, sentences))
    title = f"Prediction in {precision}, {len(sentences)} sentences, {n_words:,} words"
    result = show(title, speeds, PEER)
    n_expected = sum(map(len, found[PEER]))
    print(f"{PEER} finds {n_expected} entities")
    result |= {"sentences": len(sentences), "words": n_words, "entities": n_expected}
    result["compared"] = {}
    for name in list(systems)[1:]:
        facts = result["compared"][name] = compare(found[name], found[PEER])
        print(
            f"{name}: {facts['entities']} entities; {facts['sentences that differ']} "
            f"of {len(sentences)} sentences differ, scores of equal entities by at "
            f"most {facts['largest difference of scores']:.1e}"
        )
    return result


def predict(args: argparse.Namespace, peer: Peer, precision: str) -> dict[str, Any]:
    sentences = words_of(spread(read(args.test), args.limit))
    return measure_prediction(args, peer, sentences, precision)


def long(args: argparse.Namespace, peer: Peer, precision: str) -> dict[str, Any]:
    """Sentences of exactly 100 words."""
    sentences = long_documents(words_of(read(args.test)), args.long_sentences, 100)
    return measure_prediction(args, peer, sentences, precision)


# --- Training -----------------------------------------------------------------


class PeerTrainee:
    def __init__(self, peer: Peer, docs: list[Doc], precision: str) -> None:
        file = peer.write(words_of(docs), docs)
        self.peer = peer
        self.rows = peer.ask("prepare", file=file, size=BATCH, precision=precision)

    def step(self, number: int) -> float:
        return self.peer.ask("step", number=number)["seconds"]


class Trainee:
    def __init__(
        self, encoder: str, docs: list[Doc], name: str, precision: str
    ) -> None:
        fix_random_seed(0)
        self.nlp, self.docs = spacy.blank("en"), docs
        model = {"@architectures": "spacy_ner_ext.SpanMarker.v1", "name": encoder}
        model |= {**TRAINED[name], "precision": precision}
        self.nlp.add_pipe(FACTORY, config={"model": model})
        self.nlp.initialize(lambda: self.examples(docs))
        self.optimizer = registry.resolve({"optimizer": OPTIMIZER})["optimizer"]
        self.optimizer.bind(self.nlp)

    def examples(self, docs: list[Doc]) -> list[Example]:
        vocab = self.nlp.vocab
        return [Example(Doc(vocab, words=w), d) for w, d in zip(words_of(docs), docs)]

    def step(self, number: int) -> float:
        docs = self.docs[number * BATCH : (number + 1) * BATCH]
        update = self.nlp.update
        return timed(lambda: update(self.examples(docs), sgd=self.optimizer))[0]


def batches(args: argparse.Namespace, n_batches: int) -> list[Doc]:
    docs = spread(read(args.train), BATCH * n_batches)
    if len(docs) < BATCH * n_batches:
        sys.exit(
            f"{args.train} has {len(docs)} sentences, too few for {n_batches} steps"
        )
    return docs


def train(args: argparse.Namespace, peer: Peer, precision: str) -> dict[str, Any]:
    """All learn from the same batches, step by step in turns; the first is not
    counted."""
    docs = batches(args, args.steps + 1)
    systems: dict[str, Any] = {PEER: PeerTrainee(peer, docs, precision)}
    for name in TRAINED:
        trainee = Trainee(args.encoder, docs, name, precision)
        systems[f"{FACTORY}, {name}"] = trainee
    taken = dict.fromkeys(systems, 0.0)
    for step in range(args.steps + 1):
        for name, system in systems.items():
            seconds = system.step(step)
            taken[name] += seconds if step else 0.0
            progress(f"step {step} of {args.steps}: {name}, {seconds:.1f} s")
    n_words = sum(map(len, docs[BATCH:]))
    speeds = {name: n_words / seconds for name, seconds in taken.items()}
    title = f"Training in {precision}, {args.steps} steps of {BATCH} sentences"
    result = show(f"{title}, {n_words:,} words", speeds, PEER)
    return {**result, "words": n_words, **systems[PEER].rows}


def memory(args: argparse.Namespace, peer: Peer, precision: str) -> dict[str, Any]:
    """The most memory of new processes, each of which takes some training steps."""
    docs = batches(args, MEMORY_STEPS)
    file = str(peer.file.with_suffix(".spacy"))
    DocBin(docs=docs).to_disk(file)
    command = [sys.executable, __file__, file, file, "--encoder", args.encoder]
    command += ["--precision", precision, "--gpu-id", str(args.gpu_id)]
    facts = {PEER: new_process(peer.command, peer_requests(peer, docs, precision))}
    for name in TRAINED:
        facts[f"{FACTORY}, {name}"] = new_process([*command, "--alone", name])
    of_peer = facts[PEER]["at most"]
    kind = "GPU memory" if args.gpu_id >= 0 else "Resident memory"
    print(f"\n{kind} of a process that takes {MEMORY_STEPS} steps in {precision}, MiB")
    print(f"{'':44}{'before':>10}{'at most':>10}{'ratio':>8}")
    for name, mib in facts.items():
        mib["ratio"] = mib["at most"] / of_peer
        numbers = f"{mib['before']:10,.0f}{mib['at most']:10,.0f}{mib['ratio']:8.2f}"
        print(f"{name:44}{numbers}", flush=True)
    return {"mib": facts, "words": sum(map(len, docs))}


def peer_requests(peer: Peer, docs: list[Doc], precision: str) -> str:
    file = peer.write(words_of(docs), docs)
    prepare = {"task": "prepare", "file": file, "size": BATCH, "precision": precision}
    steps = [{"task": "step", "number": i} for i in range(MEMORY_STEPS)]
    memory = {"task": "memory"}
    return "\n".join(map(json.dumps, [prepare, memory, *steps, memory]))


def new_process(command: list[str], requests: str = "") -> dict[str, float]:
    """The memory that a process tells of, before training and at the end."""
    done = subprocess.run(
        command, input=requests, stdout=subprocess.PIPE, encoding="utf8", check=True
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    before, at_most = (answer["mib"] for answer in answers if "mib" in answer)
    progress(f"{at_most:,.0f} MiB: {' '.join(command)}")
    return {"before": before, "at most": at_most}


def alone(args: argparse.Namespace) -> None:
    """Train in this process, and tell its memory as SpanMarker's process does."""
    docs = read(args.train)
    trainee = Trainee(args.encoder, docs, args.alone, args.precision[0])
    print(json.dumps({"mib": peak_mib(args.gpu_id >= 0)}))
    for number in range(MEMORY_STEPS):
        trainee.step(number)
    print(json.dumps({"mib": peak_mib(args.gpu_id >= 0)}))


def peak_mib(on_gpu: bool) -> float:
    """The most memory of this process: on the GPU, or resident, on Linux. (Not
    ru_maxrss: that also counts what the process that started this one had.)"""
    if on_gpu:
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


TASKS = {"predict": predict, "long": long, "train": train, "memory": memory}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path, metavar="TRAIN.spacy")
    parser.add_argument("test", type=Path, metavar="TEST.spacy")
    parser.add_argument("--encoder", default="assets/encoder")
    parser.add_argument("--checkpoint", type=Path, help="folder of SpanMarker's")
    parser.add_argument("--filtered", type=Path, help="pipeline that has a filter")
    parser.add_argument("--span-marker-python", type=Path)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--limit", type=int, help="sentences, from all over the file")
    parser.add_argument("--long-sentences", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--peer-batch-size", type=int, default=8)
    precisions = ("fp32", "bf16")
    parser.add_argument("--precision", nargs="+", choices=precisions, default=["fp32"])
    parser.add_argument("--gpu-id", type=int, default=-1)
    parser.add_argument("--alone", choices=TRAINED, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    args = parser.parse_args()
    if not (args.alone or args.span_marker_python):
        parser.error("--span-marker-python, the Python that has SpanMarker, is needed")
    if not (
        args.alone or args.checkpoint or {"predict", "long"}.isdisjoint(args.tasks)
    ):
        parser.error("--checkpoint, a model that SpanMarker trained, is needed")
    return args


def main() -> None:
    args = parse_arguments()
    torch.set_num_threads(1)
    if args.gpu_id >= 0:
        set_gpu_allocator("pytorch")
        require_gpu(args.gpu_id)
    if args.alone:
        alone(args)
        return
    facts = machine_facts("spacy", "thinc", "torch", "transformers", "spacy-ner-ext")
    facts["gpu"] = torch.cuda.get_device_name() if args.gpu_id >= 0 else None
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(args, Path(folder))
        with peer.process:
            facts["versions of SpanMarker's Python"] = peer.ask("versions")
            if args.checkpoint:
                peer.ask("load", checkpoint=str(args.checkpoint))
            for task in args.tasks:
                run = TASKS[task]
                results[task] = {p: run(args, peer, p) for p in args.precision}
    print("\n" + "\n".join(f"{name}: {value}" for name, value in facts.items()))
    settings = {name: str(value) for name, value in vars(args).items()}
    write(args.output, {"machine": facts, "settings": settings, "results": results})


if __name__ == "__main__":
    main()
