"""Hugging Face encoders and their tokenizers: loaded, and built from saved parts.

Nothing but `load` reads from the hub or from a folder, and nothing unpickles: weights
are safetensors, a tokenizer is the text of its tokenizer.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy.util import logger
from torch import nn

from .pieces import Specials
from .settings import ATTENTION, EncoderSettings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Encoder = Any  # a transformers.PreTrainedModel, which is not imported for its type


def load(settings: EncoderSettings) -> tuple[Encoder, Tokenizer]:
    """Load a pretrained encoder and its tokenizer, by the name in the settings.

    RETURNS: The encoder, in float32 and with the new pieces of the settings, and the
        tokenizer.
    RAISES (ValueError): If there is none of that name, its tokenizer is slow, its
        weights are no safetensors, or it does not have what the settings ask for.
    """
    tokenizer = load_tokenizer(settings)
    encoder = load_encoder(settings)
    if settings.new_tokens:
        add_tokens(encoder, tokenizer, settings.new_tokens)
    return encoder, prepare(tokenizer.backend_tokenizer)


def load_encoder(settings: EncoderSettings) -> Encoder:
    """Load a pretrained encoder, by the name in the settings.

    RAISES (ValueError): If there is none of that name, its weights are no safetensors,
        or it does not have the kind of attention.
    """
    from transformers import AutoModel

    options = dict(settings.transformer_config)
    if settings.attention is not None:
        options["attn_implementation"] = ATTENTION[settings.attention]
    with explained(settings), quiet():
        encoder, report = AutoModel.from_pretrained(
            settings.name,
            trust_remote_code=settings.trust_remote_code,
            use_safetensors=True,
            torch_dtype="float32",
            output_loading_info=True,
            **options,
        )
    encoder = _encoder_alone(encoder)
    _report_missing(settings.name, encoder, report["missing_keys"])
    return encoder


def load_tokenizer(settings: EncoderSettings) -> Any:
    """Load the tokenizer of a pretrained encoder.

    settings: The settings, for its name and `tokenizer_config`.
    RAISES (ValueError): If there is none of that name, or it is slow.
    """
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
            f"({type(tokenizer).__name__}) is slow, which cannot tell which word a "
            "piece is of: choose an encoder that has a tokenizer.json, or take "
            "use_fast = false out of tokenizer_config."
        )
    if "add_prefix_space" not in settings.tokenizer_config:
        begin_with_space(tokenizer.backend_tokenizer)
    return tokenizer


def begin_with_space(tokenizer: Tokenizer) -> None:
    """Let each word start with the mark of a space, since words stand by themselves.

    As the argument add_prefix_space does, for which T5 and others would convert a slow
    tokenizer.
    """
    from tokenizers.pre_tokenizers import ByteLevel

    if isinstance(tokenizer.pre_tokenizer, ByteLevel):
        tokenizer.pre_tokenizer.add_prefix_space = True


def build(config: dict[str, Any], settings: EncoderSettings) -> Encoder:
    """Build an encoder of a saved config, without its weights and without network.

    config: The encoder's config, as saved.
    settings: The settings, for `attention` and `trust_remote_code`.
    RETURNS: The encoder; its weights have any value.
    RAISES (ValueError): If it has code of its own and that is not trusted, or does not
        have the kind of attention.
    """
    from transformers import AutoConfig, AutoModel
    from transformers.modeling_utils import no_init_weights

    trust = settings.trust_remote_code
    options: dict[str, Any] = {"trust_remote_code": trust, "torch_dtype": "float32"}
    if settings.attention is not None:
        options["attn_implementation"] = ATTENTION[settings.attention]
    with explained(settings), quiet(), no_init_weights():
        if "auto_map" in config:
            # The code of such an encoder is no part of the pipeline.
            parsed = AutoConfig.from_pretrained(settings.name, trust_remote_code=trust)
            parsed.update(config)
        else:
            parsed = AutoConfig.for_model(**config)
        encoder = AutoModel.from_config(parsed, **options)
    return _encoder_alone(encoder)


def prepare(tokenizer: Tokenizer) -> Tokenizer:
    """Let a tokenizer return all pieces and nothing else."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def config_of(encoder: Encoder) -> dict[str, Any]:
    """All that `build` needs to know of an encoder."""
    config = json.loads(encoder.config.to_json_string(use_diff=False))
    # The place it was loaded from says nothing about it, and may be private.
    config.pop("_name_or_path", None)
    return config


def width_of(encoder: Encoder) -> int:
    """The width of an encoder's vectors."""
    return int(encoder.config.hidden_size)


def specials_of(encoder: Encoder, tokenizer: Tokenizer) -> Specials:
    """The special pieces around a text, and the padding piece."""
    cut = tokenizer.encode(["a"], is_pretokenized=True, add_special_tokens=True)
    text = [i for i, special in enumerate(cut.special_tokens_mask) if not special]
    padding = getattr(encoder.config, "pad_token_id", None)
    return Specials(cut.ids[: text[0]], cut.ids[text[-1] + 1 :], padding or 0)


def n_positions(encoder: Encoder) -> int | None:
    """The pieces that an encoder has positions for; None if
    positions are relative, so that there is no limit.
    """
    table = position_table(encoder)
    return None if table is None else table.num_embeddings - first_position(table)


def position_table(encoder: Encoder) -> nn.Embedding | None:
    """The embeddings of positions, if there are."""
    for name, module in encoder.named_modules():
        if name.endswith(("position_embeddings", "embed_positions")) and isinstance(
            module, nn.Embedding
        ):
            return module
    return None


def first_position(table: nn.Embedding) -> int:
    """The row of the first piece of a text in the embeddings of
    positions: RoBERTa and its kin count from the one after the padding, BART from an
    offset.
    """
    padding = table.padding_idx
    first = 0 if padding is None else padding + 1
    return int(getattr(table, "offset", first))


def layer_list(encoder: Encoder) -> tuple[str, nn.ModuleList] | None:
    """Find the layers of an encoder.

    RETURNS: Where they are, and they themselves; None if layers share their weights, as
        in ALBERT.
    """
    n_layers = encoder.config.num_hidden_layers
    for name, module in encoder.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == n_layers > 0:
            return name, module
    return None


def freeze(
    encoder: Encoder, name: str, layers: bool | int, kind: str = "Transformer"
) -> None:
    """Keep weights from being trained.

    layers: True for all weights, or the number of layers, which are frozen from the
        lowest together with the embeddings.
    kind: What the architecture is called, for errors.
    RAISES (ValueError): If the encoder does not have as many layers.
    """
    encoder.requires_grad_(True)
    if layers is True:
        encoder.requires_grad_(False)
    if isinstance(layers, bool) or layers == 0:
        return
    found = layer_list(encoder)
    if found is None:
        raise ValueError(
            f"freeze = {layers} of {kind}: the layers of the encoder '{name}' "
            "share their weights. Set freeze to true or false."
        )
    if layers > len(found[1]):
        raise ValueError(
            f"freeze = {layers} of {kind}: the encoder '{name}' has "
            f"{len(found[1])} layers. Set freeze to at most that, or to true."
        )
    for layer in found[1][:layers]:
        layer.requires_grad_(False)
    for child, module in encoder.named_children():
        if "embed" in child:
            module.requires_grad_(False)


def add_tokens(encoder: Any, tokenizer: Any, tokens: Any) -> None:
    """Add pieces to a vocabulary; they start as the mean of all others.

    tokens: The pieces; those it knows already are left as they are.
    """
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
    """Without decoder, and without the pooler, whose result nobody uses."""
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
            "%d weights of the encoder '%s' are not in its files and start at random "
            "(such as %s): check that the files belong to its config.",
            *(len(lost), name, lost[0]),
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bars and the remarks of transformers on unused weights."""
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
def explained(settings: EncoderSettings) -> Iterator[None]:
    """Tell in one sentence why an encoder cannot be loaded."""
    from huggingface_hub.constants import HF_HUB_OFFLINE

    name = settings.name
    try:
        yield
    except (OSError, ValueError, ImportError) as err:
        reason = " ".join(str(err).split())
        if "trust_remote_code" in reason and not settings.trust_remote_code:
            raise ValueError(
                f"The encoder '{name}' has code of its own, which was not run: read "
                "that code, and set trust_remote_code = true if you trust it."
            ) from err
        if settings.attention is not None and (
            isinstance(err, ImportError) or "attention" in reason.lower()
        ):
            raise ValueError(
                f'attention = "{settings.attention}" cannot be used with the encoder '
                f"'{name}' ({reason[:200]}): set it to another of "
                f"{', '.join(ATTENTION)}, or to null for the best that there is."
            ) from err
        if Path(name).exists():
            hint = f"the folder is not a complete encoder ({reason[:200]})"
        elif name.startswith((".", "/", "~")) or name.count("/") > 1:
            hint = "there is no such folder; correct the path"
        elif HF_HUB_OFFLINE:
            hint = (
                "there is no such folder, it is not in the cache, and offline mode is "
                "on (HF_HUB_OFFLINE); unset that, or give the path of a folder"
            )
        else:
            hint = f"there is no such folder; check name and network ({reason[:200]})"
        raise ValueError(f"The encoder '{name}' cannot be loaded: {hint}.") from err
