"""Formats that `spacy train` reads as they are."""

import logging

import pytest
import spacy
from spacy.training.initialize import init_nlp
from spacy.training.loop import train

from spacy_ner_ext.training.corpora.reader import make_reader
from spacy_ner_ext.util.errors import UserError

SENTENCES = [
    ("Anna", "B-PER"),
    ("Oslo", "B-LOC"),
    ("Acme", "B-ORG"),
    ("Bergen", "B-LOC"),
]


@pytest.fixture
def corpus(tmp_path):
    """Forty sentences of one name and a full stop each, ten of each name."""
    lines = [f"{name}\t{tag}\n.\tO\n\n" for name, tag in SENTENCES * 10]
    path = tmp_path / "all.conll"
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("xx")


def read(corpus, nlp, **settings):
    return list(make_reader(corpus, **settings)(nlp))


def test_examples_have_the_tokens_and_entities_of_the_file(corpus, nlp):
    examples = read(corpus, nlp)
    assert len(examples) == 40
    assert examples[1].reference.text.split() == ["Oslo", "."]
    assert [token.text for token in examples[1].predicted] == ["Oslo", "."]
    assert examples[1].get_aligned_ner() == ["U-LOC", "O"]
    assert not examples[1].predicted.ents


def test_the_pipeline_makes_the_tokens_of_texts(tmp_path, nlp):
    path = tmp_path / "all.jsonl"
    line = '{"text": "Oslo, Bergen", "spans": [{"start": 6, "end": 9, "label": "X"}]}'
    path.write_text(f"{line}\n", encoding="utf-8")
    (example,) = read(path, nlp)
    assert [token.text for token in example.predicted] == ["Oslo", ",", "Bergen"]
    assert [ent.text for ent in example.reference.ents] == ["Bergen"]
    (example,) = read(path, nlp, align="strict")
    assert example.get_aligned_ner() == ["O", "O", None]


def test_split_tokens_are_those_of_training_with_gold_preproc(tmp_path, nlp):
    path = tmp_path / "all.jsonl"
    line = '{"text": "Oslo, Bergen", "spans": [{"start": 6, "end": 9, "label": "X"}]}'
    path.write_text(f"{line}\n", encoding="utf-8")
    (example,) = read(path, nlp, align="split")
    assert [token.text for token in example.reference] == ["Oslo", ",", "Ber", "gen"]
    # The tokenizer does not cut there, so the entity is not learned.
    assert example.get_aligned_ner() == ["O", "O", None]
    (example,) = read(path, nlp, align="split", gold_preproc=True)
    assert [token.text for token in example.predicted] == ["Oslo", ",", "Ber", "gen"]
    assert example.get_aligned_ner() == ["O", "O", "U-X", "O"]
    assert example.predicted.text == "Oslo, Bergen"


def test_all_that_convert_chooses_are_settings(corpus, nlp):
    settings = {"labels": ["PLACE"], "map": {"LOC": "PLACE"}, "options": {"docs_of": 4}}
    examples = read(corpus, nlp, **settings, limit=3)
    found = [[ent.text for ent in eg.reference.ents] for eg in examples]
    assert found == [["Oslo", "Bergen"]] * 3
    assert len(read(corpus, nlp, downsample=0.5)) == 20
    assert len(read(corpus, nlp, max_length=1)) == 80
    repeated = read(corpus, nlp, oversample={"PER": 0.5})
    assert sum(eg.reference[0].text == "Anna" for eg in repeated) == 30


@pytest.mark.parametrize("stratify", [False, True])
def test_parts_are_the_whole_corpus(corpus, nlp, stratify):
    settings = {"split": [0.8, 0.1, 0.1], "stratify": stratify}
    parts = {
        part: read(corpus, nlp, **settings, part=part)
        for part in ("train", "dev", "test")
    }
    assert {part: len(found) for part, found in parts.items()} == {
        "train": 32,
        "dev": 4,
        "test": 4,
    }
    names = [eg.reference[0].text for found in parts.values() for eg in found]
    assert sorted(names) == sorted(name for name, _ in SENTENCES * 10)


def test_each_epoch_reads_the_same_and_drops_are_logged_once(tmp_path, nlp, caplog):
    path = tmp_path / "all.conll"
    path.write_text("Anna\tI-PER\n.\tB-LOC\n", encoding="utf-8")
    reader = make_reader(path)
    with caplog.at_level(logging.INFO, logger="spacy"):
        first, second = list(reader(nlp)), list(reader(nlp))
    assert [str(eg) for eg in first] == [str(eg) for eg in second]
    messages = [r.getMessage() for r in caplog.records if "all.conll" in r.getMessage()]
    assert messages == [
        f"{path}: 1 documents, 2 tokens, 2 entities",
        f"tags repaired: 1, for example {path}, line 1: I-PER starts an entity",
    ]


def test_augmented_and_gold_sentences(corpus, nlp):
    def twice(nlp, example):
        yield example
        yield example

    assert len(read(corpus, nlp, augmenter=twice)) == 80
    options = {"docs_of": 0}
    assert len(read(corpus, nlp, options=options)) == 1
    assert len(read(corpus, nlp, options=options, gold_preproc=True)) == 40


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"path": None}, "Reader.v1 has no path"),
        ({"format": "conl"}, "unknown format 'conl'"),
        ({"options": {"fragments": "merge"}}, "does not take --fragments"),
        ({"part": "dev"}, "part = 'dev' of Reader.v1 is not one of: none"),
        ({"split": [0.8, 0.2]}, "part = 'None' of Reader.v1 is not one of: train, dev"),
        ({"split": [0.8, 0.2], "part": "test"}, "not one of: train, dev"),
        ({"downsample": 0.0}, "downsample = 0.0 is not a share"),
        ({"align": "no"}, "unknown align 'no'"),
    ],
)
def test_impossible_settings(corpus, settings, what):
    with pytest.raises(UserError, match=what):
        make_reader(**{"path": corpus, **settings})


def test_spacy_train_reads_a_raw_file(corpus):
    reader = {
        "@readers": "spacy_ner_ext.Reader.v1",
        "path": str(corpus),
        "split": [0.8, 0.2],
    }
    nlp = spacy.blank("xx")
    nlp.add_pipe("ner")
    config = nlp.config
    config["corpora"] = {part: {**reader, "part": part} for part in ("train", "dev")}
    config["training"].update(max_steps=20, eval_frequency=10)
    trained, _ = train(init_nlp(config))
    assert trained.get_pipe("ner").labels == ("LOC", "ORG", "PER")
    assert [ent.text for ent in trained("Oslo .").ents] == ["Oslo"]
