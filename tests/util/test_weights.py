"""The walk over weights: their paths, keys and arrays."""

import re

import numpy
import pytest
from spacy import registry
from thinc.api import Linear, Model, chain, with_array

from spacy_ner_ext.util.weights import as_tensor, iter_weights
from tests.helpers.encoders import KINDS, N_LAYERS, WIDTH, make_encoder
from tests.helpers.pipelines import (
    TOK2VEC,
    build,
    crf,
    listener,
    make_examples,
    step,
    text_cnn,
)

DEEP = {**TOK2VEC, "depth": 3, "subword_features": True}
NER = {
    "@architectures": "spacy.TransitionBasedParser.v2",
    "state_type": "ner",
    "extra_state_tokens": False,
    "hidden_width": 8,
    "maxout_pieces": 2,
    "use_upper": True,
    "nO": None,
}


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("bert"), "bert")


def transformer(folder, **settings):
    return {
        "@architectures": "spacy_ner_ext.Transformer.v1",
        "name": str(folder),
        "window": 16,
        "stride": 10,
        **settings,
    }


def nested(*below):
    """A text CNN as a layer of another component."""
    config = text_cnn(*below)["model"]
    return {"@architectures": "spacy_ner_ext.TextCNN.v1", **config}


def wide(upstream):
    return {**listener(upstream), "width": WIDTH}


def tagger(tok2vec):
    return {"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": tok2vec}}


def ner(tok2vec):
    return {"model": {**NER, "tok2vec": tok2vec}}


MAKERS = {
    "alone": lambda folder: {"crf_ner": crf(DEEP)},
    "listening": lambda folder: {
        "tok2vec": {"model": DEEP},
        "text_cnn": text_cnn(listener("tok2vec")),
        "crf_ner": crf(listener("text_cnn")),
    },
    "beside_spacy": lambda folder: {
        "tok2vec": {"model": DEEP},
        "tagger": tagger(listener("tok2vec")),
        "ner": ner(listener("tok2vec")),
        "other": {"factory": "ner", **ner(DEEP)},
        "crf_ner": crf(listener("tok2vec")),
    },
    "shared_encoder": lambda folder: {
        "tok2vec": {"model": transformer(folder)},
        "tagger": tagger(wide("tok2vec")),
        "crf_ner": crf(wide("tok2vec")),
    },
    "two_encoders": lambda folder: {
        "one": {"factory": "crf_ner", **crf(nested(transformer(folder)))},
        "two": {"factory": "crf_ner", **crf(transformer(folder, freeze=2))},
    },
    "mixed_layers": lambda folder: {
        "crf_ner": crf(transformer(folder, layers=[-1, 1], layer_mix="learned")),
    },
}


def tagged(examples):
    for example in examples:
        for token in example.reference:
            token.tag_ = "A" if token.is_title else "B"
    return examples


def start(pipes):
    """An initialized pipeline and its examples."""
    nlp = build(pipes)
    examples = tagged(make_examples(nlp))
    nlp.initialize(lambda: examples)
    return nlp, examples


def path_names(nlp):
    return [weight.path for weight in iter_weights(nlp)]


class Recorder:
    """An optimizer that notes for what it is called, and changes nothing."""

    grad_clip = 0.0

    def __init__(self):
        self.shapes = {}

    def __call__(self, key, weights, gradient, *, lr_scale=1.0):
        assert key not in self.shapes
        self.shapes[key] = weights.shape
        return weights, numpy.zeros_like(gradient)


def check_paths(nlp, examples):
    """Each weight has its own path, under the key that the optimizer gets."""
    parameters = list(iter_weights(nlp))
    assert len({p.path for p in parameters}) == len(parameters)
    assert len({p.key for p in parameters}) == len(parameters)
    components = {p.path.partition(".")[0] for p in parameters}
    assert components == set(nlp.pipe_names)
    # In the second step listeners have sent the gradient of the first upwards.
    step(nlp, examples, Recorder())
    recorder = Recorder()
    step(nlp, examples, recorder)
    known = {p.key: p.shape for p in parameters if p.trainable}
    assert recorder.shapes.items() <= known.items()
    unused = [p.path for p in parameters if p.key in known.keys() - recorder.shapes]
    # Of what is trainable, only the vector of tokens without pieces was not needed.
    assert all(re.search(r"\.(empty|pooler\..*)\Z", path) for path in unused)


@pytest.mark.parametrize("name", MAKERS)
def test_every_weight_has_a_path_of_its_own_under_the_key_of_thinc(name, bert):
    check_paths(*start(MAKERS[name](bert)))


def test_paths_do_not_depend_on_when_and_where_they_are_found():
    """Node ids do; a pattern of a config must not."""
    pipes = MAKERS["beside_spacy"](None)
    nlp, _ = start(pipes)
    before = path_names(nlp)
    assert path_names(nlp) == before
    loaded = build(pipes).from_bytes(nlp.to_bytes())
    assert path_names(loaded) == before
    assert not {p.key for p in iter_weights(loaded)}.intersection(
        p.key for p in iter_weights(nlp)
    )


def test_paths_name_components_sublayers_and_arrays():
    found = path_names(start(MAKERS["listening"](None))[0])
    assert found[0] == "tok2vec.embed.hashembed.E"
    for path in (
        "tok2vec.encode.layernorm.G",
        "tok2vec.encode.layernorm_2.G",
        "tok2vec.encode.layernorm_3.b",
        "text_cnn.convolutions.relu.W",
        "text_cnn.convolutions.relu_2.W",
        "text_cnn.projection.linear.b",
        "text_cnn.norm.layernorm.G",
        "crf_ner.output_layer.linear.W",
        "crf_ner.crf.transitions",
    ):
        assert path in found


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_called_the_same_in_all_encoders(kind, tmp_path):
    folder = make_encoder(tmp_path, kind)
    nlp, _ = start({"tok2vec": {"model": transformer(folder)}})
    found = path_names(nlp)
    assert all(path.startswith("tok2vec.transformer.") for path in found)
    assert "tok2vec.transformer.empty" in found
    matches = [
        re.match(r"tok2vec\.transformer\.layer\.(\d+)\.", path) for path in found
    ]
    # Those of ALBERT are one, as often as it has layers.
    expected = set() if kind == "albert" else set(map(str, range(N_LAYERS)))
    assert {match[1] for match in matches if match} == expected


def test_a_nested_encoder_is_found_where_it_is(bert):
    found = path_names(start({"crf_ner": crf(transformer(bert))})[0])
    query = "crf_ner.tok2vec.transformer.layer.0.attention.self.query.weight"
    assert query in found
    found = path_names(start({"crf_ner": crf(nested(transformer(bert)))})[0])
    assert "crf_ner.tok2vec.tok2vec.transformer.layer.0.output.dense.bias" in found
    assert "crf_ner.tok2vec.norm.layernorm.G" in found


def test_replaced_listeners_have_weights_of_their_own(bert):
    nlp, examples = start(MAKERS["shared_encoder"](bert))
    shared = list(iter_weights(nlp))
    nlp.replace_listeners("tok2vec", "crf_ner", ["model.tok2vec"])
    parameters = list(iter_weights(nlp))
    found = [p.path for p in parameters]
    assert len(set(found)) == len(found) == len({p.key for p in parameters})
    assert {p.path for p in shared} < set(found)
    assert "crf_ner.tok2vec.transformer.layer.0.output.dense.weight" in found
    step(nlp, examples, Recorder())
    recorder = Recorder()
    step(nlp, examples, recorder)
    assert recorder.shapes.items() <= {p.key: p.shape for p in parameters}.items()


def test_what_is_frozen_is_marked(bert):
    pipes = {"crf_ner": crf(transformer(bert, freeze=2))}
    frozen = [p.path for p in iter_weights(start(pipes)[0]) if not p.trainable]
    assert frozen
    pattern = r"crf_ner\.tok2vec\.transformer\.(embeddings|layer\.[01])\."
    assert all(re.match(pattern, path) for path in frozen)
    assert len([path for path in frozen if ".layer.1." in path]) == 16
    pipes = {"crf_ner": crf(transformer(bert, freeze=True))}
    trainable = [p.path for p in iter_weights(start(pipes)[0]) if p.trainable]
    assert "crf_ner.tok2vec.transformer.empty" in trainable
    assert not [path for path in trainable if ".layer." in path]


@registry.architectures("test_weights.shared_node.v1")
def build_shared_node(tok2vec: Model) -> Model:
    """One layer in two places."""
    linear = with_array(Linear(nO=16, nI=16))
    return chain(tok2vec, linear, linear)


def test_a_layer_in_two_places_is_one():
    pipes = {
        "crf_ner": crf(
            {"@architectures": "test_weights.shared_node.v1", "tok2vec": TOK2VEC}
        )
    }
    nlp, examples = start(pipes)
    found = [p.path for p in iter_weights(nlp) if p.path.endswith("linear.W")]
    assert found == ["crf_ner.tok2vec.linear.W", "crf_ner.output_layer.linear.W"]
    recorder = Recorder()
    step(nlp, examples, recorder)
    assert recorder.shapes == {p.key: p.shape for p in iter_weights(nlp)}


def test_components_without_weights_have_no_paths():
    nlp, _ = start({"sentencizer": {}, "crf_ner": crf()})
    assert {path.partition(".")[0] for path in path_names(nlp)} == {"crf_ner"}
    assert list(iter_weights(build({"sentencizer": {}}))) == []


def test_tensors_share_the_memory_of_arrays():
    for kind in ("float16", "float32", "float64"):
        array = numpy.zeros((2, 3), dtype=kind)
        for view in (array, array.T, array[:, ::2]):
            as_tensor(view).add_(1)
        assert array.tolist() == [[3, 2, 3]] * 2 and array.dtype == kind


def test_an_array_in_read_only_memory_is_an_error():
    array = numpy.frombuffer(bytes(8), dtype="float32")
    with pytest.raises(ValueError, match=r"of the shape \(2,\), is read-only"):
        as_tensor(array)
