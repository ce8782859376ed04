"""The tokenizer of a span marker: its markers, and the rules of SpanMarker."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..encoder import hf

START, END = "<start>", "<end>"


def describe_tokenizer(tokenizer: Any) -> str:
    """What transformers needs to know beside tokenizer.json to make a tokenizer.

    tokenizer (PreTrainedTokenizerFast): The tokenizer.
    RETURNS (str): The text of its tokenizer_config.json.
    """
    with TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        return (Path(folder) / "tokenizer_config.json").read_text(encoding="utf8")


def add_markers(encoder: Any, tokenizer: Any, config: str) -> None:
    """Add the pieces that mark spans, with new embeddings as in SpanMarker: the matrix
    grows to a multiple of 8.

    encoder (PreTrainedModel): The encoder.
    tokenizer (tokenizers.Tokenizer): Its tokenizer.
    config (str): The text of its tokenizer_config.json.
    """
    tokenizer.add_special_tokens([START, END])
    n_pieces = tokenizer.get_vocab_size(with_added_tokens=True)
    if n_pieces > encoder.get_input_embeddings().num_embeddings:
        with hf.quiet():
            encoder.resize_token_embeddings(
                n_pieces, pad_to_multiple_of=8, mean_resizing=False
            )
    split_punctuation(tokenizer, config)


def split_punctuation(tokenizer: Any, config: str) -> None:
    """Let the tokenizer of XLM-RoBERTa part words from punctuation, as SpanMarker.

    tokenizer (tokenizers.Tokenizer): The tokenizer.
    config (str): The text of its tokenizer_config.json.
    """
    from tokenizers.pre_tokenizers import Punctuation, Sequence

    kind = json.loads(config).get("tokenizer_class") or ""
    if not kind.startswith("XLMRobertaTokenizer"):
        return
    before = json.loads(tokenizer.to_str())["pre_tokenizer"]
    if '"Punctuation"' not in json.dumps(before):
        tokenizer.pre_tokenizer = Sequence([Punctuation(), tokenizer.pre_tokenizer])
