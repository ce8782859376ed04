"""`text_cnn` in pipelines: alone, over tok2vec and over a transformer."""

import numpy
import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed

WIDTH = 16
WORDS = ["Ines", "took", "the", "ferry", "from", "Carrow", "to", "Bergen", "."]
ENTITIES = [(0, 1, "PERSON"), (5, 6, "PLACE"), (7, 8, "PLACE")]
EMBED = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "pretrained_vectors": None,
    "width": WIDTH,
    "depth": 1,
    "embed_size": 200,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": True,
}


def listener(upstream, width=WIDTH):
    return {
        "@architectures": "spacy.Tok2VecListener.v1",
        "width": width,
        "upstream": upstream,
    }


def add(nlp, factory, tok2vec, name=None, **options):
    config = {"model": {"tok2vec": tok2vec, **options}}
    return nlp.add_pipe(factory, name=name, config=config)


def make_chain(crf_listens_to="text_cnn", **options):
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec", config={"model": EMBED})
    add(nlp, "text_cnn", listener("tok2vec"), **options)
    width = options.get("output_size") or WIDTH
    add(nlp, "crf_ner", listener(crf_listens_to, width))
    return nlp


def make_examples(nlp, n_docs=3):
    examples = []
    for i in range(n_docs):
        predicted = Doc(nlp.vocab, words=WORDS[: len(WORDS) - i])
        reference = predicted.copy()
        spans = [reference.char_span(0, 4, label="PERSON")]
        spans += [reference[s:e] for s, e, _ in ENTITIES[1:] if e <= len(reference)]
        for span in spans[1:]:
            span.label_ = "PLACE"
        reference.set_ents(spans)
        examples.append(Example(predicted, reference))
    return examples


def empty_example(nlp):
    return Example(Doc(nlp.vocab), Doc(nlp.vocab))


def weights_of(pipe):
    """Copies of all weights, by position and name of their node."""
    return {
        (i, node.name, name): node.get_param(name).copy()
        for i, node in enumerate(pipe.model.walk())
        for name in node.param_names
        if node.has_param(name)
    }


def unchanged(before, after):
    return [key for key in before if numpy.array_equal(before[key], after[key])]


def update_often(nlp, examples, optimizer):
    """spaCy applies a pipe's gradient right after its own update, when those of its
    listeners are not there yet: what they send counts one update later. And nothing
    passes through emissions that are zero yet."""
    for _ in range(3):
        nlp.update(examples, sgd=optimizer)
    return nlp.update(examples, sgd=optimizer)


def entities(doc):
    return [(e.start, e.end, e.label_, e._.score) for e in doc.ents]


def words_of(examples):
    return [Doc(eg.predicted.vocab, words=[t.text for t in eg.x]) for eg in examples]


def test_added_with_defaults_it_writes_tensors():
    nlp = spacy.blank("en")
    pipe = nlp.add_pipe("text_cnn")
    nlp.initialize(lambda: make_examples(nlp))
    docs = list(nlp.pipe(["", "Ines took the ferry.", ""]))
    assert [doc.tensor.shape for doc in docs] == [(0, 96), (5, 96), (0, 96)]
    assert pipe.model.get_dim("nO") == 96
    assert numpy.isfinite(docs[1].tensor).all() and docs[1].tensor.any()


def test_a_listener_gets_what_it_writes():
    nlp = make_chain(output_size=10)
    nlp.initialize(lambda: make_examples(nlp))
    seen = []
    crf = nlp.get_pipe("crf_ner")
    predict = crf.predict
    crf.predict = lambda docs: seen.extend(d.tensor for d in docs) or predict(docs)
    docs = list(nlp.pipe(words_of(make_examples(nlp))))
    assert nlp.get_pipe("text_cnn").listening_components == ["crf_ner"]
    for doc, tensor in zip(docs, seen, strict=True):
        assert tensor.shape == (len(doc), 10)
        vectors = crf.model.get_ref("tok2vec").predict([doc])[0]
        assert numpy.array_equal(vectors, tensor)


@pytest.mark.parametrize("output_size", [None, 6])
def test_the_gradient_reaches_every_weight_below(output_size):
    fix_random_seed(0)
    nlp = make_chain(output_size=output_size, kernel_sizes=[2, 3])
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    before = {name: weights_of(pipe) for name, pipe in nlp.pipeline}
    losses = update_often(nlp, examples, optimizer)
    for name, pipe in nlp.pipeline:
        assert not unchanged(before[name], weights_of(pipe)), name
        assert losses[name] > 0


def test_the_chain_learns():
    fix_random_seed(0)
    nlp = make_chain(kernel_sizes=[3])
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(30):
        nlp.update(examples, sgd=optimizer)
    doc = nlp(Doc(nlp.vocab, words=WORDS))
    assert [(e.start, e.end, e.label_) for e in doc.ents] == ENTITIES


@pytest.mark.parametrize("places", [[0], [1], [0, 2], []])
def test_documents_without_words_are_trained_on_and_predicted(places):
    """Anywhere in a batch, and in a batch of nothing else."""
    fix_random_seed(0)
    nlp = make_chain()
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: [empty_example(nlp), *examples])
    batch = examples if places else []
    for place in places or (0, 1):
        batch.insert(place, empty_example(nlp))
    losses = nlp.update(batch, sgd=optimizer)
    assert all(numpy.isfinite(loss) for loss in losses.values())
    docs = list(nlp.pipe(words_of(batch)))
    for doc, example in zip(docs, batch, strict=True):
        assert doc.tensor.shape == (len(example.x), WIDTH)


def test_without_a_word_it_cannot_be_initialized():
    nlp = spacy.blank("en")
    add(nlp, "text_cnn", EMBED, name="cnn")
    with pytest.raises(ValueError, match="'cnn' cannot be initialized: no training"):
        nlp.initialize(lambda: [empty_example(nlp)])


@pytest.mark.parametrize(
    "upstream,message",
    [
        ("tok2vec", "'crf_ner' listens to 'tok2vec', but 'text_cnn' between them"),
        ("*", "'crf_ner' listens to '\\*', which includes both 'tok2vec' and"),
    ],
)
def test_a_listener_to_a_tok2vec_before_it_is_an_error(upstream, message):
    """It would not get the vectors, or take the gradient away from tok2vec."""
    nlp = make_chain(crf_listens_to=upstream)
    with pytest.raises(ValueError, match=message) as error:
        nlp.initialize(lambda: make_examples(nlp))
    assert "'text_cnn'" in str(error.value) and "\n" not in str(error.value)


def test_listeners_before_it_and_without_another_tok2vec_are_fine():
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec", config={"model": EMBED})
    add(nlp, "crf_ner", listener("tok2vec"), name="below")
    add(nlp, "text_cnn", listener("*"))
    add(nlp, "crf_ner", listener("text_cnn"), name="above")
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    before = {name: weights_of(pipe) for name, pipe in nlp.pipeline}
    update_often(nlp, examples, optimizer)
    for name, pipe in nlp.pipeline:
        assert not unchanged(before[name], weights_of(pipe)), name
    alone = spacy.blank("en")
    add(alone, "text_cnn", EMBED)
    add(alone, "crf_ner", listener("*"))
    alone.initialize(lambda: make_examples(alone))
    assert alone.get_pipe("text_cnn").listening_components == ["crf_ner"]


def test_save_and_load(tmp_path):
    nlp = make_chain(output_size=6, normalize="post", activation="gelu")
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=optimizer)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.config.to_str() == nlp.config.to_str()
    one, other = nlp(words_of(examples)[0]), loaded(words_of(examples)[0])
    assert numpy.array_equal(one.tensor, other.tensor)
    assert entities(one) == entities(other)
