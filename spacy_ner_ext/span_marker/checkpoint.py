"""Checkpoints of SpanMarker: reading its models, and writing models for it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors.torch
import torch
from spacy.util import logger
from torch import Tensor

from ..encoder import hf
from ..util.errors import UserError, one_line
from .settings import SPAN_MARKER_OFFSET
from .shim import SpanMarkerShim
from .tokenizer import END, START, split_punctuation

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
WEIGHTS, PICKLED = "model.safetensors", "pytorch_model.bin"
MODEL_TYPE = "span-marker"
# The version whose files are written, and the default of its model_max_length.
VERSION, DEFAULT_LENGTH = "1.8.1", 512
# Weights that some encoders are saved with, and SpanMarker does not use.
UNUSED = ("encoder.pooler.", "encoder.embeddings.position_ids")


@dataclass(frozen=True)
class SpanMarkerCheckpoint:
    """A model that SpanMarker trained."""

    name: str
    config: dict[str, Any]
    tokenizer: Any
    tokenizer_config: str
    weights: dict[str, Tensor]

    @property
    def _classes(self) -> list[tuple[bool, int, str]]:
        """The classes in our order, "O" first: whether it is another, index, label."""
        classes = self.config["id2label"].items()
        return sorted((label != "O", int(key), label) for key, label in classes)

    @property
    def labels(self) -> list[str]:
        """Its labels, in the order of the classes, without "O"."""
        return [label for is_label, _, label in self._classes if is_label]

    @property
    def order(self) -> list[int]:
        """The indices of its classes in our order, "O" first."""
        return [number for _, number, _ in self._classes]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the architecture that it determines."""
        limit = json.loads(self.tokenizer_config).get("model_max_length")
        length = self.config.get("model_max_length")
        if length is None:
            length = min(int(limit or DEFAULT_LENGTH), DEFAULT_LENGTH)
        return {
            "entity_max_length": self.config["entity_max_length"],
            "model_max_length": length,
            "head": "markers",
            "position_offset": SPAN_MARKER_OFFSET,
        }

    def warn_about_context(self, component: str, context: str) -> None:
        """Log a warning if it was trained with another context than it is used with."""
        with_context = bool(self.config.get("trained_with_document_context"))
        if with_context != (context != "none"):
            logger.warning(
                "The checkpoint '%s' was trained with%s document-level context: set "
                "context = \"%s\" of '%s', or expect lower scores.",
                *(self.name, "" if with_context else "out"),
                *("document" if with_context else "none", component),
            )


def read_checkpoint(name: str, setting: str = "checkpoint") -> SpanMarkerCheckpoint:
    """Read a model that SpanMarker saved, by its name on the hub or its folder, from
    its own files alone; errors refer to the `setting` that names it."""
    from tokenizers import Tokenizer

    folder, where = _find(name, setting), f"{setting} = '{name}'"
    for file in (CONFIG, TOKENIZER):
        if not (folder / file).is_file():
            raise UserError(
                f"{where} has no {file}: save it again with "
                "SpanMarkerModel.save_pretrained, or correct the name."
            )
    config = json.loads((folder / CONFIG).read_text(encoding="utf8"))
    if config.get("model_type") != MODEL_TYPE:
        raise UserError(
            f"{where} is a '{config.get('model_type')}', not a model of SpanMarker: "
            "for a plain encoder set it as the name of SpanMarker.v1."
        )
    described = folder / TOKENIZER_CONFIG
    has_it = described.is_file()
    tokenizer_config = described.read_text(encoding="utf8") if has_it else "{}"
    tokenizer = hf.prepare(Tokenizer.from_file(str(folder / TOKENIZER)))
    hf.begin_with_space(tokenizer)
    tokenizer.add_special_tokens([START, END])
    split_punctuation(tokenizer, tokenizer_config)
    weights = _read_weights(folder, where)
    return SpanMarkerCheckpoint(name, config, tokenizer, tokenizer_config, weights)


def _find(name: str, setting: str) -> Path:
    """The folder of a checkpoint, downloaded if necessary."""
    from huggingface_hub import snapshot_download

    if Path(name).is_dir():
        return Path(name)
    try:
        files = [CONFIG, TOKENIZER, TOKENIZER_CONFIG, "*.safetensors*", PICKLED]
        return Path(snapshot_download(name, allow_patterns=files))
    except (OSError, ValueError) as err:
        raise UserError(
            f"{setting} = '{name}' cannot be read: there is no such folder, and the "
            f"hub has no such model or cannot be reached ({one_line(err)[:200]}). Give "
            "the path of a folder that SpanMarker saved, or correct the name."
        ) from err


def _read_weights(folder: Path, where: str) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        weights.update(safetensors.torch.load_file(file))
    if not weights and (folder / PICKLED).is_file():
        weights = _read_pickled(folder / PICKLED)
    if not weights:
        raise UserError(
            f"{where} has neither {WEIGHTS} nor {PICKLED}: correct the name, or save "
            "the model again."
        )
    return {key: tensor.float() for key, tensor in weights.items()}


def _read_pickled(path: Path) -> dict[str, Tensor]:
    """Load tensors and plain containers only: nothing in the file is run."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as err:
        raise UserError(
            f"{path} cannot be read as weights alone: it is damaged, or contains more "
            "than tensors, which is not loaded. Save it again with "
            "save_pretrained(folder, safe_serialization=True)."
        ) from err


def adopt(shim: SpanMarkerShim, checkpoint: SpanMarkerCheckpoint) -> None:
    """Give a shim the weights of a checkpoint, and the settings that it determines."""
    shim.adopt_settings(checkpoint.settings)
    weights = {
        key: tensor
        for key, tensor in checkpoint.weights.items()
        if not key.startswith(UNUSED)
    }
    for key in ("classifier.weight", "classifier.bias"):
        if key in weights:
            weights[key] = weights[key][checkpoint.order]
    encoder = hf.build(dict(checkpoint.config["encoder"]), shim.settings)
    shim.tokenizer_config = checkpoint.tokenizer_config
    shim.rebuild(encoder, checkpoint.tokenizer, weights, shim.extra())
    own = {key: tensor.shape for key, tensor in shim.model.state_dict().items()}
    given = {key: tensor.shape for key, tensor in weights.items()}
    wrong = {key for key, _ in own.items() ^ given.items()}
    if wrong:
        shim.forget()
        raise UserError(
            f"The weights of '{checkpoint.name}' do not fit its config ({len(wrong)}, "
            f"such as {min(wrong)}): it is damaged, or saved by SpanMarker before 1.0; "
            "train or download it again."
        )
    shim.model.load_state_dict(weights)


def write_checkpoint(
    shim: SpanMarkerShim,
    labels: Sequence[str],
    size: int,
    encoder_name: str,
    context: dict[str, Any],
    folder: Path,
) -> None:
    """Write a model that SpanMarkerModel.from_pretrained loads.

    SpanMarker reads the encoder's config and tokenizer by the encoder's name in the
    config, which may be the path of the subfolder "encoder" that is written here.
    `size` is the maximum of pieces of a window, special pieces included; `context` are
    the settings of SpanMarker's config about context.
    """
    _check_exportable(shim)
    own, encoder = folder / "encoder", hf.config_of(shim.model.encoder)
    own.mkdir()
    for place in (own, folder):
        (place / TOKENIZER).write_text(shim.tokenizer.to_str(), encoding="utf8")
        # SpanMarker uses the lower of its own limit and that of the tokenizer.
        described = json.loads(shim.tokenizer_config)
        _write_json(place / TOKENIZER_CONFIG, {**described, "model_max_length": size})
    _write_json(own / CONFIG, encoder)
    config = _config_of(labels, {**encoder, "_name_or_path": encoder_name}, size)
    config["entity_max_length"] = shim.settings.entity_max_length
    _write_json(folder / CONFIG, {**config, **context})
    weights = {
        key: tensor.detach().cpu().contiguous()
        for key, tensor in shim.model.state_dict().items()
        if not key.startswith("filter.")
    }
    safetensors.torch.save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def _config_of(
    labels: Sequence[str], encoder: dict[str, Any], size: int
) -> dict[str, Any]:
    tags = ["O", *(f"{prefix}-{label}" for label in labels for prefix in "BI")]
    reduced = ["O", *labels]
    return {
        "model_type": MODEL_TYPE,
        "architectures": ["SpanMarkerModel"],
        "encoder": {**encoder, **_numbered(tags)},
        **_numbered(reduced),
        "id2reduced_id": {
            i: reduced.index(tag[2:]) if i else 0 for i, tag in enumerate(tags)
        },
        "marker_max_length": 128,
        "model_max_length": size,
        "model_max_length_default": DEFAULT_LENGTH,
        "span_marker_version": VERSION,
        "torch_dtype": "float32",
        "vocab_size": encoder["vocab_size"],
    }


def _check_exportable(shim: SpanMarkerShim) -> None:
    if shim.model.with_text:
        raise UserError(
            'The model has head = "markers+text", and SpanMarker only supports '
            '"markers": train with that to export.'
        )
    if shim.model.offset != SPAN_MARKER_OFFSET:
        raise UserError(
            f"The model has position_offset = {shim.model.offset}, and SpanMarker only "
            f"supports {SPAN_MARKER_OFFSET}: train with that to export."
        )


def _numbered(names: Sequence[str]) -> dict[str, Any]:
    numbers = {name: i for i, name in enumerate(names)}
    return {"id2label": dict(enumerate(names)), "label2id": numbers}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True), encoding="utf8")
