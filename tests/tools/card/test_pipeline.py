"""Settings of saved pipelines, and errors of damaged ones."""

import pytest
import srsly

from spacy_ner_ext.tools.card.card import (
    About,
    render_card,
)
from spacy_ner_ext.util.errors import UserError
from tests.tools.card.conftest import (
    make_card,
    rows,
    section,
)


def test_settings_of_the_training_and_what_the_run_wrote(model):
    run = {"status": "finished", "step": 400, "epochs": 3.5, "best_step": 300}
    srsly.write_json(model.parent / "run.json", run)
    card = make_card(model)
    found = dict(row for row in rows(section(card, "Training")) if len(row) == 2)
    assert found["step"] == "`400`" and found["epochs"] == "`3.5`"
    assert found["best_step"] == "`300`"
    assert found["seed"] == "`0`" and found["optimizer"] == "`Adam.v1`"
    assert '@architectures = "spacy_ner_ext.CRF.v1"' in card.text


def test_settings_that_spacy_does_not_read_are_shown(model):
    with (model / "config.cfg").open("a") as config:
        config.write('\n[spacy_ner_ext]\npatience = "3 evaluations"\n')
    assert 'patience = "3 evaluations"' in section(make_card(model), "Training")


@pytest.mark.parametrize("name", ["meta.json", "config.cfg"])
def test_a_folder_without_a_pipeline(model, name):
    (model / name).unlink()
    with pytest.raises(UserError, match=rf"is not a pipeline, since it lacks {name}"):
        render_card(model, {}, About())


@pytest.mark.parametrize(
    "name,text",
    [
        ("meta.json", "{"),
        ("meta.json", '{"lang": "en"}'),
        ("config.cfg", "a = 3"),
        ("config.cfg", '[nlp]\nlang = "en"'),
    ],
)
def test_files_that_describe_no_pipeline(model, name, text):
    (model / name).write_text(text)
    with pytest.raises(UserError, match="is not a valid pipeline"):
        render_card(model, {}, About())


def test_a_pipeline_that_cannot_be_loaded(model, corpus):
    (model / "crf_ner" / "model").write_bytes(b"none")
    with pytest.raises(UserError, match="model-best is not a pipeline"):
        render_card(model, {"train": corpus}, About())


def test_a_function_that_is_not_installed(model):
    config = model / "config.cfg"
    config.write_text(config.read_text().replace("spacy_ner_ext.CRF.v1", "Other.v1"))
    with pytest.raises(UserError, match=r"not installed: .*Other\.v1"):
        render_card(model, {}, About())
