"""Batches by word pieces, with a tokenizer that has a piece for each letter."""

import logging
import random
from itertools import count, islice

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy import registry
from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.loop import create_train_batches
from spacy.vocab import Vocab
from transformers import AutoTokenizer

from spacy_ner_ext.training.batcher import cut, make_batch_by_pieces, parse_size
from tests.helpers.encoders import SENTENCES, make_encoder

LENGTHS = st.lists(st.integers(0, 30), max_size=60)
VOCAB = Vocab()


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return str(make_encoder(tmp_path_factory.mktemp("bert"), "bert"))


def make_example(words):
    return Example(Doc(VOCAB, words=words), Doc(VOCAB, words=words))


def examples_of(lengths):
    """Documents of so many pieces: each word is one."""
    return [make_example(["e"] * length) for length in lengths]


def lengths_of(batches):
    return [[len(example.predicted) for example in batch] for batch in batches]


def batches_of(bert, lengths, *args, **settings):
    batcher = make_batch_by_pieces(bert, *args, **settings)
    return lengths_of(batcher(examples_of(lengths)))


def padded(batch):
    return max(batch) * len(batch)


def padding(batches):
    return sum(padded(batch) - sum(batch) for batch in batches)


def greedy(lengths, limit, size):
    """Brute force: the longest batches that keep the order."""
    batches = []
    for length in lengths:
        if batches and size([*batches[-1], length]) <= limit:
            batches[-1].append(length)
        else:
            batches.append([length])
    return batches


# --- What is in a batch -------------------------------------------------------


@given(lengths=LENGTHS, limit=st.integers(1, 60), is_padded=st.booleans())
def test_cut_makes_the_batches_of_brute_force(lengths, limit, is_padded):
    counted = [(length, length) for length in lengths]
    found = list(cut(counted, limit, is_padded))
    size = padded if is_padded else sum
    assert [batch for batch, _ in found] == greedy(lengths, limit, size)
    assert [total for _, total in found] == [size(batch) for batch, _ in found]


@settings(max_examples=40, deadline=None)
@given(
    lengths=LENGTHS,
    limit=st.integers(1, 60),
    unit=st.sampled_from(["pieces", "padded pieces"]),
    buffer=st.sampled_from([1, 2, 7, 256]),
)
def test_every_document_is_in_one_batch_within_the_limit(
    bert, lengths, limit, unit, buffer
):
    examples = examples_of(lengths)
    batcher = make_batch_by_pieces(bert, f"{limit} {unit}", buffer)
    batches = list(batcher(examples))
    ids = [id(example) for batch in batches for example in batch]
    assert sorted(ids) == sorted(map(id, examples))
    size = padded if unit == "padded pieces" else sum
    for batch in lengths_of(batches):
        assert len(batch) == 1 or size(batch) <= limit


@pytest.mark.parametrize("unit,size", [("pieces", sum), ("padded pieces", padded)])
def test_a_buffer_of_one_keeps_the_order_and_fills_batches(bert, unit, size):
    rng = random.Random(0)
    lengths = [rng.randrange(1, 20) for _ in range(300)]
    found = batches_of(bert, lengths, f"60 {unit}", 1)
    assert found == greedy(lengths, 60, size)


@pytest.mark.parametrize("buffer", [100, 256])
def test_documents_are_sorted_within_the_buffer_and_not_beyond(bert, buffer):
    rng = random.Random(0)
    lengths = [rng.randrange(1, 20) for _ in range(3 * buffer)]
    parts = [sorted(lengths[i : i + buffer]) for i in range(0, 3 * buffer, buffer)]
    expected = [batch for part in parts for batch in greedy(part, 60, sum)]
    found = batches_of(bert, lengths, 60, buffer)
    assert sorted(found) == sorted(expected)


def test_buckets_save_padding(bert):
    rng = random.Random(0)
    lengths = [rng.randrange(1, 60) for _ in range(400)]
    bucketed = batches_of(bert, lengths, "240 padded pieces")
    in_order = greedy(lengths, 240, padded)
    assert padding(bucketed) < 0.2 * padding(in_order)
    assert len(bucketed) < 0.7 * len(in_order)


def test_the_order_of_batches_is_random_and_that_of_a_seed(bert):
    lengths = [1 + i % 40 for i in range(200)]
    orders = []
    for seed in (0, 0, 1):
        random.seed(seed)
        orders.append(batches_of(bert, lengths, 80))
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])
    assert orders[0] != sorted(orders[0], key=max)


@pytest.mark.parametrize("buffer", [1, 4])
def test_an_endless_corpus_is_read_as_batches_are_taken(bert, buffer):
    batcher = make_batch_by_pieces(bert, 10, buffer)
    endless = (make_example(["e"] * (1 + i % 3)) for i in count())
    assert all(1 <= sum(b) <= 10 for b in lengths_of(islice(batcher(endless), 99)))


def test_no_documents_make_no_batch(bert):
    assert batches_of(bert, []) == []


# --- Counting -----------------------------------------------------------------


def test_pieces_are_those_of_the_tokenizer(bert):
    tokenizer = AutoTokenizer.from_pretrained(bert)
    texts = [sentence.split(" ") for sentence in SENTENCES]
    texts += [[], [" ", "\n"], ["\u200b", "Anna"]]
    for words in texts:
        encoded = tokenizer(words, is_split_into_words=True, add_special_tokens=False)
        n_pieces = len(encoded["input_ids"])
        assert n_pieces != len(words) or not words
        # Twice the document is one batch if the count is right, and two if it is more.
        twice = [make_example(words), make_example(words)]
        fits = make_batch_by_pieces(bert, max(1, 2 * n_pieces))
        assert len(list(fits(twice))) == 1
        if n_pieces:
            does_not = make_batch_by_pieces(bert, 2 * n_pieces - 1)
            assert len(list(does_not(twice))) == 2


def test_the_predicted_side_is_counted(bert):
    """It is what the encoder sees; gold tokenization may differ."""
    one = Example(Doc(VOCAB, words=["eeee"]), Doc(VOCAB, words=["e"] * 4))
    other = Example(Doc(VOCAB, words=["e"] * 2), Doc(VOCAB, words=["ee"]))
    batcher = make_batch_by_pieces(bert, 6)
    assert len(list(batcher([one, other]))) == 1
    batcher = make_batch_by_pieces(bert, 5)
    assert len(list(batcher([one, other]))) == 2


def test_the_tokenizer_gets_its_config(bert):
    words = [make_example(["Bergen"])]
    plain = make_batch_by_pieces(bert, 1, discard_oversize=True)
    config = {"additional_special_tokens": ["Bergen"]}
    special = make_batch_by_pieces(
        bert, 1, discard_oversize=True, tokenizer_config=config
    )
    assert (len(list(plain(words))), len(list(special(words)))) == (0, 1)


# --- Documents over the limit -------------------------------------------------


@pytest.mark.parametrize(
    "unit,expected",
    [
        ("pieces", [[3, 3, 4], [11], [50]]),
        ("padded pieces", [[3, 3], [4], [11], [50]]),
    ],
)
def test_an_oversize_document_is_a_batch_by_itself(bert, unit, expected):
    assert sorted(batches_of(bert, [3, 50, 3, 11, 4], f"10 {unit}")) == expected


@pytest.mark.parametrize("unit", ["pieces", "padded pieces"])
def test_oversize_documents_can_be_left_out_and_are_counted(bert, caplog, unit):
    caplog.set_level(logging.WARNING, logger="spacy")
    size = f"10 {unit}"
    found = batches_of(bert, [10, 50, 3, 11], size, discard_oversize=True)
    assert sorted(found) == [[3], [10]]
    [record] = caplog.records
    assert "discarded 2 document(s) of more than 10 pieces" in record.getMessage()


def test_nothing_is_reported_if_nothing_is_left_out(bert, caplog):
    caplog.set_level(logging.WARNING, logger="spacy")
    assert batches_of(bert, [10, 3], 10, discard_oversize=True)
    assert batches_of(bert, [10, 30], 10)
    assert not caplog.records


# --- Settings -----------------------------------------------------------------


@pytest.mark.parametrize(
    "size,expected",
    [
        ("4096 pieces", (4096, False)),
        ("4096 padded pieces", (4096, True)),
        (" 16   padded  pieces ", (16, True)),
        (4096, (4096, False)),
        ("4096", (4096, False)),
    ],
)
def test_sizes(size, expected):
    assert parse_size(size) == expected


@pytest.mark.parametrize(
    "size",
    ["", "pieces", "0 pieces", 0, -1, "-1 pieces", "1.5 pieces", 1.5, "9 words", None],
)
def test_a_size_that_is_none_is_an_error(size, bert):
    with pytest.raises(ValueError, match="of batch_by_pieces: set it") as error:
        make_batch_by_pieces(bert, size)
    assert str(error.value).startswith(f"size = {size!r} of")


@pytest.mark.parametrize("buffer", [0, -1])
def test_a_buffer_of_nothing_is_an_error(buffer, bert):
    with pytest.raises(ValueError, match=f"buffer = {buffer} of batch_by_pieces"):
        make_batch_by_pieces(bert, 10, buffer)


def test_an_encoder_that_is_not_there_is_an_error_with_the_first_batch(tmp_path):
    batcher = make_batch_by_pieces(str(tmp_path / "none"))
    with pytest.raises(ValueError, match="none' cannot be loaded: there is no such"):
        list(batcher(examples_of([1])))


def test_a_config_resolves_it_for_the_training_loop(bert):
    block = {
        "@batchers": "spacy_ner_ext.batch_by_pieces.v1",
        "name": bert,
        "size": "8 pieces",
    }
    batcher = registry.resolve({"batcher": block})["batcher"]
    lengths = [1, 2, 3, 4, 5]
    batches = create_train_batches(
        spacy.blank("xx"), lambda nlp: examples_of(lengths), batcher, 2
    )
    epochs = {0: [], 1: []}
    for epoch, batch in batches:
        epochs[epoch] += lengths_of([batch])
    for found in epochs.values():
        assert sorted(found) == [[1, 2, 3], [4], [5]]
