"""Small trained pipelines and their training corpora."""

import re

import pytest
import spacy
import srsly
from huggingface_hub import ModelCard
from spacy.tokens import Doc, DocBin
from spacy.training import Example

from spacy_ner_ext.tools.card.card import About, render_card
from tests.helpers.pipelines import CORPUS, annotate, fitted, words_of

PERFORMANCE = {
    "ents_p": 0.75,
    "ents_r": 0.6,
    "ents_f": 0.66667,
    "ents_per_type": {
        "PER": {"p": 1.0, "r": 0.8, "f": 0.88889},
        "LOC": {"p": 0.5, "r": 0.4, "f": 0.44444},
    },
    "crf_ner_loss": 0.1,
}
CATEGORIES = {"It rains again today .": "WEATHER", "Anna met Tom in Rome .": "PEOPLE"}
ABOUT = About(
    name="news",
    license="Apache 2.0",
    base_model="org/encoder",
    datasets=("News of Oslo", "org/oslo"),
)


def make_docs(corpus=CORPUS):
    vocab = spacy.blank("xx").vocab
    return [annotate(Doc(vocab, words=words_of(text)), spans) for text, spans in corpus]


def write_corpus(path, docs):
    DocBin(docs=docs).to_disk(path)
    return path


def save(nlp, folder, performance=PERFORMANCE):
    nlp.to_disk(folder)
    meta = srsly.read_json(folder / "meta.json")
    srsly.write_json(folder / "meta.json", {**meta, "performance": performance})
    return folder


def make_card(model, corpora=None, about=ABOUT):
    return ModelCard(render_card(model, corpora or {}, about))


def section(card, title):
    return card.text.partition(f"## {title}\n")[2].partition("\n## ")[0].strip()


def rows(text):
    """The cells of all tables of a section."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def bullets(card):
    return re.findall(r"(?m)^- (.*)$", section(card, "Limitations"))


@pytest.fixture
def model(tmp_path):
    """The folder of a pipeline that finds PER and LOC."""
    return save(fitted("flat_biluo"), tmp_path / "model-best")


@pytest.fixture
def corpus(tmp_path):
    """The training corpus of the model."""
    return write_corpus(tmp_path / "train.spacy", make_docs())


@pytest.fixture
def categories(tmp_path):
    """The folder of a pipeline of categories, and its corpus."""
    nlp = spacy.blank("en")
    nlp.add_pipe("textcat")
    docs = []
    for text, label in CATEGORIES.items():
        doc = nlp.make_doc(text)
        doc.cats = {name: float(name == label) for name in CATEGORIES.values()}
        docs.append(doc)
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(20):
        nlp.update(examples, sgd=optimizer)
    folder = save(nlp, tmp_path / "textcat", nlp.evaluate(examples))
    return folder, write_corpus(tmp_path / "categories.spacy", docs)
