"""Configs of transformers 5 as version 4 reads them."""

import pytest

from spacy_ner_ext.encoder import compat

FULL, LOCAL = "full_attention", "sliding_attention"
PLAIN = {"rope_type": "default"}
MODERNBERT = {
    "model_type": "modernbert",
    "layer_types": [FULL, LOCAL, FULL],
    "rope_parameters": {
        FULL: {**PLAIN, "rope_theta": 500.0},
        LOCAL: {**PLAIN, "rope_theta": 300.0},
    },
}


@pytest.fixture(autouse=True)
def version_4(monkeypatch):
    monkeypatch.setattr("transformers.__version__", "4.53.2")


def test_local_layers_and_bases_of_modernbert():
    found = compat.readable(MODERNBERT)
    assert found["global_attn_every_n_layers"] == 2
    assert (found["global_rope_theta"], found["local_rope_theta"]) == (500.0, 300.0)


def test_one_base_for_all_layers():
    rotary = {**PLAIN, "rope_theta": 500.0}
    found = compat.readable({"model_type": "qwen2", "rope_parameters": rotary})
    assert (found["rope_theta"], found["rope_scaling"]) == (500.0, None)
    scaled = {"rope_type": "linear", "factor": 2.0}
    rotary = {**scaled, "rope_theta": 500.0}
    found = compat.readable({"model_type": "qwen2", "rope_parameters": rotary})
    assert (found["rope_theta"], found["rope_scaling"]) == (500.0, scaled)


@pytest.mark.parametrize(
    "changes",
    [
        {"layer_types": [FULL, FULL, LOCAL]},
        {"model_type": "gemma3_text"},
        {"rope_parameters": {FULL: {"rope_type": "yarn", "rope_theta": 1.0}}},
    ],
)
def test_a_config_that_version_4_cannot_express_is_an_error(changes):
    with pytest.raises(ValueError, match=r"install transformers>=5\."):
        compat.readable({**MODERNBERT, **changes})


def test_version_5_reads_what_it_wrote(monkeypatch):
    monkeypatch.setattr("transformers.__version__", "5.24.0")
    assert compat.readable(MODERNBERT) == MODERNBERT
