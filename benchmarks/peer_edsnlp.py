"""Speed of prediction with EDS-NLP, as one line of JSON.

    python -m venv edsnlp && edsnlp/bin/pip install torch "edsnlp[ml]==0.23.*"
    edsnlp/bin/python benchmarks/peer_edsnlp.py sentences.json --encoder assets/encoder

It is run by the Python of a separate environment without this package. The file holds
{"sentences": [[word, ...], ...], "labels": [label, ...]}. The pipeline is that of
EDS-NLP's tutorial: transformer, convolutions, CRF. It is not trained. The time is that
from words to documents with entities. By default EDS-NLP predicts in bf16 on a CPU, and
always in the given order: hence `--precision` and `--sort`.
"""

import argparse
import json
import os
import platform
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import edsnlp
import edsnlp.pipes as eds
import torch
from spacy.tokens import Doc, Span

WNUT17 = ["corporation", "creative-work", "group", "location", "person", "product"]
AUTOCAST = {"fp32": False, "bf16": torch.bfloat16}
PACKAGES = ("edsnlp", "spacy", "torch", "transformers")
Sentences = list[list[str]]


def build(encoder: str, labels: list[str]) -> edsnlp.Pipeline:
    torch.manual_seed(0)
    nlp = edsnlp.blank("en")
    transformer = eds.transformer(model=encoder, window=128, stride=96)
    cnn = eds.text_cnn(embedding=transformer, kernel_sizes=[3])
    ner = eds.ner_crf(embedding=cnn, mode="joint", target_span_getter="ents")
    nlp.add_pipe(ner, name="ner")
    # The labels of this document decide how many chains of tags the CRF has.
    gold = Doc(nlp.vocab, words=labels)
    gold.ents = [Span(gold, i, i + 1, label) for i, label in enumerate(labels)]
    nlp.post_init([gold])
    # Without training, entities would be everywhere, which costs time: prefer "O".
    with torch.no_grad():
        nlp.get_pipe("ner").linear.bias.view(-1, 5)[:, 0] += 3.0
    return nlp


def predict(
    nlp: edsnlp.Pipeline, sentences: Sentences, args: argparse.Namespace
) -> list[Doc]:
    if args.sort:
        sentences = sorted(sentences, key=len)
    docs = [Doc(nlp.vocab, words=words) for words in sentences]
    stream = edsnlp.data.from_iterable(docs)
    stream = stream.map_pipeline(nlp, batch_size=args.batch_size)
    autocast = AUTOCAST[args.precision]
    return list(stream.set_processing(backend="simple", autocast=autocast))


def measure(
    nlp: edsnlp.Pipeline, sentences: Sentences, args: argparse.Namespace
) -> dict[str, Any]:
    predict(nlp, sentences[:128], args)
    n_words, wall, cpu, docs = sum(map(len, sentences)), [], [], []
    for _ in range(args.repeats):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        docs = predict(nlp, sentences, args)
        cpu.append(time.process_time() - cpu_start)
        wall.append(time.perf_counter() - wall_start)
    return {
        "words": n_words,
        "entities": sum(len(doc.ents) for doc in docs),
        "seconds": wall,
        "cpu_seconds": cpu,
        "words_per_cpu_second": n_words / min(cpu),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="JSON with sentences and labels")
    parser.add_argument("--encoder", required=True, help="folder of Hugging Face's")
    parser.add_argument("--precision", choices=list(AUTOCAST), default="fp32")
    parser.add_argument("--sort", action="store_true", help="by length, before")
    parser.add_argument("--batch-size", default="8 docs", help='or "256 words"')
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore")
    given = json.loads(args.file.read_text(encoding="utf8"))
    nlp = build(args.encoder, given.get("labels") or WNUT17)
    result = measure(nlp, given["sentences"], args)
    for name in ("precision", "sort", "batch_size", "threads"):
        result[name] = getattr(args, name)
    result["versions"] = {name: version(name) for name in PACKAGES}
    result["versions"]["python"] = platform.python_version()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
