"""`convert` compared with `spacy convert` on the same sentences, and its memory.

    python benchmarks/convert.py train.conll
    python benchmarks/convert.py train.conll --megabytes 1000

The file has two columns, a token and its tag in IOB2. The commands run in
turns, each in a separate process. The median processor time, imports included, is
compared after a check that both find the same sentences and entities. With
`--megabytes` a JSON lines file of that size is written from the same sentences, with a
new name in every third text, and converted to a folder of .spacy files; the peak memory
is measured.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import machine_facts, one_thread, peak_mib, write

one_thread()

Sentence = list[tuple[str, str]]


def read_sentences(path: Path) -> Iterator[Sentence]:
    sentence: Sentence = []
    for line in [*path.read_text(encoding="utf8").split("\n"), ""]:
        token, _, tag = line.partition("\t")
        if tag.strip():
            # spaCy's format has this between token and tag.
            sentence.append((token.replace("|", "!").strip() or ".", tag.strip()))
        elif sentence:
            yield sentence
            sentence = []


def measure(command: list[str]) -> dict[str, float]:
    """Processor seconds and the largest memory of a command (Linux)."""
    start, mib = time.perf_counter(), 0.0
    process = subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.DEVNULL
    )
    ended, status, usage = os.wait4(process.pid, os.WNOHANG)
    while not ended:
        # Not ru_maxrss: it counts what this process had when it started the other.
        mib = max(mib, peak_mib(process.pid))
        time.sleep(0.2)
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return {
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "seconds": time.perf_counter() - start,
        "mib": mib,
    }


def annotation(path: Path) -> list[tuple[list[str], list[tuple[int, int, str]]]]:
    import spacy
    from spacy.tokens import DocBin

    docs = DocBin().from_disk(path).get_docs(spacy.blank("en").vocab)
    return [
        ([t.text for t in doc], [(e.start, e.end, e.label_) for e in doc.ents])
        for doc in docs
        if len(doc)
    ]


def compare(sentences: list[Sentence], folder: Path, repeats: int) -> dict[str, Any]:
    ours, theirs = folder / "ours.conll", folder / "theirs.iob"
    blocks = ("\n".join("\t".join(pair) for pair in s) for s in sentences)
    ours.write_text("\n\n".join(blocks) + "\n", encoding="utf8")
    lines = (" ".join("|".join(pair) for pair in s) for s in sentences)
    theirs.write_text("\n".join(lines) + "\n", encoding="utf8")
    commands = {
        "spacy_ner_ext convert": [
            *("spacy_ner_ext", "convert", str(ours), str(folder / "ours.spacy"))
        ],
        "spacy convert -c iob": [
            *("spacy", "convert", str(theirs), str(folder), "-c", "iob", "-n", "1")
        ],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            times[name].append(measure(command)["cpu_seconds"])
    if annotation(folder / "ours.spacy") != annotation(folder / "theirs.spacy"):
        raise SystemExit("the two results differ")
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = medians["spacy convert -c iob"] / medians["spacy_ner_ext convert"]
    return {"sentences": len(sentences), "cpu_seconds": medians, "ratio": ratio}


def write_json_lines(sentences: list[Sentence], path: Path, n_bytes: int) -> int:
    draw, tokens = random.Random(0), [token for s in sentences for token, _ in s]
    size = n_lines = 0
    with path.open("wb") as file:
        while size < n_bytes:
            n = draw.randint(40, 400)
            start = draw.randrange(len(tokens) - n)
            words = tokens[start : start + n]
            if n_lines % 3 == 0:
                words.append(f"Name{draw.randrange(10**7)}")
            size += file.write(_record(words, n_lines))
            n_lines += 1
    return n_lines


def _record(words: list[str], number: int) -> bytes:
    spans, start = [], 0
    for i, word in enumerate(words):
        if i % 25 == 3 and word.strip():
            spans.append({"start": start, "end": start + len(word), "label": "NAME"})
        start += len(word) + 1
    record = {"text": " ".join(words), "spans": spans, "id": str(number)}
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def convert_large(
    sentences: list[Sentence], folder: Path, n_megabytes: int
) -> dict[str, Any]:
    path = folder / "large.jsonl"
    n_lines = write_json_lines(sentences, path, n_megabytes * 10**6)
    found = measure(
        ["spacy_ner_ext", "convert", str(path), str(folder / "large.spacy")]
    )
    return {"megabytes": n_megabytes, "documents": n_lines, **found}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="two columns, with a tab between")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=0)
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    sentences = list(read_sentences(args.corpus))
    results: dict[str, Any] = {
        "machine": machine_facts("spacy", "srsly", "numpy", "spacy-ner-ext")
    }
    with TemporaryDirectory() as name:
        results["speed"] = compare(sentences, Path(name), args.repeats)
        print(results["speed"], flush=True)
        if args.megabytes:
            results["memory"] = convert_large(sentences, Path(name), args.megabytes)
            print(results["memory"])
    write(args.output, results)


if __name__ == "__main__":
    main()
