"""Run SpanMarker itself for models, predictions, losses and gradients.

It runs in a separate process, where SpanMarker can be imported:
    python -m tests.helpers.span_marker_peer FOLDER KIND...
"""

import json
import sys
from pathlib import Path

import torch
from datasets import Dataset, disable_progress_bars
from safetensors.torch import save_file
from span_marker import SpanMarkerModel, Trainer
from transformers import TrainingArguments

from tests.helpers.encoders import SENTENCES as TEXT
from tests.helpers.encoders import encoder_folder

LABELS = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
SIZES = {"model_max_length": 60, "marker_max_length": 24, "entity_max_length": 4}
# None is longer than SpanMarker reads.
SENTENCES = [sentence.split() for sentence in TEXT[:4]]
# Punctuation inside words, and a word without pieces: at the end, since SpanMarker
# fails where it finds an entity that begins or ends with one.
TEXTS = [
    *SENTENCES,
    ["Anna", "Berg", "(Oslo),", "Rome's", "York"],
    ["New", "York", "\u2063"],
    ["Oslo"],
    ["Anna"] * 20,
]
GOLD = [
    [3, 4, 0, 0, 1, 2, 0],
    [0, 0, 3, 4, 4, 0, 1, 0],
    [0] * 9 + [1] + [0] * 3,
    [3, 0, 0, 0, 0, 1, 0, 1] + [0] * 5,
]


def make(kind: str) -> SpanMarkerModel:
    """A model whose random weights find entities of all labels."""
    torch.manual_seed(1)
    folder = str(encoder_folder(kind))
    model = SpanMarkerModel.from_pretrained(folder, labels=LABELS, **SIZES)
    with torch.no_grad():
        model.classifier.weight.normal_(std=0.3)
        model.classifier.weight[1] = -model.classifier.weight[2]
        model.classifier.bias.copy_(torch.tensor([-2.0, 0.0, 0.0]))
    return model.eval()


def predict_with_context(model: SpanMarkerModel) -> list:
    columns = {
        "tokens": SENTENCES,
        "document_id": [0, 0, 1, 1],
        "sentence_id": [0, 1, 0, 1],
    }
    model.config.trained_with_document_context = True
    try:
        return model.predict(Dataset.from_dict(columns))
    finally:
        model.config.trained_with_document_context = False


def learn(model: SpanMarkerModel, folder: Path) -> tuple[float, dict]:
    """The loss of one batch of all sentences, and its gradients."""
    data = Dataset.from_dict({"tokens": SENTENCES, "ner_tags": GOLD})
    options = TrainingArguments(
        str(folder), per_device_train_batch_size=64, report_to=[], use_cpu=True
    )
    trainer = Trainer(model=model, args=options, train_dataset=data)
    batch = next(iter(trainer.get_train_dataloader()))
    model.train()
    loss = model(**batch).loss
    loss.backward()
    gradients = {
        name: weight.grad.clone()
        for name, weight in model.named_parameters()
        if weight.grad is not None
    }
    return loss.item(), gradients


def main(folder: Path, kinds: list[str]) -> None:
    disable_progress_bars()
    for kind in kinds:
        own = folder / kind
        model = make(kind)
        model.save_pretrained(own / "model", safe_serialization=True)
        loss, gradients = learn(make(kind), own / "trainer")
        save_file(gradients, own / "gradients.safetensors")
        results = {
            "texts": TEXTS,
            "entities": model.predict(TEXTS, batch_size=3),
            "in_context": predict_with_context(model),
            "gold": GOLD,
            "labels": LABELS,
            "loss": loss,
        }
        (own / "results.json").write_text(json.dumps(results), encoding="utf8")


def predict(model: Path, output: Path) -> None:
    """Predictions of a saved model."""
    loaded = SpanMarkerModel.from_pretrained(str(model))
    entities = loaded.predict(TEXTS, batch_size=3)
    output.write_text(json.dumps(entities), encoding="utf8")


if __name__ == "__main__":
    if sys.argv[1] == "predict":
        predict(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
