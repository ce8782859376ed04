import numpy
import pytest
import spacy
from spacy.pipeline.tok2vec import Tok2VecListener

from tests.helpers.encoders import WIDTH, encoder_folder, module_of
from tests.helpers.pipelines import CORPUS, make_examples

NAME = "spacy_ner_ext.Tok2VecListener.v1"


def build(**factors):
    """Components that share an encoder, each with a factor."""
    nlp = spacy.blank("xx")
    transformer = {
        "@architectures": "spacy_ner_ext.Transformer.v1",
        "name": str(encoder_folder()),
        "window": 16,
        "stride": 10,
        "transformer_config": {
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
    }
    nlp.add_pipe("tok2vec", config={"model": transformer})
    for name, factor in factors.items():
        listener = {
            "@architectures": NAME,
            "width": WIDTH,
            "upstream": "tok2vec",
            "grad_factor": factor,
        }
        nlp.add_pipe("crf_ner", name=name, config={"model": {"tok2vec": listener}})
    examples = make_examples(nlp, CORPUS)
    spacy.util.fix_random_seed(0)
    nlp.initialize(lambda: examples)
    return nlp, examples


def encoder_gradient(**factors):
    nlp, examples = build(**factors)
    for name in factors:
        weights = nlp.get_pipe(name).model.get_ref("output_layer")
        weights.set_param("W", numpy.full_like(weights.get_param("W"), 0.1))
        weights.get_param("W")[::3] = -0.2
    nlp.update(examples, sgd=False)
    weight = module_of(nlp.get_pipe("tok2vec").model).encoder
    return weight.embeddings.word_embeddings.weight.grad.numpy().copy()


def test_the_gradient_of_the_encoder_is_scaled():
    once, half = encoder_gradient(a=1.0), encoder_gradient(a=0.5)
    assert abs(once).max() > 0
    numpy.testing.assert_allclose(half, 0.5 * once, atol=1e-7)


def test_gradients_of_several_listeners_are_added_by_their_factors():
    once = encoder_gradient(a=1.0)
    both = encoder_gradient(a=1.0, b=0.25)
    numpy.testing.assert_allclose(both, 1.25 * once, atol=1e-6)
    assert not encoder_gradient(a=0.0).any()


def test_is_a_listener_of_spacy():
    nlp, _ = build(a=0.5)
    (listener,) = nlp.get_pipe("tok2vec").listener_map["a"]
    assert isinstance(listener, Tok2VecListener)
    loaded = build(a=0.5)[0].from_bytes(nlp.to_bytes())
    text = "Anna Berg lives in New York ."
    before = [(ent.text, ent.label_, ent._.score) for ent in nlp(text).ents]
    assert [(e.text, e.label_, e._.score) for e in loaded(text).ents] == before
    nlp.replace_listeners("tok2vec", "a", ["model.tok2vec"])
    assert nlp.get_pipe("a").model.get_ref("tok2vec").name == "transformer"


def test_a_negative_factor_is_an_error():
    with pytest.raises(ValueError, match=r"grad_factor = -1.*at least 0"):
        build(a=-1.0)
