"""Files of annotation tools as they export them: recognized and read, or refused."""
# ruff: noqa: E501

import json

import pytest

from spacy_ner_ext.data.formats.registry import get_reader
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.options import ConvertOptions
from spacy_ner_ext.data.recognize import guess_format
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.util.errors import UserError

NLP = BlankPipeline("en")
TEXT = "Ida Berg met Bo in Oslo"
IDA = {"start": 0, "end": 8, "text": "Ida Berg", "labels": ["PER"]}
OSLO = {"start": 19, "end": 23, "text": "Oslo", "labels": ["LOC"]}
BOTH = "Ida Berg/PER Oslo/LOC"
ALL = "B I O O O B"


@pytest.fixture
def read(tmp_path):
    def read_file(name, content, **options):
        path = tmp_path / name
        if not isinstance(content, str):
            content = "\n".join(map(json.dumps, content))
        path.write_text(content, "utf-8", newline="\n")
        report = ConversionReport(source=str(path))
        reader = get_reader(guess_format(path), options)
        chosen = ConvertOptions(lang="xx", spans_key="sc")
        return list(reader(path, NLP, report=report, options=chosen, **options)), report

    return read_file


def found(doc):
    ents = " ".join(f"{ent.text}/{ent.label_}" for ent in doc.ents)
    return ents, " ".join(token.ent_iob_ or "?" for token in doc), doc.cats


def noted(report):
    return {
        kind: [what for _, what in n.examples]
        for kind, n in report.notes.items()
        if n.count
    }


def task(*results, **values):
    return {
        "id": 1,
        "data": {"text": TEXT},
        "annotations": [{"result": [*results]}],
        **values,
    }


def labels(region, **values):
    return {
        "id": str(region["start"]),
        "type": "labels",
        "from_name": "ner",
        "to_name": "text",
        "value": region,
        **values,
    }


def answer(start, end, label, answer="accept", **values):
    span = {"start": start, "end": end, "label": label}
    return {
        "text": TEXT,
        "_view_id": "ner",
        "spans": [span],
        "answer": answer,
        **values,
    }


def rows(*rows):
    return "\n".join(rows) + "\n"


NONE = "? ? ? ? ? ?"
NOTHING = "O O O O O O"
PLAIN = [[0, 8, "PER"], [19, 23, "LOC"]]
ARGILLA = [
    {"label": "PER", "start": 0, "end": 8},
    {"label": "LOC", "start": 19, "end": 23},
]
# By name: the file, its content, and the entities, tags and categories of each document.
FILES = {
    "Label Studio": ("a.json", [task(labels(IDA), labels(OSLO))], [(BOTH, ALL, {})]),
    "Label Studio, results without types": (
        "a.json",
        [task({"value": IDA}, {"value": OSLO}, {"value": {"choices": ["A"]}})],
        [(BOTH, ALL, {"A": 1.0})],
    ),
    "Label Studio, only relations": (
        "a.json", [task({"type": "relation", "from_id": "a", "to_id": "b"})], [("", NONE, {})],
    ),
    "Label Studio, nothing found": ("a.json", [task()], [("", NOTHING, {})]),
    "Label Studio, only predictions": (
        "a.json", [{"data": {"text": TEXT}, "annotations": [], "predictions": [{"result": [labels(IDA)]}]}], [("", NONE, {})],
    ),
    "Label Studio, annotations null": ("a.json", [{"data": {"text": TEXT}, "annotations": None}, task(labels(IDA))], [("", NONE, {}), ("Ida Berg/PER", "B I O O O O", {})]),
    "Label Studio, ground truth": (
        "a.json",
        [{"data": {"text": TEXT}, "annotations": [{"result": []}, {"result": [labels(IDA), labels(OSLO)], "ground_truth": True}]}],
        [(BOTH, ALL, {})],
    ),
    "Label Studio, span without label": (
        "a.json", [task(labels(IDA), labels({**OSLO, "labels": []}))], [("Ida Berg/PER", "B I O O O ?", {})],
    ),
    "Label Studio, region of another kind": (
        "a.json", [task(labels(IDA), {"type": "rating", "value": {"start": 19, "end": 23, "rating": 3}})], [("Ida Berg/PER", "B I O O O ?", {})],
    ),
    "Label Studio, entities of two texts": (
        "a.json",
        [{**task(labels(IDA, to_name="b"), labels(IDA, to_name="a")), "data": {"a": TEXT, "b": "Ida Berg"}}],
        [("Ida Berg/PER", "B I", {}), ("Ida Berg/PER", "B I O O O O", {})],
    ),
    "Label Studio, other name of the text": (
        "a.json", [{**task(labels(IDA)), "data": {"body": TEXT, "source": "web"}}], [("Ida Berg/PER", "B I O O O O", {})],
    ),
    "Label Studio, HTML": (
        "a.json",
        [{"data": {"html": "<p>Ida Berg <b>met</b> Bo in Oslo</p>"}, "annotations": [{"result": [
            {"type": "hypertextlabels", "value": {"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]", "startOffset": 0, "endOffset": 8,
             "globalOffsets": {"start": 0, "end": 8}, "text": "Ida Berg", "hypertextlabels": ["PER"]}},
            {"type": "hypertextlabels", "value": {"start": "/p[1]/text()[2]", "end": "/p[1]/text()[2]", "startOffset": 7, "endOffset": 11,
             "globalOffsets": {"start": 19, "end": 23}, "text": "Oslo", "hypertextlabels": ["LOC"]}}]}]}],
        [(BOTH, ALL, {})],
    ),
    "Label Studio, rating": ("a.json", [task({"type": "rating", "value": {"rating": 4}})], [("", NONE, {})]),
    "Label Studio, choices and nothing": (
        "a.json", [task(), task({"type": "choices", "value": {"choices": ["A"]}})], [("", NONE, {}), ("", NONE, {"A": 1.0})],
    ),
    "Label Studio, nothing, choices, spans": (
        "a.json", [task(), task({"type": "choices", "value": {"choices": ["A"]}}), task(labels(IDA))],
        [("", NOTHING, {}), ("", NONE, {"A": 1.0}), ("Ida Berg/PER", "B I O O O O", {})],
    ),
    "Label Studio, choices of two questions": (
        "a.json",
        [task({"type": "choices", "from_name": q, "value": {"choices": [c]}}) for q, c in (("mood", "good"), ("mood", "bad"), ("topic", "art"))],
        [("", NONE, {"good": 1.0, "bad": 0.0}), ("", NONE, {"good": 0.0, "bad": 1.0}), ("", NONE, {"art": 1.0})],
    ),
    "Argilla 2, without an answer": ("a.json", [{"fields": {"text": TEXT}, "responses": {"ner": [{"value": value}]}} for value in (None, "", [])], [("", NONE, {}), ("", NONE, {}), ("", NOTHING, {})]),
    "Argilla 2, choices": (
        "a.json",
        [{"fields": {"text": TEXT}, "responses": {"mood": [{"value": mood}]}} for mood in ("good", "bad")],
        [("", NONE, {"good": 1.0, "bad": 0.0}), ("", NONE, {"good": 0.0, "bad": 1.0})],
    ),
    "Label Studio, indented": ("a.json", json.dumps([task(labels(IDA), labels(OSLO))], indent=2), [(BOTH, ALL, {})]),
    "JSON-MIN": ("a.json", [{"id": 1, "body": TEXT, "ner": [IDA, OSLO], "annotator": 1, "annotation_id": 3, "lead_time": 1.5}], [(BOTH, ALL, {})]),
    "JSON-MIN, choice": ("a.json", [{"text": TEXT, "id": 1, "mood": "good", "annotator": 1, "annotation_id": 3}], [("", NONE, {"good": 1.0})]),
    "JSON-MIN, choices": ("a.json", [{"text": TEXT, "id": 1, "mood": {"choices": ["a", "b"]}, "annotator": 1, "annotation_id": 3}], [("", NONE, {"a": 1.0, "b": 1.0})]),
    "JSON-MIN, spans and a string": ("a.json", [{"text": TEXT, "id": 1, "ner": [IDA, OSLO], "note": "sure", "annotation_id": 3}], [(BOTH, ALL, {})]),
    "JSON-MIN, taxonomy": ("a.json", [{"text": TEXT, "id": 1, "topic": [{"taxonomy": [["A"]]}], "annotation_id": 3}], [("", NONE, {})]),
    "JSON-MIN, nothing found": ("a.json", [{"text": TEXT, "id": 1, "annotator": 1, "annotation_id": 3}], [("", NOTHING, {})]),
    "Label Studio CSV": (
        "a.csv",
        rows("body,id,ner,annotator,annotation_id", f'{TEXT},1,"{json.dumps([IDA, OSLO]).replace(chr(34), chr(34) * 2)}",1,2', f"{TEXT},2,,1,3"),
        [(BOTH, ALL, {}), ("", NOTHING, {})],
    ),
    "Label Studio CSV, not annotated": (
        "a.csv",
        rows("text,id,label,annotator,annotation_id", f"{TEXT},1,,,", f'{TEXT},2,"{json.dumps([IDA]).replace(chr(34), chr(34) * 2)}",1,2'),
        [("", NONE, {}), ("Ida Berg/PER", "B I O O O O", {})],
    ),
    "Label Studio, empty text": ("a.json", [{"data": {"text": ""}, "annotations": [{"result": []}]}, task(labels(IDA))], [("Ida Berg/PER", "B I O O O O", {})]),
    "Label Studio TSV": (
        "a.tsv",
        rows("text\tid\tlabel\tannotator\tannotation_id", f'{TEXT}\t1\t"{json.dumps([IDA, OSLO]).replace(chr(34), chr(34) * 2)}"\t1\t2'),
        [(BOTH, ALL, {})],
    ),
    "Label Studio CSV, choices": ("a.csv", rows("text,id,mood,annotator,annotation_id", f"{TEXT},1,good,1,2"), [("", NONE, {"good": 1.0})]),
    "Doccano 1.0": ("a.jsonl", [{"id": 1, "text": TEXT, "labels": PLAIN}], [(BOTH, ALL, {})]),
    "Doccano 1.5": ("a.jsonl", [{"id": 1, "data": TEXT, "label": PLAIN, "Comments": []}], [(BOTH, ALL, {})]),
    "Doccano, annotations": (
        "a.jsonl",
        [{"id": 1, "text": TEXT, "annotations": [{"id": 1, "label": "PER", "start_offset": 0, "end_offset": 8, "user": 1}], "meta": {}, "annotation_approver": None}],
        [("Ida Berg/PER", "B I O O O O", {})],
    ),
    "Doccano, entities": (
        "a.jsonl",
        [{"id": 1, "text": TEXT, "entities": [{"id": 1, "label": "PER", "start_offset": 0, "end_offset": 8}], "relations": [], "Comments": []}],
        [("Ida Berg/PER", "B I O O O O", {})],
    ),
    "Doccano, unannotated first": (
        "a.jsonl", [{"id": 1, "text": TEXT, "label": []}, {"id": 2, "text": TEXT, "label": PLAIN}], [("", NOTHING, {}), (BOTH, ALL, {})],
    ),
    "Doccano, classes": ("a.jsonl", [{"id": 1, "text": TEXT, "label": ["A"]}, {"id": 2, "text": TEXT, "label": ["B"]}], [("", NONE, {"A": 1.0, "B": 0.0}), ("", NONE, {"A": 0.0, "B": 1.0})]),
    "Doccano, classes in annotations": ("a.jsonl", [{"id": 1, "text": TEXT, "annotations": [{"label": "A", "user": 1}]}], [("", NONE, {"A": 1.0})]),
    "Prodigy, spans of the view choice": (
        "a.jsonl",
        [{"text": TEXT, "_view_id": "choice", "spans": [{"start": 0, "end": 8, "label": "PER"}], "options": [{"id": "A"}, {"id": "B"}], "accept": ["B"], "answer": "accept"}],
        [("", NONE, {"A": 0.0, "B": 1.0})],
    ),
    "Prodigy, no span of the view choice": ("a.jsonl", [{"text": TEXT, "_view_id": "choice", "accept": ["A"], "spans": [], "answer": "accept"}], [("", NONE, {"A": 1.0})]),
    "Prodigy, choice ignored": (
        "a.jsonl",
        [{"text": TEXT, "_view_id": "choice", "options": [{"id": "A"}], "accept": [], "answer": a} for a in ("ignore", "accept")],
        [("", NONE, {"A": 0.0})],
    ),
    "Prodigy, option answers": (
        "a.jsonl",
        [{"text": TEXT, "options": [{"id": "A", "answer": "accept"}, {"id": "B", "answer": "reject"}, {"id": "C", "answer": "ignore"}], "answer": "accept"}],
        [("", NONE, {"A": 1.0, "B": 0.0})],
    ),
    "Prodigy, parts of speech": (
        "a.jsonl",
        [{"text": TEXT, "_view_id": "pos_manual", "spans": [{"start": 0, "end": 3, "label": "PROPN"}], "answer": "accept"}],
        [("", NONE, {})],
    ),
    "Prodigy, teach, not in a row": (
        "a.jsonl",
        [answer(0, 8, "PER"), {**answer(0, 2, "PER", "reject"), "text": "Bo ran"}, answer(19, 23, "PER", "reject"), answer(19, 23, "LOC"), answer(13, 15, "LOC", "reject"), answer(9, 12, "PER", "ignore")],
        [(BOTH, "B I ? ? ? B", {}), ("", "? ?", {})],
    ),
    "Prodigy, teach of older versions": (
        "a.jsonl",
        [{"text": TEXT, "spans": [{"start": 19, "end": 23, "label": "LOC", "score": 0.5, "rank": 0}], "answer": a} for a in ("accept",)],
        [("Oslo/LOC", "? ? ? ? ? B", {})],
    ),
    "Prodigy, teach and manual": (
        "a.jsonl",
        [{**answer(0, 8, "PER"), "text": TEXT}, {"text": "Bo ran", "_view_id": "ner_manual", "spans": [{"start": 0, "end": 2, "label": "PER"}], "answer": "accept"}],
        [("Bo/PER", "B O", {}), ("Ida Berg/PER", "B I ? ? ? ?", {})],
    ),
    "Prodigy, classes asked one by one": (
        "a.jsonl",
        [{"text": TEXT, "label": label, "answer": a, "_view_id": "classification", "spans": [{"start": 0, "end": 3, "pattern": 1}]} for label, a in (("A", "accept"), ("B", "reject"), ("C", "ignore"))],
        [("", NONE, {"A": 1.0, "B": 0.0})],
    ),
    "Prodigy, rejected manual": (
        "a.jsonl",
        [{**answer(0, 8, "PER", a), "_view_id": "ner_manual"} for a in ("reject", "ignore", "accept")],
        [("Ida Berg/PER", "B I O O O O", {})],
    ),
    "Prodigy, spans null": ("a.jsonl", [{"text": TEXT, "spans": None, "answer": "accept", "_view_id": "ner_manual"}], [("", NOTHING, {})]),
    "NER Annotator, indented": (
        "a.json", json.dumps({"classes": ["PER"], "annotations": [[TEXT, {"entities": PLAIN}], None]}, indent=1), [(BOTH, ALL, {})],
    ),
    "Dataturks": (
        "a.json",
        [{"content": TEXT, "annotation": [{"label": ["PER"], "points": [{"start": 0, "end": 7, "text": "Ida Berg"}]}, {"label": ["LOC"], "points": [{"start": 19, "end": 22, "text": "Oslo"}]}], "extras": None, "metadata": {"first_done_at": 1}}, {"content": "Bo", "annotation": None}],
        [(BOTH, ALL, {}), ("", "?", {})],
    ),
    "spaCy 2": ("a.json", json.dumps([[TEXT, {"entities": PLAIN}], ["Bo", {"entities": []}]]), [(BOTH, ALL, {}), ("", "O", {})]),
    "spaCy 2, ids of a knowledge base": ("a.json", json.dumps([[TEXT, {"entities": [[0, 8, "PER", ""], [19, 23, "LOC", None]]}]]), [(BOTH, ALL, {})]),
    "spaCy JSON": (
        "a.json",
        json.dumps([{"id": 0, "paragraphs": [{"sentences": [
            {"tokens": [{"id": 0, "orth": "Ida", "ner": "B-PER", "tag": "NN"}, {"id": 1, "orth": "Berg", "ner": "L-PER"}]},
            {"tokens": [{"orth": "met", "ner": "-"}, {"orth": "Bo", "ner": "O"}, {"orth": "in", "ner": "O"}, {"orth": "Oslo", "ner": "U-LOC"}]}]}]}]),
        [(BOTH, "B I ? O O B", {})],
    ),
    "Doc.to_json": (
        "a.json",
        json.dumps({"text": TEXT, "ents": [{"start": 0, "end": 8, "label": "PER"}, {"start": 19, "end": 23, "label": "LOC"}], "sents": [{"start": 0, "end": 23}],
            "tokens": [{"id": i, "start": s, "end": e} for i, (s, e) in enumerate([(0, 3), (4, 8), (9, 12), (13, 15), (16, 18), (19, 23)])], "spans": {"sc": [{"start": 0, "end": 3, "label": "X"}]}}, indent=1),
        [(BOTH, ALL, {})],
    ),
    "Doc.to_json, entities and longer spans": (
        "a.json", [{"text": TEXT, "ents": [{"start": 0, "end": 8, "label": "PER"}], "tokens": [], "spans": {"sc": [{"start": 0, "end": 23, "label": "EVENT"}]}}], [("Ida Berg/PER", "B I O O O O", {})],
    ),
    "a number of each span": ("a.jsonl", [{"text": "Ida, Bo", "entities": [{"index": 0, "start": 0, "end": 3, "label": "PER"}]}], [("Ida/PER", "B O O", {})]),
    "a number of each row": ("a.csv", "index,text,start,end,label\n0,Ida met Bo,0,3,PER\n1,Ida met Bo,8,10,PER\n", [("Ida/PER Bo/PER", "B O B", {})]),
    "CLUENER, no entity": (
        "a.jsonl", [{"text": "Ida Berg", "label": {"PER": {"Ida Berg": [[0, 7]]}}}, {"text": "Bo", "label": {}}], [("Ida Berg/PER", "B I", {}), ("", "O", {})],
    ),
    "pipeline of transformers": ("a.jsonl", [{"text": "Ida Berg", "entities": [{"entity_group": "PER", "score": 0.9, "word": "Ida Berg", "start": 0, "end": 8}]}], [("Ida Berg/PER", "B I", {})]),
    "Doc.to_json, span group": (
        "a.json", [{"text": TEXT, "ents": [], "tokens": [], "spans": {"sc": [{"start": 0, "end": 8, "label": "PER", "kb_id": ""}]}}], [("Ida Berg/PER", "B I O O O O", {})],
    ),
    "GLiNER": ("a.json", json.dumps([{"tokenized_text": TEXT.split(), "ner": [[0, 1, "PER"], [5, 5, "LOC"]]}]), [(BOTH, ALL, {})]),
    "SciERC": (
        "a.jsonl",
        [{"doc_key": "d", "sentences": [["Ida", "Berg", "met"], ["Bo", "in", "Oslo"]], "ner": [[[0, 1, "PER"], [0, 0, "FIRST"]], [[5, 5, "LOC"]]], "relations": [[], []], "clusters": []}],
        [(BOTH, ALL, {})],
    ),
    "SpERT": ("a.json", json.dumps([{"tokens": TEXT.split(), "entities": [{"type": "PER", "start": 0, "end": 2}, {"type": "LOC", "start": 5, "end": 6}], "relations": []}]), [(BOTH, ALL, {})]),
    "W2NER": ("a.json", json.dumps([{"sentence": TEXT.split(), "ner": [{"index": [0, 1], "type": "PER"}, {"index": [5], "type": "LOC"}]}]), [(BOTH, ALL, {})]),
    "CLUENER, no label": ("a.json", [{"text": TEXT, "label": {"PER": {"Ida Berg": [[0, 7]]}, "LOC": {"Oslo": [[19, 22]]}}}, {"id": 1, "text": "Bo"}], [(BOTH, ALL, {}), ("", "?", {})]),
    "CMeEE": ("a.json", json.dumps([{"text": TEXT, "entities": [{"start_idx": 0, "end_idx": 7, "type": "PER", "entity": "Ida Berg"}]}]), [("Ida Berg/PER", "B I O O O O", {})]),
    "Argilla 1": ("a.jsonl", [{"text": TEXT, "tokens": TEXT.split(), "annotation": ARGILLA, "prediction": None, "status": "Validated"}, {"text": TEXT, "tokens": TEXT.split(), "annotation": None, "status": "Default"}], [(BOTH, ALL, {}), ("", NONE, {})]),
    "Argilla 1, tuples": ("a.jsonl", [{"text": TEXT, "tokens": TEXT.split(), "annotation": [["PER", 0, 8], ["LOC", 19, 23]]}], [(BOTH, ALL, {})]),
    "Argilla 2": (
        "a.json",
        json.dumps([{"id": "x", "fields": {"text": TEXT}, "responses": {"ner": [{"value": ARGILLA, "user_id": "u"}], "mood": [{"value": "good", "user_id": "u"}]}, "suggestions": {}, "status": "completed"}]),
        [(BOTH, ALL, {"good": 1.0})],
    ),
    "Argilla 2, discarded": (
        "a.jsonl",
        [{"fields": {"text": TEXT}, "responses": {"ner": [{"value": ARGILLA[:1], "status": "discarded"}, *others]}} for others in ([], [{"value": ARGILLA}])],
        [(BOTH, ALL, {})],
    ),
    "Argilla 1, classes": ("a.jsonl", [{"text": TEXT, "annotation": "A", "status": "Validated"}], [("", NONE, {"A": 1.0})]),
    "Argilla 2, columns": (
        "a.jsonl", [{"id": "1", "text": TEXT, "ner.responses": [ARGILLA], "ner.responses.users": ["u"], "ner.suggestion": None}, {"id": "2", "text": "Bo", "ner.responses": None}],
        [(BOTH, ALL, {}), ("", "?", {})],
    ),
    "Argilla 1 feedback": (
        "a.json",
        json.dumps([{"fields": {"text": TEXT}, "responses": [{"values": {"ner": {"value": ARGILLA}}, "status": "submitted", "user_id": "u"}]}, {"fields": {"text": TEXT}, "responses": [{"values": {}, "status": "discarded"}]}]),
        [(BOTH, ALL, {})],
    ),
    "Rasa": ("a.json", json.dumps({"rasa_nlu_data": {"common_examples": [{"text": TEXT, "intent": "meet", "entities": [{"start": 19, "end": 23, "value": "oslo", "entity": "LOC"}]}]}}), [("Oslo/LOC", "O O O O O B", {})]),
    "LightTag": ("a.json", json.dumps({"examples": [{"content": TEXT, "annotations": [{"start": 0, "end": 8, "tag_name": "PER", "value": "Ida Berg"}]}]}), [("Ida Berg/PER", "B I O O O O", {})]),
    "PubAnnotation": ("a.json", [{"text": TEXT, "denotations": [{"id": "T1", "span": {"begin": 0, "end": 8}, "obj": "PER"}]}], [("Ida Berg/PER", "B I O O O O", {})]),
    "a span a row": (
        "a.csv", rows("text,start,end,label", f"{TEXT},0,8,PER", "Bo ran,,,", f"{TEXT},19,23,LOC"), [(BOTH, ALL, {}), ("", "O O", {})],
    ),
    "a span a row, as pandas writes it": (
        "a.csv", rows("text,start,end,label", f"{TEXT},0.0,8.0,PER", "Bo ran,,,"), [("Ida Berg/PER", "B I O O O O", {}), ("", "O O", {})],
    ),
    "a span a row, with its text": (
        "a.csv", rows("sentence;text;start;end;label", f"{TEXT};Ida Berg;0;8;PER", f"{TEXT};Oslo;19;23;LOC"), [(BOTH, ALL, {})],
    ),
    "Doccano, classes and entities": ("a.jsonl", [{"id": 1, "text": TEXT, "cats": ["A"], "entities": [[0, 8, "PER"]]}], [("Ida Berg/PER", "B I O O O O", {"A": 1.0})]),
    "tags of a sentence": ("a.jsonl", [{"sentence": TEXT, "tags": ["B-PER", "I-PER", "O", "O", "O", "B-LOC"]}], [(BOTH, ALL, {})]),
    "tags of a list of words": ("a.jsonl", [{"text": TEXT.split(), "labels": ["B-PER", "I-PER", "O", "O", "O", "B-LOC"]}], [(BOTH, ALL, {})]),
    "labels without prefix": ("a.jsonl", [{"tokens": TEXT.split(), "ner": ["PER", "PER", "O", "O", "O", "LOC"]}], [(BOTH, ALL, {})]),
    "tags of another style": ("a.jsonl", [{"words": TEXT.split(), "tags": ["PER_B", "PER_I", "O", "O", "O", "LOC_B"]}], [(BOTH, ALL, {})]),
    "a span a line": ("a.jsonl", [{"text": TEXT, "start": 0, "end": 8, "label": "PER"}, {"text": TEXT, "start": 19, "end": 23, "label": "LOC"}], [(BOTH, ALL, {})]),
    "tags of tokens": ("a.jsonl", [{"tokens": TEXT.split(), "tags": ["B-PER", "I-PER", "O", "O", "O", "B-LOC"]}], [(BOTH, ALL, {})]),
    "tags of words, missing": ("a.jsonl", [{"words": TEXT.split(), "labels": ["B-PER", "I-PER", "-", None, "O", "B-LOC"]}], [(BOTH, "B I ? ? O B", {})]),
    "tags in a string": ("a.csv", rows("text,labels", f"{TEXT},B-PER I-PER O O O B-LOC"), [(BOTH, ALL, {})]),
    "lists of pandas": ("a.csv", rows("text,entities", f"{TEXT},\"[(0, 8, 'PER'), (19, 23, 'LOC')]\""), [(BOTH, ALL, {})]),
    "dictionaries of pandas": ("a.csv", rows("text,label", f"{TEXT},\"[{{'start': 0, 'end': 8, 'label': 'PER'}}]\""), [("Ida Berg/PER", "B I O O O O", {})]),
    "lists of numpy": ("a.csv", rows("tokens,tags", "\"['Ida' \"\"isn't\"\"\n 'in']\",\"['B-PER' 'O'\n 'O']\""), [("Ida/PER", "B O O", {})]),
    "list of categories": ("a.csv", rows("text,label", f'{TEXT},"[""A"", ""B""]"'), [("", NONE, {"A": 1.0, "B": 1.0})]),
    "mixed": (
        "a.jsonl",
        [{"text": "Bo", "label": "A"}, [TEXT, {"entities": PLAIN}], task(labels(IDA)), {"text": "Bo", "spans": []}],
        [("", "?", {"A": 1.0}), (BOTH, ALL, {}), ("Ida Berg/PER", "B I O O O O", {}), ("", "O", {})],
    ),
    "marks in the text": ("a.jsonl", [{"text": "[ORG Acme] <b>is</b> [Ada](PER)", "spans": []}], [("", " ".join("O" * len(NLP.make_doc("[ORG Acme] <b>is</b> [Ada](PER)"))), {})]),
    "offsets of other units": ("a.jsonl", [{"text": "\U0001f600 Ida ran", "spans": [{"start": 3, "end": 6, "label": "PER", "text": "Ida"}]}], [("Ida/PER", "O B O", {})]),
    "offsets as floats": ("a.jsonl", [{"text": TEXT, "spans": [{"start": 0.0, "end": 8.0, "label": "PER"}]}], [("Ida Berg/PER", "B I O O O O", {})]),
    "SageMaker Ground Truth": (
        "a.manifest.jsonl",
        [{"source": TEXT, "job": {"annotations": {"entities": [{"startOffset": 0, "endOffset": 8, "label": "PER"}], "labels": [{"label": "PER"}]}}, "job-metadata": {"type": "groundtruth/text-span", "entities": [{"confidence": 0}]}}],
        [("Ida Berg/PER", "B I O O O O", {})],
    ),
    "SageMaker Ground Truth, classes": ("a.jsonl", [{"source": TEXT, "job": 0, "job-metadata": {"class-name": "good", "confidence": 0.9}}], [("", NONE, {"good": 1.0})]),
    "SageMaker Ground Truth, several classes": ("a.jsonl", [{"source": TEXT, "job": [0, 1], "job-metadata": {"class-map": {"0": "A", "1": "B"}}}], [("", NONE, {"A": 1.0, "B": 1.0})]),
    "Vertex AI": ("a.jsonl", [{"textContent": TEXT, "textSegmentAnnotations": [{"startOffset": "0", "endOffset": "8", "displayName": "PER"}], "dataItemResourceLabels": {}}], [("Ida Berg/PER", "B I O O O O", {})]),
    "AutoML": (
        "a.jsonl",
        [{"annotations": [{"text_extraction": {"text_segment": {"start_offset": 0, "end_offset": 8}}, "display_name": "PER"}], "text_snippet": {"content": TEXT}}],
        [("Ida Berg/PER", "B I O O O O", {})],
    ),
    "offsets as strings": ("a.jsonl", [{"text": TEXT, "spans": [{"start": "0", "end": "8", "label": "PER"}]}], [("Ida Berg/PER", "B I O O O O", {})]),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_file(read, case):
    name, content, expected = FILES[case]
    docs, _ = read(name, content)
    assert [found(doc) for doc in docs] == expected


ERRORS = {
    "address": ("a.json", [{"data": {"text": "s3://bucket/a.txt"}, "annotations": []}], "is the address of a text"),
    "address of an upload": ("a.json", [{"data": {"text": "/data/upload/1/a.txt"}, "annotations": []}], "is the address of a text"),
    "which text": ("a.json", [{"id": 1, "data": {"a": "x", "b": "y"}, "annotations": []}], "name the text 'text'"),
    "numbers of labels": ("a.jsonl", [{"text": TEXT, "annotations": [{"label": 3, "start_offset": 0, "end_offset": 8}]}], "the label 3 is a number without its name"),
    "numbers of classes": ("a.jsonl", [{"text": TEXT, "annotations": [{"label": 3, "user": 1}]}], "the label 3 is a number without its name"),
    "fewer tags": ("a.jsonl", [{"text": TEXT, "labels": ["B-PER", "O"]}], "6 tokens have 2 tags"),
    "quotes without offsets": ("a.jsonl", [{"text": TEXT, "entities": [{"text": "Oslo", "label": "LOC"}]}], "'start' is missing"),
    "quotes by label": ("a.jsonl", [{"text": TEXT, "entities": {"LOC": ["Oslo"]}}], "'entities' is {"),
    "other quote": ("a.jsonl", [{"text": TEXT, "entities": [{"start": 0, "end": 3, "label": "LOC", "text": "Oslo"}]}], "but its text is \"Oslo\""),
    "answer": ("a.jsonl", [{"text": TEXT, "answer": "yes"}], "the answer is 'yes'"),
    "text null": ("a.jsonl", [{"text": TEXT, "spans": []}, {"text": None, "spans": []}], "line 2"),
    "word outside": ("a.json", [{"tokenized_text": ["a"], "ner": [[0, 1, "X"]]}], "is not in the text of 1 words"),
    "rejected outside": ("a.jsonl", [{"text": "a", "spans": [{"start": 5, "end": 9, "label": "A", "answer": "reject"}]}], "5 to 9"),
    "tagtog": ("a.ann.json", [{"annotatable": {"parts": ["s1v1"]}, "entities": [{"classId": "e_1", "part": "s1v1", "offsets": [{"start": 0, "text": "Ida"}]}]}], "this is tagtog's ann.json, whose text is in another file; write"),
    "AWS Comprehend": ("a.jsonl", [{"Entities": [{"BeginOffset": 0, "EndOffset": 3, "Text": "Ida", "Type": "PER"}], "File": "a.txt", "Line": 0}], "this is annotation of AWS Comprehend, whose text"),
    "AWS Comprehend, CSV": ("a.csv", "File,Line,Begin Offset,End Offset,Type\na.txt,0,0,3,PER\n", "of AWS Comprehend"),
    "SageMaker, addresses": ("a.jsonl", [{"source-ref": "s3://x/a.txt", "job": {}}], "this is a list of addresses, not of texts"),
    "Vertex AI, addresses": ("a.jsonl", [{"textGcsUri": "gs://x/a.txt", "textSegmentAnnotations": []}], "this is a list of addresses, not of texts"),
    "BigBIO": ("a.jsonl", [{"id": "1", "passages": [{"text": [TEXT], "offsets": [[0, 23]]}], "entities": [{"offsets": [[0, 8]], "text": ["Ida Berg"], "type": "PER"}]}], "this is BigBIO's schema"),
    "identifiers of labels": ("a.jsonl", [{"text": TEXT, "entities": [{"start": 0, "end": 8, "label_id": 3}]}], "the label 3 is a number without its name"),
    "UBIAI": ("a.json", [{"documentName": "a", "document": "Ida", "tokens": [{"text": "Ida", "start": 0, "end": 3, "entityLabel": "PER"}]}], "this is UBIAI's JSON"),
    "DocRED": ("a.json", [{"title": "a", "sents": [["Ida"]], "vertexSet": []}], "this is DocRED"),
    "LUIS": ("a.json", [{"luis_schema_version": "3.0", "utterances": []}], "this is an app of LUIS"),
    "Azure": ("a.json", [{"projectFileVersion": "2022-05-01", "assets": {}}], "this is a project of Azure"),
    "tags of words": ("a.jsonl", [{"text": "Ida Berg", "entities": [{"entity": "B-PER", "word": "Ida", "index": 1, "start": 0, "end": 3}]}], "the tag of a word; join words to spans"),
    "mentions of ACE": ("a.jsonl", [{"tokens": ["Ida"], "sentence": "Ida", "entity_mentions": [{"start": 0, "end": 1, "entity_type": "PER"}]}], "'entity_mentions' is not understood"),
    "unknown": ("a.json", [{"foo": 1}], "the format is not recognized"),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_error_is_one_sentence(read, case):
    name, content, what = ERRORS[case]
    with pytest.raises(UserError) as caught:
        read(name, content)
    message = str(caught.value)
    assert what in message
    assert "\n" not in message


ANN, BEN = {"id": 4, "email": "ann@x.org"}, 7
BY_TWO = {
    "Label Studio": [
        {
            "data": {"text": TEXT},
            "annotations": [
                {"result": [labels(IDA)], "completed_by": ANN},
                {"result": [labels(OSLO)], "completed_by": BEN},
            ],
        }
    ],
    "JSON-MIN": [
        {"text": TEXT, "ner": [IDA], "annotator": "ann@x.org", "annotation_id": 1},
        {"text": TEXT, "ner": [OSLO], "annotator": 7, "annotation_id": 2},
    ],
    "Prodigy": [
        {"text": TEXT, "spans": ARGILLA[:1], "_annotator_id": "ann@x.org"},
        {"text": TEXT, "spans": ARGILLA[1:], "_annotator_id": "7"},
    ],
    "Doccano": [
        {
            "text": TEXT,
            "annotations": [
                {
                    "start_offset": 0,
                    "end_offset": 8,
                    "label": "PER",
                    "user": "ann@x.org",
                },
                {"start_offset": 19, "end_offset": 23, "label": "LOC", "user": 7},
            ],
        }
    ],
    "Argilla": [
        {
            "fields": {"text": TEXT},
            "responses": {
                "ner": [
                    {"value": ARGILLA[:1], "user_id": "ann@x.org"},
                    {"value": ARGILLA[1:], "user_id": "7"},
                ]
            },
        }
    ],
}


@pytest.mark.parametrize("tool", BY_TWO)
def test_annotators(read, tool):
    content = BY_TWO[tool]
    docs, report = read("a.jsonl", content, annotator="7")
    assert [found(doc)[0] for doc in docs] == ["Oslo/LOC"]
    assert report.notes["skipped"].count == 1
    docs, report = read("a.jsonl", content, annotator="ann@x.org")
    assert [found(doc)[0] for doc in docs] == ["Ida Berg/PER"]
    docs, report = read("a.jsonl", content)
    first = "Ida Berg/PER Oslo/LOC" if tool == "Doccano" else "Ida Berg/PER"
    assert found(docs[0])[0] == first
    (warning,) = report.more_warnings
    assert warning.endswith("choose one with --annotator")
    with pytest.raises(
        UserError, match="Cy: no annotation names that annotator; choose"
    ):
        read("a.jsonl", content, annotator="Cy")


def test_an_annotator_where_none_is_named(read):
    content = '{"text": "Ida", "spans": [[0, 3, "PER"]]}\n'
    with pytest.raises(UserError, match="no annotation names that annotator; leave"):
        read("a.jsonl", content, annotator="Cy")


NOTES = {
    "taxonomy": ([task({"type": "taxonomy", "value": {"taxonomy": [["A"]]}})], {"not_understood": ["result of type taxonomy"]}),
    "relation": ([task(labels(IDA), {"type": "relation"})], {"skipped": ["result of type relation"]}),
    "merged": (
        [answer(0, 8, "PER"), answer(19, 23, "LOC", "reject")],
        {"merged": ["an answer about a text seen before"], "rejected": ["LOC from 19 to 23, answer reject"]},
    ),
    "unknown key": ([{"text": TEXT, "spans": []}, {"text": TEXT, "mentions": [1]}], {"not_understood": ["'mentions'"]}),
    "string and spans": ([{"text": TEXT, "id": 1, "ner": [IDA], "note": "x", "annotation_id": 3}], {"not_understood": ["result of type 'note'"]}),
    "shifted": (
        [{"text": TEXT, "spans": [{"start": 18, "end": 22, "label": "LOC", "text": "Oslo"}]}],
        {"relocated": ['"Oslo" is at 19 to 23: the offsets are 1 character too small']},
    ),
    "word pieces": (
        [{"text": "Idana", "tokens": [{"text": "Ida", "start": 0, "end": 3}, {"text": "##na", "start": 3, "end": 5}], "spans": []}],
        {"skipped": ["tokens that do not spell the text"]},
    ),
    "view without spans": ([{"text": TEXT, "_view_id": "choice", "accept": ["A"], "spans": [], "answer": "accept"}], {}),
    "NER Annotator": ([{"annotations": [["a", {"entities": []}], None]}], {"skipped": ["a text that was not annotated, null"]}),
}  # fmt: skip


@pytest.mark.parametrize("case", NOTES)
def test_what_is_noted(read, case):
    content, expected = NOTES[case]
    _, report = read("a.jsonl", content)
    assert noted(report) == expected


def test_attributes_of_regions(read):
    about = {"id": "0", "value": {"start": 0, "end": 8}}
    choice = {**about, "type": "choices", "from_name": "sure"}
    choice["value"] = {**choice["value"], "choices": ["yes"]}
    stars = {"id": "0", "type": "rating", "from_name": "stars", "value": {"rating": 3}}
    note = {
        "id": "0",
        "type": "textarea",
        "from_name": "note",
        "value": {**about["value"], "text": ["see 4"]},
    }
    results = [labels(IDA), labels(OSLO), choice, stars, note]
    (doc,), report = read("a.json", [task(*results)])
    ida, oslo = doc.ents
    assert (ida._.sure, ida._.stars, ida._.note) == ("yes", 3, "see 4")
    assert (oslo._.sure, oslo._.stars, oslo._.note) == (None, None, None)
    assert doc.cats == {}
    assert noted(report) == {}


def test_attributes_of_regions_in_json_min(read):
    status = {"start": 0, "end": 8, "text": "Ida Berg", "choices": ["sure"]}
    values = {"text": TEXT, "id": 1, "ner": [IDA], "status": [status]}
    (doc,), report = read("a.json", [{**values, "annotation_id": 3}])
    assert doc.ents[0]._.status == "sure"
    assert noted(report) == {}


def test_nested_entities_are_in_the_span_group(read):
    content = [{"sentences": [["Ida", "Berg"]], "ner": [[[0, 1, "PER"], [0, 0, "X"]]]}]
    (doc,), _ = read("a.jsonl", content)
    assert [(s.text, s.label_) for s in doc.spans["sc"]] == [
        ("Ida", "X"),
        ("Ida Berg", "PER"),
    ]


GUESSES = {
    "categories": ("a.csv", "text,label\nGood,pos\n", "textcat"),
    "truth of categories": ("a.jsonl", '{"text": "a", "label": {"A": 1, "B": 0}}', "textcat"),
    "blood groups": ("a.jsonl", json.dumps({"text": "one two", "labels": ["A", "O"]}), "textcat"),
    "dates": ("a.csv", "text,label,start\na,A,2020-01-01\n", None),
    "list of numbers": ("a.jsonl", '{"text": "a", "label": [1, 0]}', "textcat"),
    "numbers of categories": ("a.csv", "text,label\nGood,1\n", "textcat"),
    "spans in a cell": ("a.csv", 'text,label\nBo,"[[0, 2, ""PER""]]"\n', "table"),
    "answers": ("a.jsonl", '{"text": "a", "label": "A", "answer": "accept"}', "jsonl"),
    "list of categories": ("a.jsonl", '{"text": "a", "cats": ["A"]}', "textcat"),
    "category first": ("a.jsonl", '{"text": "a", "label": "A"}\n{"text": "b", "spans": []}', "jsonl"),
    "tags": ("a.jsonl", '{"tokens": ["a"], "ner_tags": ["O"]}', "datasets"),
    "text alone": ("a.jsonl", '{"text": "a"}', None),
    "a tag a row": ("a.csv", "text,label\nIda,B-PER\nran,O\n", None),
    "long text as label": ("a.jsonl", json.dumps({"text": "a", "label": "b " * 50}), None),
    "translations": ("a.jsonl", '{"text": "It rains.", "label": ["Es regnet."]}', None),
    "days": ("a.csv", "text,label\na,2024-01-02\n", None),
    "addresses": ("a.csv", "text,label\na,https://x.org/a\n", None),
    "decimals with a comma": ("a.csv", "text;label\na;4,5\n", None),
    "negative": ("a.csv", "text,label\na,-1\n", "textcat"),
    "decimals": ("a.csv", "text,label\na,0.75\n", None),
    "nothing": ("a.jsonl", '{"a": 1}', None),
}  # fmt: skip


@pytest.mark.parametrize("case", GUESSES)
def test_guess(tmp_path, case):
    name, content, format = GUESSES[case]
    (tmp_path / name).write_text(content)
    if format is None:
        with pytest.raises(UserError, match="--format"):
            guess_format(tmp_path / name)
    else:
        assert guess_format(tmp_path / name) == format


def test_a_file_of_which_nothing_is_understood_is_an_error(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "Bo", "mentions": [[0, 2]]}\n')
    with pytest.raises(UserError, match="line 1: 'mentions' is not understood; write"):
        list(get_reader("jsonl")(path, NLP))
