"""Runs of unusual pipelines, folders and data can be resumed, or end with a reason."""

import numpy
import pytest
import spacy
import srsly
from spacy.tokens import DocBin

from spacy_ner_ext import train
from spacy_ner_ext.tools.train.checkpoint import find_checkpoints
from spacy_ner_ext.tools.train.run_folder import RunFolder
from spacy_ner_ext.util.errors import UserError
from tests.helpers.pipelines import TOK2VEC, build, listener
from tests.helpers.training_runs import make_config, make_docs, write_corpus

LISTENING = {"model": {"tok2vec": listener("tok2vec")}}
NER = {"model": {**LISTENING["model"], "state_type": "ner", "hidden_width": 8}}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def config(corpus):
    return make_config("crf_ner", corpus, max_steps=8, eval_frequency=3)


def stop_at(step):
    return lambda info: info["step"] == step


def check_resumes(config, folder, steps):
    """Check that a run that stops at some steps ends as one without a stop."""
    train(config, folder / "whole", checkpoint_every=4, silent=True)
    for step in steps:
        train(
            config,
            folder / "stopped",
            callbacks=[stop_at(step)],
            checkpoint_every=4,
            resume=(folder / "stopped").exists(),
            silent=True,
        )
    train(config, folder / "stopped", resume=True, checkpoint_every=4, silent=True)
    for name in ("model-best", "model-last"):
        whole, stopped = (contents(folder / run / name) for run in ("whole", "stopped"))
        assert whole == stopped


def contents(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    found = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    performance = srsly.read_json(folder / "meta.json")["performance"]
    return {**found, "meta.json": performance}


def test_a_run_that_stops_after_its_last_evaluation(config, tmp_path):
    check_resumes(config, tmp_path, [5, 7])
    meta = srsly.read_json(tmp_path / "stopped/model-last/meta.json")
    assert "ents_f" in meta["performance"]


def test_the_trees_of_a_lemmatizer_are_read_once(tmp_path):
    folder = write_corpus(tmp_path / "corpus")
    for path in folder.glob("*.spacy"):
        docs = list(DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab))
        for token in (token for doc in docs for token in doc):
            token.lemma_ = token.lower_[:-1] or token.lower_
        DocBin(docs=docs).to_disk(path)
    pipes = {"trainable_lemmatizer": {"model": {"tok2vec": TOK2VEC}}}
    pipes["trainable_lemmatizer"]["min_tree_freq"] = 1
    check_resumes(make_config(pipes, folder, max_steps=8), tmp_path, [2, 5])


def test_a_parser_knows_which_of_its_labels_are_new(corpus, tmp_path):
    pipes = {"tok2vec": {"model": TOK2VEC}, "ner": NER}
    train(make_config(pipes, corpus, max_steps=2), tmp_path / "old", silent=True)
    docs = make_docs(build({}).vocab, 22)
    for doc in docs[::3]:
        doc.ents = [doc.char_span(e.start_char, e.end_char, "NEW") for e in doc.ents]
    (tmp_path / "corpus").mkdir()
    DocBin(docs=docs).to_disk(tmp_path / "corpus/train.spacy")
    DocBin(docs=docs[:6]).to_disk(tmp_path / "corpus/dev.spacy")
    config = make_config(pipes, tmp_path / "corpus", max_steps=12)
    source = {"source": str(tmp_path / "old/model-last")}
    config["components"] = {name: dict(source) for name in pipes}
    check_resumes(config, tmp_path, [5])


def test_the_sizes_of_batches_can_have_their_own_section(config, tmp_path):
    batcher = config["training"]["batcher"]
    config["sizes"] = {"growing": batcher["size"]}
    config["training"]["batcher"] = {**batcher, "size": "${sizes.growing}"}
    check_resumes(config, tmp_path, [5])


@spacy.registry.batchers("tests.with_gaps.v1")
def with_gaps():
    def batch_up(examples):
        for example in examples:
            yield from ([example], [])

    return batch_up


@spacy.registry.batchers("tests.nothing.v1")
def nothing():
    return lambda examples: iter(())


def test_empty_batches_change_nothing(config, tmp_path):
    config["training"]["batcher"] = {"@batchers": "tests.with_gaps.v1"}
    trained = train(config, tmp_path, silent=True)
    assert trained.reason == "step 8 was reached"


def test_an_epoch_without_batches_is_an_error(config, tmp_path):
    config["training"]["batcher"] = {"@batchers": "tests.nothing.v1"}
    with pytest.raises(ValueError, match="An epoch has no batch"):
        train(config, tmp_path, silent=True)


@spacy.registry.scorers("tests.numpy_scorer.v1")
def make_scorer():
    def score(examples, **settings):
        return {"ents_f": 0.5, "n": numpy.int64(7), "kind": object}

    return score


def test_scores_that_json_does_not_have(config, tmp_path):
    config["components"]["crf_ner"]["scorer"] = {"@scorers": "tests.numpy_scorer.v1"}
    train(config, tmp_path, checkpoint_every=4, silent=True)
    train(config, tmp_path, resume_to="10 steps", silent=True)
    assert srsly.read_json(tmp_path / "run.json")["scores"]["n"] == 7


def test_copies_of_pipelines_are_kept(config, tmp_path):
    for name in ("model-best.copy", "model-best.old", "elsewhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    (tmp_path / "model-best").symlink_to(tmp_path / "elsewhere")
    train(config, tmp_path, silent=True)
    assert (tmp_path / "model-best.copy/file").exists()
    assert (tmp_path / "elsewhere/file").exists()
    assert (tmp_path / "model-best.old/file").exists()


@pytest.mark.parametrize(("file", "output"), [("a", "a/b"), ("b/checkpoints", "b")])
def test_files_in_place_of_folders(file, output, config, tmp_path):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    with pytest.raises(UserError, match=f"{file} is a file: name a folder"):
        train(config, tmp_path / output, silent=True)


def test_a_full_disk_is_a_failed_run(config, tmp_path, monkeypatch):
    def fail(*settings):
        raise OSError("No space left on device")

    train(config, tmp_path, checkpoint_every=4, silent=True)
    with monkeypatch.context() as changed:
        changed.setattr(RunFolder, "_save_last", fail)
        with pytest.raises(OSError, match="No space left"):
            train(config, tmp_path, resume_to="12 steps", silent=True)
    assert srsly.read_json(tmp_path / "run.json")["status"] == "failed"
    assert find_checkpoints(tmp_path)


@spacy.registry.loggers("tests.failing_logger.v1")
def failing_logger():
    def fail():
        raise RuntimeError("no end")

    return lambda nlp, stdout, stderr: (lambda info: None, fail)


def test_a_logger_that_fails_at_the_end(config, tmp_path):
    config["training"]["logger"] = {"@loggers": "tests.failing_logger.v1"}
    with pytest.raises(RuntimeError, match="no end"):
        train(config, tmp_path, silent=True)
    assert srsly.read_json(tmp_path / "run.json")["step"] == 8
