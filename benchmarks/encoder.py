"""`Transformer.v1` compared with the bare model, spacy-transformers and EDS-NLP.

    python benchmarks/encoder.py train.spacy test.spacy --encoder assets/encoder \\
        --edsnlp-python edsnlp/bin/python --output results.json

The same sentences pass through all systems in turns, on one thread or on a GPU
(`--gpu-id 0`), and the ratios of words per second are printed. EDS-NLP runs, if
its Python is given, in a separate environment (pip install torch "edsnlp[ml]==0.23.*").
The benchmark itself needs an environment with transformers 4:
pip install ".[spacy-transformers]"
"""

import argparse
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import machine_facts, one_thread, peak_mib, write

one_thread()

import torch
from encoder_systems import (
    Bare,
    Sentences,
    Trainee,
    long_documents,
    our_encoder,
    read,
    spacy_transformers_encoder,
    words_of,
)
from thinc.api import fix_random_seed, require_gpu, set_gpu_allocator

TASKS = ("predict", "long", "huge", "train", "bf16", "precision", "edsnlp")
PRECISIONS = ("fp32", "bf16", "fp16")
WARM_UP = 3


def seconds(function: Callable[[], Any]) -> float:
    """Seconds of processor time of a call; on a GPU seconds by the clock."""
    on_gpu = torch.cuda.is_available()
    clock = time.perf_counter if on_gpu else time.process_time
    start = clock()
    function()
    if on_gpu:
        torch.cuda.synchronize()
    return clock() - start


def in_turns(
    systems: dict[str, Any], sentences: Sentences, repeats: int
) -> dict[str, float]:
    """Words a second of each system: the median of some passes, taken in turns."""
    passes: dict[str, list[float]] = {name: [] for name in systems}
    for system in systems.values():
        system.run(system.prepare(sentences[:64]))
    for _ in range(repeats):
        for name, system in systems.items():
            given = system.prepare(sentences)
            passes[name].append(seconds(lambda s=system, g=given: s.run(g)))
    n_words = sum(map(len, sentences))
    return {name: n_words / statistics.median(each) for name, each in passes.items()}


def show(title: str, speeds: dict[str, float], base: str) -> dict[str, Any]:
    print(f"\n{title}\n{'':44}{'words/s':>10}{'ratio':>8}")
    for name, speed in speeds.items():
        print(f"{name:44}{speed:10,.0f}{speed / speeds[base]:8.2f}", flush=True)
    ratios = {name: speed / speeds[base] for name, speed in speeds.items()}
    return {"words_per_second": speeds, f"ratio to {base}": ratios}


def predict(args: argparse.Namespace, sentences: Sentences) -> dict[str, Any]:
    systems = {
        "bare model, sorted batches of 16": Bare(args.encoder),
        "spacy-transformers": spacy_transformers_encoder(args.encoder),
        "Transformer.v1": our_encoder(args.encoder),
        "Transformer.v1 + text_cnn + crf_ner": trainee(args, "crf_trf.cfg", 20),
    }
    speeds = in_turns(systems, sentences, args.repeats)
    result = show("Prediction, one sentence a document", speeds, "Transformer.v1")
    share = 1 - speeds["Transformer.v1 + text_cnn + crf_ner"] / speeds["Transformer.v1"]
    print(f"text_cnn and crf_ner take {share:.1%} of the time of the pipeline")
    return {**result, "share_of_cnn_and_crf": share}


def bf16(args: argparse.Namespace, sentences: Sentences) -> dict[str, Any]:
    systems = {
        "Transformer.v1 in fp32": our_encoder(args.encoder),
        "Transformer.v1 in bf16": our_encoder(args.encoder, precision="bf16"),
        "bare model in bf16": Bare(args.encoder, "bf16"),
    }
    speeds = in_turns(systems, sentences, args.repeats)
    return show("Prediction in bf16", speeds, "Transformer.v1 in fp32")


def long(args: argparse.Namespace, sentences: Sentences) -> dict[str, Any]:
    docs = long_documents(sentences, args.long_docs, 2000)
    systems = {
        "spacy-transformers": spacy_transformers_encoder(args.encoder),
        "Transformer.v1": our_encoder(args.encoder),
    }
    speeds = in_turns(systems, docs, 1)
    title = f"Prediction, {args.long_docs} documents of 2,000 words"
    return show(title, speeds, "spacy-transformers")


def huge(args: argparse.Namespace, sentences: Sentences) -> dict[str, Any]:
    """The memory of a document of 200,000 words, in a separate process."""
    command = [sys.executable, __file__, str(args.train), str(args.test)]
    command += ["--encoder", args.encoder, "--tasks", "huge", "--in-process"]
    if args.in_process:
        return measure_huge(args, sentences)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    print("\nA document of 200,000 words")
    for name, value in result.items():
        print(f"{name:44}{value:10,.0f}")
    return result


def measure_huge(args: argparse.Namespace, sentences: Sentences) -> dict[str, Any]:
    encoder, (words,) = our_encoder(args.encoder), long_documents(sentences, 1, 200_000)
    encoder.run(encoder.prepare(sentences[:64]))
    facts = {"MiB before": peak_mib()}
    docs = encoder.prepare([words])
    facts["words/s, Transformer.v1"] = len(words) / seconds(lambda: encoder.run(docs))
    facts["MiB at most, Transformer.v1"] = peak_mib()
    print(json.dumps(facts))
    return facts


def trainee(
    args: argparse.Namespace, name: str, n_steps: int = 0, **settings: Any
) -> Trainee:
    """A pipeline, trained a little, since random weights find entities everywhere."""
    fix_random_seed(0)
    system = Trainee(name, args.encoder, read(args.train), settings)
    for step in range(n_steps):
        system.step(list(range(step * 16, step * 16 + 16)))
    return system


def train(args: argparse.Namespace, sentences: Sentences) -> dict[str, Any]:
    pair = {
        "spacy-transformers + text_cnn + crf_ner": trainee(
            args, "crf_spacy_transformers.cfg"
        ),
        "Transformer.v1 + text_cnn + crf_ner": trainee(args, "crf_trf.cfg"),
    }
    title = f"Training, {args.steps} steps of 16 sentences"
    return show(title, train_in_turns(args, pair), next(iter(pair)))


def train_in_turns(
    args: argparse.Namespace, systems: dict[str, Trainee]
) -> dict[str, float]:
    """Words a second of systems that take the same batches, step by step in turns."""
    taken = dict.fromkeys(systems, 0.0)
    n_words = 0
    docs = next(iter(systems.values())).train
    for step in range(args.steps + WARM_UP):
        first = step * 16 % (len(docs) - 16)
        indices = list(range(first, first + 16))
        counts = step >= WARM_UP
        for name, system in systems.items():
            needed = seconds(lambda system=system, i=indices: system.step(i))
            taken[name] += needed if counts else 0.0
        n_words += sum(len(docs[i]) for i in indices) if counts else 0
    return {name: n_words / each for name, each in taken.items()}


def precision(args: argparse.Namespace, sentences: Sentences) -> dict[str, Any]:
    """Training and prediction of `crf_trf.cfg` in each precision, and its memory."""
    result: dict[str, Any] = {}
    speeds: dict[str, dict[str, float]] = {"Training": {}, "Prediction": {}}
    for name in PRECISIONS:
        if args.gpu_id >= 0:
            torch.cuda.reset_peak_memory_stats()
        system = trainee(args, "crf_trf.cfg", **{MODEL_PATH + ".precision": name})
        speeds["Training"] |= train_in_turns(args, {name: system})
        speeds["Prediction"] |= in_turns({name: system}, sentences, args.repeats)
        if args.gpu_id >= 0:
            result[f"gpu_mib {name}"] = torch.cuda.max_memory_allocated() / 2**20
        # The next must not find its memory, which has reference cycles.
        del system
        gc.collect()
    for what, each in speeds.items():
        result[what] = show(f"{what} of crf_trf.cfg", each, "fp32")
    return result


def edsnlp(args: argparse.Namespace, sentences: Sentences) -> dict[str, Any]:
    """EDS-NLP's CRF, CNN and transformer compared with ours, in both precisions."""
    if args.edsnlp_python is None:
        sys.exit("The task edsnlp needs --edsnlp-python, the Python that has edsnlp")
    speeds = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sentences.json"
        file.write_text(json.dumps({"sentences": sentences}), encoding="utf8")
        for precision in ("fp32", "bf16"):
            setting = {MODEL_PATH + ".precision": precision}
            ours = trainee(args, "crf_trf.cfg", 20, **setting)
            name = f"spacy_ner_ext in {precision}"
            speeds[f"EDS-NLP in {precision}"] = run_peer(args, file, precision)
            speeds[name] = in_turns({name: ours}, sentences, args.repeats)[name]
    result = show("Prediction with CNN and CRF", speeds, "EDS-NLP in bf16")
    for precision in ("fp32", "bf16"):
        peer, ours = (f"{n} in {precision}" for n in ("EDS-NLP", "spacy_ner_ext"))
        print(f"{precision}: {speeds[ours] / speeds[peer]:.2f} times EDS-NLP")
    return result


MODEL_PATH = "components.crf_ner.model.tok2vec.tok2vec"


def run_peer(args: argparse.Namespace, file: Path, precision: str) -> float:
    script = str(Path(__file__).with_name("peer_edsnlp.py"))
    command = [str(args.edsnlp_python), script, str(file), "--sort"]
    command += ["--encoder", args.encoder, "--precision", precision]
    command += ["--repeats", str(args.repeats)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return result["words"] / statistics.median(result["cpu_seconds"])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path, metavar="TRAIN.spacy")
    parser.add_argument("test", type=Path, metavar="TEST.spacy")
    parser.add_argument("--encoder", default="assets/encoder")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS[:5]))
    parser.add_argument("--edsnlp-python", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--long-docs", type=int, default=200)
    parser.add_argument("--gpu-id", type=int, default=-1)
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    torch.set_num_threads(1)
    if args.gpu_id >= 0:
        set_gpu_allocator("pytorch")
        require_gpu(args.gpu_id)
    facts = machine_facts(
        *("spacy", "thinc", "torch", "transformers"),
        *("spacy-transformers", "spacy-ner-ext"),
    )
    facts["gpu"] = torch.cuda.get_device_name() if args.gpu_id >= 0 else None
    sentences = words_of(read(args.test))
    results = {}
    for task in args.tasks:
        results[task] = globals()[task](args, sentences)
        if args.gpu_id >= 0:
            peak = torch.cuda.max_memory_allocated() / 2**20
            results[task]["gpu_mib"] = peak
            print(f"GPU memory at most: {peak:,.0f} MiB")
            torch.cuda.reset_peak_memory_stats()
    if not args.in_process:
        print("\n" + "\n".join(f"{name}: {value}" for name, value in facts.items()))
        write(args.output, {"machine": facts, "results": results})


if __name__ == "__main__":
    main()
