"""`suggest`: what is chosen, in Python and by the command."""

import json
from pathlib import Path

import numpy
import pytest

from spacy_ner_ext import UserError, convert, suggest
from spacy_ner_ext.tools.predict.items import Words
from spacy_ner_ext.tools.predict.uncertainty import score_texts, text_vectors
from spacy_ner_ext.tools.predict.variety import Pool, choose, cluster
from tests.helpers.pipelines import TEXTS, fitted, subject
from tests.helpers.uncertain import KINDS, pipeline

NAMES = ("Ann", "Tom", "Rome", "Oslo", "York", "Ray", "Anna", "Berg")


def scored(text, uncertainty, **likely):
    """A text as `score_texts` returns it."""
    starts = [i for i in range(len(text)) if i == 0 or text[i - 1] == " "]
    tokens = [[start, start + len(text[start:].split()[0])] for start in starts]
    values = {"text": text, "entities": [], "uncertainty": uncertainty}
    return {**values, "likely": likely, "tokens": tokens}


def chosen(results, number, per="text", vectors=lambda r: numpy.ones((len(r), 2))):
    pool = Pool(number, per)
    for result in results:
        pool.add(result)
    return [result["text"] for result in choose(pool, vectors)]


@pytest.mark.parametrize("kind", KINDS)
def test_uncertainty_is_the_expected_number_of_errors(kind):
    nlp = pipeline(kind)
    found = score_texts(nlp, TEXTS)
    assert [each["text"] for each in found] == TEXTS
    assert sum(each["uncertainty"] for each in found) > 0.5
    for each, doc in zip(found, nlp.pipe(TEXTS), strict=True):
        likely = subject(nlp).find_likely([nlp.make_doc(doc.text)], 0.01)
        probabilities = likely.probabilities(1.0).tolist()
        likely = {span[1:]: p for span, p in zip(likely.spans, probabilities)}
        predicted = subject(nlp).predict([nlp.make_doc(doc.text)])[0]
        scores = {span[:3]: span.score for span in predicted}
        wrong = sum(1 - p for p in scores.values())
        missing = sum(p for span, p in likely.items() if span not in scores)
        assert each["uncertainty"] == pytest.approx(wrong + missing, abs=1e-4)
        assert len(each["entities"]) == len(scores)
        for entity in each["entities"]:
            span = doc.char_span(entity["start"], entity["end"], entity["label"])
            score = scores[span.start, span.end, entity["label"]]
            assert entity["score"] == pytest.approx(score, abs=1e-5)


@pytest.mark.parametrize("name", ["flat_biluo", "listening", "span_marker"])
def test_every_component_has_vectors_of_texts(name):
    nlp = fitted(name)
    texts = [Words(text.split(), [True] * len(text.split())) for text in TEXTS if text]
    found = text_vectors(nlp, texts)
    assert len(found) == len(texts) and numpy.isfinite(found).all()
    assert len(numpy.unique(found.round(4), axis=0)) == len(texts)


def test_the_most_uncertain_texts_are_chosen_first():
    texts = [scored(f"{name} sleeps in {name}", i / 10) for i, name in enumerate(NAMES)]
    assert chosen(texts, 2) == ["Berg sleeps in Berg", "Anna sleeps in Anna"]
    assert chosen(texts[::-1], 2) == ["Berg sleeps in Berg", "Anna sleeps in Anna"]
    assert len(chosen(texts, 50)) == len(NAMES)
    more = [scored("Oslo", 0.5), scored("a b c d", 0.8)]
    assert chosen(more, 1) == ["a b c d"] and chosen(more, 1, "word") == ["Oslo"]


def test_near_duplicates_and_empty_texts_are_left_out():
    same = [
        *("On day 7 Ann Berg went to Rome by train again",),
        *("on day 4 Ann Berg went to Rome by train again",),
        *("On day 19 Ann Berg went to Rome by train again !",),
    ]
    texts = [*same, "", "  ", "It rains"]
    results = [scored(text, 1 - i / 10) for i, text in enumerate(texts[:3])]
    results += [score_texts(fitted("flat_biluo"), [text])[0] for text in texts[3:]]
    assert chosen(results, 5) == [same[0], "It rains"]


def test_duplicates_do_not_crowd_others_out():
    texts = [*(scored("the same text", 0.9) for _ in range(500))]
    texts += [scored(f"{name} is another", 0.1) for name in NAMES]
    assert len(chosen(texts, 5)) == 5


def test_every_label_is_there_however_certain_its_texts_are():
    texts = [scored(f"{a} {b} sleeps", 1, PER=0.5) for a in NAMES for b in NAMES]
    texts += [scored("a rare thing", 0.0, RARE=0.2)]
    texts += [scored("another rare one", 0.01, RARE=0.9)]
    assert chosen(texts, 2)[-1] == "another rare one"


def test_clusters_take_turns():
    texts = [scored(f"{a} {b} sleeps", 1.0) for a in NAMES for b in NAMES]
    texts += [scored(f"{a} {b} rains", 0.5) for a in NAMES for b in NAMES]

    def vectors(results):
        kinds = [[r["text"].endswith("rains"), i / 1e4] for i, r in enumerate(results)]
        return numpy.array(kinds, dtype="f")

    found = chosen(texts, 10, vectors=vectors)
    assert sum(text.endswith("rains") for text in found) == 5


def test_clusters_are_the_groups_of_the_vectors():
    random = numpy.random.default_rng(1)
    centers = numpy.eye(3, 5) * 10
    vectors = numpy.concatenate([c + random.normal(size=(60, 5)) for c in centers])
    found = cluster(vectors)
    groups = [set(found[i : i + 60]) for i in (0, 60, 120)]
    assert [len(group) for group in groups] == [1, 1, 1]
    assert len(set.union(*groups)) == 3 and cluster(vectors) == found
    assert set(cluster(numpy.ones((100, 4)))) == {0} and cluster([]) == []


def test_suggest_in_python_gives_the_place_in_the_input():
    nlp = pipeline("flat")
    found = suggest(nlp, iter(TEXTS), number=2, batch_size=2)
    assert len(found) == 2 and found == suggest(nlp, TEXTS, number=2, batch_size=2)
    assert all(TEXTS[each["index"]] == each["text"] for each in found)
    assert found[0]["uncertainty"] >= found[1]["uncertainty"]
    with pytest.raises(ValueError, match="number = 0"):
        suggest(nlp, TEXTS, number=0)
    with pytest.raises(UserError, match="has no component that predicts"):
        suggest(fitted("tagger"), TEXTS)


@pytest.fixture
def model(tmp_path):
    pipeline("flat").to_disk(tmp_path / "model")
    lines = [{"text": text, "id": i, "more": [1]} for i, text in enumerate(TEXTS)]
    lines = [json.dumps(line) for line in lines]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines), "utf8")
    return tmp_path


ARGUMENTS = ("suggest", "model", "texts.jsonl", "--number", "2", "--batch-size", "2")


def test_the_command_writes_tasks_that_convert_reads(model, run):
    done = run(*ARGUMENTS, "--output", "tasks.jsonl")
    assert done.returncode == 0, done.stderr
    assert "Wrote tasks.jsonl: 2 tasks from 5 texts, with " in done.stdout
    path = model / "tasks.jsonl"
    tasks = [json.loads(line) for line in path.read_text("utf8").splitlines()]
    for task in tasks:
        assert TEXTS[task["meta"]["id"]] == task["text"] and "more" not in task["meta"]
        assert task["tokens"] and all("score" in span for span in task["spans"])
    assert [*model.glob("*.part*")] == []
    answers = [{**t, "answer": "accept", "_view_id": "ner_manual"} for t in tasks]
    path.write_text("\n".join(map(json.dumps, answers)), "utf8")
    report = convert(path, model / "more.spacy")
    assert report.documents == 2
    assert report.entities.total() == sum(len(task["spans"]) for task in tasks)


def test_a_run_that_was_stopped_continues(model, call, monkeypatch):
    assert call(*ARGUMENTS, "--output", "whole.jsonl")[0] == 0
    from spacy_ner_ext.tools.predict import run as running

    before, calls = running.predict_batch, []

    def stop(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return before(*args, **kwargs)

    monkeypatch.setattr(running, "predict_batch", stop)
    code, _, err = call(*ARGUMENTS, "--output", "tasks.jsonl")
    assert code == 130 and "2 lines are in tasks.jsonl.part" in err
    assert not (model / "tasks.jsonl").exists()
    code, _, _ = call(*ARGUMENTS, "--output", "tasks.jsonl")
    assert code == 0 and len(calls) == 4
    assert (model / "tasks.jsonl").read_bytes() == (model / "whole.jsonl").read_bytes()
    code, _, err = call(*ARGUMENTS, "--output", "tasks.jsonl")
    assert code == 1 and "name another output, or add --overwrite" in err


@pytest.mark.parametrize("line", ['{"body": "Ann sleeps"}', '{"text": " "}'])
def test_without_a_text_nothing_is_written(model, call, line):
    (model / "none.jsonl").write_text(f"{line}\n")
    before = {path.name for path in model.iterdir()}
    code, _, err = call("suggest", "model", "none.jsonl", "--output", "tasks.jsonl")
    assert code == 1 and "no text can be suggested" in err
    assert {path.name for path in model.iterdir()} == before


def test_texts_that_fail_are_counted(model, call):
    with (model / "texts.jsonl").open("a", encoding="utf8") as file:
        file.write("\nno JSON\n")
    options = ("--format", "label-studio", "--number", "50", "--max-length", "30")
    code, out, err = call(*ARGUMENTS[:3], *options, "--output", "tasks.json")
    assert code == 1
    n_long = sum(len(text) > 30 for text in TEXTS)
    n_tasks = sum(0 < len(text) <= 30 for text in TEXTS)
    assert f"{n_long + 1} texts were left out, such as" in err
    assert f"Wrote tasks.json: {n_tasks} tasks from 6 texts" in out
    assert "50 were asked for, but no other texts differ from these" in err
    assert len(json.loads(Path("tasks.json").read_text("utf8"))) == n_tasks


@pytest.mark.parametrize(
    "arguments, error",
    [
        (("--output", "tasks.txt"), "must end in .jsonl"),
        (("--output", "texts.jsonl"), "is input and output"),
        (("--output", "a.jsonl", "--component", "x"), "no component 'x'"),
        (("--output", "a.jsonl", "--gpu-id", "0", "--workers", "2"), "leave one"),
        (("--output", "a.jsonl", "--format", "label-studio"), "must end in .json"),
    ],
)
def test_wrong_options_are_one_sentence(model, call, arguments, error):
    code, _, err = call(*ARGUMENTS, *arguments)
    assert code == 1 and error in err and "Traceback" not in err
    assert [*model.glob("*.part*")] == []
