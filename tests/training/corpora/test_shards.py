"""Corpora of many .spacy files."""

import logging
import random
import weakref

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span

from spacy_ner_ext.data.read import read_docbin
from spacy_ner_ext.training.corpora import shards
from spacy_ner_ext.training.corpora.base import shuffled_in_buffer
from spacy_ner_ext.training.corpora.mixture import make_mixture
from spacy_ner_ext.training.corpora.sampler import make_sampler
from spacy_ner_ext.training.corpora.shards import make_shards
from spacy_ner_ext.util.errors import UserError


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("xx")


def write(folder, sizes, nlp):
    """Shards of these sizes; each document is the one word SHARD-NUMBER, an entity."""
    folder.mkdir(exist_ok=True)
    names = []
    for shard, size in enumerate(sizes):
        docs = []
        for number in range(size):
            doc = Doc(nlp.vocab, words=[f"{shard}-{number}"], spaces=[False])
            doc.set_ents([Span(doc, 0, 1, label=f"L{shard}")])
            doc.user_data["name"] = doc.text
            docs.append(doc)
            names.append(doc.text)
        DocBin(docs=docs, store_user_data=True).to_disk(folder / f"{shard:05}.spacy")
    return names


def texts(corpus, nlp):
    return [example.reference.text for example in corpus(nlp)]


def shard_of(text):
    return int(text.split("-")[0])


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=6),
    mixed=st.integers(1, 4),
    shuffle=st.booleans(),
)
def test_an_epoch_has_each_document_once(tmp_path_factory, nlp, sizes, mixed, shuffle):
    folder = tmp_path_factory.mktemp("shards")
    names = write(folder, sizes, nlp)
    corpus = make_shards(folder, shuffle=shuffle, mixed_shards=mixed)
    found = texts(corpus, nlp)
    assert sorted(found) == sorted(names)
    if not shuffle:
        groups = range(0, len(sizes), mixed)
        assert mixed > len(groups) or found == names
    for example in corpus(nlp):
        (ent,) = example.reference.ents
        assert ent.label_ == f"L{shard_of(ent.text)}"
        assert example.reference.user_data["name"] == ent.text


def test_shards_come_one_after_another_in_random_order(tmp_path, nlp):
    write(tmp_path, [5] * 8, nlp)
    corpus = make_shards(tmp_path)
    random.seed(0)
    orders = []
    for _ in range(3):
        found = texts(corpus, nlp)
        shards = [shard_of(text) for text in found]
        order = list(dict.fromkeys(shards))
        assert shards == [shard for shard in order for _ in range(5)]
        orders.append((order, found))
    assert len({tuple(order) for order, _ in orders}) == 3
    inside = {
        tuple(text for text in found if shard_of(text) == 3) for _, found in orders
    }
    assert len(inside) == 3


def test_mixed_shards_are_shuffled_together(tmp_path, nlp):
    write(tmp_path, [20] * 6, nlp)
    random.seed(0)
    found = texts(make_shards(tmp_path, mixed_shards=2), nlp)
    for first in range(0, 120, 40):
        shards = [shard_of(text) for text in found[first : first + 40]]
        assert len(set(shards)) == 2
        assert len(set(shards[:20])) == 2


def test_the_same_state_of_random_gives_the_same_order(tmp_path, nlp):
    write(tmp_path, [3] * 5, nlp)
    corpus = make_shards(tmp_path)
    random.seed(7)
    texts(corpus, nlp)
    state = random.getstate()
    expected = texts(corpus, nlp)
    after = random.getstate()
    random.setstate(state)
    found = []
    # Whatever else draws meanwhile.
    for example in make_shards(tmp_path)(nlp):
        random.random()
        found.append(example.reference.text)
    assert found == expected
    random.setstate(state)
    next(iter(corpus(nlp)))
    assert random.getstate() == after


def test_an_epoch_in_order_draws_nothing(tmp_path, nlp):
    names = write(tmp_path, [3] * 5, nlp)
    state = random.getstate()
    assert texts(make_shards(tmp_path, shuffle=False), nlp) == names
    assert random.getstate() == state


@pytest.mark.parametrize("mixed", [1, 2])
def test_memory_holds_no_other_shards(tmp_path, nlp, mixed, monkeypatch):
    write(tmp_path, [4] * 6, nlp)
    alive, most = weakref.WeakSet(), 0

    def read(path):
        stored = read_docbin(path)
        alive.add(stored)
        return stored

    monkeypatch.setattr(shards, "read_docbin", read)
    for _ in make_shards(tmp_path, mixed_shards=mixed)(nlp):
        most = max(most, len(alive))
    assert most == mixed
    assert not len(alive)


def test_a_limit_takes_the_same_first_documents_in_each_epoch(tmp_path, nlp):
    names = write(tmp_path, [4] * 5, nlp)
    corpus = make_shards(tmp_path, limit=6)
    epochs = [texts(corpus, nlp) for _ in range(5)]
    assert all(sorted(found) == names[:6] for found in epochs)
    assert len({tuple(found) for found in epochs}) > 1
    assert texts(make_shards(tmp_path, limit=6, shuffle=False), nlp) == names[:6]
    assert sorted(texts(make_shards(tmp_path, limit=99), nlp)) == names


def test_files_and_folders_can_be_listed(tmp_path, nlp):
    one = write(tmp_path / "one", [2, 2], nlp)
    write(tmp_path / "two", [1, 1], nlp)
    paths = [str(tmp_path / "one"), tmp_path / "two" / "00001.spacy"]
    assert texts(make_shards(paths, shuffle=False), nlp) == [*one, "1-0"]


def test_settings_of_spacys_corpus(tmp_path, nlp):
    doc = Doc(nlp.vocab, words=list("abcde"), sent_starts=[1, 0, 0, 1, 0])
    DocBin(docs=[doc]).to_disk(tmp_path / "all.spacy")

    def twice(nlp, example):
        yield example
        yield example

    assert texts(make_shards(tmp_path, max_length=4), nlp) == ["a b c ", "d e "]
    assert texts(make_shards(tmp_path, gold_preproc=True), nlp) == ["a b c ", "d e "]
    assert len(texts(make_shards(tmp_path, augmenter=twice), nlp)) == 2


def test_numbers_are_logged_once(tmp_path, nlp, caplog):
    write(tmp_path, [2, 3], nlp)
    corpus = make_shards(tmp_path)
    with caplog.at_level(logging.INFO, logger="spacy"):
        texts(corpus, nlp)
        texts(corpus, nlp)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: reading 2 shard(s)",
        f"{tmp_path}: read 2 shard(s) with 5 documents",
    ]


@pytest.mark.parametrize("content", [b"", b"no shard", None])
def test_a_broken_shard_is_named(tmp_path, nlp, content):
    write(tmp_path, [2, 2, 2], nlp)
    broken = tmp_path / "00001.spacy"
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(UserError, match="00001"):
        texts(make_shards(tmp_path), nlp)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"path": None}, "Shards.v1 has no path; set --paths.train"),
        ({"path": []}, "Shards.v1 has no path"),
        ({"mixed_shards": 0}, "mixed_shards = 0 of Shards.v1; set it to 1 or more"),
        ({"limit": -1}, "limit = -1 of Shards.v1; set it to 0 or more"),
        ({"max_length": -1}, "max_length = -1 of Shards.v1"),
    ],
)
def test_impossible_settings(tmp_path, values, what):
    with pytest.raises(UserError, match=what):
        make_shards(**{"path": tmp_path, **values})


@pytest.mark.parametrize("path", ["absent", "absent.spacy", "empty"])
def test_paths_without_shards(tmp_path, nlp, path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=path):
        texts(make_shards(tmp_path / path), nlp)


@given(items=st.lists(st.integers(), max_size=30), size=st.integers(0, 40))
def test_a_buffer_loses_nothing(items, size):
    found = list(shuffled_in_buffer(items, size, random.Random(0)))
    assert sorted(found) == sorted(items)
    if size < 2:
        assert found == items


@pytest.mark.parametrize(
    "make",
    [make_sampler, lambda corpus: make_mixture({"news": corpus})],
)
def test_shards_within_another_corpus_are_not_divided(tmp_path, make):
    make(make_shards(tmp_path))
    with pytest.raises(UserError, match=r"(Mixture|Sampler).*divide = true, .* false"):
        make(make_shards(tmp_path, divide=True))


def test_shares_of_shards(tmp_path, nlp):
    names = write(tmp_path, [3, 1, 2, 4, 2], nlp)
    shares = []
    for rank in range(3):
        corpus = make_shards(tmp_path, divide=True)
        corpus.rank, corpus.n_ranks = rank, 3
        random.seed(1)
        shares.append(texts(corpus, nlp))
    assert sorted(text for share in shares for text in share) == sorted(names)
    assert sorted(len({shard_of(t) for t in share}) for share in shares) == [1, 2, 2]
    corpus.n_ranks = 6
    with pytest.raises(UserError, match=r"5 shard\(s\), .* 6 processes: .* divide ="):
        texts(corpus, nlp)
