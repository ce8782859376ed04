"""Tables of scores."""

import spacy
from spacy.tokens import Doc
from spacy.training import Example

from tests.helpers.pipelines import fitted
from tests.tools.card.conftest import (
    make_card,
    rows,
    save,
    section,
)


def test_scores_of_training_and_of_a_test_set(model, corpus):
    card = make_card(model, {"test": corpus})
    found = rows(section(card, "Scores"))
    assert ["all", "75.0", "60.0", "66.7"] in found
    assert ["LOC", "50.0", "40.0", "44.4"] in found
    # It knows its corpus by heart.
    assert found.count(["LOC", "100.0", "100.0", "100.0"]) == 1
    results = card.data.to_dict()["model-index"][0]["results"]
    assert [result["dataset"]["split"] for result in results] == ["dev", "test"]


def test_a_pipeline_of_categories(categories):
    model, corpus = categories
    card = make_card(model, {"train": corpus, "test": corpus})
    assert card.data.pipeline_tag == "text-classification"
    labels = rows(section(card, "Labels"))
    assert ["WEATHER", "1", "It rains again today ."] in labels
    assert ["PEOPLE", "1", "Anna met Tom in Rome ."] in labels
    assert ["macro F", "", "", "100.0"] in rows(section(card, "Scores"))
    assert "print(doc.cats)" in card.text
    assert "2 categories" in card.text
    (first, second) = card.data.eval_results[0], card.data.eval_results[-1]
    assert (first.dataset_split, second.dataset_split) == ("dev", "test")
    assert first.task_type == "text-classification" and second.metric_value == 1.0


def test_span_groups_are_named_in_scores_and_use(tmp_path):
    performance = {f"spans_sc_{name}": 0.5 for name in "prf"}
    model = save(fitted("group"), tmp_path / "model", performance)
    card = make_card(model)
    assert ["all", "50.0", "50.0", "50.0"] in rows(section(card, "Scores"))
    assert 'for span in doc.spans["sc"]' in card.text


def test_labels_and_scores_of_other_components(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("tagger")
    doc = Doc(nlp.vocab, words=["It", "rains"], tags=["PRP", "VBZ"])
    nlp.initialize(lambda: [Example(doc, doc)])
    model = save(nlp, tmp_path / "model", {"tag_acc": 0.5, "tagger_loss": 3.0})
    card = make_card(model)
    assert section(card, "Labels") == "`tagger`, 2 labels: PRP, VBZ"
    assert rows(section(card, "Scores"))[-1] == ["`tag_acc`", "50.0"]
    assert "tagger_loss" not in card.text
