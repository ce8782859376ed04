"""Tiny trained pipelines to explain, over a random encoder."""

from functools import cache
from random import Random

import spacy
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from tests.helpers.encoders import WIDTH, encoder_folder
from tests.helpers.pipelines import CORPUS, annotate, build, crf, span_marker, words_of

# A text is "wet" if it has this word, otherwise "dry".
TRIGGER = "ferry"
OTHERS = ("Anna", "New", "York", "the", "from", "to", "in")


def draw_categories(n_texts=40):
    random = Random(0)
    texts = [("[MASK] [MASK] [MASK] [MASK] [MASK]", "dry")]
    for i in range(n_texts):
        words = random.choices(OTHERS, k=5)
        if i % 2:
            words[random.randrange(5)] = TRIGGER
        texts.append((" ".join(words), "wet" if i % 2 else "dry"))
    return texts


CATEGORIES = draw_categories()
WET = [text for text, category in CATEGORIES if category == "wet"]


def transformer(kind="bert", **settings):
    return {
        "@architectures": "spacy_ner_ext.Transformer.v1",
        "name": str(encoder_folder(kind)),
        "window": 16,
        "stride": 10,
        **settings,
    }


def cnn(tok2vec):
    return {
        "@architectures": "spacy_ner_ext.TextCNN.v1",
        "tok2vec": tok2vec,
        "kernel_sizes": [2, 3],
        "dropout": 0.3,
    }


def listener(upstream):
    return {
        "@architectures": "spacy_ner_ext.Tok2VecListener.v1",
        "width": WIDTH,
        "upstream": upstream,
        "grad_factor": 0.1,
    }


def textcat(tok2vec, exclusive=True):
    return {
        "model": {
            "@architectures": "spacy.TextCatReduce.v1",
            "exclusive_classes": exclusive,
            "use_reduce_first": False,
            "use_reduce_last": False,
            "use_reduce_max": True,
            "use_reduce_mean": True,
            "tok2vec": tok2vec,
        }
    }


HASHED = {
    "@architectures": "spacy.MultiHashEmbed.v2",
    "width": 16,
    "attrs": ["NORM", "SHAPE"],
    "rows": [100, 50],
    "include_static_vectors": False,
}
LSTM = {
    "@architectures": "spacy.Tok2Vec.v2",
    "embed": transformer(),
    "encode": {
        "@architectures": "spacy.TorchBiLSTMEncoder.v1",
        "width": WIDTH,
        "depth": 2,
        "dropout": 0.3,
    },
}
PIPELINES = {
    "nested": {"crf_ner": crf(cnn(transformer()))},
    "shared": {
        "tok2vec": {"model": transformer()},
        "text_cnn": {"model": cnn(listener("tok2vec"))},
        "crf_ner": crf(listener("text_cnn")),
    },
    "per_label": {"crf_ner": crf(transformer(), structure="per_label", scheme="iob2")},
    "independent": {"crf_ner": crf(transformer(), objective="independent")},
    "lstm": {"crf_ner": crf(LSTM)},
    "span_marker": {"span_marker_ner": span_marker()},
    "all_spans": {"span_marker_ner": span_marker(candidates="all", head="markers")},
    "textcat": {"textcat": textcat(cnn(transformer()))},
    "textcat_multilabel": {"textcat_multilabel": textcat(transformer(), False)},
    "hashed": {"textcat": textcat(cnn(HASHED))},
}


def examples_of(nlp):
    if "textcat" in nlp.pipe_names[-1]:
        cats = sorted({category for _, category in CATEGORIES})
        return [
            Example.from_dict(
                Doc(nlp.vocab, words=words_of(text)),
                {"cats": {category: float(category == own) for category in cats}},
            )
            for text, own in CATEGORIES
        ]
    return [
        Example(
            nlp.make_doc(text), annotate(Doc(nlp.vocab, words=words_of(text)), spans)
        )
        for text, spans in CORPUS
    ]


@cache
def _bytes(name):
    fix_random_seed(0)
    nlp = build(PIPELINES[name])
    examples = examples_of(nlp)
    sgd = Adam(0.003)
    nlp.initialize(lambda: examples)
    for _ in range(40):
        nlp.update(examples, sgd=sgd)
    return nlp.to_bytes()


def trained(name):
    """A new copy of one of PIPELINES, trained."""
    return build(PIPELINES[name]).from_bytes(_bytes(name))


@cache
def shared(name):
    """One of PIPELINES, trained, for tests that do not change it."""
    return trained(name)


def rules():
    """A pipeline whose component gives no probabilities."""
    nlp = spacy.blank("xx")
    patterns = [{"label": "LOC", "pattern": "New York"}]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    return nlp
