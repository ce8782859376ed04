"""Marked states, logits and gradients, against the unchanged encoder that reads texts
and markers in one row, as in SpanMarker."""

import copy
import inspect
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from unittest import mock

import numpy
import pytest
import torch
from thinc.api import fix_random_seed
from torch.nn import functional
from transformers import AutoModel

from spacy_ner_ext.encoder.compat import attention_mask
from spacy_ner_ext.span_marker import scorer as scorer_module
from spacy_ner_ext.span_marker.markers import Pairs
from spacy_ner_ext.span_marker.model import build_span_marker, scorer_of, shim_of
from spacy_ner_ext.span_marker.scorer import CandidateScores
from spacy_ner_ext.span_marker.settings import Context
from spacy_ner_ext.span_marker.windows import DocWords
from tests.helpers.encoders import (
    N_POSITIONS,
    WIDTH,
    bare_tokenizer,
    encoder_folder,
    make_encoder,
)

# Encoders for which transformers takes a mask and a position for each piece.
BY_MASK = ["bert", "roberta", "xlm-roberta", "electra"]
BY_ATTENTION = ["albert", "distilbert", "bart", "modernbert"]
N_LABELS = 4
MAX_WORDS = 3
TEXTS = [
    "Anna Berg lives in New York .",
    "Oslo",
    "It rains , and the ferry is late .",
    "the ferry from Bergen to Carrow",
    "in the ferry to Rome in the ferry to New York",
    "Tom met Ines",
]

KINDS = [*BY_MASK, *BY_ATTENTION]
every_kind = pytest.mark.parametrize("kind", KINDS)
some_kinds = pytest.mark.parametrize("kind", ["bert", "electra", "modernbert"])


class Marker:
    """A model, called with candidates."""

    def __init__(self, model):
        self.thinc, self.network = model, shim_of(model).model

    @property
    def scorer(self):
        return scorer_of(self.thinc)

    def score(self, candidates):
        return self.thinc.predict(candidates)

    def train(self, candidates, required):
        return self.thinc.begin_update(replace(candidates, required=required))


def make_marker(kind="bert", folder=None, **settings):
    """A model with random weights, without dropout in its head."""
    settings = {"candidates": "all", "head": "markers", **settings}
    fix_random_seed(0)
    name = str(folder or encoder_folder(kind))
    model = build_span_marker(name, entity_max_length=MAX_WORDS, **settings)
    model.initialize(Y=numpy.zeros((1, N_LABELS), "f"))
    marker = Marker(model)
    # As after training: no weight is zero.
    for name, weight in marker.network.named_parameters():
        if not name.startswith("encoder."):
            weight.data.normal_(std=0.5)
    marker.network.dropout.p = 0.0
    return marker


def words_in(texts):
    """Documents of one sentence each."""
    docs = [text.split() for text in texts]
    ends = numpy.cumsum([len(words) for words in docs])
    boundaries = numpy.stack([numpy.append(0, ends[:-1]), ends], axis=1)
    tokens = numpy.concatenate([numpy.arange(len(words)) for words in docs])
    return DocWords(docs, tokens, boundaries, numpy.arange(len(docs)))


def candidates_in(marker, texts=TEXTS):
    return marker.scorer.candidates(words_in(texts), Context())


def score(marker, texts=TEXTS, **settings):
    return marker.score(replace(candidates_in(marker, texts), **settings))


def assert_close(found, expected, atol=1e-4):
    numpy.testing.assert_allclose(
        numpy.asarray(found), numpy.asarray(expected), rtol=0, atol=atol
    )


# --- By hand -------------------------------------------------------------------


@cache
def parts_of(kind):
    """The encoder and its tokenizer as transformers loads them."""
    folder = encoder_folder(kind)
    how = "eager" if kind in BY_MASK else "sdpa"
    encoder = AutoModel.from_pretrained(folder, attn_implementation=how)
    if encoder.config.is_encoder_decoder:
        encoder = encoder.get_encoder()
    return encoder.eval(), bare_tokenizer(kind)


def unchanged(kind, network):
    """The encoder as transformers loads it, with the weights of a network."""
    encoder = copy.deepcopy(parts_of(kind)[0])
    n_pieces = network.encoder.get_input_embeddings().num_embeddings
    encoder.resize_token_embeddings(n_pieces, mean_resizing=False)
    weights = network.encoder.state_dict()
    missing, unexpected = encoder.load_state_dict(weights, strict=False)
    assert not unexpected and all("pooler" in name for name in missing)
    return encoder


def pieces_of(kind, text):
    """The pieces of a text with special ones, and the first and the last place of each
    word there."""
    words = text.split()
    cut = parts_of(kind)[1](words, is_split_into_words=True)
    owners = numpy.array([-1 if i is None else i for i in cut.word_ids()])
    places = [numpy.flatnonzero(owners == i) for i in range(len(words))]
    return cut["input_ids"], [(own[0], own[-1]) for own in places]


def pairs_of(places):
    """The places of all spans, in their order."""
    for start in range(len(places)):
        for end in range(start, min(start + MAX_WORDS, len(places))):
            yield int(places[start][0]), int(places[end][1])


def row_of(ids, pairs, markers, offset):
    """Pieces, positions and mask of a text followed by pairs, as in SpanMarker."""
    n, m = len(ids), len(pairs)
    begin = n + n % 2
    width = begin + 2 * m
    row, positions = torch.zeros(width).long(), torch.ones(width).long()
    mask = torch.zeros(width, width, dtype=torch.bool)
    row[:n], positions[:n] = torch.tensor(ids), torch.arange(n) + offset
    mask[:n, :n] = True
    for k, (start, end) in enumerate(pairs):
        own = begin + k, begin + m + k
        for marker, at, this in zip(markers, (start, end), own):
            row[this], positions[this] = marker, at + offset
            mask[this, :n] = mask[this, own[0]] = mask[this, own[1]] = True
    return row, positions, mask, torch.arange(begin, width).view(2, m).T


def run(encoder, row, positions, mask):
    """The states of a row. An encoder that takes no positions gets them where it looks
    them up."""
    known = inspect.signature(encoder.forward).parameters
    options = {"position_ids": positions[None], "token_type_ids": row[None] * 0}
    options = {name: value for name, value in options.items() if name in known}
    tables = [
        module.weight
        for name, module in encoder.named_modules()
        if name.endswith(("position_embeddings", "embed_positions"))
    ]
    real = functional.embedding

    def embed(ids, weight, *args, **settings):
        is_position = any(weight is table for table in tables)
        return real(positions[None] if is_position else ids, weight, *args, **settings)

    with mock.patch.object(functional, "embedding", embed):
        return encoder(row[None], attention_mask=mask, **options).last_hidden_state[0]


@contextmanager
def attention(change):
    """Torch's attention, with another mask: made of the number of the layer and of the
    mask that the encoder gave."""
    real, calls = functional.scaled_dot_product_attention, []

    def attend(query, key, value, attn_mask=None, **options):
        calls.append(attn_mask)
        return real(query, key, value, change(len(calls) - 1, attn_mask), **options)

    with mock.patch.object(functional, "scaled_dot_product_attention", attend):
        yield calls


def as_bools(mask, n):
    if mask is None:
        return torch.ones(n, n, dtype=torch.bool)
    mask = mask if mask.dtype is torch.bool else mask == 0
    return mask[0, 0].expand(n, n)


def states_by_attention(encoder, ids, pairs, row, positions, mask):
    """The states of a row in an encoder that knows no such mask. Of the text a marker
    sees what the piece at its place sees when the encoder reads the text alone."""
    n, width = len(ids), len(row)
    with torch.no_grad(), attention(lambda _, own: own) as seen:
        encoder(torch.tensor([ids]), attention_mask=torch.ones(1, n).long())
    places = torch.tensor(pairs).T.flatten()

    def with_markers(layer, _):
        own = as_bools(seen[layer], n)
        changed = mask.clone()
        changed[:n, :n] = own
        changed[width - len(places) :, :n] = own[places]
        # Rows that see nothing would be NaN.
        return (changed | torch.eye(width, dtype=torch.bool))[None, None]

    with attention(with_markers):
        return run(encoder, row, positions, torch.ones(1, width).long())


def states_by_hand(kind, encoder, network, text):
    """The states of the markers of all spans of a text, and those of the text at the
    same places, each of shape (n_spans, 2, width)."""
    ids, places = pieces_of(kind, text)
    pairs = list(pairs_of(places))
    row, positions, mask, columns = row_of(ids, pairs, network.markers, network.offset)
    if kind in BY_MASK:
        states = run(encoder, row, positions, attention_mask(mask[None]))
    else:
        states = states_by_attention(encoder, ids, pairs, row, positions, mask)
    return states[columns], states[torch.tensor(pairs)]


def logits_by_hand(kind, encoder, network, text):
    """The logits of all spans of a text."""
    marked, plain = states_by_hand(kind, encoder, network, text)
    parts = [marked, plain] if network.with_text else [marked]
    features = torch.cat([part.flatten(1) for part in parts], -1)
    head = network.classifier
    return functional.linear(features, head.weight, head.bias)


def filtered_by_hand(network, states, text):
    """The logits of the filter for all spans of a text."""
    n = len(text.split())
    starts = [start for start in range(n) for _ in range(min(MAX_WORDS, n - start))]
    widths = [i - starts.index(start) for i, start in enumerate(starts)]
    linear = network.filter.boundary
    ends = (states * linear.weight).sum(dim=(1, 2))
    return ends + linear.bias.sum() + network.filter.width[widths]


# --- States and logits ---------------------------------------------------------


def mark(network, kind, texts):
    """The states of the markers of some texts that are read together."""
    cut = [pieces_of(kind, text) for text in texts]
    width = max(len(ids) for ids, _ in cut)
    rows = numpy.zeros((len(cut), width), "int64")
    mask = numpy.zeros((len(cut), width), bool)
    for i, (ids, _) in enumerate(cut):
        rows[i, : len(ids)], mask[i, : len(ids)] = ids, True
    pairs = [
        (i, *pair) for i, (_, places) in enumerate(cut) for pair in pairs_of(places)
    ]
    own, starts, ends = numpy.array(pairs).T
    text = network.eval().read(rows, mask, with_states=False)
    return network.mark([text], Pairs(own * 0, own, starts, ends)), own


@every_kind
@torch.no_grad()
def test_marked_states_are_those_of_the_unchanged_encoder(kind):
    network = make_marker(kind, position_offset="auto").network
    found, own = mark(network, kind, TEXTS)
    encoder = unchanged(kind, network)
    assert found.dtype is torch.float32
    for i, text in enumerate(TEXTS):
        expected, _ = states_by_hand(kind, encoder, network, text)
        assert_close(found[own == i], expected, atol=1e-4)
        assert expected.std() > 0.1


@pytest.mark.parametrize(
    "kind,head",
    [*((kind, "markers+text") for kind in KINDS), ("bert", "markers")],
)
def test_logits_are_those_of_the_unchanged_encoder(kind, head):
    marker = make_marker(kind, head=head)
    parts = kind, unchanged(kind, marker.network), marker.network
    expected = [logits_by_hand(*parts, text).detach() for text in TEXTS]
    scored = score(marker)
    assert scored.logits.shape == (len(scored.chosen), N_LABELS)
    assert scored.filter_logits is None
    assert_close(scored.logits, torch.cat(expected))


@some_kinds
def test_training_gives_the_logits_that_predicting_gives(kind):
    marker = make_marker(
        kind, head="markers+text", candidates="filtered", filter_ratio=9
    )
    found = candidates_in(marker)
    spans = found.spans
    nothing = numpy.zeros(len(spans), bool)
    trained, _ = marker.train(found, nothing)
    predicted = marker.score(found)
    assert trained.chosen.tolist() == predicted.chosen.tolist()
    assert_close(trained.logits, predicted.logits)
    assert_close(trained.filter_logits, predicted.filter_logits)


@pytest.mark.parametrize("kind", ["bert", "modernbert", "electra"])
@torch.no_grad()
def test_the_filter_sees_the_text_alone_and_chooses_the_best(kind):
    marker = make_marker(
        kind, head="markers+text", candidates="filtered", filter_threshold=0.3
    )
    scored = score(marker)
    parts = kind, unchanged(kind, marker.network), marker.network
    logits, filtered, chosen, n = [], [], [], 0
    for text in TEXTS:
        _, plain = states_by_hand(*parts, text)
        own = filtered_by_hand(marker.network, plain, text)
        budget = max(4, int(numpy.ceil(0.3 * len(text.split()))))
        best = sorted(range(len(own)), key=lambda i: -own[i])[:budget]
        best = sorted(i for i in best if torch.sigmoid(own[i]) >= 0.3)
        logits.append(logits_by_hand(*parts, text)[best])
        filtered.append(own)
        chosen += [n + i for i in best]
        n += len(own)
    assert 0 < len(chosen) < n
    assert scored.chosen.tolist() == chosen
    assert_close(scored.filter_logits, torch.cat(filtered))
    assert_close(scored.logits, torch.cat(logits))


def test_all_of_a_filtered_model_are_those_of_all():
    marker = make_marker(candidates="filtered")
    expected = score(marker, use_filter=False)
    assert expected.filter_logits is None
    n_spans = len(candidates_in(marker).spans)
    assert expected.chosen.tolist() == list(range(n_spans))
    filtered = score(marker)
    assert_close(filtered.logits, expected.logits[filtered.chosen])


# --- Batches -------------------------------------------------------------------


@some_kinds
@pytest.mark.parametrize("limit", [5, 30])
def test_logits_do_not_depend_on_the_pairs_of_a_pass(kind, limit):
    expected = score(make_marker(kind, head="markers+text"))
    marker = make_marker(kind, head="markers+text", markers_per_batch=limit)
    assert_close(score(marker).logits, expected.logits)
    found = candidates_in(marker)
    spans = found.spans
    trained, _ = marker.train(found, numpy.ones(len(spans), bool))
    assert_close(trained.logits, expected.logits)


@some_kinds
def test_logits_do_not_depend_on_what_else_there_is(kind, monkeypatch):
    marker = make_marker(kind, head="markers+text")
    expected = score(marker).logits
    alone = [score(marker, [text]).logits for text in TEXTS]
    assert_close(numpy.concatenate(alone), expected)
    backwards = [score(marker, TEXTS[::-1]).logits]
    counts = numpy.cumsum([len(logits) for logits in alone[::-1]])[:-1]
    backwards = numpy.split(backwards[0], counts)[::-1]
    assert_close(numpy.concatenate(backwards), expected)
    for most in (1, 60, 10_000):
        monkeypatch.setattr(
            scorer_module, "MAX_BATCH_PIECES", {"cpu": most, "cuda": most}
        )
        assert_close(score(marker).logits, expected)


@some_kinds
def test_logits_do_not_depend_on_other_spans(kind):
    marker = make_marker(kind)
    found = candidates_in(marker)
    spans = found.spans
    expected = marker.score(found).logits
    rng = numpy.random.default_rng(0)
    for n in (1, 2, len(spans) // 2):
        some = rng.permutation(len(spans))[:n]
        assert_close(
            marker.score(replace(found, spans=spans[some])).logits, expected[some]
        )


@pytest.mark.parametrize("kind", ["bert", "albert", "electra", "bart"])
def test_logits_do_not_depend_on_padding(kind):
    network = make_marker(kind).network
    with torch.no_grad():
        for text in TEXTS[:3]:
            alone, _ = mark(network, kind, [text])
            padded, own = mark(network, kind, [TEXTS[4], text, TEXTS[4], text])
            assert_close(padded[own == 1], alone)
            assert_close(padded[own == 3], alone)


@every_kind
def test_pairs_of_the_same_places_share_work_before_the_first_attention(kind):
    marker = make_marker(kind)
    texts = [TEXTS[4]] * 4
    found = score(marker, texts).logits
    calls = []
    real = marker.network._share
    with mock.patch.object(
        marker.network, "_share", lambda pairs: calls.append(real(pairs))
    ):
        expected = score(marker, texts).logits
    assert_close(found, expected)
    if marker.network.structured:
        assert calls and all(shared is not None for shared in calls)


def test_without_spans_there_are_no_logits():
    marker = make_marker(candidates="filtered")
    found = candidates_in(marker)
    nothing = replace(found, spans=found.spans[:0])
    for scored in (
        marker.score(nothing),
        marker.train(nothing, numpy.zeros(0, bool))[0],
    ):
        assert scored.logits.shape == (0, N_LABELS) and len(scored.chosen) == 0


def test_mixed_precision_is_about_the_same():
    expected = score(make_marker(head="markers+text")).logits
    marker = make_marker(head="markers+text", precision="bf16")
    found = score(marker).logits
    assert found.dtype == numpy.float32
    assert_close(found, expected, atol=0.1 * numpy.abs(expected).max())
    assert abs(found - expected).max() > 1e-4


# --- Gradients -----------------------------------------------------------------


def draw(array, seed=0):
    rng = numpy.random.default_rng(seed)
    return rng.normal(size=array.shape).astype("float32")


def gradients(marker, texts=TEXTS, keep=1.0, between=None):
    """The gradients of all weights for a random gradient of the logits."""
    found = candidates_in(marker, texts)
    kept = numpy.random.default_rng(1).random(len(found.spans)) < keep
    scored, backprop = marker.train(found, kept)
    if between is not None:
        between()
    d_filter = scored.filter_logits
    d_filter = None if d_filter is None else draw(d_filter, 2)
    backprop(CandidateScores(found, scored.chosen, draw(scored.logits), d_filter))
    named = marker.network.named_parameters()
    return {name: w.grad.clone() for name, w in named if w.grad is not None}


def assert_same_gradients(found, expected):
    assert set(found) == set(expected)
    for name, gradient in expected.items():
        most = float(gradient.abs().max())
        assert_close(found[name], gradient, atol=1e-3 * most + 1e-3)


@every_kind
def test_gradients_are_those_of_the_unchanged_encoder(kind):
    marker = make_marker(kind, head="markers+text", markers_per_batch=40)
    found = gradients(marker)
    marker.network.zero_grad()
    encoder = unchanged(kind, marker.network)
    logits = [logits_by_hand(kind, encoder, marker.network, text) for text in TEXTS]
    together = torch.cat(logits)
    together.backward(torch.from_numpy(draw(together)))
    named = encoder.named_parameters()
    expected = {f"encoder.{name}": w.grad for name, w in named if w.grad is not None}
    for name, weight in marker.network.classifier.named_parameters():
        expected[f"classifier.{name}"] = weight.grad
    pieces = marker.network.encoder.get_input_embeddings().weight
    [table] = [
        name for name, w in marker.network.encoder.named_parameters() if w is pieces
    ]
    assert expected[f"encoder.{table}"][list(marker.network.markers)].abs().min() > 0
    assert_same_gradients(found, expected)


@some_kinds
@pytest.mark.parametrize("head", ["markers", "markers+text"])
def test_gradients_of_several_passes_are_those_of_one(kind, head):
    found = []
    for most in (None, 11):
        marker = make_marker(
            kind,
            head=head,
            markers_per_batch=most,
            candidates="filtered",
            filter_ratio=1.0,
        )
        found.append(gradients(marker, keep=0.3))
    assert {"filter.width", "filter.boundary.weight"} <= set(found[0])
    assert_same_gradients(found[1], found[0])


def test_activations_of_the_last_pass_alone_are_kept():
    marker = make_marker(markers_per_batch=20)
    found = candidates_in(marker)
    spans = found.spans
    calls = []
    real = marker.network.mark
    with mock.patch.object(
        marker.network, "mark", lambda *args: calls.append(0) or real(*args)
    ):
        scored, backprop = marker.train(found, spans.first >= 0)
        n_passes = -(-len(spans) // 20)
        assert len(calls) == n_passes > 2
        backprop(CandidateScores(found, scored.chosen, draw(scored.logits), None))
    assert len(calls) == 2 * n_passes - 1


@pytest.mark.parametrize("limit", [None, 7])
def test_predicting_before_the_gradient_comes_does_not_change_it(limit, tmp_path):
    """As an annotating component does; a second pass has the dropout of the first."""
    folder = make_encoder(tmp_path, "bert", hidden_dropout_prob=0.5)
    found = []
    for predicts in (False, True):
        marker = make_marker(folder=folder, markers_per_batch=limit)
        marker.network.dropout.p = 0.5
        between = (lambda marker=marker: score(marker)) if predicts else None
        fix_random_seed(0)
        found.append(gradients(marker, between=between))
    assert_same_gradients(found[1], found[0])


def test_dropout_is_that_of_the_encoder(tmp_path):
    folder = make_encoder(tmp_path, "bert", hidden_dropout_prob=0.25)
    model = build_span_marker(str(folder))
    model.initialize(Y=numpy.zeros((1, N_LABELS), "f"))
    assert shim_of(model).model.dropout.p == 0.25


@pytest.mark.parametrize(
    "freeze,trained", [(True, set()), (2, {"layer.2."}), (False, {"embeddings."})]
)
@pytest.mark.parametrize("limit", [None, 7])
def test_frozen_weights_have_no_gradient(freeze, trained, limit):
    marker = make_marker(freeze=freeze, markers_per_batch=limit)
    found = gradients(marker)
    assert {name for name in found if not name.startswith("encoder.")} == {
        "classifier.weight",
        "classifier.bias",
    }
    parts = ("embeddings.", "layer.0.", "layer.1.", "layer.2.")
    has = {part for part in parts if any(part in name for name in found)}
    assert has == (set(parts) if freeze is False else trained)


def test_pieces_that_do_not_occur_have_no_gradient():
    marker = make_marker()
    found = gradients(marker, ["the ferry"])[
        "encoder.embeddings.word_embeddings.weight"
    ]
    ids, _ = pieces_of("bert", "the ferry")
    used = torch.unique(torch.tensor([*ids, *marker.network.markers]))
    assert torch.nonzero(found.abs().sum(1)).flatten().tolist() == used.tolist()


# --- Encoders ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["deberta-v2", "t5"])
def test_an_encoder_that_cannot_be_marked_is_an_error(kind):
    name = str(encoder_folder(kind))
    model = build_span_marker(name)
    message = r"cannot be used by SpanMarker.*Choose one that works: BERT, RoBERTa"
    with pytest.raises(ValueError, match=message) as caught:
        model.initialize(Y=numpy.zeros((1, N_LABELS), "f"))
    assert name in str(caught.value)


def test_a_marker_sees_of_the_text_what_the_piece_at_its_place_sees():
    """ModernBERT: a layer of local attention between two of global attention."""
    network = make_marker("modernbert").network
    ids, _ = pieces_of("modernbert", " ".join(TEXTS[2:5]))
    n = len(ids)
    rows = numpy.array([ids])
    text = network.read(rows, rows >= 0, with_states=False)
    masks = [as_bools(layer.bias, n) for layer in text.layers[:2]]
    assert masks[0].all()
    far = torch.arange(n)[:, None] - torch.arange(n)
    assert (masks[1] == (far.abs() <= 8)).all()


@pytest.mark.parametrize("kind", ["bert", "roberta", "bart"])
@pytest.mark.parametrize("offset", [2, "auto"])
def test_a_window_is_no_longer_than_the_positions(kind, offset):
    marker = make_marker(kind, position_offset=offset, model_max_length=512)
    table = N_POSITIONS + (2 if kind == "bart" else 0)
    assert marker.scorer.size == table - marker.network.offset - 2
    texts = [" ".join(TEXTS * 3), "Oslo"]
    found = candidates_in(marker, texts)
    windows, spans = found.windows, found.spans
    assert (
        windows.n[0] > 1 and (windows.ends - windows.starts).max() == marker.scorer.size
    )
    for scored in (
        marker.score(found),
        marker.train(found, spans.first >= 0)[0],
    ):
        assert numpy.isfinite(scored.logits).all()


def test_without_a_table_of_positions_a_window_is_as_long_as_asked_for():
    marker = make_marker("modernbert", model_max_length=300)
    assert marker.scorer.size == 298
    assert numpy.isfinite(score(marker, [" ".join(TEXTS * 5)]).logits).all()


@pytest.mark.parametrize(
    "kind,first",
    [
        ("bert", 0),
        ("electra", 0),
        ("albert", 0),
        ("distilbert", 0),
        ("roberta", 2),
        ("xlm-roberta", 2),
        ("bart", 2),
        ("modernbert", 0),
    ],
)
def test_positions_may_begin_as_in_the_encoder(kind, first):
    marker = make_marker(kind, position_offset="auto")
    assert marker.network.offset == first
    assert make_marker(kind).network.offset == 2


@every_kind
@torch.no_grad()
def test_with_automatic_positions_a_text_has_the_states_of_the_bare_encoder(kind):
    network = make_marker(kind, position_offset="auto").network.eval()
    encoder = unchanged(kind, network)
    ids, _ = pieces_of(kind, TEXTS[0])
    rows = numpy.array([ids])
    found = network.read(rows, rows >= 0, with_states=True).states
    assert found.shape == (1, len(ids), WIDTH)
    assert_close(found, encoder(torch.tensor(rows)).last_hidden_state)


def test_markers_are_new_pieces_of_a_matrix_of_a_multiple_of_eight():
    marker = make_marker()
    table = marker.network.encoder.get_input_embeddings()
    assert table.num_embeddings % 8 == 0
    bare = AutoModel.from_pretrained(encoder_folder("bert"))
    n_before = bare.get_input_embeddings().num_embeddings
    assert marker.network.markers == (n_before, n_before + 1)
    before = bare.get_input_embeddings().weight
    assert torch.equal(table.weight[:n_before], before)
    assert not table.weight[n_before:].any(1).logical_not().any()
