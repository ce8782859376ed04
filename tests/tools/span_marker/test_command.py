"""`distill-filter` and `export-span-marker`."""

import json

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from tests.helpers.encoders import encoder_folder

SENTENCES = [
    ("Anna lives in Oslo .", [(0, 4, "PER"), (14, 18, "LOC")]),
    ("Tom met Anna in Rome .", [(0, 3, "PER"), (8, 12, "PER"), (16, 20, "LOC")]),
    ("It rains again .", []),
    ("The ferry from Oslo is late .", [(15, 19, "LOC")]),
]


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    """Trained pipelines that mark all spans, by their heads."""
    folder, saved = tmp_path_factory.mktemp("pipelines"), {}
    for head in ("markers", "markers+text"):
        fix_random_seed(0)
        nlp = spacy.blank("xx")
        settings = {
            "name": str(encoder_folder("bert")),
            "candidates": "all",
            "head": head,
            "entity_max_length": 3,
            "model_max_length": 40,
        }
        nlp.add_pipe("span_marker_ner", config={"model": settings})
        examples = [
            Example.from_dict(nlp.make_doc(text), {"entities": spans})
            for text, spans in SENTENCES
        ]
        nlp.initialize(lambda examples=examples: examples)
        optimizer = Adam(3e-3, L2=0.0)
        for _ in range(40):
            nlp.update(examples, sgd=optimizer)
        saved[head] = folder / head.replace("+", "-")
        nlp.to_disk(saved[head])
    return saved


def entities(nlp):
    docs = nlp.pipe(text for text, _ in SENTENCES)
    return [[(e.start, e.end, e.label_) for e in doc.ents] for doc in docs]


@pytest.fixture
def texts(tmp_path):
    """The same texts as .txt, .jsonl and .spacy, often enough to hold some out."""
    many = [text for text, _ in SENTENCES] * 100
    (tmp_path / "a.txt").write_text("\n".join(many) + "\n\n", encoding="utf8")
    lines = (json.dumps({"text": text}) for text in many)
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf8")
    vocab = spacy.blank("xx").vocab
    docs = [Doc(vocab, words=text.split()) for text in many]
    DocBin(docs=docs).to_disk(tmp_path / "a.spacy")
    return tmp_path


@pytest.mark.parametrize("file", ["a.txt", "a.jsonl", "a.spacy"])
def test_a_filter_keeps_the_entities(call, pipelines, texts, file):
    model = pipelines["markers"]
    options = ("--output", texts / "fast", "--epochs", 60)
    code, out, err = call("distill-filter", model, texts / file, *options)
    assert (code, err) == (0, "")
    assert "keeps 100.00 % of" in out
    before, after = spacy.load(model), spacy.load(texts / "fast")
    assert entities(after) == entities(before)
    assert any(entities(before))
    settings = after.config["components"]["span_marker_ner"]["model"]
    assert settings["candidates"] == "filtered"
    docs = [after.make_doc(text) for text, _ in SENTENCES]
    pipe = after.get_pipe("span_marker_ner")
    candidates = pipe.find_candidates(docs)
    assert len(pipe.model.predict(candidates).chosen) < len(candidates.spans)


def test_in_a_process_of_its_own(run, pipelines, texts):
    options = ("--output", "fast", "--limit", 200, "--recall", 0.9)
    done = run("distill-filter", pipelines["markers+text"], "a.txt", *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert (texts / "fast" / "config.cfg").is_file()
    done = run("export-span-marker", pipelines["markers"], "--output", "exported")
    assert (done.returncode, done.stderr) == (0, "")
    assert (texts / "exported" / "model.safetensors").is_file()


def check_error(result, folder, *words):
    code, _, err = result
    assert code == 1
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    for word in words:
        assert str(word) in err
    left = {path.name for path in folder.iterdir()}
    assert left <= {"a.txt", "a.jsonl", "a.spacy", "there"}


def test_a_wrong_line_is_named(call, pipelines, texts):
    with (texts / "a.jsonl").open("a", encoding="utf8") as file:
        file.write('\n{"no": "text"}\n')
    options = ("--output", texts / "fast")
    model = pipelines["markers"]
    result = call("distill-filter", model, texts / "a.jsonl", *options)
    check_error(result, texts, "a.jsonl, line 401", '"text"')
    assert result[2].count("a.jsonl") == 1


def test_too_few_texts_are_an_error(call, pipelines, texts):
    (texts / "a.txt").write_text("It rains again .\n", encoding="utf8")
    options = ("--output", texts / "fast")
    result = call("distill-filter", pipelines["markers"], texts / "a.txt", *options)
    check_error(result, texts, "a.txt", "too few entities")


def test_texts_that_are_not_there_are_named_once(call, pipelines, texts):
    options = ("--output", texts / "fast")
    result = call("distill-filter", pipelines["markers"], texts / "b.txt", *options)
    check_error(result, texts, "b.txt", "no such file")
    assert result[2].count("b.txt") == 1
    (texts / "a.txt").write_text("")
    result = call("distill-filter", pipelines["markers"], texts / "a.txt", *options)
    check_error(result, texts, "a.txt", "empty")


@pytest.mark.parametrize("command", ["distill-filter", "export-span-marker"])
def test_what_is_there_stays(call, pipelines, texts, command):
    there = texts / "there"
    there.mkdir()
    rest = [texts / "a.txt"] if "filter" in command else []
    result = call(command, pipelines["markers"], *rest, "--output", there)
    check_error(result, texts, there, "exists already")
    assert not list(there.iterdir())


def test_only_models_of_its_kind_go_to_span_marker(call, pipelines, texts):
    target = ["--output", texts / "exported"]
    result = call("export-span-marker", pipelines["markers+text"], *target)
    check_error(result, texts, 'head = "markers+text"', '"markers"')


@pytest.mark.parametrize(
    "pipes, option, words",
    [
        (["sentencizer"], [], ["span_marker_ner", "sentencizer"]),
        ([], ["--component", "x"], ["no component 'x'", "span_marker_ner"]),
    ],
)
def test_a_pipeline_without_the_component(call, texts, pipes, option, words, tmp_path):
    nlp = spacy.blank("xx")
    for name in pipes:
        nlp.add_pipe(name)
    nlp.to_disk(tmp_path / "there")
    target = ["--output", texts / "exported"]
    result = call("export-span-marker", tmp_path / "there", *target, *option)
    check_error(result, texts, "there", "--component", *words)


def test_a_folder_that_is_no_pipeline(call, texts):
    (texts / "there").mkdir()
    output = ["--output", texts / "exported"]
    result = call("export-span-marker", texts / "there", *output)
    check_error(result, texts, "there", "not a pipeline")
