"""Model cards of real pipelines."""

import re

import pytest
import spacy
import srsly
from huggingface_hub import ModelCard
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_ner_ext.tools.card.card import (
    MARK,
    About,
    escape,
    render_card,
    write_card,
)
from spacy_ner_ext.util.errors import UserError
from tests.helpers.pipelines import OVERLAPS, fitted
from tests.tools.card.conftest import make_docs, save, write_corpus

ABOUT = About(
    name="news",
    license="Apache 2.0",
    base_model="org/encoder",
    datasets=("News of Oslo", "org/oslo"),
)


def make_card(model, corpora=None, about=ABOUT):
    return ModelCard(render_card(model, corpora or {}, about))


def section(card, title):
    return card.text.partition(f"## {title}\n")[2].partition("\n## ")[0].strip()


def rows(text):
    """The cells of all tables of a section."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def bullets(card):
    return re.findall(r"(?m)^- (.*)$", section(card, "Limitations"))


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


def test_labels_have_counts_and_their_most_frequent_texts(model, corpus):
    found = rows(
        section(make_card(model, {"train": corpus}, About(n_examples=1)), "Labels")
    )
    assert ["LOC", "4", "New York"] in found
    assert ["PER", "2", "Anna Berg"] in found
    none = rows(
        section(make_card(model, {"train": corpus}, About(n_examples=0)), "Labels")
    )
    assert ["LOC", "4", ""] in none


def test_the_data_are_counted_by_split(model, corpus, tmp_path):
    dev = write_corpus(tmp_path / "dev.spacy", make_docs()[:1])
    text = section(make_card(model, {"train": corpus, "dev": dev}), "Data")
    assert "Corpus: News of Oslo, org/oslo" in text
    assert rows(text) == [
        ["", "train", "dev"],
        ["---", "---", "---"],
        ["documents", "5", "1"],
        ["tokens", "23", "7"],
        ["LOC", "4", "1"],
        ["PER", "2", "1"],
    ]


def test_scores_of_training_and_of_a_test_set(model, corpus):
    card = make_card(model, {"test": corpus})
    found = rows(section(card, "Scores"))
    assert ["all", "75.0", "60.0", "66.7"] in found
    assert ["LOC", "50.0", "40.0", "44.4"] in found
    # It knows its corpus by heart.
    assert found.count(["LOC", "100.0", "100.0", "100.0"]) == 1
    results = card.data.to_dict()["model-index"][0]["results"]
    assert [result["dataset"]["split"] for result in results] == ["dev", "test"]


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


def test_a_card_is_the_same_every_time(model, corpus):
    first, second = (str(make_card(model, {"train": corpus})) for _ in range(2))
    assert first == second


def test_the_example_of_use_runs(model, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", make_card(model).text, re.S)
    code = code.replace('"xx_news"', repr(str(model))).replace("A text.", "New York")
    exec(compile(code, "card", "exec"), {})
    assert "('New York', 'LOC', " in capsys.readouterr().out


def test_limitations_are_facts(model, corpus):
    assert bullets(make_card(model, {"train": corpus})) == [
        "Entities that `crf_ner` predicts never overlap.",
        "Labels with fewer than 50 examples in train: PER (2), LOC (4).",
        "The best weights were chosen by the scores on dev above.",
        "Labels with an F below 50 on dev: LOC.",
    ]


def test_entities_that_cannot_be_learned_are_counted(tmp_path):
    model = save(fitted("group"), tmp_path / "model")
    docs = make_docs()
    for doc in docs:
        doc.spans["sc"] = list(doc.ents)
    overlaps = [(text, []) for text, _ in OVERLAPS]
    for doc, (_, spans) in zip(make_docs(overlaps), OVERLAPS):
        doc.spans["sc"] = [Span(doc, start, end, label) for start, end, label in spans]
        docs.append(doc)
    cut = Doc(docs[0].vocab, words=["New", "Yorkers"], spaces=[True, False])
    half = Doc(docs[0].vocab, words=["New", "York", "ers"], spaces=[True, False, False])
    assert cut.text == half.text
    half.spans["sc"] = [Span(half, 0, 2, "LOC")]
    train = write_corpus(tmp_path / "train.spacy", [*docs, half])
    found = " ".join(bullets(make_card(model, {"train": train})))
    of = "of 11 entities of train"
    assert (
        f"`crf_ner` could not learn 1 {of}: their boundaries are not token boundaries"
        in found
    )
    assert f"`crf_ner` could not learn 1 {of}: they overlap a longer one" in found
    assert (
        f"`crf_ner` could not learn 1 {of}: the component lacks the label ORG" in found
    )


def test_entities_that_are_too_long_are_counted(tmp_path):
    model = save(fitted("span_marker"), tmp_path / "model")
    long = [("Anna of the old town of York sleeps", [(0, 7, "PER")])]
    train = write_corpus(tmp_path / "train.spacy", make_docs(long))
    found = " ".join(bullets(make_card(model, {"train": train})))
    assert (
        "could not learn 1 of 1 entities of train: the component cannot predict"
        in found
    )


def test_without_the_training_data_the_card_says_so(model):
    found = bullets(make_card(model))
    assert "The training data were not available, so rare labels are not listed." in (
        found
    )


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
