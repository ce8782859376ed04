"""Tiny pipelines and a tiny corpus that the component tests share."""

from functools import cache

import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from tests.helpers.encoders import encoder_folder

TOK2VEC = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "pretrained_vectors": None,
    "width": 16,
    "depth": 1,
    "embed_size": 100,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": False,
}

# Tokens are separated by single spaces.
CORPUS = [
    ("Anna Berg lives in New York .", [(0, 2, "PER"), (4, 6, "LOC")]),
    ("She met Tom Lee Ray in Rome .", [(2, 5, "PER"), (6, 7, "LOC")]),
    ("It rains again today .", []),
    ("New York", [(0, 2, "LOC")]),
    ("Oslo", [(0, 1, "LOC")]),
]
OVERLAPS = [
    ("Anna of York sleeps", [(0, 3, "PER"), (2, 3, "LOC")]),
    ("New York Times", [(0, 3, "ORG"), (0, 2, "LOC")]),
]
TEXTS = [text for text, _ in CORPUS]


def listener(upstream):
    return {
        "@architectures": "spacy.Tok2VecListener.v1",
        "width": TOK2VEC["width"],
        "upstream": upstream,
    }


def crf(tok2vec=TOK2VEC, **settings):
    return {"model": {"tok2vec": tok2vec}, **settings}


def tagger(tok2vec=TOK2VEC, **settings):
    return {"model": {"tok2vec": tok2vec}, "scores": True, **settings}


def text_cnn(tok2vec=TOK2VEC):
    return {"model": {"tok2vec": tok2vec, "kernel_sizes": [2, 3]}}


def span_marker(**settings):
    sizes = {"entity_max_length": 4, "model_max_length": 40}
    model = {"name": str(encoder_folder("bert")), **sizes, **settings}
    return {"model": model}


PIPELINES = {
    "flat_biluo": {"crf_ner": crf()},
    "flat_iob2": {"crf_ner": crf(scheme="iob2")},
    "per_label": {"crf_ner": crf(structure="per_label", annotate=["ents", "sc"])},
    "group": {"crf_ner": crf(target="sc")},
    "listening": {
        "tok2vec": {"model": TOK2VEC},
        "text_cnn": text_cnn(listener("tok2vec")),
        "crf_ner": crf(listener("text_cnn")),
    },
    "tagger": {"crf_tagger": tagger()},
    "text_cnn": {"text_cnn": text_cnn()},
    "span_marker": {"span_marker_ner": span_marker()},
}
# Learning rates that differ from what all others learn with.
RATES = {"span_marker": 0.003}


def build(pipes):
    """A pipeline that is not initialized: of PIPELINES, or given in the same form."""
    nlp = spacy.blank("xx")
    pipes = PIPELINES[pipes] if isinstance(pipes, str) else pipes
    for name, config in pipes.items():
        settings = {key: value for key, value in config.items() if key != "factory"}
        nlp.add_pipe(config.get("factory", name), name=name, config=settings)
    return nlp


def subject(nlp):
    """The component that a pipeline is about: its last."""
    return nlp.pipeline[-1][1]


def annotate(doc, spans, key="ents"):
    """Write gold spans, by token, where a component's target is."""
    spans = [Span(doc, start, end, label=label) for start, end, label in spans]
    if key == "ents":
        doc.set_ents(spans)
    else:
        doc.spans[key] = spans
    return doc


def words_of(text):
    return text.split(" ") if text else []


def tags_of(words):
    """Gold tags of words, some of which depend on the tag before."""
    tags = []
    for word in words:
        follows_name = bool(tags) and tags[-1] == "NAME"
        kinds = {"P": word == ".", "NAME": word.istitle(), "VERB": follows_name}
        tags.append(next((kind for kind, fits in kinds.items() if fits), "WORD"))
    return tags


def make_examples(nlp, corpus=CORPUS):
    keys = getattr(subject(nlp), "target", ["ents"])
    examples = []
    for text, spans in corpus:
        words = words_of(text)
        reference = Doc(nlp.vocab, words=words, tags=tags_of(words))
        for key in [] if keys == "tag" else keys:
            annotate(reference, spans, key)
        examples.append(Example(nlp.make_doc(text), reference))
    return examples


def step(nlp, examples, sgd, exclude=(), annotates=()):
    """One step of `spacy train`: all components update, then all weights change."""
    losses = nlp.update(examples, sgd=False, exclude=exclude, annotates=annotates)
    for name, component in nlp.pipeline:
        if name not in exclude and hasattr(component, "model"):
            component.finish_update(sgd)
    return losses


def train(nlp, examples, steps=40, sgd=None, **settings):
    """Update until the examples are learnt by heart; returns the losses."""
    sgd = sgd or Adam(0.02)
    losses = []
    for _ in range(steps):
        fresh = [Example(nlp.make_doc(eg.x.text), eg.y) for eg in examples]
        losses.append(step(nlp, fresh, sgd, **settings))
    return losses


def fit(pipes, corpus=CORPUS, steps=40):
    """A pipeline that has learnt a corpus by heart, from a fixed seed."""
    rate = RATES.get(pipes, 0.02) if isinstance(pipes, str) else 0.02
    fix_random_seed(0)
    nlp = build(pipes)
    examples = make_examples(nlp, corpus)
    nlp.initialize(lambda: examples)
    train(nlp, examples, steps, sgd=Adam(rate))
    return nlp


@cache
def _fitted_bytes(pipes):
    return fit(pipes).to_bytes()


def fitted(pipes):
    """`fit` for one of PIPELINES, at the price of loading it."""
    return build(pipes).from_bytes(_fitted_bytes(pipes))


def found(doc, key="ents"):
    """The entities of a document by token, in order."""
    spans = doc.ents if key == "ents" else doc.spans[key]
    return sorted((span.start, span.end, span.label_) for span in spans)


def output(doc):
    """All that our components write to a document, to be compared exactly."""
    groups = {
        key: [(s.start, s.end, s.label_, s._.score) for s in group]
        for key, group in doc.spans.items()
    }
    tags = [(t.i, t.i + 1, t.tag_, t._.get("tag_score")) for t in doc if t.tag_]
    groups.update({"tag": tags} if tags else {})
    ents = [(e.start, e.end, e.label_, e._.score) for e in doc.ents]
    return ents, groups, doc.tensor.tolist()


def weights(component):
    """All weights of a component, to be compared."""
    nodes = list(component.model.walk())
    arrays = [
        node.get_param(name).copy()
        for node in nodes
        for name in node.param_names
        if node.has_param(name)
    ]
    modules = [shim.model for node in nodes for shim in node.shims]
    return arrays + [
        weight.detach().cpu().numpy().copy()
        for module in modules
        for weight in module.parameters()
    ]
