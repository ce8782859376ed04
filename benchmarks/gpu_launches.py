"""Kernel launches, waits of the host and copies to the device, of single steps.

    python benchmarks/gpu_launches.py --encoder assets/encoder --output results.json
    python benchmarks/gpu_launches.py --encoder assets/encoder --gpu-id 0

Without a GPU, the stand-in of the tests counts what a GPU would have to do. On a GPU
torch's profiler does, which sees CuPy as well; a wait is a synchronization. A launch
costs the host 5 to 10 microseconds; a wait stops the queue.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from common import machine_facts, one_thread, write

one_thread()
sys.path.append(str(Path(__file__).parents[1]))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="assets/encoder")
    parser.add_argument("--gpu-id", type=int, default=-1)
    parser.add_argument("--only", default="", metavar="TEXT", help="part of a name")
    parser.add_argument("--places", action="store_true", help="print lines of code")
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    return parser.parse_args()


args = parse_arguments()
if args.gpu_id < 0:
    from tests.helpers import fake_gpu

    # thinc looks for a GPU when it is imported.
    fake_gpu.install()

import numpy
import spacy
import torch
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import fix_random_seed, get_current_ops, require_gpu, set_gpu_allocator

from spacy_ner_ext.crf.lattice import Lattice
from spacy_ner_ext.crf.ner import decode
from spacy_ner_ext.crf.objectives import OBJECTIVES
from spacy_ner_ext.crf.tags import TagSet
from spacy_ner_ext.crf.viterbi import best_paths
from spacy_ner_ext.training.optimizer import make_adam

KINDS = ("launches", "waits", "copies")
LABELS = tuple("ABCDEF")
N_DOCS, N_WORDS = 128, 30
LONG = (8, 2000)
# What to count, as a name and a function.
Works = Iterator[tuple[str, Callable[[], Any]]]


def works() -> Works:
    for structure in ("flat", "per_label"):
        yield from crf(TagSet(LABELS, "biluo", structure), [N_WORDS] * N_DOCS)
    yield from crf(TagSet(LABELS), [LONG[1]] * LONG[0])
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 96}
    crf_ner = {"model": {"tok2vec": {**listener, "upstream": "text_cnn"}}}
    yield from pipeline(
        "text_cnn + crf_ner", {"text_cnn": {}, "crf_ner": crf_ner}, N_DOCS
    )
    encoder = {"@architectures": "spacy_ner_ext.Transformer.v1", "name": args.encoder}
    for precision in ("fp32", "bf16", "fp16"):
        tok2vec = {**encoder, "precision": precision}
        pipes = {"crf_ner": {"model": {"tok2vec": tok2vec}}}
        yield from pipeline(f"crf_ner over MiniLM, {precision}", pipes, 32)
    for candidates in ("all", "filtered"):
        model = {"name": args.encoder, "candidates": candidates}
        pipes = {"span_marker_ner": {"model": model}}
        yield from pipeline(f"span_marker_ner, {candidates}", pipes, 32)


def crf(tags: TagSet, lengths: list[int]) -> Works:
    """The tasks of a CRF, over random scores."""
    rng, asarray = numpy.random.default_rng(0), get_current_ops().asarray

    def scores(*shape: int) -> Any:
        return asarray(rng.normal(size=shape).astype("float32"))

    n, m, allowed = tags.n_chains, tags.n_tags, tags.allowed_transitions
    ends = scores(n, m), scores(n, m)
    lattice = Lattice(scores(sum(lengths), n * m), lengths, scores(n, m, m), *ends)
    gold = best_paths(lattice, allowed)
    size = f"{len(lengths)} x {lengths[0]} words, {tags.structure}"
    for name, compute in OBJECTIVES.items():
        yield (
            f"CRF, {name}, {size}",
            lambda compute=compute: compute(lattice, gold, allowed),
        )
    yield f"CRF, best paths, {size}", lambda: best_paths(lattice, allowed)
    found = decode(lattice, tags, None)
    yield (
        f"CRF, {len(found.spans)} entity probabilities, {size}",
        lambda: found.probabilities(1.0),
    )


def pipeline(name: str, pipes: dict[str, dict[str, Any]], n_docs: int) -> Works:
    """A training step and a prediction of a pipeline."""
    nlp = spacy.blank("xx")
    for factory, config in pipes.items():
        nlp.add_pipe(factory, config=config)
    references = [reference(nlp, i) for i in range(n_docs)]
    nlp.initialize(lambda: [Example(doc.copy(), doc) for doc in references[:8]])
    sgd = make_adam()
    sgd.bind(nlp)

    def words_only() -> list[Doc]:
        return [Doc(nlp.vocab, words=[t.text for t in doc]) for doc in references]

    def step() -> None:
        examples = list(map(Example, words_only(), references))
        nlp.update(examples, sgd=sgd, drop=0.1)

    size = f"{n_docs} x {N_WORDS} words"
    yield f"{name}, training step, {size}", step
    yield (
        f"{name}, prediction, {size}",
        lambda: [*nlp.pipe(words_only(), batch_size=n_docs)],
    )


def reference(nlp: spacy.Language, number: int) -> Doc:
    """A document with an entity every seven words."""
    words = [f"w{(number * 7 + i) % 500}" for i in range(N_WORDS)]
    doc = Doc(nlp.vocab, words=words)
    starts = range(0, N_WORDS - 2, 7)
    labels = [LABELS[(number + start) % len(LABELS)] for start in starts]
    doc.ents = [Span(doc, s, s + 2, label=label) for s, label in zip(starts, labels)]
    return doc


def count(call: Callable[[], Any]) -> dict[str, int]:
    """The launches, waits and copies of a call, after one that does not count."""
    call()
    if args.gpu_id >= 0:
        return count_on_gpu(call)
    with fake_gpu.count(where=args.places) as work:
        call()
    for kind, places in work.places.items():
        for place, n in places.most_common(12):
            print(f"    {n:6} {kind} at {place}")
    return work.totals()


def count_on_gpu(call: Callable[[], Any]) -> dict[str, int]:
    activities = [
        torch.profiler.ProfilerActivity.CPU,
        torch.profiler.ProfilerActivity.CUDA,
    ]
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=activities) as profile:
        call()
    counts = {event.key: event.count for event in profile.key_averages()}

    def total(*parts: str) -> int:
        return sum(n for key, n in counts.items() if any(p in key for p in parts))

    return {
        "launches": total("LaunchKernel"),
        "waits": total("StreamSynchronize", "EventSynchronize", "DeviceSynchronize"),
        "copies": total("Memcpy HtoD"),
    }


def main() -> None:
    torch.set_num_threads(1)
    set_gpu_allocator("pytorch")
    require_gpu(max(args.gpu_id, 0))
    facts = machine_facts("spacy", "thinc", "torch", "transformers", "spacy-ner-ext")
    facts["gpu"] = torch.cuda.get_device_name() if args.gpu_id >= 0 else "stand-in"
    print(f"{'':62}" + "".join(f"{kind:>10}" for kind in KINDS))
    results = {}
    fix_random_seed(0)
    for name, call in works():
        if args.only in name:
            results[name] = count(call)
            cells = "".join(f"{results[name][kind]:10,}" for kind in KINDS)
            print(f"{name:62}{cells}", flush=True)
    print("\n" + "\n".join(f"{name}: {value}" for name, value in facts.items()))
    write(args.output, {"machine": facts, "results": results})


if __name__ == "__main__":
    main()
