"""The files of SpanMarker itself: its models are read, and written for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from ..encoder import hf
from ..util.errors import UserError
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
class Checkpoint:
    """A model that SpanMarker trained.

    config: Its config.json.
    tokenizer: Its tokenizer.
    tokenizer_config: The text of its tokenizer_config.json.
    weights: Its weights, in float32.
    """

    config: dict[str, Any]
    tokenizer: Any
    tokenizer_config: str
    weights: dict[str, Tensor]

    @property
    def labels(self) -> list[str]:
        """Its labels, in the order of the classes, without "O"."""
        return [label for _, label in self._classes() if label != "O"]

    @property
    def order(self) -> list[int]:
        """The classes as we order them: "O" first."""
        classes = self._classes()
        outside = [number for number, label in classes if label == "O"]
        return outside + [number for number, label in classes if label != "O"]

    def _classes(self) -> list[tuple[int, str]]:
        return sorted(
            (int(key), label) for key, label in self.config["id2label"].items()
        )

    @property
    def settings(self) -> dict[str, Any]:
        """What of the architecture's settings it decides."""
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


def read_checkpoint(name: str, setting: str = "checkpoint") -> Checkpoint:
    """Read a model that SpanMarker saved. Nothing but its own files is needed.

    name: Name on the Hugging Face hub, or path of a folder.
    setting: Where the name is from, for errors.
    RAISES (UserError): If a file is missing, or the model is none of SpanMarker.
    """
    from tokenizers import Tokenizer

    folder = _find(name, setting)
    for file in (CONFIG, TOKENIZER):
        if not (folder / file).is_file():
            raise UserError(
                f"{setting} = '{name}' has no {file}: save it anew with "
                "SpanMarkerModel.save_pretrained, or correct the name."
            )
    config = json.loads((folder / CONFIG).read_text(encoding="utf8"))
    if config.get("model_type") != MODEL_TYPE:
        raise UserError(
            f"{setting} = '{name}' is a '{config.get('model_type')}', no model of "
            "SpanMarker: for a plain encoder set it as the name of SpanMarker.v1."
        )
    described = folder / TOKENIZER_CONFIG
    has_it = described.is_file()
    tokenizer_config = described.read_text(encoding="utf8") if has_it else "{}"
    tokenizer = hf.prepare(Tokenizer.from_file(str(folder / TOKENIZER)))
    hf.begin_with_space(tokenizer)
    tokenizer.add_special_tokens([START, END])
    split_punctuation(tokenizer, tokenizer_config)
    weights = _read_weights(folder, name, setting)
    return Checkpoint(config, tokenizer, tokenizer_config, weights)


def _find(name: str, setting: str) -> Path:
    """The folder of a checkpoint, which is downloaded if it is none."""
    from huggingface_hub import snapshot_download

    if Path(name).is_dir():
        return Path(name)
    try:
        files = [CONFIG, TOKENIZER, TOKENIZER_CONFIG, "*.safetensors*", PICKLED]
        return Path(snapshot_download(name, allow_patterns=files))
    except (OSError, ValueError) as err:
        reason = " ".join(str(err).split())[:200]
        raise UserError(
            f"{setting} = '{name}' cannot be read: there is no such folder, and the "
            f"hub has no such model or cannot be reached ({reason}). Give the path of "
            "a folder that SpanMarker saved, or correct the name."
        ) from err


def _read_weights(folder: Path, name: str, setting: str) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        weights.update(safetensors.torch.load_file(file))
    if not weights and (folder / PICKLED).is_file():
        weights = _read_pickled(folder / PICKLED)
    if not weights:
        raise UserError(
            f"{setting} = '{name}' has neither {WEIGHTS} nor {PICKLED}: correct the "
            "name, or save the model anew."
        )
    return {key: tensor.float() for key, tensor in weights.items()}


def _read_pickled(path: Path) -> dict[str, Tensor]:
    """Tensors and plain containers only: nothing in the file is run."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as err:
        raise UserError(
            f"{path} cannot be read as weights alone: it is damaged, or holds more "
            "than tensors, which is not loaded. Save it anew with "
            "save_pretrained(folder, safe_serialization=True)."
        ) from err


def adopt(shim: SpanMarkerShim, checkpoint: Checkpoint, name: str) -> None:
    """Make a shim run the model of a checkpoint.

    shim: The shim; settings that the checkpoint decides change.
    name: What it is called, for errors.
    RAISES (UserError): If its weights do not fit its config.
    """
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
    wrong = {
        key
        for key in own.keys() | weights.keys()
        if key not in own or key not in weights or own[key] != weights[key].shape
    }
    if wrong:
        shim.forget()
        raise UserError(
            f"The weights of '{name}' do not fit its config ({len(wrong)}, such as "
            f"{min(wrong)}): it is damaged, or saved by a version of SpanMarker before "
            "1.0; train or download it anew."
        )
    shim.model.load_state_dict(weights)


def write_checkpoint(
    shim: SpanMarkerShim,
    labels: list[str],
    encoder_place: str,
    context: dict[str, Any],
    folder: Path,
) -> None:
    """Write a model so that SpanMarkerModel.from_pretrained loads it.

    SpanMarker reads the encoder's config and tokenizer from the place that the config
    names, which may be `folder`/encoder.

    encoder_place: That place: the path of a folder or a name on the hub.
    context: What SpanMarker's config says about context.
    RAISES (UserError): If SpanMarker has no such model.
    """
    _check_exportable(shim)
    config = hf.config_of(shim.model.encoder)
    own = folder / "encoder"
    own.mkdir()
    _write_tokenizer(shim, own)
    _write_tokenizer(shim, folder)
    _write_json(own / CONFIG, config)
    tags = ["O", *(f"{prefix}-{label}" for label in labels for prefix in "BI")]
    reduced = ["O", *labels]
    described = {
        "model_type": MODEL_TYPE,
        "architectures": ["SpanMarkerModel"],
        "encoder": {**config, "_name_or_path": encoder_place, **_numbered(tags)},
        **_numbered(reduced),
        "id2reduced_id": {
            i: reduced.index(tag[2:]) if i else 0 for i, tag in enumerate(tags)
        },
        "entity_max_length": shim.settings.entity_max_length,
        "marker_max_length": 128,
        "model_max_length": shim.size + shim.n_specials,
        "model_max_length_default": DEFAULT_LENGTH,
        "span_marker_version": VERSION,
        "torch_dtype": "float32",
        "vocab_size": config["vocab_size"],
        **context,
    }
    _write_json(folder / CONFIG, described)
    weights = {
        key: tensor.detach().cpu().contiguous()
        for key, tensor in shim.model.state_dict().items()
        if not key.startswith("filter.")
    }
    safetensors.torch.save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


def _check_exportable(shim: SpanMarkerShim) -> None:
    if shim.model.with_text:
        raise UserError(
            'The model has head = "markers+text", and SpanMarker only knows "markers": '
            "train with that to export."
        )
    if shim.model.offset != SPAN_MARKER_OFFSET:
        raise UserError(
            f"The model has position_offset = {shim.model.offset}, and SpanMarker only "
            f"knows {SPAN_MARKER_OFFSET}: train with that to export."
        )


def _numbered(names: list[str]) -> dict[str, Any]:
    numbers = {name: i for i, name in enumerate(names)}
    return {"id2label": dict(enumerate(names)), "label2id": numbers}


def _write_tokenizer(shim: SpanMarkerShim, folder: Path) -> None:
    (folder / TOKENIZER).write_text(shim.tokenizer.to_str(), encoding="utf8")
    # SpanMarker takes the lower of its own limit and that of the tokenizer.
    limit = {"model_max_length": shim.size + shim.n_specials}
    described = {**json.loads(shim.tokenizer_config), **limit}
    _write_json(folder / TOKENIZER_CONFIG, described)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True), encoding="utf8")
