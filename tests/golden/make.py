"""Write the golden files: a saved pipeline of each component, and what it predicts.

The files here are of commit 818f9c3, and `test_golden.py` loads them with whatever code
there is now. To write them again, in an environment of that commit:

    git worktree add /tmp/old 818f9c3
    python3.11 -m venv /tmp/old/.venv
    /tmp/old/.venv/bin/pip install -c /tmp/old/constraints.txt -e /tmp/old
    HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 PYTHONHASHSEED=0 PYTHONPATH=tests \
        /tmp/old/.venv/bin/python tests/golden/make.py

It takes less than a minute. NAME.zip is the folder that `nlp.to_disk` wrote. NAME.json
has a line for each text: entities and spans as first token, end, label and score; tags
with their scores; some values of doc.tensor. One machine always writes the same bytes.
"""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import spacy
from spacy.training import Example
from test_golden import GOLDEN, describe
from thinc.api import Adam, fix_random_seed
from transformers import BertConfig, BertModel, BertTokenizerFast

import spacy_ner_ext

# Texts with their entities, and the entities that are nested in these.
CORPUS = [
    ("Anna Berg lives in New York .", {"Anna Berg": "PER", "New York": "LOC"}, {}),
    ("She met Tom Lee Ray in Rome .", {"Tom Lee Ray": "PER", "Rome": "LOC"}, {}),
    ("Tom of York sleeps", {"Tom of York": "PER"}, {"York": "LOC"}),
    ("It rains again today .", {}, {}),
]
# Two sentences, nothing, and characters that the encoder does not know or takes away.
TEXTS = [
    "Anna Berg lives in New York . She met Tom of York in Rome .",
    "",
    "Anna Berg \u200b lives  \U0001f6a2 in New York\u203d Zo\u00eb",
]
WIDTH = 12

HASHED = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "pretrained_vectors": None,
    "width": WIDTH,
    "depth": 1,
    "embed_size": 40,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": False,
}
TRANSFORMER = {
    "@architectures": "spacy_ner_ext.Transformer.v1",
    # A folder that `main` makes; a saved pipeline has no need of it.
    "name": "encoder",
    "window": 12,
    "stride": 8,
}
MIXED = {**TRANSFORMER, "layers": [-2, -1], "layer_mix": "learned", "pooling": "first"}
MARKER = {
    "@architectures": "spacy_ner_ext.SpanMarker.v1",
    "name": "encoder",
    "entity_max_length": 4,
    "model_max_length": 60,
}


def listener(upstream, **settings):
    owner = "spacy_ner_ext" if settings else "spacy"
    name = f"{owner}.Tok2VecListener.v1"
    return {"@architectures": name, "width": WIDTH, "upstream": upstream, **settings}


def convolutions(tok2vec):
    name = "spacy_ner_ext.TextCNN.v1"
    return {"@architectures": name, "kernel_sizes": [2, 3], "tok2vec": tok2vec}


def crf(tok2vec, **settings):
    model = {"@architectures": "spacy_ner_ext.CRF.v1", "tok2vec": tok2vec}
    return {"model": model, **settings}


CASES = {
    "crf_biluo": {"crf_ner": crf(HASHED)},
    "crf_per_label": {
        "crf_ner": crf(
            HASHED,
            scheme="iob2",
            structure="per_label",
            target="sc",
            annotate=["ents", "sc"],
            threshold={"PER": 0.6},
            temperature=1.5,
        )
    },
    "crf_tagger": {"crf_tagger": crf(HASHED, target="tag", scores=True)},
    "crf_text_cnn": {"crf_ner": crf(convolutions(HASHED))},
    "crf_transformer": {"crf_ner": crf(MIXED)},
    "shared_text_cnn": {
        "tok2vec": {"model": HASHED},
        "text_cnn": {"model": convolutions(listener("tok2vec"))},
        "crf_ner": crf(listener("text_cnn")),
    },
    "shared_transformer": {
        "tok2vec": {"model": TRANSFORMER},
        "crf_ner": crf(listener("tok2vec", grad_factor=0.5)),
    },
    "span_marker_all": {
        "span_marker_ner": {
            "model": {**MARKER, "candidates": "all", "head": "markers"},
            "entity_bias": 2.0,
        }
    },
    "span_marker_filtered": {
        "sentencizer": {},
        "span_marker_ner": {
            "model": {**MARKER, "candidates": "filtered", "filter_threshold": 0.1},
            "context": "sentences",
            "entity_bias": 2.0,
        },
    },
    "spancat": {
        "spancat": {
            "model": {**MARKER, "activation": "logistic"},
            "suggester": {"@misc": "spacy.ngram_suggester.v1", "sizes": [1, 2, 3]},
            "threshold": 0.05,
        }
    },
}


def make_encoder(folder):
    """Write a tiny random BERT, with letters and a few words as its pieces."""
    fix_random_seed(0)
    letters = sorted({c for text, *_ in CORPUS for c in text.lower() if c != " "})
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*special, *letters, *(f"##{c}" for c in letters), "anna", "met", "##ay"]
    Path("pieces").write_text("\n".join(pieces), encoding="utf-8")
    BertTokenizerFast("pieces").save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=WIDTH,
        intermediate_size=24,
        num_attention_heads=2,
        num_hidden_layers=2,
        max_position_embeddings=64,
        initializer_range=0.3,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    BertModel(config).save_pretrained(folder)


def make_example(nlp, text, entities, nested):
    """Gold of all components: entities, the span group `sc`, and tags."""

    def locate(labels):
        places = [(text.index(part), part, label) for part, label in labels.items()]
        return [(start, start + len(part), label) for start, part, label in places]

    words = text.split()
    return Example.from_dict(
        nlp.make_doc(text),
        {
            "words": words,
            "tags": ["NAME" if word.istitle() else "WORD" for word in words],
            "entities": locate(entities),
            "spans": {"sc": locate({**entities, **nested})},
        },
    )


def train(pipes):
    """A pipeline that has learned most of the corpus, from a fixed seed."""
    fix_random_seed(0)
    # The whole range that the package allows, and not from the spaCy of today.
    nlp = spacy.blank("xx", meta={"spacy_version": ">=3.8.7,<3.9"})
    for name, config in pipes.items():
        nlp.add_pipe(name, config=config)
    examples = [make_example(nlp, *case) for case in CORPUS]
    nlp.initialize(lambda: examples)
    optimizer = Adam(0.01)
    for _ in range(40 if "encoder" in json.dumps(pipes) else 15):
        nlp.update(examples, sgd=optimizer)
    return nlp


def write(name, nlp):
    """Write the pipeline, compressed, and what it predicts."""
    nlp.to_disk(name)
    with ZipFile(GOLDEN / f"{name}.zip", "w") as file:
        for path in sorted(Path(name).rglob("*")):
            if path.is_file():
                # Without the time, and without the rights of this machine.
                info = ZipInfo(path.relative_to(name).as_posix())
                file.writestr(info, path.read_bytes(), ZIP_DEFLATED, 9)
    found = [describe(nlp(text)) for text in TEXTS]
    if not any(doc["ents"] or doc["spans"].get("sc") or doc["tags"] for doc in found):
        raise SystemExit(f"{name} predicts nothing")
    rounded = json.loads(json.dumps(found), parse_float=lambda x: round(float(x), 6))
    lines = ",\n".join(json.dumps(case) for case in rounded)
    (GOLDEN / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main():
    print("with", spacy_ner_ext.__file__)
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        make_encoder("encoder")
        for name, pipes in CASES.items():
            write(name, train(pipes))
            print(name, (GOLDEN / f"{name}.zip").stat().st_size)
        os.chdir(GOLDEN)


if __name__ == "__main__":
    main()
