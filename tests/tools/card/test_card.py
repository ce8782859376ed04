"""Model cards of real pipelines."""

import re

import pytest
import srsly

from spacy_ner_ext.tools.card.card import (
    MARK,
    About,
    escape,
    write_card,
)
from spacy_ner_ext.util.errors import UserError
from tests.helpers.pipelines import fitted
from tests.tools.card.conftest import (
    bullets,
    make_card,
    save,
)


def test_the_metadata_is_what_the_hub_reads(model):
    data = make_card(model).data.to_dict()
    assert data["library_name"] == "spacy"
    assert data["language"] == "multilingual"
    assert data["license"] == "apache-2.0"
    assert data["pipeline_tag"] == "token-classification"
    assert set(data["tags"]) >= {"spacy", "token-classification"}
    assert data["base_model"] == "org/encoder"
    assert data["datasets"] == ["org/oslo"]
    (index,) = data["model-index"]
    assert index["name"] == "xx_news"
    (result,) = index["results"]
    assert result["task"]["type"] == "token-classification"
    assert result["dataset"] == {
        "name": "News of Oslo, org/oslo",
        "type": "org/oslo",
        "split": "dev",
    }
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values == {"precision": 0.75, "recall": 0.6, "f1": 0.6667}


def test_without_options_the_metadata_is_that_of_meta_json(model):
    meta = srsly.read_json(model / "meta.json")
    meta |= {"name": "tiny", "version": "0.9", "license": "MIT", "lang": "en"}
    srsly.write_json(model / "meta.json", meta)
    card = make_card(model, about=About())
    assert card.data.license == "mit" and card.data.language == "en"
    assert card.data.model_name == "en_tiny" and "| version | 0.9 |" in card.text
    assert "base_model" not in card.data.to_dict()
    assert "## Data" not in card.text


def test_a_pipeline_that_was_never_evaluated_has_no_results(model):
    save(fitted("flat_biluo"), model, performance={})
    card = make_card(model)
    assert "model-index" not in card.data.to_dict()
    assert "## Scores" not in card.text
    assert "The pipeline was not evaluated." in bullets(card)


def test_a_card_is_the_same_every_time(model, corpus):
    first, second = (str(make_card(model, {"train": corpus})) for _ in range(2))
    assert first == second


def test_the_example_of_use_runs(model, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", make_card(model).text, re.S)
    code = code.replace('"xx_news"', repr(str(model))).replace("A text.", "New York")
    exec(compile(code, "card", "exec"), {})
    assert "('New York', 'LOC', " in capsys.readouterr().out


def test_texts_cannot_break_a_table():
    assert escape("a|b\n`c` <d> [e](f) *g*") == (r"a\|b \`c\` \<d\> \[e\](f) \*g\*")


def test_a_readme_of_someone_else_is_kept(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("Mine.")
    with pytest.raises(UserError, match=r"README\.md exists .* --overwrite"):
        write_card("card", path)
    assert path.read_text() == "Mine."
    write_card(f"{MARK} first", path, overwrite=True)
    write_card("second", path)
    assert path.read_text() == "second"
