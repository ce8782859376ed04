"""SpanMarker, as a process that answers requests about its speed, line by line.

    python -m venv sm && sm/bin/pip install torch span-marker==1.8.1 \\
        "transformers<4.53.3" accelerate
    sm/bin/python benchmarks/peer_span_marker.py --encoder assets/encoder

It is run by the Python of a separate environment without this package. Each line
of stdin is a request as JSON: the name of a method of `SpanMarker` as "task", with its
arguments; each line of stdout is the answer. All output of SpanMarker goes to stderr.
Files hold {"sentences": [[word, ...], ...], "tags": [[IOB2 tag, ...], ...]}.
Seconds are those of the processor; on a GPU (`--gpu-id 0`) those of the clock.
"""

import argparse
import json
import logging
import os
import platform
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Another file of this folder has the name of the package.
HERE = Path(__file__).parent.resolve()
sys.path = [path for path in sys.path if Path(path).resolve() != HERE]

import torch
from datasets import Dataset
from span_marker import SpanMarkerModel, Trainer
from transformers import TrainingArguments

PACKAGES = ("span-marker", "torch", "transformers", "datasets")
LENGTHS = {"model_max_length": 256, "marker_max_length": 128, "entity_max_length": 8}


class SpanMarker:
    """The requests: each method returns the answer.

    args: The arguments of the command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.encoder, self.on_gpu = args.encoder, args.gpu_id >= 0
        self.device = f"cuda:{args.gpu_id}" if self.on_gpu else "cpu"
        self.model: Any = None
        self.trainer: Any = None
        self.batches: list[Dataset] = []
        self.max_rows, self.precision = 0, "fp32"

    def versions(self) -> dict[str, str]:
        found = {name: version(name) for name in PACKAGES}
        return {"python": platform.python_version(), **found}

    def load(self, checkpoint: str) -> str:
        """Load a trained model."""
        self.model = SpanMarkerModel.from_pretrained(checkpoint).to(self.device)
        return checkpoint

    def predict(self, file: str, batch_size: int, precision: str) -> dict[str, Any]:
        """The entities of sentences: first word, end, label and probability; and the
        sentences that are longer than a window, of which it reads the beginning."""
        sentences = json.loads(Path(file).read_text(encoding="utf8"))["sentences"]

        def run() -> Any:
            with self.autocast(precision):
                return self.model.predict(sentences, batch_size=batch_size)

        keys = ("word_start_index", "word_end_index", "label", "score")
        seconds, found = self.timed(run)
        entities = [[[e[key] for key in keys] for e in sentence] for sentence in found]
        tokenizer = self.model.tokenizer
        pieces = tokenizer.tokenizer(sentences, is_split_into_words=True)["input_ids"]
        limit = tokenizer.model_max_length
        cut = [i for i, each in enumerate(pieces) if len(each) > limit]
        return {"seconds": seconds, "entities": entities, "cut": cut}

    def prepare(
        self, file: str, size: int, max_rows: int, precision: str
    ) -> dict[str, list[int]]:
        """Make a new model of the encoder, and batches of some sentences to learn from:
        its Trainer prepares these once, before the first step."""
        given = json.loads(Path(file).read_text(encoding="utf8"))
        labels = sorted({tag[2:] for tags in given["tags"] for tag in tags} - {""})
        names = ["O", *(f"{iob}-{label}" for label in labels for iob in "BI")]
        numbers = [[names.index(tag) for tag in tags] for tags in given["tags"]]
        torch.manual_seed(0)
        model = SpanMarkerModel.from_pretrained(self.encoder, labels=names, **LENGTHS)
        settings = {"use_cpu": not self.on_gpu, "report_to": []}
        with tempfile.TemporaryDirectory() as folder:
            self.trainer = Trainer(model, TrainingArguments(folder, **settings))
        self.trainer.create_optimizer()
        self.max_rows, self.precision = max_rows, precision
        self.batches = []
        for first in range(0, len(numbers), size):
            part = slice(first, first + size)
            columns = {"tokens": given["sentences"][part], "ner_tags": numbers[part]}
            self.batches.append(self.rows(Dataset.from_dict(columns)))
        return {"rows": [len(batch) for batch in self.batches]}

    def rows(self, sentences: Dataset) -> Dataset:
        """The rows that the model reads: one or more for each sentence."""
        trainer = self.trainer
        normalizer, tokenizer = trainer.label_normalizer, trainer.model.tokenizer
        return trainer.preprocess_dataset(sentences, normalizer, tokenizer)

    def step(self, number: int) -> dict[str, float]:
        """Take a training step on a batch."""
        seconds, losses = self.timed(lambda: self.update(self.batches[number]))
        return {"seconds": seconds, "loss": float(sum(losses))}

    def update(self, batch: Dataset) -> list[torch.Tensor]:
        """Pass by pass; gradients are added up, as if there was one."""
        trainer, n_spans, losses = self.trainer, sum(batch["num_spans"]), []
        trainer.model.train()
        for first in range(0, len(batch), self.max_rows):
            part = range(first, min(first + self.max_rows, len(batch)))
            rows = list(batch.select(part))
            columns = trainer.data_collator(rows)
            inputs = {n: each.to(trainer.args.device) for n, each in columns.items()}
            with self.autocast(self.precision):
                share = sum(row["num_spans"] for row in rows) / n_spans
                loss = trainer.model(**inputs).loss * share
            loss.backward()
            losses.append(loss.detach())
        limit = trainer.args.max_grad_norm
        torch.nn.utils.clip_grad_norm_(trainer.model.parameters(), limit)
        trainer.optimizer.step()
        trainer.model.zero_grad()
        return losses

    def memory(self) -> float:
        """The most MiB of this process until now, on the GPU or resident (Linux)."""
        if self.on_gpu:
            return torch.cuda.max_memory_allocated() / 2**20
        # Not ru_maxrss: it counts what the process that started this one had.
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024

    def autocast(self, precision: str) -> Any:
        enabled = precision == "bf16"
        return torch.autocast(
            self.device.split(":")[0], torch.bfloat16, enabled=enabled
        )

    def timed(self, function: Callable[[], Any]) -> tuple[float, Any]:
        clock = time.perf_counter if self.on_gpu else time.process_time
        start = clock()
        result = function()
        if self.on_gpu:
            torch.cuda.synchronize()
        return clock() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="assets/encoder")
    parser.add_argument("--gpu-id", type=int, default=-1)
    args = parser.parse_args()

    # Answers alone go to stdout, whatever is printed.
    answers = os.fdopen(os.dup(1), "w", encoding="utf8")
    os.dup2(2, 1)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    system = SpanMarker(args)
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(system, request.pop("task"))(**request)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
