"""Ranks that divide a corpus by shard."""

import signal

import pytest
import spacy
import srsly
from spacy.tokens import Doc, DocBin

from tests.helpers.pipelines import annotate
from tests.helpers.ranks import arrays_of, check_close
from tests.helpers.same_run import check_same_run
from tests.helpers.training_runs import make_config

SIZES = [7, 4, 6, 3, 5]


def make_docs(vocab, shard, size):
    for number in range(size):
        words = [f"{shard}-{number}", "lives", "in", ["Oslo", "Rome"][number % 2]]
        doc = Doc(vocab, words=words)
        yield annotate(doc, [(0, 1, "PER"), (3, 4, "LOC")])


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Shards of different sizes. Each text is there once, and names its shard."""
    vocab, folder = spacy.blank("xx").vocab, tmp_path_factory.mktemp("shards")
    for shard, size in enumerate(SIZES):
        docs = make_docs(vocab, shard, size)
        DocBin(docs=docs).to_disk(folder / f"{shard}.spacy")
    return str(folder)


def make(path, corpus, batcher=None, **training):
    own = {} if batcher is None else {"batcher": batcher}
    settings = {"max_epochs": -1, "max_steps": 16, "eval_frequency": 8}
    config = make_config("crf_ner", corpus, **{**settings, **own, **training})
    reader = {"@readers": "spacy_ner_ext.Shards.v1", "divide": True, "path": path}
    config["corpora"]["train"] = reader
    return config


def sized(*sizes, path=None):
    own = {} if path is None else {"path": str(path)}
    return {"@batchers": "tests.Sized.v1", "sizes": list(sizes), **own}


def shards_of(texts):
    return {text.split("-")[0] for text in texts}


def test_ranks_read_all_shards_once_an_epoch(launch, shards, larger_corpus, tmp_path):
    batcher = sized(2, path=tmp_path / "epochs")
    config = make(shards, larger_corpus, batcher)
    # Both draw random numbers, of which the order of the shards must not depend.
    augmenter = {"@augmenters": "spacy.lower_case.v1", "level": 0.5}
    config["corpora"]["train"]["augmenter"] = augmenter
    launch.train(2, config, tmp_path / "run")
    ranks = [list(srsly.read_jsonl(tmp_path / f"epochs.{rank}")) for rank in (0, 1)]
    epochs = list(zip(*ranks))
    assert len(epochs) >= 2
    for first, second in epochs:
        texts = sorted(text.lower() for text in first + second)
        assert len(texts) == len(set(texts)) == sum(SIZES)
        assert not shards_of(first) & shards_of(second)
    assert shards_of(epochs[0][0]) != shards_of(epochs[1][0])


def test_a_step_is_that_of_all_batches(launch, shards, larger_corpus, tmp_path):
    """One process gets the batches of two as one. The second has fewer documents, and
    waits for the first at the end of the epoch."""
    paths = [f"{shards}/{shard}.spacy" for shard in (0, 1)]
    two = make(paths, larger_corpus, sized(3), dropout=0.0)
    vocab = spacy.blank("xx").vocab
    docs = [list(make_docs(vocab, shard, SIZES[shard])) for shard in (0, 1)]
    steps = [docs[0][i : i + 3] + docs[1][i : i + 3] for i in (0, 3, 6)]
    stored = DocBin(docs=[doc for step in steps for doc in step])
    stored.to_disk(tmp_path / "one.spacy")
    batcher = sized(*map(len, steps))
    one = make(str(tmp_path / "one.spacy"), larger_corpus, batcher, dropout=0.0)
    for config in (one, two):
        config["corpora"]["train"]["shuffle"] = False
    launch.train(2, two, tmp_path / "two")
    launch.train(1, one, tmp_path / "one")
    found, expected = (arrays_of(tmp_path / x / "model-last") for x in ("two", "one"))
    check_close(found, expected)
    logs = [list(srsly.read_jsonl(tmp_path / x / "log.jsonl")) for x in ("two", "one")]
    assert [row["words"] for row in logs[0]] == [row["words"] for row in logs[1]]
    assert [row["epoch"] for row in logs[0]] == [row["epoch"] for row in logs[1]]


@pytest.mark.parametrize(
    "batcher", [sized(2), pytest.param(None, marks=pytest.mark.slow, id="schedule")]
)
def test_divided_shards_resume(batcher, launch, shards, larger_corpus, tmp_path):
    config = make(shards, larger_corpus, batcher)
    options = {"checkpoint_every": 3}
    launch.train(2, config, tmp_path / "whole", **options)
    events = [(1, 11, "step", signal.SIGKILL)]
    codes, _ = launch(2, config, tmp_path / "killed", events, **options)
    assert codes == [1, -signal.SIGKILL]
    launch.train(2, config, tmp_path / "killed", resume=True, **options)
    check_same_run(tmp_path / "whole", tmp_path / "killed")


def test_another_number_of_ranks_starts_the_epoch_again(
    launch, shards, larger_corpus, tmp_path
):
    config = make(
        shards, larger_corpus, sized(2, path=tmp_path / "epochs"), max_steps=20
    )
    event = (0, 6, "step", signal.SIGKILL)
    launch(2, config, tmp_path / "run", [event], checkpoint_every=2)
    options = {"resume": True, "silent": False}
    (code,), (output,) = launch(1, config, tmp_path / "run", **options)
    assert code == 0, output
    assert "The checkpoint is of 2 process(es), now there are 1" in output
    assert "the epoch starts again" in output
    (epoch,) = srsly.read_jsonl(tmp_path / "epochs.0")
    assert len(set(epoch)) == sum(SIZES)


@pytest.mark.parametrize(
    ("n_ranks", "settings", "training", "problem"),
    [
        (2, {"limit": 7}, {}, "1 shard(s), which cannot be divided over 2 processes"),
        (1, {}, {"max_epochs": 2}, "max_epochs = 2 with divide = true of Shards.v1"),
    ],
)
def test_shards_that_cannot_be_divided(
    n_ranks, settings, training, problem, launch, shards, larger_corpus, tmp_path
):
    config = make(shards, larger_corpus, **training)
    config["corpora"]["train"].update(settings)
    codes, (output, *others) = launch(n_ranks, config, tmp_path / "run")
    assert codes == [1] * n_ranks
    assert problem in output
    assert not any(others)


@pytest.mark.slow
def test_a_schedule_needs_the_same_number_of_ranks(
    launch, shards, larger_corpus, tmp_path
):
    config = make(shards, larger_corpus)
    event = (0, 6, "step", signal.SIGKILL)
    launch(2, config, tmp_path / "run", [event], checkpoint_every=2)
    codes, (output,) = launch(1, config, tmp_path / "run", resume=True)
    assert codes == [1]
    assert "The checkpoint is of 2 process(es), now there are 1: with divide" in output
