"""The demo corpus is what its README says."""

import re
from collections import Counter
from pathlib import Path

import pytest
import spacy

from spacy_ner_ext.data.formats.conll import read_conll

FOLDER = Path(__file__).parent.parent.parent / "assets" / "demo"
SPLITS = ("train", "dev", "test")


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture(scope="module")
def splits(nlp):
    def read(name):
        path = FOLDER / f"{name}.conll"
        return list(read_conll(path, nlp))

    return {name: read(name) for name in SPLITS}


@pytest.mark.parametrize("name", SPLITS)
def test_counts_are_those_of_the_readme(splits, name):
    labels = Counter(ent.label_ for doc in splits[name] for ent in doc.ents)
    text = (FOLDER / f"{name}.conll").read_text(encoding="utf8")
    counts = [text.count("-DOCSTART-"), len(splits[name]), sum(map(len, splits[name]))]
    counts += [labels[x] for x in ("PERSON", "ORG", "PLACE", "VESSEL", "PRODUCT")]
    readme = (FOLDER / "README.md").read_text(encoding="utf8")
    (row,) = re.findall(rf"\| `{name}\.conll` \|(.*)\|", readme)
    assert [int(cell.replace(",", "")) for cell in row.split("|")] == counts


def test_is_large_and_balanced_enough(splits):
    docs = [doc for name in SPLITS for doc in splits[name]]
    labels = Counter(ent.label_ for doc in docs for ent in doc.ents)
    assert len(docs) >= 600
    assert len(labels) == 5
    assert min(labels.values()) >= 200


def test_no_sentence_occurs_twice(splits):
    sentences = Counter(
        re.sub(r"\W+", " ", doc.text.lower()).strip()
        for name in SPLITS
        for doc in splits[name]
    )
    assert max(sentences.values()) == 1


def test_names_are_ambiguous(splits):
    types = {}
    for doc in splits["train"]:
        for ent in doc.ents:
            types.setdefault(ent.text, set()).add(ent.label_)
    assert types["Dunmore"] >= {"PERSON", "PLACE", "VESSEL"}
    assert sum(len(labels) > 1 for labels in types.values()) >= 10


def test_tokens_are_those_of_the_english_tokenizer(nlp, splits):
    """A pipeline sees the same tokens in training and in use."""
    for doc in splits["train"]:
        for token in doc:
            assert [t.text for t in nlp.make_doc(token.text)] == [token.text] or (
                not token.text.isalpha()
            )
