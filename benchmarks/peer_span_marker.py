"""SpanMarker, as a process that answers requests about its speed, line by line.

    python -m venv sm && sm/bin/pip install torch span-marker==1.8.1 \\
        "transformers<4.53.3" "datasets==5.0.*"
    sm/bin/python benchmarks/peer_span_marker.py --encoder assets/encoder

It is run by the Python of an environment of its own, where this package is not. Each
line of stdin is a request as JSON: the name of a method of `SpanMarker` as "task", with
its arguments; each line of stdout is the answer. What SpanMarker prints goes to stderr.
Files hold {"sentences": [[word, ...], ...], "tags": [[IOB2 tag, ...], ...]}. Seconds
are those of the processor; on a GPU (`--gpu-id 0`) those of the clock.
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
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Beside this file there is another of the name of the package.
HERE = Path(__file__).parent.resolve()
sys.path = [path for path in sys.path if Path(path).resolve() != HERE]

import torch
from datasets import Dataset, disable_progress_bars
from span_marker import SpanMarkerModel, Trainer
from transformers import TrainingArguments

PACKAGES = ("span-marker", "torch", "transformers", "datasets")
LENGTHS = {"model_max_length": 256, "marker_max_length": 128, "entity_max_length": 8}
# Rows of a training pass: the batch size that its Trainer would be given.
MAX_ROWS = 16


class SpanMarker:
    """What can be asked for; each method returns what is answered."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.encoder, self.gpu_id = args.encoder, args.gpu_id
        self.device = f"cuda:{args.gpu_id}" if args.gpu_id >= 0 else "cpu"
        self.model: Any = None
        self.trainer: Any = None
        self.batches: list[Dataset] = []
        self.autocast = self._autocast("fp32")

    def versions(self) -> dict[str, str]:
        found = {name: version(name) for name in PACKAGES}
        return {"python": platform.python_version(), **found}

    def load(self, checkpoint: str) -> str:
        """Load a trained model."""
        self.model = SpanMarkerModel.from_pretrained(checkpoint).to(self.device)
        return checkpoint

    def predict(self, file: str, batch_size: int, precision: str) -> dict[str, Any]:
        """The entities of the sentences: first word, end, label and probability."""
        sentences = json.loads(Path(file).read_text(encoding="utf8"))["sentences"]

        def run() -> Any:
            with self._autocast(precision):
                return self.model.predict(sentences, batch_size=batch_size)

        keys = ("word_start_index", "word_end_index", "label", "score")
        seconds, found = self._timed(run)
        entities = [[[e[key] for key in keys] for e in sentence] for sentence in found]
        return {"seconds": seconds, "entities": entities}

    def prepare(self, file: str, size: int, precision: str) -> dict[str, Any]:
        """Make a model of the encoder that is to learn from batches of some sentences.
        As in its Trainer, they pass through its tokenizer once, before the first step.
        """
        given = json.loads(Path(file).read_text(encoding="utf8"))
        sentences, tags = given["sentences"], given["tags"]
        labels = sorted({tag[2:] for each in tags for tag in each if tag != "O"})
        names = ["O", *(f"{iob}-{label}" for label in labels for iob in "BI")]
        torch.manual_seed(0)
        model = SpanMarkerModel.from_pretrained(self.encoder, labels=names, **LENGTHS)
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                folder, use_cpu=self.gpu_id < 0, report_to=[], save_strategy="no"
            )
            self.trainer = Trainer(model, arguments)
        self.trainer.create_optimizer()
        numbers = [[names.index(tag) for tag in each] for each in tags]
        parts = [slice(i, i + size) for i in range(0, len(sentences), size)]
        self.batches = [self._rows(sentences[part], numbers[part]) for part in parts]
        self.autocast = self._autocast(precision)
        return {"rows": [len(batch) for batch in self.batches]}

    def _rows(self, sentences: list[list[str]], tags: list[list[int]]) -> Dataset:
        columns = Dataset.from_dict({"tokens": sentences, "ner_tags": tags})
        trainer = self.trainer
        return trainer.preprocess_dataset(
            columns, trainer.label_normalizer, trainer.model.tokenizer
        )

    def step(self, number: int) -> dict[str, Any]:
        """A training step on a batch."""
        seconds, losses = self._timed(lambda: self._step(self.batches[number]))
        return {"seconds": seconds, "loss": float(sum(losses))}

    def _step(self, batch: Dataset) -> list[torch.Tensor]:
        """Gradients of all rows are added up, as if they were one pass."""
        trainer, n_spans, losses = self.trainer, sum(batch["num_spans"]), []
        trainer.model.train()
        for first in range(0, len(batch), MAX_ROWS):
            rows = batch.select(range(first, min(first + MAX_ROWS, len(batch))))
            columns = trainer.data_collator(list(rows))
            inputs = {n: each.to(trainer.args.device) for n, each in columns.items()}
            with self.autocast:
                loss = trainer.model(**inputs).loss
                loss = loss * (sum(rows["num_spans"]) / n_spans)
            loss.backward()
            losses.append(loss.detach())
        limit = trainer.args.max_grad_norm
        torch.nn.utils.clip_grad_norm_(trainer.model.parameters(), limit)
        trainer.optimizer.step()
        trainer.model.zero_grad()
        return losses

    def memory(self) -> dict[str, float]:
        """The most memory of this process until now."""
        if self.gpu_id < 0:
            return {"mib": peak_mib()}
        return {"mib": torch.cuda.max_memory_allocated() / 2**20}

    def _autocast(self, precision: str) -> Any:
        kind, enabled = self.device.split(":")[0], precision == "bf16"
        return torch.autocast(kind, torch.bfloat16, enabled=enabled)

    def _timed(self, function: Callable[[], Any]) -> tuple[float, Any]:
        on_gpu = self.gpu_id >= 0
        clock = time.perf_counter if on_gpu else time.process_time
        start = clock()
        result = function()
        if on_gpu:
            torch.cuda.synchronize()
        return clock() - start, result


def peak_mib() -> float:
    """The most resident memory of this process, on Linux. (Not ru_maxrss: that also
    counts what the process that started this one had.)"""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="assets/encoder")
    parser.add_argument("--gpu-id", type=int, default=-1)
    args = parser.parse_args()

    # Nothing but answers goes to stdout, whatever is printed.
    answers = os.fdopen(os.dup(1), "w", encoding="utf8")
    os.dup2(2, 1)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    disable_progress_bars()
    system = SpanMarker(args)
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(system, request.pop("task"))(**request)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
