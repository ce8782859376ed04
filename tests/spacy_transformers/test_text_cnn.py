"""`text_cnn` over a transformer of spacy-transformers."""

import socket

import numpy
import pytest
import spacy
from spacy.util import fix_random_seed
from transformers import BertConfig, BertModel, BertTokenizerFast

from tests.text_cnn.test_component import (
    add,
    empty_example,
    entities,
    listener,
    make_examples,
    unchanged,
    update_often,
    weights_of,
    words_of,
)

pytestmark = [
    # spacy-transformers 1.4 calls torch.cuda.amp, which torch 2.4 renamed.
    pytest.mark.filterwarnings("ignore:.*torch.cuda.amp.*:FutureWarning"),
]

HIDDEN = 16
VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *("ines", "took", "the", "fer", "##ry", "from", "car", "##row", "to", "bergen"),
    ".",
]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A folder with a tiny random BERT and its tokenizer."""
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(VOCABULARY) + "\n", encoding="utf8")
    fix_random_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast(str(vocabulary)).save_pretrained(folder)
    return folder


@pytest.fixture
def no_network(monkeypatch):
    """Refuse connections, and fail if one was tried and the error swallowed."""
    tried = []

    def connect(self, address):
        tried.append(address)
        raise OSError("there is no network in this test")

    monkeypatch.setattr(socket.socket, "connect", connect)
    yield
    assert not tried


@pytest.fixture
def transformer_chain(bert, no_network):
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe(
        "transformer",
        config={
            "model": {
                "@architectures": "spacy-transformers.TransformerModel.v3",
                "name": str(bert),
                "get_spans": {
                    "@span_getters": "spacy-transformers.strided_spans.v1",
                    "window": 6,
                    "stride": 4,
                },
                "tokenizer_config": {"use_fast": True},
            }
        },
    )
    upstream = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "grad_factor": 1.0,
        "upstream": "transformer",
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    add(nlp, "text_cnn", upstream, kernel_sizes=[2, 3])
    add(nlp, "crf_ner", listener("text_cnn", HIDDEN))
    return nlp


def encoder_weights(nlp):
    encoder = nlp.get_pipe("transformer").model.transformer
    return {
        name: value.detach().numpy().copy()
        for name, value in encoder.named_parameters()
        if not name.startswith("pooler")
    }


def test_training_changes_the_transformer(transformer_chain):
    nlp = transformer_chain
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    before, cnn = encoder_weights(nlp), weights_of(nlp.get_pipe("text_cnn"))
    losses = update_often(nlp, examples, optimizer)
    after = encoder_weights(nlp)
    assert losses["transformer"] > 0 and losses["text_cnn"] > 0
    assert not unchanged(cnn, weights_of(nlp.get_pipe("text_cnn")))
    assert not unchanged(before, after)


def test_a_saved_transformer_chain_predicts_the_same(transformer_chain, tmp_path):
    nlp = transformer_chain
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(5):
        nlp.update(examples, sgd=optimizer)
    nlp.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    for one, other in zip(
        nlp.pipe(words_of(examples)), loaded.pipe(words_of(examples)), strict=True
    ):
        assert entities(one) == entities(other)
        assert numpy.array_equal(one.tensor, other.tensor)
        assert one.tensor.shape == (len(one), HIDDEN)


@pytest.mark.parametrize("places", [[0], [1], [0, 4]])
def test_documents_without_words_pass_a_transformer_chain(transformer_chain, places):
    nlp = transformer_chain
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    expected = [entities(doc) for doc in nlp.pipe(words_of(examples))]
    batch = list(examples)
    for place in places:
        batch.insert(place, empty_example(nlp))
    docs = list(nlp.pipe(words_of(batch)))
    assert [len(docs[place]) for place in places] == [0] * len(places)
    assert [entities(doc) for doc in docs if len(doc)] == expected
    losses = nlp.update(batch, sgd=optimizer)
    assert all(numpy.isfinite(loss) for loss in losses.values())


def test_a_listener_that_would_cut_off_the_gradient_is_an_error(transformer_chain):
    nlp = transformer_chain
    upstream = nlp.get_pipe_config("text_cnn")["model"]["tok2vec"]
    config = {"model": {"tok2vec": upstream}}
    nlp.add_pipe("tagger", config=config, before="crf_ner")
    with pytest.raises(ValueError, match="'tagger' listens to 'transformer' between"):
        nlp.initialize(lambda: make_examples(nlp))


@pytest.mark.parametrize("place", [{"before": "text_cnn"}, {"after": "crf_ner"}])
def test_a_second_listener_in_another_place_is_fine(transformer_chain, place):
    nlp = transformer_chain
    upstream = nlp.get_pipe_config("text_cnn")["model"]["tok2vec"]
    nlp.add_pipe("crf_ner", "other", config={"model": {"tok2vec": upstream}}, **place)
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    before = encoder_weights(nlp)
    update_often(nlp, examples, optimizer)
    assert not unchanged(before, encoder_weights(nlp))


def test_a_listener_of_another_width_is_an_error():
    nlp = spacy.blank("en")
    nlp.add_pipe("text_cnn")
    nlp.add_pipe("crf_ner", config={"model": {"tok2vec": listener("text_cnn", 50)}})
    with pytest.raises(ValueError, match="expects vectors of width 50 from 'text_cnn'"):
        nlp.initialize(lambda: make_examples(nlp))
