"""Small corpora on disk, and training configs for them."""

import random

from spacy.tokens import Doc, DocBin

from tests.helpers.encoders import encoder_folder
from tests.helpers.pipelines import PIPELINES, TOK2VEC, annotate, build, crf, words_of

NAMES = ["Anna", "Tom Berg", "Lee"]
PLACES = ["Oslo", "New York", "Rome"]
TEMPLATES = ["{} lives in {} .", "In {1} it rains , says {0} .", "{} left {} today ."]

TRANSFORMER = {
    "@architectures": "spacy_ner_ext.Transformer.v1",
    "name": str(encoder_folder("bert")),
    "window": 16,
    "stride": 8,
}
# The trained pipelines.
TRAINED = {
    "crf_ner": PIPELINES["listening"],
    "text_cnn": {
        "tok2vec": {"model": TOK2VEC},
        "text_cnn": PIPELINES["listening"]["text_cnn"],
        "tagger": {
            "model": {"tok2vec": PIPELINES["listening"]["crf_ner"]["model"]["tok2vec"]}
        },
    },
    "crf_ner over a transformer": {"crf_ner": crf(TRANSFORMER)},
    "span_marker_ner": PIPELINES["span_marker"],
    "crf_tagger": {"crf_tagger": {"model": {"tok2vec": TOK2VEC}}},
}


def make_docs(vocab, n, seed=0):
    """Sentences with names, places and tags."""
    drawn = random.Random(seed)
    docs = []
    for _ in range(n):
        name, place = drawn.choice(NAMES), drawn.choice(PLACES)
        words = words_of(drawn.choice(TEMPLATES).format(name, place))
        doc = Doc(
            vocab, words=words, tags=["NAME" if w.istitle() else "X" for w in words]
        )
        spans = [(*_find(words, name), "PER"), (*_find(words, place), "LOC")]
        docs.append(annotate(doc, spans))
    return docs


def _find(words, name):
    parts = words_of(name)
    first = next(i for i in range(len(words)) if words[i : i + len(parts)] == parts)
    return first, first + len(parts)


def write_corpus(folder, n=22):
    """Write train.spacy and dev.spacy. Returns the folder."""
    vocab = build({}).vocab
    folder.mkdir(parents=True, exist_ok=True)
    for name, size, seed in (("train", n, 0), ("dev", 6, 1)):
        DocBin(docs=make_docs(vocab, size, seed), store_user_data=True).to_disk(
            folder / f"{name}.spacy"
        )
    return folder


def make_config(pipes, corpus, **training):
    """A training config of a pipeline, as a dict."""
    nlp = build(TRAINED[pipes] if isinstance(pipes, str) else pipes)
    config = nlp.config.copy()
    reader = {"@readers": "spacy.Corpus.v1", "gold_preproc": False, "max_length": 0}
    reader = {**reader, "limit": 0, "augmenter": None}
    config["corpora"] = {
        name: {**reader, "path": str(corpus / f"{name}.spacy")}
        for name in ("train", "dev")
    }
    config["training"].update(
        seed=3,
        dropout=0.2,
        max_steps=24,
        eval_frequency=6,
        patience=0,
        logger={"@loggers": "spacy_ner_ext.Logger.v1"},
        batcher={
            "@batchers": "spacy.batch_by_sequence.v1",
            "size": {
                "@schedules": "compounding.v1",
                "start": 2,
                "stop": 6,
                "compound": 1.2,
            },
            "get_length": None,
        },
    )
    config["training"].update(training)
    return config


def grouped(rate=0.01):
    """Settings of [training] with groups of weights, their rates and averages."""
    schedule = {"@schedules": "spacy_ner_ext.linear_warmup.v1", "value": rate}
    schedule.update(total_steps=40, warmup_rate=0.1)
    return {
        "before_update": {"@callbacks": "spacy_ner_ext.name_parameters.v1"},
        "optimizer": {
            "@optimizers": "spacy_ner_ext.Adam.v1",
            "learn_rate": rate,
            "averages": 0.9,
            "groups": {
                "encoder": {"pattern": "transformer|encoder", "learn_rate": schedule}
            },
        },
        "batcher": {
            "@batchers": "spacy_ner_ext.batch_by_pieces.v1",
            "name": str(encoder_folder("bert")),
            "size": "60 pieces",
            "buffer": 8,
        },
    }
