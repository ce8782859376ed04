"""`span_marker_ner` compared with SpanMarker: prediction, training and memory.

    python benchmarks/span_marker.py train.spacy test.spacy --encoder assets/encoder \\
        --checkpoint FOLDER --span-marker-python sm/bin/python --output results.json

FOLDER is a model that SpanMarker trained: both predict with its weights, and their
entities are compared, but for sentences that SpanMarker does not read to the end. It
runs in a separate environment, which benchmarks/peer_span_marker.py describes, as a
process that lives as long as this one: all systems take the same sentences in turns, on
one thread or on a GPU (`--gpu-id 0`). What is timed is all from words to entities; in
training, SpanMarker's tokenizer is not, since its Trainer runs it once before the first
step, and ours is.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from common import machine_facts, one_thread, peak_mib, write

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

from spacy_ner_ext.span_marker.model import scorer_of

OURS, PEER = "span_marker_ner", "SpanMarker"
TRAINED = {
    "all, markers": {"candidates": "all", "head": "markers"},
    "filtered, markers+text": {"candidates": "filtered", "head": "markers+text"},
}
OPTIMIZER = {"@optimizers": "spacy_ner_ext.Adam.v1", "learn_rate": 5e-5}
BATCH, MEMORY_STEPS = 16, 3
# First word, end, label and probability of each entity of each sentence.
Entities = list[list[tuple[int, int, str, float]]]
Results = dict[str, Any]


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
    """A process of SpanMarker, to be left as a context."""

    def __init__(self, args: argparse.Namespace) -> None:
        script = str(Path(__file__).with_name("peer_span_marker.py"))
        command = [str(args.span_marker_python), script, "--encoder", args.encoder]
        self.process = subprocess.Popen(
            [*command, "--gpu-id", str(args.gpu_id)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf8",
        )
        self.args, self.precision = args, "fp32"
        # The sentences of the last prediction that were longer than a window.
        self.cut: list[int] = []

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *error: Any) -> None:
        with self.process, suppress(BrokenPipeError):
            self.process.stdin.close()

    def ask(self, task: str, **arguments: Any) -> Any:
        request = json.dumps({"task": task, **arguments})
        with suppress(BrokenPipeError):
            print(request, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"SpanMarker's process ended at '{task}'; for why, see above")
        return json.loads(answer)

    def ask_about(self, task: str, content: Results, **arguments: Any) -> Any:
        """Ask about sentences, which a file hands over."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "sentences.json"
            file.write_text(json.dumps(content), encoding="utf8")
            arguments |= {"file": str(file), "precision": self.precision}
            return self.ask(task, **arguments)

    def predict(self, sentences: Sentences) -> tuple[float, Entities]:
        size, content = self.args.peer_batch_size, {"sentences": sentences}
        answer = self.ask_about("predict", content, batch_size=size)
        self.cut = answer["cut"]
        return answer["seconds"], [list(map(tuple, e)) for e in answer["entities"]]

    def prepare(self, docs: list[Doc]) -> Results:
        tags = [[tag(token) for token in doc] for doc in docs]
        content = {"sentences": words_of(docs), "tags": tags}
        sizes = {"size": BATCH, "max_rows": self.args.peer_rows}
        return self.ask_about("prepare", content, **sizes)

    def step(self, number: int) -> float:
        return self.ask("step", number=number)["seconds"]


def tag(token: Any) -> str:
    return f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O"


# --- Prediction ---------------------------------------------------------------


class Pipeline:
    """A pipeline over sentences, one document each."""

    def __init__(self, nlp: Language) -> None:
        self.nlp = nlp
        nlp.batch_size = 256

    def predict(self, sentences: Sentences) -> tuple[float, Entities]:
        made = (Doc(self.nlp.vocab, words=words) for words in sentences)
        seconds, docs = timed(lambda: list(self.nlp.pipe(made)))
        return seconds, [
            [(ent.start, ent.end, ent.label_, ent._.score) for ent in doc.ents]
            for doc in docs
        ]


def of_checkpoint(checkpoint: Path, precision: str) -> Pipeline:
    nlp = spacy.blank("en")
    config = {"checkpoint": str(checkpoint), "model": {"precision": precision}}
    nlp.add_pipe(OURS, config=config)
    return Pipeline(nlp)


def of_folder(folder: Path, precision: str) -> Pipeline:
    """A saved pipeline, which must have a filter."""
    components = util.load_config(folder / "config.cfg")["components"]
    names = [name for name, c in components.items() if c.get("factory") == OURS]
    if len(names) != 1:
        sys.exit(f"{folder} has {len(names)} components '{OURS}': one is needed")
    setting = {f"components.{names[0]}.model.precision": precision}
    nlp = spacy.load(folder, config=setting)
    if not scorer_of(nlp.get_pipe(names[0]).model).filters:
        sys.exit(f"'{names[0]}' of {folder} has no filter, or does not use it")
    return Pipeline(nlp)


def in_turns(
    systems: dict[str, Any], sentences: Sentences, repeats: int
) -> tuple[dict[str, float], dict[str, Entities]]:
    """Words a second of each system, by the median of some passes, and what it finds.
    A first pass over few sentences is not counted."""
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
    return {n: n_words / statistics.median(each) for n, each in passes.items()}, found


def compare(name: str, found: Entities, expected: Entities) -> Results:
    """In how many sentences entities differ, and by how much scores of equal ones."""
    n_differing, differences = 0, []
    for ours, theirs in zip(found, expected, strict=True):
        scores, others = ({e[:3]: e[3] for e in each} for each in (ours, theirs))
        n_differing += scores.keys() != others.keys()
        differences += [abs(scores[e] - others[e]) for e in scores.keys() & others]
    n_found, n_expected = (sum(map(len, each)) for each in (found, expected))
    most = max(differences, default=None)
    print(f"{name}: {n_found} entities, {PEER}: {n_expected}")
    print(f"  sentences that differ: {n_differing} of {len(found)}")
    if most is not None:
        print(f"  scores of equal entities differ by at most {most:.1e}")
    return {
        "entities": n_found,
        "entities of SpanMarker": n_expected,
        "sentences that differ": n_differing,
        "largest difference of scores": most,
    }


def predict(args: argparse.Namespace, peer: Peer) -> Results:
    sentences = words_of(spread(read(args.test), args.limit))
    return measure_prediction(args, peer, sentences)


def long(args: argparse.Namespace, peer: Peer) -> Results:
    """Sentences of exactly 100 words."""
    sentences = long_documents(words_of(read(args.test)), args.long_sentences, 100)
    return measure_prediction(args, peer, sentences)


def measure_prediction(
    args: argparse.Namespace, peer: Peer, sentences: Sentences
) -> Results:
    pipelines = {f"{OURS}, all": of_checkpoint(args.checkpoint, peer.precision)}
    if args.filtered is None:
        print("\nNo row for a filter: no pipeline with one is given (--filtered)")
    else:
        pipelines[f"{OURS}, filtered"] = of_folder(args.filtered, peer.precision)
    speeds, found = in_turns({PEER: peer, **pipelines}, sentences, args.repeats)
    sizes = {"sentences": len(sentences), "words": sum(map(len, sentences))}
    title = f"{sizes['sentences']} sentences, {sizes['words']} words"
    result = show(f"Prediction in {peer.precision}, {title}", speeds, PEER)
    print(f"{PEER} reads only the beginning of {len(peer.cut)} of these sentences")
    whole = set(range(len(sentences))) - set(peer.cut)
    read_whole = {n: [each[i] for i in sorted(whole)] for n, each in found.items()}
    expected = read_whole.pop(PEER)
    compared = {
        name: compare(name, ours, expected) for name, ours in read_whole.items()
    }
    return {**result, **sizes, "compared": compared, "cut by SpanMarker": peer.cut}


# --- Training -----------------------------------------------------------------


class Trainee:
    """A pipeline that learns from the batches of some documents."""

    def __init__(
        self, encoder: str, docs: list[Doc], settings: dict[str, str], precision: str
    ) -> None:
        fix_random_seed(0)
        self.nlp, self.docs = spacy.blank("en"), docs
        model = {"@architectures": "spacy_ner_ext.SpanMarker.v1", "name": encoder}
        model |= {**settings, "precision": precision}
        self.nlp.add_pipe(OURS, config={"model": model})
        self.nlp.initialize(lambda: self.examples(docs))
        self.optimizer = registry.resolve({"optimizer": OPTIMIZER})["optimizer"]
        self.optimizer.bind(self.nlp)

    def examples(self, docs: list[Doc]) -> list[Example]:
        vocab = self.nlp.vocab
        return [Example(Doc(vocab, words=w), d) for w, d in zip(words_of(docs), docs)]

    def step(self, number: int) -> float:
        docs, optimizer = self.docs[number * BATCH :][:BATCH], self.optimizer
        return timed(lambda: self.nlp.update(self.examples(docs), sgd=optimizer))[0]


def batches(args: argparse.Namespace, n_batches: int) -> list[Doc]:
    docs = spread(read(args.train), BATCH * n_batches)
    if len(docs) < BATCH * n_batches:
        sys.exit(f"{args.train} has too few sentences for {n_batches} steps")
    return docs


def train(args: argparse.Namespace, peer: Peer) -> Results:
    """All learn from the same batches, in turns; the first step is not counted."""
    docs = batches(args, args.steps + 1)
    rows, systems = peer.prepare(docs), {PEER: peer}
    for name, settings in TRAINED.items():
        trainee = Trainee(args.encoder, docs, settings, peer.precision)
        systems[f"{OURS}, {name}"] = trainee
    taken = dict.fromkeys(systems, 0.0)
    for step in range(args.steps + 1):
        for name, system in systems.items():
            seconds = system.step(step)
            taken[name] += seconds if step else 0.0
            progress(f"step {step} of {args.steps}: {name}, {seconds:.1f} s")
    n_words = sum(map(len, docs[BATCH:]))
    speeds = {name: n_words / seconds for name, seconds in taken.items()}
    title = f"Training in {peer.precision}, {args.steps} steps of {BATCH} sentences"
    return {**show(title, speeds, PEER), "words": n_words, **rows}


def memory(args: argparse.Namespace, peer: Peer) -> Results:
    """The most memory of new processes, each of which takes some training steps."""
    docs, found = batches(args, MEMORY_STEPS), {}
    with Peer(args) as other:
        other.precision = peer.precision
        other.prepare(docs)
        found[PEER] = [other.ask("memory")]
        for number in range(MEMORY_STEPS):
            other.step(number)
        found[PEER].append(other.ask("memory"))
    for name in TRAINED:
        found[f"{OURS}, {name}"] = memory_of(name, args, docs, peer.precision)
    kind = "GPU memory" if args.gpu_id >= 0 else "Resident memory"
    print(f"\n{kind} of {MEMORY_STEPS} training steps in {peer.precision}, MiB")
    print(f"{'':44}{'before':>10}{'at most':>10}{'ratio':>8}")
    ratios = {name: most / found[PEER][1] for name, (_, most) in found.items()}
    for name, (before, most) in found.items():
        print(f"{name:44}{before:10,.0f}{most:10,.0f}{ratios[name]:8.2f}", flush=True)
    return {"mib before and at most": found, f"ratio to {PEER}": ratios}


def memory_of(
    name: str, args: argparse.Namespace, docs: list[Doc], precision: str
) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/train.spacy"
        DocBin(docs=docs).to_disk(file)
        command = [sys.executable, __file__, file, file, "--encoder", args.encoder]
        command += ["--precision", precision, "--gpu-id", str(args.gpu_id)]
        command += ["--alone", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def alone(args: argparse.Namespace) -> None:
    """Train in this process, and print its memory before and at most."""
    docs, settings = read(args.train), TRAINED[args.alone]
    trainee = Trainee(args.encoder, docs, settings, args.precision[0])
    before = memory_now()
    for number in range(MEMORY_STEPS):
        trainee.step(number)
    print(json.dumps([before, memory_now()]))


def memory_now() -> float:
    """The most MiB of this process until now, on the GPU or resident."""
    if get_current_ops().device_type == "gpu":
        return torch.cuda.max_memory_allocated() / 2**20
    return peak_mib()


TASKS = {"predict": predict, "long": long, "train": train, "memory": memory}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path, metavar="TRAIN.spacy")
    parser.add_argument("test", type=Path, metavar="TEST.spacy")
    parser.add_argument("--encoder", default="assets/encoder")
    parser.add_argument("--checkpoint", type=Path, help="a model of SpanMarker")
    parser.add_argument("--filtered", type=Path, help="a pipeline that has a filter")
    parser.add_argument("--span-marker-python", type=Path)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--limit", type=int, help="sentences, from all over the file")
    parser.add_argument("--long-sentences", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--peer-batch-size", type=int, default=8)
    parser.add_argument(
        "--peer-rows", type=int, default=BATCH, help="of a training pass, at most"
    )
    choices = ("fp32", "bf16")
    parser.add_argument("--precision", nargs="+", choices=choices, default=["fp32"])
    parser.add_argument("--gpu-id", type=int, default=-1)
    parser.add_argument("--alone", choices=TRAINED, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    args = parser.parse_args()
    if not args.alone:
        if args.span_marker_python is None:
            parser.error("--span-marker-python, which has SpanMarker, is needed")
        if args.checkpoint is None and {"predict", "long"} & set(args.tasks):
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
    results: dict[str, Results] = {task: {} for task in args.tasks}
    with Peer(args) as peer:
        facts["SpanMarker"] = peer.ask("versions")
        if args.checkpoint is not None:
            peer.ask("load", checkpoint=str(args.checkpoint))
        for task in args.tasks:
            for peer.precision in args.precision:
                results[task][peer.precision] = TASKS[task](args, peer)
    print("\n" + "\n".join(f"{name}: {value}" for name, value in facts.items()))
    settings = {name: str(value) for name, value in vars(args).items()}
    write(args.output, {"machine": facts, "settings": settings, "results": results})


if __name__ == "__main__":
    main()
