"""BioC in JSON and XML: passages, sentences, locations, types, errors."""

import json

import pytest

from spacy_ner_ext.data.formats.bioc import read_bioc
from spacy_ner_ext.data.formats.registry import get_reader
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.recognize import guess_format
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.util.errors import UserError

NLP = BlankPipeline("en")


@pytest.fixture
def read(tmp_path):
    def read_value(value, **options):
        path = tmp_path / "a.json"
        text = value if isinstance(value, str) else json.dumps(value)
        path.write_bytes(text.encode("utf-8"))
        report = ConversionReport()
        return list(read_bioc(path, NLP, report=report, **options)), report

    return read_value


def annotation(start, quote, *more, label="Chemical", **values):
    places = [(start, len(quote)), *more]
    return {
        "id": "1",
        "infons": {"identifier": "D1", **({"type": label} if label else {})},
        "text": quote,
        "locations": [{"offset": a, "length": n} for a, n in places],
        **values,
    }


def document(*annotations, text="Zorbin cures flu.", offset=0, **values):
    passage = {"offset": offset, "infons": {}, "text": text, "annotations": annotations}
    return {"id": "9", "infons": {}, "passages": [passage], "relations": [], **values}


def ents(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


def whats(report, kind):
    return [what for _, what in report.notes[kind].examples]


ONE = document(annotation(0, "Zorbin"))
LAYOUTS = {
    "collection": {"source": "x", "date": "", "infons": {}, "documents": [ONE, ONE]},
    "PubTator 3": {"PubTator3": [ONE, ONE]},
    "array": [ONE, ONE],
    "collections": [{"documents": [ONE]}, {"documents": [ONE]}],
    "lines": f"{json.dumps(ONE)}\n{json.dumps(ONE)}\n",
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_documents_of_any_layout(read, tmp_path, case):
    docs, _ = read(LAYOUTS[case])
    assert [ents(doc) for doc in docs] == [[("Zorbin", "Chemical")]] * 2
    assert docs[0].user_data["id"] == "9"
    assert guess_format(tmp_path / "a.json") == "bioc"


def test_indented_file(read):
    docs, _ = read(json.dumps(LAYOUTS["collection"], indent=2))
    assert len(docs) == 2


def test_passages_and_their_sentences(read):
    first = document(annotation(4, "zorbin"), text="New zorbin")["passages"][0]
    sentence = {"offset": 20, "text": "It cures flu.", "relations": [{}]}
    other = document(annotation(29, "flu", label="Disease"), text="Well.", offset=35)
    second = {"offset": 20, "sentences": [sentence]}
    passages = [other["passages"][0], first, second]
    (doc,), report = read({"id": 9, "passages": passages})
    assert doc.text == "New zorbin\nIt cures flu.\nWell."
    assert ents(doc) == [("zorbin", "Chemical"), ("flu", "Disease")]
    assert whats(report, "skipped") == ["relation"]


def test_several_locations(read):
    value = document(annotation(0, "Zor", (13, 3), text="Zor flu"))
    (doc,), report = read(value, fragments="parts")
    assert [ent.text for ent in doc.ents] == ["Zorbin", "flu"]
    assert whats(report, "fragments") == ["annotation 1 has 2 fragments, made entities"]


def test_annotations_that_cannot_be_entities(read):
    untyped = annotation(0, "Zorbin", label="")
    nowhere = annotation(0, "Zorbin", locations=[])
    (doc,), report = read(document(untyped, nowhere))
    assert [token.ent_iob_ for token in doc] == ["", "O", "O", "O"]
    assert whats(report, "not_understood") == ["annotation 1 has no type"]
    assert whats(report, "skipped") == ["annotation 1 is not in a text"]


def test_offsets_are_found_by_the_text(read):
    value = document(annotation(8, "zorbin"), text="😀 zorbin", offset=5)
    (doc,), report = read(value)
    assert ents(doc) == [("zorbin", "Chemical")]
    assert whats(report, "relocated") == [
        "annotation 1: the offsets count UTF-16 units"
    ]
    (doc,), report = read(document(annotation(0, "Zorbin", text=None, label="A")))
    assert ents(doc) == [("Zorbin", "A")]


XML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source>x</source><document><id>9</id><passage>
<infon key="type">title</infon><offset>0</offset><text>Zorbin &amp; tea</text>
<annotation id="T1"><infon key="type">Chemical</infon>
<location offset="0" length="6"/><text>Zorbin</text></annotation>
<relation id="R"/></passage></document></collection>
"""


def test_xml(read, tmp_path):
    (doc,), report = read(XML)
    assert doc.text == "Zorbin & tea"
    assert ents(doc) == [("Zorbin", "Chemical")]
    assert whats(report, "skipped") == ["relation"]
    (tmp_path / "a.xml").write_text(XML, "utf-8")
    assert guess_format(tmp_path / "a.xml") == "bioc"


ERRORS = {
    "other text": (
        document(annotation(0, "flux")),
        "annotation 1 is 'flux', but 'Zorb'",
    ),
    "past the end": (
        document(annotation(3, "a" * 99, text=None)),
        "is not in the text",
    ),
    "no offset": ({"passages": [{"text": "a"}]}, "document 1: 'offset' is missing"),
    "text": ({"passages": [{"text": 3, "offset": 0}]}, "'text' is 3, not a string"),
    "passage": ({"passages": [3]}, "one of 'passages' is 3, not an object"),
    "type": (
        document(annotation(0, "Zorbin", label=3)),
        "the type of annotation 1 is 3",
    ),
    "not BioC": ({"text": "a"}, "is not a BioC collection or document"),
    "deep XML": (
        f"<document>{'<annotation>' * 3000}{'</annotation>' * 3000}</document>",
        "is not BioC XML (maximum recursion depth",
    ),
    "broken XML": (XML[:300], "is not BioC XML"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error_is_one_sentence(read, tmp_path, case):
    value, what = ERRORS[case]
    with pytest.raises(UserError) as caught:
        read(value)
    assert str(caught.value).startswith(f"{tmp_path / 'a.json'}")
    assert what in str(caught.value)


def test_registry_knows_it():
    assert get_reader("bioc", ["fragments"]) is read_bioc
