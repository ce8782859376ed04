"""Hugging Face encoders and their tokenizers: loading, and building from saved parts.

Only `load_encoder` and `load_tokenizer` read from the hub or from a folder, and nothing
is unpickled but tensors: weights are safetensors, or the pytorch_model.bin of a folder
that has no others, read with weights_only; a tokenizer is its tokenizer.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch
from spacy.util import logger
from torch import nn

from ..util.errors import one_line
from .compat import readable
from .empty_weights import allocate, without_weights
from .pieces import Specials
from .settings import ATTENTION, PretrainedSettings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# What torch raises for damaged weights, and for more than tensors.
DAMAGED = (UnpicklingError, EOFError, KeyError)
Encoder = Any  # a transformers.PreTrainedModel, which is not imported for its type


def load_encoder(settings: PretrainedSettings) -> Encoder:
    """Load a pretrained encoder in float32."""
    from transformers import AutoModel

    options = {**settings.transformer_config, **_attention(settings)}
    with explained(settings), quiet():
        encoder, report = AutoModel.from_pretrained(
            settings.name,
            trust_remote_code=settings.trust_remote_code,
            use_safetensors=not _is_pickled(settings.name),
            weights_only=True,
            torch_dtype=torch.float32,
            output_loading_info=True,
            **options,
        )
    encoder = _encoder_alone(encoder)
    _report_missing(settings.name, encoder, report["missing_keys"])
    return encoder


def _is_pickled(name: str) -> bool:
    """Whether a folder has weights that torch pickled, and no safetensors."""
    folder = Path(name)
    is_safe = any(folder.glob("*.safetensors"))
    return not is_safe and any(folder.glob("pytorch_model*.bin"))


def _attention(settings: PretrainedSettings) -> dict[str, str]:
    kind = settings.attention
    return {} if kind is None else {"attn_implementation": ATTENTION[kind]}


def load_tokenizer(settings: PretrainedSettings) -> Any:
    """Load the tokenizer of a pretrained encoder, which must be a fast one."""
    from transformers import AutoTokenizer

    with explained(settings), quiet():
        tokenizer = AutoTokenizer.from_pretrained(
            settings.name,
            trust_remote_code=settings.trust_remote_code,
            **settings.tokenizer_config,
        )
    if not tokenizer.is_fast:
        raise ValueError(
            f"The tokenizer of the encoder '{settings.name}' "
            f"({type(tokenizer).__name__}) is slow and does not map pieces to words: "
            "choose an encoder that has a tokenizer.json, or remove use_fast = false "
            "from tokenizer_config."
        )
    starts = settings.tokenizer_config.get("add_prefix_space", True)
    begin_with_space(tokenizer.backend_tokenizer, starts)
    return tokenizer


def begin_with_space(tokenizer: Tokenizer, starts: bool = True) -> None:
    """Start each word with the mark of a space, since words are cut one by one. The
    argument add_prefix_space does the same, but transformers 4 then converts slow
    tokenizers, such as T5's, and 5 ignores it for tokenizers such as ModernBERT's."""
    from tokenizers.pre_tokenizers import ByteLevel

    if isinstance(tokenizer.pre_tokenizer, ByteLevel):
        tokenizer.pre_tokenizer.add_prefix_space = starts


def build(config: dict[str, Any], settings: PretrainedSettings) -> Encoder:
    """Build an encoder from a saved config, offline; its weights are arbitrary."""
    from transformers import AutoConfig, AutoModel

    config, trust = readable(config), settings.trust_remote_code
    options = {"trust_remote_code": trust, "torch_dtype": torch.float32}
    with explained(settings), quiet(), without_weights():
        if "auto_map" in config:
            # The code of such an encoder is not part of the pipeline.
            parsed = AutoConfig.from_pretrained(settings.name, trust_remote_code=trust)
            parsed.update(config)
        else:
            parsed = AutoConfig.for_model(**config)
        model = AutoModel.from_config(parsed, **options, **_attention(settings))
    encoder = _encoder_alone(model)
    allocate(encoder)
    return encoder


def prepare(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def config_of(encoder: Encoder) -> dict[str, Any]:
    """The config of an encoder, as `build` takes it."""
    config = json.loads(encoder.config.to_json_string(use_diff=False))
    # The place it was loaded from may be private.
    config.pop("_name_or_path", None)
    return config


def width_of(encoder: Encoder) -> int:
    return int(encoder.config.hidden_size)


def specials_of(encoder: Encoder, tokenizer: Tokenizer) -> Specials:
    """The special pieces around a text, and the padding piece."""
    cut = tokenizer.encode(["a"], is_pretokenized=True, add_special_tokens=True)
    text = [i for i, special in enumerate(cut.special_tokens_mask) if not special]
    padding = getattr(encoder.config, "pad_token_id", None)
    return Specials(cut.ids[: text[0]], cut.ids[text[-1] + 1 :], padding or 0)


def n_positions(encoder: Encoder) -> int | None:
    """The maximum number of pieces; None if positions are relative."""
    table = position_table(encoder)
    return None if table is None else table.num_embeddings - first_position(table)


def position_table(encoder: Encoder) -> nn.Embedding | None:
    """The embeddings of positions, if the encoder has any."""
    for name, module in encoder.named_modules():
        if name.endswith(("position_embeddings", "embed_positions")) and isinstance(
            module, nn.Embedding
        ):
            return module
    return None


def first_position(table: nn.Embedding) -> int:
    """The row of a text's first piece in the embeddings of positions: RoBERTa starts
    after the padding, BART at an offset."""
    padding = table.padding_idx
    first = 0 if padding is None else padding + 1
    return int(getattr(table, "offset", first))


def layer_list(encoder: Encoder) -> tuple[str, nn.ModuleList] | None:
    """The name and the list of an encoder's layers; None if layers share their weights,
    as in ALBERT."""
    n_layers = encoder.config.num_hidden_layers
    for name, module in encoder.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == n_layers > 0:
            return name, module
    return None


def freeze(encoder: Encoder, settings: PretrainedSettings) -> None:
    """Freeze all weights, or the lowest layers together with the embeddings."""
    layers, what = settings.freeze, f"freeze = {settings.freeze} of {settings.kind}"
    encoder.requires_grad_(layers is not True)
    if isinstance(layers, bool) or layers == 0:
        return
    found = layer_list(encoder)
    if found is None:
        raise ValueError(
            f"{what}: the layers of the encoder '{settings.name}' share their weights. "
            "Set freeze to true or false."
        )
    if layers > len(found[1]):
        raise ValueError(
            f"{what}: the encoder '{settings.name}' has {len(found[1])} layers. Set "
            "freeze to at most that, or to true."
        )
    for layer in found[1][:layers]:
        layer.requires_grad_(False)
    for child, module in encoder.named_children():
        if "embed" in child:
            module.requires_grad_(False)


def add_tokens(encoder: Encoder, tokenizer: Any, tokens: Sequence[str]) -> None:
    """Add pieces to a vocabulary, with the mean of all embeddings; pieces that it has
    already stay as they are."""
    from tokenizers import AddedToken

    n_known = len(tokenizer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in tokens])
    if len(tokenizer) == n_known:
        return
    weights = encoder.get_input_embeddings().weight
    mean = weights.data[:n_known].mean(dim=0)
    if len(tokenizer) > len(weights):
        with quiet():
            encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    encoder.get_input_embeddings().weight.data[n_known : len(tokenizer)] = mean


def _encoder_alone(model: Any) -> Encoder:
    """Remove the decoder, and the pooler, whose result is unused."""
    # The config of T5's encoder does not say that it was part of more.
    if getattr(model, "decoder", None) is not None:
        model = model.get_encoder()
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model


def _report_missing(name: str, encoder: Encoder, missing: list[str]) -> None:
    used = {key for key, _ in encoder.named_parameters()}
    lost = sorted(used.intersection(missing))
    if lost:
        logger.warning(
            "%d weights of the encoder '%s' are missing from its files and start at "
            "random (such as %s): check that the files belong to its config.",
            *(len(lost), name, lost[0]),
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Hide the progress bars and remarks of transformers."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextmanager
def explained(settings: PretrainedSettings) -> Iterator[None]:
    """Raise one sentence that says why an encoder cannot be loaded."""
    try:
        yield
    except (OSError, ValueError, ImportError, *DAMAGED) as err:
        raise ValueError(_explanation(settings, err)) from err


def _explanation(settings: PretrainedSettings, err: Exception) -> str:
    from huggingface_hub.constants import HF_HUB_OFFLINE

    name, reason = settings.name, one_line(err)
    if "trust_remote_code" in str(err) and not settings.trust_remote_code:
        return (
            f"The encoder '{name}' has its own code, which was not run: read it, and "
            "set trust_remote_code = true if you trust it."
        )
    is_attention = isinstance(err, ImportError) or "attention" in str(err).lower()
    if settings.attention is not None and is_attention:
        return (
            f'attention = "{settings.attention}" cannot be used with the encoder '
            f"'{name}' ({reason}): set it to another of {', '.join(ATTENTION)}, or to "
            "null for the best that the encoder supports."
        )
    if Path(name).exists():
        hint = f"the folder is not a complete encoder ({reason})"
    elif name.startswith((".", "/", "~")) or name.count("/") > 1:
        hint = "there is no such folder; correct the path"
    elif HF_HUB_OFFLINE:
        hint = (
            "there is no such folder, it is not in the cache, and offline mode is on "
            "(HF_HUB_OFFLINE); unset that, or give the path of a folder"
        )
    else:
        hint = f"there is no such folder; check name and network ({reason})"
    return f"The encoder '{name}' cannot be loaded: {hint}."
