import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from spacy_ner_ext.data.formats.jsonl import read_jsonl, write_jsonl
from spacy_ner_ext.data.formats.registry import get_reader, get_writer
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.options import DEFAULT, ConvertOptions
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.util.errors import UserError

NLP = BlankPipeline("en")
TEXT = "Ann saw New York."
SPANS = [(0, 1, "PER"), (2, 4, "LOC")]
ARRAYS = [[0, 3, "PER"], [8, 16, "LOC"]]
OBJECTS = [
    {"start": 0, "end": 3, "label": "PER"},
    {"start": 8, "end": 16, "label": "LOC", "text": "New York"},
]
DOCCANO = [
    {"id": 1, "start_offset": 0, "end_offset": 3, "label": "PER"},
    {"id": 2, "start_offset": 8, "end_offset": 16, "label": "LOC"},
]
REGIONS = [
    {"start": 0, "end": 3, "text": "Ann", "labels": ["PER"]},
    {"start": 8, "end": 16, "text": "New York", "labels": ["LOC"]},
]
RESULTS = [
    {"id": "x", "type": "labels", "to_name": "text", "value": region}
    for region in REGIONS
]


@pytest.fixture
def read(tmp_path):
    def read_values(*values, options=None):
        path = tmp_path / "in.jsonl"
        lines = [v if isinstance(v, str) else json.dumps(v) for v in values]
        path.write_text("\n".join(lines), "utf-8", newline="\n")
        report = ConversionReport(source=str(path))
        docs = read_jsonl(path, NLP, report=report, options=options or DEFAULT)
        return list(docs), report

    return read_values


def ents(doc):
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


def words(doc):
    return [token.text for token in doc]


def counts(report):
    return {kind: notes.count for kind, notes in report.notes.items() if notes.count}


def task(*results, **values):
    annotations = [{"result": result, "was_cancelled": False} for result in results]
    return {"id": 5, "data": {"text": TEXT}, "annotations": annotations, **values}


SHAPES = {
    "Prodigy": {"text": TEXT, "spans": OBJECTS, "answer": "accept", "_task_hash": 1},
    "Doccano, old": {"id": 1, "text": TEXT, "labels": ARRAYS},
    "Doccano, with comments": {"text": TEXT, "label": ARRAYS, "Comments": ["x"]},
    "Doccano, new": {"text": TEXT, "entities": DOCCANO, "relations": []},
    "Doccano, data": {"data": TEXT, "entities": DOCCANO},
    "spaCy 2": [TEXT, {"entities": ARRAYS}],
    "spaCy 2, object": {"text": TEXT, "entities": ARRAYS},
    "Label Studio": task(RESULTS, predictions=[]),
    "Label Studio, old": {"data": {"text": TEXT}, "completions": [{"result": RESULTS}]},
    "Label Studio, short": {"id": 5, "text": TEXT, "label": REGIONS, "annotator": 1},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(read, shape):
    docs, report = read(SHAPES[shape], SHAPES[shape])
    assert [ents(doc) for doc in docs] == [SPANS, SPANS]
    assert {doc.text for doc in docs} == {TEXT}
    assert counts(report) == {}
    docs, _ = read(json.dumps([SHAPES[shape]] * 3, indent=1))
    assert [ents(doc) for doc in docs] == [SPANS] * 3


UNANNOTATED = {
    "text": {"text": TEXT},
    "null": {"text": TEXT, "spans": None},
    "spaCy 2": [TEXT, {"cats": {"A": 1.0}}],
    "Label Studio": task(),
    "choices": task([{"type": "choices", "value": {"choices": ["A"]}}]),
    "label": {"text": TEXT, "label": "A"},
}
WITHOUT_ENTITY = {
    "Prodigy": {"text": TEXT, "spans": []},
    "Doccano": {"text": TEXT, "label": []},
    "spaCy 2": [TEXT, {"entities": []}],
    "Label Studio": task([]),
}


@pytest.mark.parametrize("case", UNANNOTATED)
def test_not_annotated(read, case):
    (doc,), _ = read(UNANNOTATED[case], options=ConvertOptions(spans_key="sc"))
    assert not doc.has_annotation("ENT_IOB")
    assert "sc" not in doc.spans


@pytest.mark.parametrize("case", WITHOUT_ENTITY)
def test_annotated_without_entity(read, case):
    (doc,), _ = read(WITHOUT_ENTITY[case], options=ConvertOptions(spans_key="sc"))
    assert {token.ent_iob_ for token in doc} == {"O"}
    assert len(doc.spans["sc"]) == 0


CATS = {
    "label": ({"label": "A"}, {"A": 1.0}),
    "labels": ({"labels": ["A", "B"]}, {"A": 1.0, "B": 1.0}),
    "options": (
        {"options": [{"id": "A", "text": "a"}, {"id": "B"}], "accept": ["B"]},
        {"A": 0.0, "B": 1.0},
    ),
    "numbers": ({"options": [{"id": 1}], "accept": [1]}, {"1": 1.0}),
    "cats": ({"cats": {"A": 0.25, "B": True, "C": 0}}, {"A": 0.25, "B": 1.0, "C": 0.0}),
}


@pytest.mark.parametrize("case", CATS)
def test_categories(read, case):
    values, expected = CATS[case]
    (doc,), _ = read({"text": TEXT, "spans": OBJECTS, **values})
    assert doc.cats == expected
    assert ents(doc) == SPANS


def test_rejected_and_ignored_records_are_left_out(read):
    answers = ["accept", "reject", "ignore"]
    docs, report = read(*[{"text": a, "spans": [], "answer": a} for a in answers])
    assert [doc.text for doc in docs] == ["accept"]
    assert [p.number for p, _ in report.notes["rejected"].examples] == [2, 3]


def test_names_language_and_meta(read):
    values = {"text": "a", "id": 3, "document": "x/y", "lang": "en", "meta": {"b": [1]}}
    docs, _ = read(
        values,
        {"text": "a", "lang": "de"},
        options=ConvertOptions(lang="en"),
    )
    data = {"id": "3", "document": "x/y", "lang": "en", "meta": {"b": [1]}}
    assert [doc.user_data for doc in docs] == [data]


def tokens_of(doc):
    return [
        {
            "text": t.text,
            "start": t.idx,
            "end": t.idx + len(t),
            "ws": bool(t.whitespace_),
        }
        for t in doc
    ]


def test_gold_tokens(read):
    doc = Doc(NLP.vocab, ["Ann", "saw New", "Yo", "rk."], [True, True, False, False])
    tokens = tokens_of(doc)
    (read_doc,), report = read({"text": doc.text, "spans": ARRAYS, "tokens": tokens})
    assert words(read_doc) == words(doc)
    assert report.notes["expanded"].count == 1
    for token in tokens:
        del token["ws"]
    (read_doc,), _ = read({"text": doc.text, "spans": OBJECTS[:1], "tokens": tokens})
    assert words(read_doc) == words(doc)
    assert ents(read_doc) == [(0, 1, "PER")]


def test_label_studio_results_of_other_kinds(read):
    results = [
        *RESULTS,
        {"type": "relation", "direction": "right"},
        {"type": "choices", "to_name": "text", "value": {"choices": ["A"]}},
        {"type": "labels", "value": {"start": 4, "end": 7, "labels": []}},
        {"type": "labels", "value": {"start": 4, "end": 7, "labels": ["X", "Y"]}},
    ]
    (doc,), report = read(
        task(results, [], predictions=[{"result": []}]),
        options=ConvertOptions(spans_key="sc"),
    )
    assert doc.cats == {"A": 1.0}
    assert sorted(span.label_ for span in doc.spans["sc"]) == ["LOC", "PER", "X", "Y"]
    whats = [what for _, what in report.notes["skipped"].examples]
    other = 'further annotation, by "unknown"; see --annotator'
    assert whats == [other, "prediction", "result of type relation"]
    what = "the span from 4 to 7 has no label"
    assert report.notes["not_understood"].examples[0][1] == what
    assert doc[1].ent_iob_ == "B"


def test_cancelled_annotations(read):
    values = task([], RESULTS)
    values["annotations"][0]["was_cancelled"] = True
    (doc,), _ = read(values)
    assert ents(doc) == SPANS
    values["annotations"][1]["was_cancelled"] = True
    docs, report = read(values)
    assert docs == []
    assert report.notes["rejected"].count == 1


@pytest.mark.parametrize(
    "data", [{"text": TEXT, "b": "x"}, {"a": TEXT, "n": 1}, {"ref": TEXT, "text": "x"}]
)
def test_text_of_a_task(read, data):
    to_name = "ref" if "ref" in data else "other"
    results = [{**result, "to_name": to_name} for result in RESULTS]
    (doc,), _ = read(task(results, data=data))
    assert ents(doc) == SPANS


def test_offsets_in_utf_16_units_are_repaired(read):
    text = "😀 Ann𝒜 ran"
    region = {"start": 3, "end": 8, "text": "Ann𝒜", "labels": ["PER"]}
    (doc,), report = read({"text": text, "label": [region]})
    assert [(ent.start_char, ent.end_char) for ent in doc.ents] == [(2, 6)]
    (place, what), *_ = report.notes["relocated"].examples
    assert place.number == 1
    assert what == '"Ann𝒜" is at 2 to 6: the offsets count UTF-16 units'
    with pytest.raises(UserError, match="its text is"):
        read({"text": text, "label": [{**region, "text": "Bob"}]})


def test_relations_and_other_annotation_are_skipped(read):
    _, report = read(
        {"text": TEXT, "entities": DOCCANO, "relations": [{"id": 1}, {"id": 2}]},
        [TEXT, {"entities": [], "links": {}}],
    )
    assert [p.number for p, _ in report.notes["skipped"].examples] == [1, 1, 2]


WORD = {"text": "Ann", "start": 0, "end": 3, "ws": True}
ERRORS = {
    "number": (3, "3 is not a record of a known shape; write {"),
    "other keys": ({"phrase": "a"}, '{"phrase": "a"} is not a record'),
    "three values": (["a", {}, 1], '["a", {}, 1] is not a record'),
    "no text": ([1, {}], "the first of two values is 1, not a string"),
    "old tags": (["a", ["O"]], 'the second of two values is ["O"], not an object'),
    "text": ({"text": ["a"]}, "'text' is [\"a\"], not a string"),
    "surrogate": ('{"text": "\\ud800"}', "\\ud800 is half of a surrogate pair"),
    "spans": ({"text": "a", "spans": {"a": 1}}, "'spans' is {\"a\": 1}, not an array"),
    "span": ({"text": "a", "spans": [3]}, "a span is 3, not an object"),
    "pair": (
        {"text": "a", "spans": [[0, 1]]},
        "[0, 1] is not a start, an end and a label",
    ),
    "no start": ({"text": "a", "spans": [{"end": 1}]}, "'start' is missing, found end"),
    "no label": (
        {"text": "a", "spans": [{"start": 0, "end": 1}]},
        "'label' is missing",
    ),
    "null label": (
        {"text": "a", "spans": [[0, 1, None]]},
        "'label' is null, not",
    ),
    "empty label": ({"text": "a", "spans": [[0, 1, ""]]}, "has no label; add"),
    "bool": (
        {"text": "a", "spans": [[False, 1, "A"]]},
        "'start' is false, not",
    ),
    "float": ({"text": "a", "spans": [[0, 1.5, "A"]]}, "'end' is 1.5, not a whole"),
    "behind": ({"text": "a", "spans": [[0, 2, "A"]]}, "0 to 2 is not in the text of 1"),
    "negative": ({"text": "a", "spans": [[-1, 1, "A"]]}, "-1 to 1 is not in the text"),
    "nothing": ({"text": "a", "spans": [[0, 0, "A"]]}, "0 to 0 is empty"),
    "backwards": ({"text": "ab", "spans": [[2, 1, "A"]]}, "correct its start and end"),
    "surface": (
        {"text": "Ann", "spans": [{"start": 0, "end": 3, "label": "A", "text": "Bo"}]},
        'span from 0 to 3 is "Ann", but its text is "Bo"; correct',
    ),
    "answer": (
        {"text": "a", "answer": "maybe"},
        "the answer is 'maybe'; use one of",
    ),
    "cats": ({"text": "a", "cats": {"A": "x"}}, "category 'A' is \"x\", not a number"),
    "option": ({"text": "a", "options": ["A"]}, "'options' is \"A\", not"),
    "option id": ({"text": "a", "options": [{}]}, "'id' of an option is null, not a"),
    "accept": ({"text": "a", "accept": [None]}, "an accepted option is null, not"),
    "meta": ({"text": "a", "meta": "b"}, "'meta' is not a JSON value"),
    "id": ({"text": "a", "id": 1.5}, "'id' is 1.5, not a string"),
    "tokens": ({"text": "a", "tokens": [3]}, "a token is 3, not an object"),
    "token": ({"text": "a", "tokens": [{"id": 0}]}, "'text' is missing, found id"),
    "start": (
        {"text": "Ann ", "tokens": [WORD], "sent_starts": [1]},
        "'sent_starts' holds 1, not a number from 0 to 0",
    ),
    "task without text": (task([], data={"a": "x", "b": "y"}), "no 'text', but a, b"),
    "task without data": ({"data": {}, "annotations": []}, "no 'text', but nothing"),
    "annotations": (task(annotations={"a": 1}), "'annotations' is {\"a\": 1}, not an"),
    "result": ({"data": {"text": "a"}, "annotations": [{}]}, "'result' is missing"),
    "value": (task([{"value": 3}]), "the value of a result is 3, not an object"),
    "choice": (
        task([{"type": "choices", "value": {"choices": [1]}}]),
        "a choice is 1, not a string",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error_names_file_and_line(read, tmp_path, case):
    value, what = ERRORS[case]
    with pytest.raises(UserError) as caught:
        read({"text": "fine"}, "", value)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'in.jsonl'}, line 3: ")
    assert what in message
    assert "\n" not in message


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("roundtrip")


def write(docs, folder, spans_key=None):
    report = ConversionReport()
    write_jsonl(docs, folder, "out", report=report, spans_key=spans_key)
    return folder / "out.jsonl", report


def test_written_as_prodigy_has_it(tmp_path):
    doc = Doc(NLP.vocab, ["Ann", "ran", "."], [True, False, False])
    doc.set_ents([Span(doc, 0, 2, "X")])
    doc.cats = {"A": 1.0}
    doc.user_data.update(id="a/b", meta={"n": 1})
    path, report = write([doc], tmp_path)
    assert json.loads(path.read_text("utf-8")) == {
        "text": "Ann ran.",
        "tokens": [
            {"text": "Ann", "start": 0, "end": 3, "id": 0, "ws": True},
            {"text": "ran", "start": 4, "end": 7, "id": 1, "ws": False},
            {"text": ".", "start": 7, "end": 8, "id": 2, "ws": False},
        ],
        "spans": [
            {"start": 0, "end": 7, "token_start": 0, "token_end": 1, "label": "X"}
        ],
        "cats": {"A": 1.0},
        "id": "a/b",
        "meta": {"n": 1},
    }
    assert counts(report) == {}


def test_what_is_not_written_is_noted(tmp_path):
    n = 3
    doc = Doc(NLP.vocab, ["a"] * n, tags=["T"] * n, heads=[0] * n, deps=["d"] * n)
    doc.set_ents([Span(doc, 0, 1, "X")], missing=[doc[1:2]])
    doc.spans["sc"] = [Span(doc, 0, 1, ""), Span(doc, 1, 3, "Y")]
    path, report = write([doc], tmp_path)
    whats = [what for _, what in report.notes["skipped"].examples]
    assert whats == ["tags", "parse", "span group 'sc'"]
    assert counts(report) == {"skipped": 3, "replaced": 1}
    path, report = write([doc], tmp_path, "sc")
    assert [span["label"] for span in json.loads(path.read_text())["spans"]] == ["Y"]
    assert report.notes["dropped"].count == 1


@pytest.mark.parametrize("meta", [{"a": {1, 2}}, {"a": float("nan")}, {"a": "\ud800"}])
def test_what_is_no_json_is_an_error(tmp_path, meta):
    doc = NLP.make_doc("a")
    doc.user_data["meta"] = meta
    with pytest.raises(UserError, match="document 2: the document cannot be written"):
        write([NLP.make_doc("b"), doc], tmp_path)


UNICODE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def documents(draw):
    texts = draw(st.lists(UNICODE, min_size=1, max_size=8))
    flags = st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))
    spaces, starts = draw(st.none() | flags), draw(st.none() | flags)
    if starts is not None:
        starts[0] = True
    doc = Doc(NLP.vocab, texts, spaces, sent_starts=starts)
    doc.cats = draw(st.dictionaries(UNICODE, NUMBERS, max_size=2))
    if draw(st.booleans()):
        visible = [i for i, text in enumerate(texts) if text.strip()]
        labels = st.sampled_from(["PER", "creative work"])
        # No entity is of white space alone.
        ends = st.sampled_from(visible or [0])
        most = 4 if visible else 0
        drawn = draw(st.lists(st.tuples(ends, ends, labels), max_size=most))
        spans = [Span(doc, min(a, b), max(a, b) + 1, label) for a, b, label in drawn]
        doc.set_ents(filter_spans(spans))
        doc.spans["sc"] = spans
    return doc


def content(doc, spans_key):
    is_annotated = doc.has_annotation("ENT_IOB")
    spans = doc.ents if spans_key is None else doc.spans.get(spans_key, ())
    return (
        [(token.text, token.whitespace_, token.is_sent_start) for token in doc],
        (doc.text, doc.has_unknown_spaces, doc.cats, is_annotated),
        {(span.start, span.end, span.label_) for span in spans},
    )


@settings(deadline=None, max_examples=200)
@given(
    docs=st.lists(documents(), min_size=1, max_size=3),
    spans_key=st.sampled_from([None, "sc"]),
)
def test_round_trip(folder, docs, spans_key):
    path, report = write(docs, folder, spans_key)
    whats = {what for _, what in report.notes["skipped"].examples}
    other = "span group 'sc'" if spans_key is None else "entities of doc.ents"
    assert counts(report).keys() <= {"skipped"} and whats <= {other}
    report, options = ConversionReport(), ConvertOptions(spans_key=spans_key)
    back = list(read_jsonl(path, NLP, report=report, options=options))
    expected = [content(doc, spans_key) for doc in docs]
    assert [content(doc, spans_key) for doc in back] == expected
    assert counts(report).keys() <= {"duplicates", "overlapping", "expanded"}


def test_registered():
    assert get_reader("jsonl") is read_jsonl
    assert get_writer("jsonl") is write_jsonl
