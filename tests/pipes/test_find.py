"""Finding the components that predict entities."""

import pytest
import spacy

from spacy_ner_ext.pipes.entities import EntityPipe
from spacy_ner_ext.pipes.find import (
    describe_component,
    entity_components,
    find_component,
)
from spacy_ner_ext.util.errors import UserError

WHAT = "predicts probabilities of entities"


@pytest.fixture
def nlp():
    nlp = spacy.blank("xx")
    nlp.add_pipe("crf_tagger")
    nlp.add_pipe("ner")
    nlp.add_pipe("spancat", config={"spans_key": "long"})
    settings = {"target": ["ents", "sc"], "annotate": "*", "threshold": {"PER": 0.5}}
    nlp.add_pipe("crf_ner", name="first", config=settings)
    nlp.add_pipe("crf_ner", name="second", config={"target": "sc"})
    return nlp


def test_all_components_that_predict_entities_are_described(nlp):
    found = entity_components(nlp)
    keys = {name: (each.target, each.annotate) for name, each in found.items()}
    assert keys == {
        "ner": (("ents",), ("ents",)),
        "spancat": (("long",), ("long",)),
        "first": (("ents", "sc"), ("*",)),
        "second": (("sc",), ("sc",)),
    }
    assert [each.has_threshold for each in found.values()] == [
        False,
        False,
        True,
        False,
    ]


def test_a_config_describes_the_same_as_the_pipeline(nlp):
    for name, each in entity_components(nlp).items():
        settings = nlp.config["components"][name]
        assert describe_component(name, settings["factory"], settings, ()) == each
    assert describe_component("tagger", "crf_tagger", {}, ()) is None


def test_one_component_of_a_type_is_found(nlp):
    assert find_component(nlp, EntityPipe, "second", WHAT) is nlp.get_pipe("second")
    nlp.remove_pipe("second")
    assert find_component(nlp, EntityPipe, None, WHAT) is nlp.get_pipe("first")


def test_errors_name_the_components(nlp):
    with pytest.raises(
        UserError, match=r"more than one .* \(first, second\): name one"
    ):
        find_component(nlp, EntityPipe, None, WHAT)
    with pytest.raises(UserError, match=r"no component 'ner' that .*one of first, sec"):
        find_component(nlp, EntityPipe, "ner", WHAT)
    with pytest.raises(UserError, match=r"use another pipeline .* are none\)"):
        find_component(spacy.blank("xx"), EntityPipe, None, WHAT)
