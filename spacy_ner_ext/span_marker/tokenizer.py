"""The tokenizer of a span marker: its markers, and the rules of SpanMarker."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..encoder import hf

START, END = "<start>", "<end>"


def describe_tokenizer(tokenizer: Any) -> str:
    """The text of a tokenizer's tokenizer_config.json."""
    with TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        return (Path(folder) / "tokenizer_config.json").read_text(encoding="utf8")


def marker_ids(tokenizer: Any) -> tuple[int, int]:
    """The pieces that mark a start and an end."""
    return tokenizer.token_to_id(START), tokenizer.token_to_id(END)


def add_markers(encoder: Any, tokenizer: Any, config: str) -> None:
    """Add the markers to the vocabulary, with new embeddings as in SpanMarker: the
    matrix grows to a multiple of 8."""
    tokenizer.add_special_tokens([START, END])
    n_pieces = tokenizer.get_vocab_size(with_added_tokens=True)
    if n_pieces > encoder.get_input_embeddings().num_embeddings:
        with hf.quiet():
            encoder.resize_token_embeddings(
                n_pieces, pad_to_multiple_of=8, mean_resizing=False
            )
    split_punctuation(tokenizer, config)


def init_from_mask(encoder: Any, tokenizer: Any, config: str) -> None:
    """Initialize the marker embeddings from the [MASK] piece, which the encoder has
    learned to fill from its context, or from the mean of all pieces."""
    mask = json.loads(config).get("mask_token")
    # Older files have a dictionary for each piece.
    text = mask.get("content") if isinstance(mask, dict) else mask
    number = tokenizer.token_to_id(text) if text else None
    weights = encoder.get_input_embeddings().weight.data
    ids = list(marker_ids(tokenizer))
    mean = weights[: min(ids)].mean(dim=0)
    weights[ids] = mean if number is None else weights[number].clone()


def split_punctuation(tokenizer: Any, config: str) -> None:
    """Split punctuation from words in XLM-RoBERTa's tokenizer, as SpanMarker does."""
    from tokenizers.pre_tokenizers import Punctuation, Sequence

    kind = json.loads(config).get("tokenizer_class") or ""
    if not kind.startswith("XLMRobertaTokenizer"):
        return
    before = json.loads(tokenizer.to_str())["pre_tokenizer"]
    if '"Punctuation"' not in json.dumps(before):
        tokenizer.pre_tokenizer = Sequence([Punctuation(), tokenizer.pre_tokenizer])
