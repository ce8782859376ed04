"""PubTator: offsets over title and abstract, fragments, relations, errors."""

import pytest

from spacy_ner_ext.data.formats.pubtator import read_pubtator
from spacy_ner_ext.data.formats.registry import get_reader
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.recognize import guess_format
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.util.errors import UserError

NLP = BlankPipeline("en")
HEAD = "27|t|Effects of zorbin\n27|a|Zorbin cured sore feet and hands.\n"


@pytest.fixture
def read(tmp_path):
    def read_text(text, **options):
        path = tmp_path / "a.txt"
        path.write_bytes(text.encode("utf-8"))
        report = ConversionReport()
        return list(read_pubtator(path, NLP, report=report, **options)), report

    return read_text


def ents(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


def whats(report, kind):
    return [what for _, what in report.notes[kind].examples]


def test_mentions_of_title_and_abstract(read):
    mentions = (
        "27\t11\t17\tzorbin\tChemical\tD1\n"
        "27\t18\t24\tZorbin\tChemical\tD1|D2\tzor|bin\n"
        "27\tCID\tD1\tD2\n\n28|t|Nothing\n28|a|\n"
    )
    docs, report = read(HEAD + mentions)
    assert [doc.user_data["id"] for doc in docs] == ["27", "28"]
    assert docs[0].text == "Effects of zorbin\nZorbin cured sore feet and hands."
    assert ents(docs[0]) == [("zorbin", "Chemical"), ("Zorbin", "Chemical")]
    assert [token.ent_iob_ for token in docs[1]] == ["O"]
    assert whats(report, "skipped") == ["relation CID"]


def test_documents_without_blank_lines_or_labels_of_ids(read):
    lines = "27\t11\t17\tzorbin\tChemical\n27|t|Again\n28|t|Tea\n28|a|helps\n"
    docs, _ = read(HEAD + lines + "28\t0\t3\tTea\tFood\n")
    assert [doc.text for doc in docs][1:] == ["Again", "Tea\nhelps"]
    assert ents(docs[2]) == [("Tea", "Food")]


def test_fragments(read):
    line = "27\t31,45\t35,50\tsore hands\tDisease\tD2\n"
    (doc,), report = read(HEAD + line)
    assert ents(doc) == [("sore feet and hands", "Disease")]
    assert whats(report, "fragments") == [
        "Disease from 31,45 to 35,50 has 2 fragments, merged"
    ]
    (doc,), _ = read(HEAD + line, fragments="parts")
    assert ents(doc) == [("sore", "Disease"), ("hands", "Disease")]


def test_offsets_that_count_bytes(read):
    (doc,), report = read("27|t|é zorbin\n27\t3\t9\tzorbin\tChemical\tD1\n")
    assert ents(doc) == [("zorbin", "Chemical")]
    assert whats(report, "relocated") == [
        "Chemical from 3 to 9: the offsets count UTF-8 bytes"
    ]


ERRORS = {
    "other text": (
        "27\t0\t7\tzorbinol\tChemical\n",
        3,
        "from 0 to 7 is 'zorbinol', but",
    ),
    "other document": ("28\t0\t7\tEffects\tX\n", 3, "does not follow the text of its"),
    "no label": ("27\t0\t7\tEffects\n", 3, "is not a mention; write ID<TAB>START"),
    "no end": ("27\t0\tx\tEffects\tX\n", 3, "is not a mention"),
    "no tab": ("27 0 7 Effects X\n", 3, "does not follow the text"),
    "option": ("", None, "unknown fragments 'x'"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error_names_line_and_value(read, tmp_path, case):
    text, line, what = ERRORS[case]
    with pytest.raises(UserError) as caught:
        read(HEAD + text, fragments="merge" if line else "x")
    if line:
        assert str(caught.value).startswith(f"{tmp_path / 'a.txt'}, line {line}: ")
    assert what in str(caught.value)


@pytest.mark.parametrize("name", ["a.txt", "a.pubtator", "a.tsv", "a"])
def test_format_is_recognized(tmp_path, name):
    (tmp_path / name).write_text("\n" + HEAD, "utf-8")
    assert guess_format(tmp_path / name) == "pubtator"
    assert get_reader("pubtator", ["fragments"]) is read_pubtator
