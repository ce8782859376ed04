"""Differences between transformers 4 and 5 that no API of both covers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

FULL, LOCAL = "full_attention", "sliding_attention"
LOW = torch.finfo(torch.float32).min


def checkpoint_layers(encoder: Any) -> None:
    """Recompute the activations of layers in the backward pass. Version 5 has renamed
    the method, and its old name warns."""
    options = {"use_reentrant": False}
    if hasattr(encoder, "activation_checkpointing_enable"):
        encoder.activation_checkpointing_enable(options)
    else:
        encoder.gradient_checkpointing_enable(options)


def attention_mask(mask: Tensor) -> Tensor:
    """A mask for each piece, bools of shape (n_rows, width, width), as the installed
    version takes it: version 4 adds the dimension of heads, and version 5 does not."""
    if not is_version_5():
        return mask
    return torch.zeros_like(mask, dtype=torch.float32).masked_fill(~mask, LOW)[:, None]


def is_version_5() -> bool:
    import transformers

    return int(transformers.__version__.split(".")[0]) >= 5


def readable(config: dict[str, Any]) -> dict[str, Any]:
    """A saved config as the installed version reads it. Version 5 reads those of
    version 4, but not the reverse: it writes the bases of rotary positions, and which
    layers attend locally, under names that version 4 ignores."""
    # With it, versions up to 4.50 do not choose the best attention.
    config = {k: v for k, v in config.items() if k != "_attn_implementation_autoset"}
    rotary = config.get("rope_parameters")
    if rotary is None or is_version_5():
        return config
    if FULL not in rotary and LOCAL not in rotary:
        scaling = {key: value for key, value in rotary.items() if key != "rope_theta"}
        is_scaled = scaling.get("rope_type", "default") != "default"
        older = {"rope_scaling": scaling if is_scaled else None}
        return {**config, "rope_theta": rotary["rope_theta"], **older}
    return {**config, **_modernbert(config, rotary)}


def _modernbert(config: dict[str, Any], rotary: dict[str, Any]) -> dict[str, Any]:
    layers = config["layer_types"]
    every = next(
        (i for i, kind in enumerate(layers) if i and kind == FULL), len(layers)
    )
    expected = [LOCAL if i % every else FULL for i in range(len(layers))]
    is_plain = all(kind["rope_type"] == "default" for kind in rotary.values())
    if config["model_type"] != "modernbert" or layers != expected or not is_plain:
        raise ValueError(
            f"The encoder's config (model_type = {config['model_type']}) was saved by "
            "transformers 5, and transformers 4 has no such encoder: install "
            "transformers>=5."
        )
    return {
        "global_attn_every_n_layers": every,
        "global_rope_theta": rotary[FULL]["rope_theta"],
        "local_rope_theta": rotary[LOCAL]["rope_theta"],
    }
