"""Tasks for annotation tools, and `convert` of what comes back from them."""

import json

import pytest

from spacy_ner_ext import UserError, convert
from spacy_ner_ext.data.formats.tasks import Task, TaskSpan, write_tasks
from spacy_ner_ext.data.read import read_docs

TEXT = "😀 Ann saw New York."
TOKENS = [(0, 1), (2, 5), (6, 9), (10, 13), (14, 18), (18, 19)]
SPANS = [TaskSpan(2, 5, "PER", 0.9), TaskSpan(10, 18, "LOC", 0.6)]
TASK = Task(TEXT, SPANS, TOKENS, 0.5, {"id": "a7"})
EMPTY = Task("It rains.", (), [(0, 2), (3, 8), (8, 9)], 0.4, {"id": "a8"})


@pytest.fixture
def answer(tmp_path, vocab):
    """Write tasks, let a tool change them, and convert what comes back."""

    def run(format, change, tasks=(TASK,), **settings):
        path = tmp_path / ("tasks.json" if format == "label-studio" else "tasks.jsonl")
        write_tasks(path, tasks, format)
        text = path.read_text("utf8")
        is_list = format == "label-studio"
        values = json.loads(text) if is_list else [*map(json.loads, text.splitlines())]
        back = [change(value) for value in values]
        back = json.dumps(back) if is_list else "\n".join(map(json.dumps, back))
        path.write_text(back, "utf8")
        report = convert(path, tmp_path / "back.spacy", **settings)
        return [*read_docs(tmp_path / "back.spacy", vocab)], report

    return run


@pytest.fixture
def vocab():
    from spacy.vocab import Vocab

    return Vocab()


def found(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


def missing(doc):
    return [token.text for token in doc if not token.ent_iob]


BOTH = [("Ann", "PER"), ("New York", "LOC")]
WORDS = ["😀", "Ann", "saw", "New", "York", "."]


def prodigy(**values):
    return lambda task: {**task, **values}


def test_prodigy_tasks_have_tokens_spans_and_scores(tmp_path):
    path = tmp_path / "tasks.jsonl"
    write_tasks(path, [TASK], "prodigy")
    task = json.loads(path.read_text("utf8"))
    assert task["text"] == TEXT and task["meta"] == {"id": "a7", "score": 0.5}
    assert [token["text"] for token in task["tokens"]] == WORDS
    assert [token["ws"] for token in task["tokens"]] == [True] * 4 + [False] * 2
    assert task["spans"][1] == {
        "start": 10,
        "end": 18,
        "token_start": 3,
        "token_end": 4,
        "label": "LOC",
        "score": 0.6,
    }
    assert "answer" not in task


@pytest.mark.parametrize("recipe", ["manual", "correct"])
def test_accepted_and_corrected_answers_of_prodigy_are_complete(answer, recipe):
    done = {"answer": "accept", "_view_id": "ner_manual"}
    docs, _ = answer("prodigy", prodigy(**done), (TASK, EMPTY))
    assert [found(doc) for doc in docs] == [BOTH, []]
    assert not any(map(missing, docs))
    assert [token.text for token in docs[0]] == WORDS
    span = {"start": 14, "end": 18, "token_start": 4, "token_end": 4, "label": "LOC"}
    docs, _ = answer("prodigy", prodigy(**done, spans=[span]))
    assert [found(doc) for doc in docs] == [[("York", "LOC")]] and not missing(docs[0])


@pytest.mark.parametrize("given", ["reject", "ignore", None])
def test_tasks_that_were_rejected_or_not_answered_are_not_documents(answer, given):
    def change(task):
        if task["meta"]["id"] == "a8":
            return {**task, "answer": "accept", "_view_id": "ner_manual"}
        more = {"answer": given, "_view_id": "ner_manual"}
        return {**task, **(more if given else {})}

    docs, report = answer("prodigy", change, (TASK, EMPTY))
    assert [doc.text for doc in docs] == ["It rains."]
    assert report.notes["rejected"].count == 1


def test_tasks_that_nobody_answered_are_refused(answer):
    with pytest.raises(UserError):
        answer("prodigy", prodigy(), (TASK, EMPTY))


@pytest.mark.parametrize("given, entities", [("accept", BOTH[1:]), ("reject", [])])
def test_a_binary_answer_about_a_span_leaves_all_else_missing(answer, given, entities):
    def change(task):
        more = {"answer": given, "_view_id": "ner"}
        return {**task, "spans": task["spans"][1:], **more}

    ((doc,), _) = answer("prodigy", change)
    assert found(doc) == entities
    assert missing(doc) == [w for w in WORDS if not entities or w not in "New York"]


def annotated(*results, **values):
    def change(task):
        given = task["predictions"][0]["result"]
        chosen = [given[i] if isinstance(i, int) else i for i in results]
        annotation = {"result": chosen, "was_cancelled": False, **values}
        return {**task, "annotations": [annotation]}

    return change


def test_label_studio_tasks_name_their_controls(tmp_path):
    path = tmp_path / "tasks.json"
    write_tasks(path, [TASK], "label-studio")
    (task,) = json.loads(path.read_text("utf8"))
    assert task["data"]["text"] == TEXT
    (prediction,) = task["predictions"]
    assert prediction["score"] == 1 / 1.5 and prediction["model_version"]
    assert prediction["result"][1] == {
        "id": "1",
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "value": {"start": 10, "end": 18, "text": "New York", "labels": ["LOC"]},
        "score": 0.6,
    }
    with pytest.raises(UserError, match="must end in"):
        write_tasks(tmp_path / "tasks.jsonl", [TASK], "label-studio")


def test_label_studio_annotations_are_read_and_predictions_are_not(answer):
    docs, _ = answer("label-studio", annotated(0))
    assert [found(doc) for doc in docs] == [BOTH[:1]] and not missing(docs[0])
    docs, _ = answer("label-studio", annotated(), (EMPTY,))
    assert [found(doc) for doc in docs] == [[]] and not missing(docs[0])


def test_label_studio_tasks_without_an_answer_have_no_gold(answer):
    def change(task):
        id = task["data"]["meta"]["id"]
        return annotated(0)(task) if id == "a7" else task

    docs, report = answer("label-studio", change, (TASK, EMPTY))
    assert found(docs[0]) == BOTH[:1] and report.unannotated == 1
    assert missing(docs[1]) == ["It", "rains", "."]

    def skip(task):
        return annotated(was_cancelled=task["data"]["meta"]["id"] == "a8")(task)

    docs, report = answer("label-studio", skip, (TASK, EMPTY))
    assert [doc.text for doc in docs] == [TEXT]
    assert report.notes["rejected"].count == 1


def test_doccano_exports_are_read_with_what_is_carried_along(answer):
    def change(task):
        # doccano gives back what it does not know next to the text.
        return {"id": 3, **task, "label": task["label"][1:], "Comments": []}

    docs, _ = answer("doccano", change, (TASK, EMPTY))
    assert [found(doc) for doc in docs] == [BOTH[1:], []]
    assert not any(map(missing, docs))
