"""Command `audit`: folds, results, corrections."""

import json

import pytest
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab
from thinc.api import Config

from spacy_ner_ext.data.read import read_docs
from tests.helpers.corpora import write_docs
from tests.helpers.pipelines import CORPUS, fitted, words_of

NAMES = ("Oslo", "Rome", "Paris", "Bergen", "Turin")


@pytest.fixture
def corpus(tmp_path):
    """Sentences with a name each, of which one is not annotated."""
    vocab, docs = Vocab(), []
    for i in range(40):
        words = ["Day", str(i), "in", NAMES[i % 5], "."]
        doc = Doc(vocab, words=words)
        doc.set_ents([Span(doc, 3, 4, "LOC")] if i != 7 else [])
        docs.append(doc)
    write_docs(docs, tmp_path / "gold.spacy")
    return docs


@pytest.fixture
def config(tmp_path, corpus):
    nlp = fitted("flat_biluo")
    config = nlp.config.copy()
    config["paths"] = {"train": None, "dev": None}
    config["initialize"] = {"vectors": None, "init_tok2vec": None}
    config["corpora"] = {
        name: {"@readers": "spacy.Corpus.v1", "path": f"${{paths.{name}}}"}
        for name in ("train", "dev")
    }
    config["training"].update(max_steps=60, eval_frequency=20, patience=0)
    config["training"]["optimizer"]["learn_rate"] = 0.02
    Config(config).to_disk(tmp_path / "train.cfg")


def test_a_corpus_without_entities_is_not_trained_on(call, config, tmp_path):
    vocab = Vocab()
    docs = [Doc(vocab, words=["Day", str(i)]) for i in range(9)]
    write_docs(docs, tmp_path / "none.spacy")
    options = ("--config", "train.cfg", "--output", "audit")
    code, _, err = call("audit", "none.spacy", *options)
    assert code == 1 and "has no entities in ents, where 'crf_ner' reads" in err
    assert not (tmp_path / "audit").exists()


@pytest.mark.slow
def test_what_folds_find_is_reviewed_and_corrected(run, corpus, config, tmp_path):
    options = ("--config", "train.cfg", "--folds", "2", "--output", "audit")
    done = run("audit", "gold.spacy", *options)
    assert done.returncode == 0, done.stderr
    assert "suggestions for 39 entities in 40 documents" in done.stdout
    lines = (tmp_path / "audit" / "suggestions.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    assert (first["document"], first["kind"]) == (8, "missing")
    assert first["suggested"]["text"] == NAMES[2]
    assert first["text"] == corpus[7].text and first["as_suggested"] == 7
    # Repeated, it trains nothing again.
    stamps = {
        path: path.stat().st_mtime_ns for path in tmp_path.glob("audit/*/run/**/*")
    }
    assert run("audit", "gold.spacy", *options).returncode == 0
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    other = run(
        "audit", "gold.spacy", *options[:-2], "--output", "audit", "--folds", "3"
    )
    assert other.returncode == 1
    assert "an audit with another folds; name another folder" in other.stderr
    decisions = tmp_path / "decisions.jsonl"
    decisions.write_text(json.dumps({**first, "decision": "accept"}) + "\n")
    applied = ("--apply", "decisions.jsonl", "--output", "fixed.spacy")
    done = run("audit", "gold.spacy", *applied)
    assert done.returncode == 0, done.stderr
    assert "Wrote fixed.spacy with 1 changes (1 applied)" in done.stdout
    fixed = [*read_docs(tmp_path / "fixed.spacy", Vocab())]
    assert [len(doc.ents) for doc in fixed] == [1] * 40


def test_a_trained_pipeline_judges(run, tmp_path):
    nlp = fitted("flat_biluo")
    nlp.to_disk(tmp_path / "model")
    docs = []
    for text, spans in CORPUS:
        doc = Doc(nlp.vocab, words=words_of(text))
        doc.set_ents([Span(doc, *span) for span in spans])
        docs.append(doc)
    docs[-1].set_ents([])
    write_docs(docs, tmp_path / "gold.spacy")
    done = run("audit", "gold.spacy", "--model", "model", "--output", "audit")
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "audit" / "suggestions.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    assert first["suggested"]["text"] == "Oslo"
    assert first["id"] in (tmp_path / "audit" / "audit.html").read_text()
    decided = json.dumps({**first, "decision": "accept"})
    (tmp_path / "decisions.jsonl").write_text(decided)
    applied = ("--apply", "decisions.jsonl", "--weights")
    done = run("audit", "gold.spacy", *applied, "--output", "doubtful.spacy")
    assert done.returncode == 0, done.stderr
    *_, last = read_docs(tmp_path / "doubtful.spacy", Vocab())
    assert [token.ent_iob for token in last] == [0]


@pytest.mark.parametrize(
    "options,message",
    [
        ([], "give one of --config, --model and --apply, not none of them"),
        (["--config", "train.cfg", "--apply", "gold.spacy"], "not --config and --appl"),
        (["--model", "nowhere"], "nowhere is not a pipeline that can be loaded"),
        (["--config", "train.cfg", "--weights"], "--weights needs --apply"),
        (["--config", "train.cfg", "--folds", "41"], "lower --folds"),
        (["--config", "empty.cfg"], "empty.cfg: has no paths.train; add it"),
        (["--config", "train.cfg", "--component", "ner"], "it has crf_ner; name one"),
    ],
)
def test_wrong_options_get_one_sentence(call, config, tmp_path, options, message):
    (tmp_path / "empty.cfg").write_text("[nlp]\n\n[components]\n")
    code, _, err = call("audit", "gold.spacy", "--output", "audit", *options)
    assert code == 1 and message in err
    assert not (tmp_path / "audit").exists()
