"""Tiny random encoders of many architectures, each with a fast tokenizer, on disk."""

import atexit
import logging
import shutil
import warnings
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import torch
from spacy.tokens import Doc
from spacy.util import logger
from spacy.vocab import Vocab
from thinc.api import Model, fix_random_seed
from tokenizers import (
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import (
    AlbertConfig,
    AlbertTokenizerFast,
    AutoModel,
    AutoTokenizer,
    BartConfig,
    BartTokenizerFast,
    BertConfig,
    BertTokenizerFast,
    CamembertConfig,
    CamembertTokenizerFast,
    DebertaV2Config,
    DebertaV2TokenizerFast,
    DistilBertConfig,
    DistilBertTokenizerFast,
    ElectraConfig,
    ElectraTokenizerFast,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaTokenizerFast,
    T5Config,
    T5TokenizerFast,
    XLMRobertaConfig,
    XLMRobertaTokenizerFast,
)

from spacy_ner_ext.encoder.hf import quiet
from spacy_ner_ext.encoder.model import build_transformer

WIDTH = 32
N_LAYERS = 3
N_POSITIONS = 64
# Kinds that have a piece for each byte, so that no word is without.
WITH_BYTES = ("roberta", "modernbert", "bart")
SENTENCES = [
    "Anna Berg lives in New York .",
    "She met Tom Lee Ray in Rome .",
    "It rains again today , and the ferry from Bergen is late .",
    "Ines took the ferry from Carrow to Bergen , as she did yesterday .",
    "Nobody in Oslo knew about the unbelievable arrangements of the harbour .",
]
BERT_NAMES = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
ROBERTA_NAMES = {
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
SIZES = {
    "hidden_size": WIDTH,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": N_POSITIONS,
    # Vectors must differ by more than noise.
    "initializer_range": 0.3,
    # Training must give what can be computed by hand.
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


LETTERS = "".join(sorted(set("".join(SENTENCES).replace(" ", ""))))
WORDS = ["Anna", "New", "York", "the", "ferry", "from", "to", "in"]


def wordpiece(names):
    """Letters, some words in lower case, and some ends of words."""
    letters = sorted(set(LETTERS.lower()))
    ends = [f"##{part}" for part in [*letters, "ed", "es", "ing", "able"]]
    pieces = [*names.values(), *letters, *ends, *map(str.lower, WORDS)]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=names["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def byte_level(names):
    """All bytes, and some words and what they start with."""
    merges = [
        (f"\u0120{word}"[:n], word[n - 1])
        for word in WORDS
        for n in range(1, len(word) + 1)
    ]
    merges = list(dict.fromkeys(merges))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*names.values(), *alphabet, *map("".join, merges)]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def unigram(names):
    """Letters, and some words with the mark of a space."""
    pieces = [(name, 0.0) for name in names.values()]
    pieces += [(letter, -6.0) for letter in ["\u2581", *LETTERS]]
    pieces += [(f"\u2581{word}", -4.0) for word in WORDS]
    unknown = list(names).index("unk_token")
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=unknown))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    return tokenizer


def make_tokenizer(kind, names):
    """A tokenizer with special pieces around a text."""
    tokenizer = kind(names)
    tokenizer.add_special_tokens(list(names.values()))
    first, last = names.get("cls_token"), names.get("sep_token", "</s>")
    around = [name for name in (first, last) if name]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first or ''} $A {last}".strip(),
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in around],
    )
    return tokenizer


T5_NAMES = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
DISTILBERT_SIZES = {
    "dim": WIDTH,
    "n_layers": N_LAYERS,
    "n_heads": 4,
    "hidden_dim": 48,
    "max_position_embeddings": N_POSITIONS,
    "initializer_range": 0.3,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}
DEBERTA_SIZES = {
    **SIZES,
    "relative_attention": True,
    "position_buckets": 16,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
}
MODERNBERT_SIZES = {
    **{key: value for key, value in SIZES.items() if "dropout" not in key},
    "local_attention": 16,
    "global_attn_every_n_layers": 2,
    "initializer_cutoff_factor": 2.0,
}
BART_SIZES = {
    "d_model": WIDTH,
    "encoder_layers": N_LAYERS,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": N_POSITIONS,
    "init_std": 0.3,
    "dropout": 0.0,
}
T5_SIZES = {
    "d_model": WIDTH,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": N_LAYERS,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "dropout_rate": 0.0,
}
# Config, its settings, tokenizer, kind of pieces, and the names of special pieces.
KINDS = {
    "bert": (BertConfig, SIZES, BertTokenizerFast, wordpiece, BERT_NAMES),
    "distilbert": (
        DistilBertConfig,
        DISTILBERT_SIZES,
        DistilBertTokenizerFast,
        wordpiece,
        BERT_NAMES,
    ),
    "electra": (
        ElectraConfig,
        {**SIZES, "embedding_size": 16},
        ElectraTokenizerFast,
        wordpiece,
        BERT_NAMES,
    ),
    "roberta": (
        RobertaConfig,
        {**SIZES, "pad_token_id": 1},
        RobertaTokenizerFast,
        byte_level,
        ROBERTA_NAMES,
    ),
    "modernbert": (
        ModernBertConfig,
        MODERNBERT_SIZES,
        PreTrainedTokenizerFast,
        byte_level,
        BERT_NAMES,
    ),
    "xlm-roberta": (
        XLMRobertaConfig,
        {**SIZES, "pad_token_id": 1},
        XLMRobertaTokenizerFast,
        unigram,
        ROBERTA_NAMES,
    ),
    "camembert": (
        CamembertConfig,
        {**SIZES, "pad_token_id": 1},
        CamembertTokenizerFast,
        unigram,
        ROBERTA_NAMES,
    ),
    "deberta-v2": (
        DebertaV2Config,
        DEBERTA_SIZES,
        DebertaV2TokenizerFast,
        unigram,
        BERT_NAMES,
    ),
    "albert": (
        AlbertConfig,
        {**SIZES, "embedding_size": 16},
        AlbertTokenizerFast,
        unigram,
        BERT_NAMES,
    ),
    "bart": (BartConfig, BART_SIZES, BartTokenizerFast, byte_level, ROBERTA_NAMES),
    "t5": (T5Config, T5_SIZES, T5TokenizerFast, unigram, T5_NAMES),
}


def make_encoder(folder, kind, seed=0, **changes):
    """Write a tiny random encoder and its tokenizer to a folder.

    changes: Settings of the encoder's config that differ, such as dropout.
    """
    make_config, sizes, make_fast, pieces, names = KINDS[kind]
    tokenizer = make_tokenizer(pieces, names)
    vocabulary = {
        "vocab_size": tokenizer.get_vocab_size(),
        "pad_token_id": tokenizer.token_to_id(names["pad_token"]),
    }
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # ModernBERT compiles a function when it is imported.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.manual_seed(seed)
        encoder = AutoModel.from_config(
            make_config(**{**vocabulary, **sizes, **changes})
        )
        # As after training: no bias is zero, no norm one.
        for weight in encoder.parameters():
            weight.data += 0.05 * torch.randn_like(weight)
    with quiet():
        encoder.save_pretrained(folder, safe_serialization=True)
    options = {"extra_ids": 0} if kind == "t5" else {}
    fast = make_fast(tokenizer_object=tokenizer, **names, **options)
    fast.save_pretrained(folder, legacy_format=False)
    return folder


@cache
def encoder_folder(kind="bert"):
    """A folder with an encoder of a kind, made once; tests must not change it."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)
    return make_encoder(folder, kind)


def make_model(folder=None, **settings) -> Model:
    """An initialized model with a small window, by default of a tiny BERT."""
    settings = {"window": 16, "stride": 10, **settings}
    fix_random_seed(0)
    model = build_transformer(str(folder or encoder_folder()), **settings)
    model.initialize()
    return model


def make_docs(*docs):
    """Documents with these words, given as a list or with spaces between."""
    vocab = Vocab()
    words = [text.split() if isinstance(text, str) else text for text in docs]
    return [Doc(vocab, words=list(found)) for found in words]


def bare_encoder(folder):
    """The encoder as transformers loads it."""
    encoder = AutoModel.from_pretrained(folder).eval()
    return encoder.get_encoder() if encoder.config.is_encoder_decoder else encoder


def bare_tokenizer(kind):
    """The tokenizer as transformers loads it; words start as after a space."""
    options = {"add_prefix_space": True} if kind in WITH_BYTES else {}
    tokenizer = AutoTokenizer.from_pretrained(encoder_folder(kind), **options)
    if options:
        # transformers 5 ignores the option for a tokenizer without its own class.
        tokenizer.backend_tokenizer.pre_tokenizer.add_prefix_space = True
    return tokenizer


def module_of(model):
    """The torch module in a model."""
    return model.shims[0].model


def weights_of(model):
    """Copies of all weights of an encoder, by name."""
    named = module_of(model).named_parameters()
    return {name: weight.detach().clone() for name, weight in named}


def changed(before, after):
    """The names of weights that differ."""
    return {name for name in before if not torch.equal(before[name], after[name])}


@contextmanager
def warnings_of_spacy():
    """The warnings in spaCy's log, which caplog does not capture."""
    messages = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
