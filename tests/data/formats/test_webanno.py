"""WebAnno TSV 3: layers of spans, sub-tokens, escapes, what is skipped and missing."""

import pytest

from spacy_ner_ext.data.formats.registry import get_reader
from spacy_ner_ext.data.formats.webanno import read_webanno
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.options import ConvertOptions
from spacy_ner_ext.data.recognize import guess_format
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.util.errors import UserError

NLP = BlankPipeline("en")
DKPRO = "de.tudarmstadt.ukp.dkpro.core.api"
NER = f"#T_SP={DKPRO}.ner.type.NamedEntity|identifier|value"
HEADER = "#FORMAT=WebAnno TSV 3.3\n"


def tsv(*layers, rows, text=None, ids=range(1, 99)):
    """A file of one sentence, whose rows are a token or part and its values."""
    lines = [HEADER, *(f"{layer}\n" for layer in layers), "\n"]
    position, words = 0, []
    for i, (word, *values) in zip(ids, rows):
        end = position + len(word)
        lines.append(f"1-{i}\t{position}-{end}\t" + "\t".join([word, *values]) + "\t\n")
        words.append(word)
        position = end + 1
    lines.insert(len(layers) + 2, f"#Text={text or ' '.join(words)}\n")
    return "".join(lines)


@pytest.fixture
def read(tmp_path):
    def read_text(text, **options):
        path = tmp_path / "a.tsv"
        path.write_bytes(text.encode("utf-8"))
        report = ConversionReport()
        settings = ConvertOptions(spans_key="sc")
        docs = list(read_webanno(path, NLP, report=report, options=settings, **options))
        return docs, report

    return read_text


def spans(doc, key="sc"):
    return [(span.text, span.label_) for span in doc.spans[key]]


def whats(report, kind):
    return [what for _, what in report.notes[kind].examples]


def test_spans_of_several_tokens_stacked_and_adjacent(read):
    rows = [
        ("Ida", "*[1]|*[2]", "PER[1]|ART[2]"),
        ("Boe", "*[1]", "PER[1]"),
        ("met", "_", "_"),
        ("Ole", "Q7", "PER"),
        ("Bo", "*", "PER"),
    ]
    (doc,), report = read(tsv(NER, rows=rows))
    assert [token.text for token in doc] == ["Ida", "Boe", "met", "Ole", "Bo"]
    assert spans(doc) == [
        ("Ida", "ART"),
        ("Ida Boe", "PER"),
        ("Ole", "PER"),
        ("Bo", "PER"),
    ]
    assert doc.user_data["id"] == "a"
    assert whats(report, "skipped") == ["4 values of NamedEntity.identifier"]


def test_text_is_that_of_the_document(read):
    text = (
        f"{HEADER}#T_SP=webanno.custom.Place|kind\n\n\n"
        "#Text=New  York\\nis😀 big.\n"
        "1-1\t0-3\tNew\tCITY[1]\t\n1-2\t5-9\tYork\tCITY[1]\t\n"
        "1-3\t10-12\tis\t_\t\n1-4\t12-14\t😀\t_\t\n1-5\t15-18\tbig\t_\t\n"
        "1-6\t18-19\t.\t_\t\n\n"
        "#Sentence.id=2\n#Text=Oslo\n2-1\t20-24\tOslo\tCITY\t\n"
    )
    (doc,), _ = read(text)
    assert doc.text == "New  York\nis😀 big. Oslo"
    assert spans(doc) == [("New  York", "CITY"), ("Oslo", "CITY")]
    assert [sent.text for sent in doc.sents][1:] == ["Oslo"]


def test_older_files_without_texts_and_with_several_lines_of_one(read):
    head = f"{HEADER}#T_SP=webanno.custom.Place|kind\n\n"
    rows = "1-1\t0-3\tNew\t_\n1-2\t4-8\tYork\tCITY\n1-3\t8-9\t.\t_\n"
    (doc,), _ = read(head + rows)
    assert doc.text == "New York."
    (doc,), _ = read(head + "#Text=New\n#Text=York.\n" + rows)
    assert doc.text == "New\nYork."
    assert spans(doc) == [("York", "CITY")]


def test_parts_of_tokens(read):
    rows = [("😀Nordbahn", "_"), ("Nord", "DIR"), ("rides", "_")]
    text = tsv("#T_SP=x.Place|kind", rows=rows, text="😀Nordbahn rides")
    text = text.replace("1-2\t10-14", "1-1.1\t2-6").replace("1-3\t15-20", "1-2\t11-16")
    (doc,), report = read(text)
    assert [token.text for token in doc] == ["😀Nordbahn", "rides"]
    assert whats(report, "expanded") == ["DIR 'Nord' becomes '😀Nordbahn'"]


def test_escaped_characters(read):
    rows = [
        ("a\\[1\\]", "\\_X\\|Y\\[2\\][3]"),
        ("b\\\\", "\\_X\\|Y\\[2\\][3]"),
        ("c", "\\*"),
    ]
    (doc,), _ = read(tsv("#T_SP=x.Kind|value", rows=rows))
    assert doc.text == "a[1] b\\ c"
    assert spans(doc) == [("a[1] b\\", "_X|Y[2]"), ("c", "*")]


def test_other_layers_are_counted(read):
    layers = [
        f"#T_SP={DKPRO}.lexmorph.type.pos.POS|PosValue|coarseValue",
        f"#T_SP={DKPRO}.segmentation.type.Lemma|value",
        "#T_SP=x.Frame|name|ROLE_x.Frame:args_x.Link|x.Arg",
        NER,
        "#T_RL=x.Knows|kind|BT_x.NamedEntity",
        "#T_CH=x.CoreferenceLink|referenceRelation|referenceType",
    ]
    empty = ["_"] * 11
    row = [
        "N",
        "NOUN",
        "ida",
        "meets",
        "who",
        "1-2",
        "*",
        "PER",
        "old",
        "1-2",
        "*->1-1",
    ]
    (doc,), report = read(tsv(*layers, rows=[("Ida", *row, "x"), ("ran", *empty, "_")]))
    assert spans(doc) == [("Ida", "PER")]
    assert [what for what in whats(report, "skipped") if "ROLE" in what]
    assert len(whats(report, "skipped")) == 11


def test_spans_without_a_value_are_missing(read):
    rows = [("Ida", "_", "*[1]"), ("Boe", "_", "*[1]"), ("ran", "_", "_")]
    (doc,), report = read(tsv(NER, rows=rows))
    assert [token.ent_iob_ for token in doc] == ["", "", "O"]
    assert whats(report, "not_understood") == ["NamedEntity.value has no value"]


def test_layer_without_features_is_its_own_label(read):
    (doc,), _ = read(tsv("#T_SP=x.Place|", rows=[("Oslo", "*"), ("is", "_")]))
    assert spans(doc) == [("Oslo", "Place")]


@pytest.mark.parametrize("key", ["Ref.infstat", None])
def test_entity_key_chooses_a_feature(read, key):
    text = tsv("#T_SP=x.Ref|kindof|infstat", rows=[("Ida", "person", "new")])
    if key is None:
        with pytest.raises(UserError, match=r"which of Ref\.kindof, Ref\.infstat has"):
            read(text)
        return
    (doc,), _ = read(text, entity_key=key)
    assert spans(doc) == [("Ida", "new")]


def test_entity_key_chooses_a_layer(read):
    layers = ["#T_SP=x.Place|kind", f"#T_SP={DKPRO}.segmentation.type.Lemma|value"]
    (doc,), _ = read(tsv(*layers, rows=[("Ida", "a", "b")]), entity_key="Lemma")
    assert spans(doc) == [("Ida", "b")]


def test_folder_in_which_one_file_has_no_layer(tmp_path):
    folder = tmp_path / "in"
    for name, text in {
        "x/a": tsv(NER, rows=[("Ida", "_", "PER")]),
        "y/b": tsv(rows=[("ran",)]),
    }.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / f"{name}.tsv").write_text(text, "utf-8")
    assert guess_format(folder) == "webanno"
    one, other = read_webanno(folder, NLP)
    assert [ent.label_ for ent in one.ents] == ["PER"]
    assert not other.has_annotation("ENT_IOB")


GOOD = tsv("#T_SP=x.Place|kind", rows=[("Oslo", "CITY"), ("is", "_")])
ERRORS = {
    "older version": ("#FORMAT=WebAnno TSV 2\n", 1, "export as WebAnno TSV 3"),
    "no header": ("1-1\t0-4\tOslo\t_\n", 1, "is not #FORMAT=WebAnno TSV 3"),
    "not a token": (GOOD + "Oslo\n", 7, "'Oslo' is not a token; write 1-1<TAB>"),
    "no offsets": (GOOD + "1-3\tx-y\tbig\t_\n", 7, "is not a token"),
    "fewer values": (GOOD + "1-3\t8-10\tis\n", 7, "is not in the rest of its #Text"),
    "more values": (GOOD.replace("CITY", "CITY\tx"), 5, "has 2 values, the header nam"),
    "other word": (
        GOOD.replace("\tis", "\tare"),
        6,
        "the token 'are' is not in the re",
    ),
    "other part": (GOOD + "1-2.1\t5-7\tx\t_\n", 7, "'x' is not a part of the token"),
    "no layer": (tsv(rows=[("Oslo",)]), None, "which of no layers has the labels"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error_names_line_and_value(read, tmp_path, case):
    text, line, what = ERRORS[case]
    with pytest.raises(UserError) as caught:
        read(text)
    place = f", line {line}: " if line else ": "
    assert str(caught.value).startswith(f"{tmp_path / 'a.tsv'}{place}")
    assert what in str(caught.value)


@pytest.mark.parametrize("name", ["a.tsv", "a.txt", "a"])
def test_format_is_recognized(tmp_path, name):
    (tmp_path / name).write_text(GOOD, "utf-8")
    assert guess_format(tmp_path / name) == "webanno"
    assert get_reader("webanno", ["entity_key"]) is read_webanno
