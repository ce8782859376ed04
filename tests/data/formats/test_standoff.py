import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from typer.testing import CliRunner

from spacy_ner_ext.data.formats.registry import get_reader, get_writer
from spacy_ner_ext.data.formats.standoff import read_standoff, write_standoff
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.options import ConvertOptions
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.tools.app import app
from spacy_ner_ext.util.errors import UserError


@pytest.fixture(scope="module")
def nlp():
    return BlankPipeline("en")


@pytest.fixture(autouse=True)
def no_extension_stays():
    yield
    for name in ("Negation", "Confidence", "my_flag", "note", "number", "list"):
        if Span.has_extension(name):
            Span.remove_extension(name)


@pytest.fixture
def read(tmp_path, nlp):
    def read_pair(text, annotations, **options):
        for name, content in [("a.txt", text), ("a.ann", annotations)]:
            data = content if isinstance(content, bytes) else content.encode("utf-8")
            (tmp_path / name).write_bytes(data)
        report = ConversionReport()
        return list(read_standoff(tmp_path, nlp, report=report, **options)), report

    return read_pair


def spans(doc, key=None):
    found = doc.ents if key is None else doc.spans[key]
    return [(span.start_char, span.end_char, span.label_) for span in found]


def counts(report):
    return {kind: notes.count for kind, notes in report.notes.items() if notes.count}


def whats(report, kind):
    return [what for _, what in report.notes[kind].examples]


def make_pair(folder, name, text="Ada", annotations="T1\tPER 0 3\tAda\n"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_bytes(text.encode("utf-8"))
    (folder / f"{name}.ann").write_bytes(annotations.encode("utf-8"))


def test_registry_knows_both():
    assert get_reader("standoff", ["fragments"]) is read_standoff
    assert get_writer("standoff") is write_standoff


def test_entities_with_their_ids(read):
    (doc,), report = read("Ada met Bob.", "T1\tPER 0 3\tAda\nT2\tPER 8 11\tBob\n")
    assert doc.text == "Ada met Bob."
    assert spans(doc) == [(0, 3, "PER"), (8, 11, "PER")]
    assert doc.user_data["id"] == "a"
    assert counts(report) == {}


def test_empty_annotations_mean_no_entity(read):
    (doc,), _ = read("Hi there", "")
    assert [token.ent_iob_ for token in doc] == ["O", "O"]


def test_text_without_a_token_is_left_out_and_noted(read):
    docs, report = read("", "")
    assert docs == []
    assert counts(report) == {"empty": 1}


def test_folders_of_any_depth_in_order(tmp_path, nlp):
    for name in ["b", "a/z/1.x", "a/b", "c d"]:
        make_pair(tmp_path, name)
    docs = list(read_standoff(tmp_path, nlp))
    assert [doc.user_data["id"] for doc in docs] == ["a/b", "a/z/1.x", "b", "c d"]


@pytest.mark.parametrize("ending", [".txt", ".ann"])
def test_single_file(tmp_path, nlp, ending):
    make_pair(tmp_path, "x/one.two")
    make_pair(tmp_path, "x/other")
    (doc,) = read_standoff(tmp_path / f"x/one.two{ending}", nlp)
    assert doc.user_data["id"] == "one.two"
    assert spans(doc) == [(0, 3, "PER")]


def test_hidden_files_and_others_are_left_alone(tmp_path, nlp):
    make_pair(tmp_path, "a")
    (tmp_path / "._a.txt").write_bytes(b"\x00\xff")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "b.ann").touch()
    (tmp_path / "annotation.conf").touch()
    (doc,) = read_standoff(tmp_path, nlp)
    assert doc.user_data["id"] == "a"


def test_links_to_folders_are_not_followed(tmp_path, nlp):
    make_pair(tmp_path, "in/a")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in", target_is_directory=True)
    report = ConversionReport()
    (doc,) = read_standoff(tmp_path / "in", nlp, report=report)
    assert doc.user_data["id"] == "a"
    assert whats(report, "skipped") == [
        "the folder 'loop' is a link and is not followed"
    ]


def test_fragments_are_merged_or_parts(read):
    text = "left and right arms"
    line = "T1\tBODY 0 4;15 19\tleft arms\n"
    (doc,), report = read(text, line)
    assert spans(doc) == [(0, 19, "BODY")]
    assert whats(report, "fragments") == ["T1 has 2 fragments, merged"]
    (doc,), report = read(text, line, fragments="parts")
    assert spans(doc) == [(0, 4, "BODY"), (15, 19, "BODY")]
    assert whats(report, "fragments") == ["T1 has 2 fragments, made entities"]


@pytest.mark.parametrize("fragments", ["merge", "parts"])
def test_fragments_of_one_entity_over_a_line_end(read, fragments):
    line = "T1\tLOC 3 6;7 11;12 14\tNew York NY\n"
    (doc,), report = read("in New\nYork NY", line, fragments=fragments)
    assert spans(doc) == [(3, 14, "LOC")]
    assert counts(report) == {}


def test_line_ends_in_the_text_are_spaces_in_the_annotation(read):
    (doc,), _ = read("New\nYork", "T1\tLOC 0 8\tNew York\n")
    assert spans(doc) == [(0, 8, "LOC")]


def test_carriage_returns_count(read):
    (doc,), _ = read("Hi\r\nAda\r\n", "T1\tPER 4 7\tAda\r\n\r\n")
    assert doc.text == "Hi\r\nAda\r\n"
    assert spans(doc) == [(4, 7, "PER")]


def test_byte_order_mark_of_the_text_counts(read):
    (doc,), report = read("\ufeff Ada", "\ufeffT1\tPER 2 5\tAda\n")
    assert spans(doc) == [(2, 5, "PER")]
    assert counts(report) == {}
    (doc,), report = read("\ufeff Ada", "T1\tPER 1 4\tAda\n")
    assert spans(doc) == [(2, 5, "PER")]
    assert whats(report, "relocated") == ["T1: the offsets count no byte order mark"]


def test_offsets_count_code_points(read):
    (doc,), _ = read("👩‍🔬 e\u0301 Ada", "T1\tPER 7 10\tAda\n")
    assert doc.ents[0].text == "Ada"


def test_attributes_become_extensions(read):
    annotations = (
        "A2\tConfidence T1 very high\n"
        "T1\tPER 0 3\tAda\nT2\tPER 8 11\tBob\n"
        "A1\tNegation T1\nM3\tNegation T2\n"
    )
    (doc,), report = read("Ada met Bob.", annotations)
    ada, bob = doc.ents
    assert (ada._.Negation, ada._.Confidence) == (True, "very high")
    assert (bob._.Negation, bob._.Confidence) == (True, None)
    assert counts(report) == {}


def test_a_second_value_is_skipped(read):
    lines = "T1\tPER 0 3\tAda\nA1\tConfidence T1 a\nA2\tConfidence T1 b\n"
    (doc,), report = read("Ada", lines)
    assert doc.ents[0]._.Confidence == "a"
    assert whats(report, "skipped") == ["a second Confidence of T1"]


def test_other_annotations_are_skipped_by_kind(read):
    annotations = (
        "T1\tPER 0 3\tAda\n"
        "N1\tReference T1 Wiki:7\tAda\n"
        "E1\tMeet:T1 Who:T1\n"
        "R1\tKnows Arg1:T1 Arg2:T1\n"
        "*\tAlias T1 T1\n"
        "#1\tAnnotatorNotes T1\tsure?\n"
        "A1\tNegation E1\nM2\tNegation R1\n"
    )
    (doc,), report = read("Ada", annotations)
    assert not doc.user_data.keys() - {"id"}
    assert whats(report, "skipped") == [
        "normalization N1",
        "event E1",
        "relation R1",
        "equivalence *",
        "note #1",
        "attribute Negation of E1",
        "attribute Negation of R1",
    ]
    assert [place.number for place, _ in report.notes["skipped"].examples[:2]] == [2, 3]


def test_nested_entities_go_to_the_group(read):
    annotations = "T1\tORG 0 13\tNew York Post\nT2\tLOC 0 8\tNew York\n"
    (doc,), report = read(
        "New York Post", annotations, options=ConvertOptions(spans_key="sc")
    )
    assert spans(doc) == [(0, 13, "ORG")]
    assert set(spans(doc, "sc")) == {(0, 13, "ORG"), (0, 8, "LOC")}
    assert counts(report) == {"overlapping": 1}


ADA = "T1\tPER 0 3\tAda\n"
ERRORS = {
    "other text": ("T1\tPER 0 3\tAdo\n", 1, "T1 is 'Ado', but 'Ada' is at its"),
    "endless": (f"T1\tPER 0 {'9' * 5000}\tAda\n", 1, "is not an entity; write T1<TAB>"),
    "negative": ("T1\tPER -1 3\tAda\n", 1, "is not an entity; write T1<TAB>LABEL"),
    "overlapping": ("T1\tPER 0 3;1 3\tAda da\n", 1, "fragments of T1 overlap"),
    "no text": ("T1\tPER 0 3\n", 1, "'T1\\tPER 0 3' is not an entity"),
    "no label": ("T1\t0 3\tAda\n", 1, "is not an entity"),
    "not a number": ("T1\tPER 0 x\tAda\n", 1, "is not an entity"),
    "other digits": ("T1\tPER 0 ٣\tAda\n", 1, "is not an entity"),
    "no name": ("T\tPER 0 3\tAda\n", 1, "is not an entity"),
    "twice": (ADA + "\n" + ADA, 3, "T1 is given twice; rename one"),
    "unknown kind": (
        "X1\tPER 0 3\tAda\n",
        1,
        "'X1\\tPER 0 3\\tAda' is not an annotation",
    ),
    "no tab": (
        "N1 Reference T1\n",
        1,
        "is not an annotation: it must start with one",
    ),
    "encoding": (b"T1\tPER 0 3\tAd\xe4\n", 1, "byte 0xe4 at position 14 is not UTF-8"),
    "utf-16": (ADA.encode("utf-16"), 1, "byte 0xff at position 1 is not UTF-8"),
    "carriage return": ("T1\tPER 0 3\tAda\rT2\n", 1, "T1 is 'Ada\\rT2', but 'Ada' is"),
    "continued by another text": (ADA + "Bob\n", 1, "T1 is 'Ada\\nBob', but 'Ada' is"),
    "continued with a tab": (ADA + "X\tBob\n", 2, "'X\\tBob' is not an annotation"),
    "empty": ("T1\tPER 3 3\t\n", 1, "'T1\\tPER 3 3' is not an entity"),
    "past the end": ("T1\tPER 40 43\tAda\n", 1, "T1 is 'Ada', but '' is at its"),
    "spaces": ("T1 PER 0 3 Ada\n", 1, "is not an entity; write T1<TAB>LABEL START END"),
    "label of two words": ("T1\tA B 0 3\tAda\n", 1, "is not an entity"),
}


@pytest.mark.parametrize("case", sorted(ERRORS))
def test_error_names_line_and_value(read, tmp_path, case):
    annotations, line, what = ERRORS[case]
    with pytest.raises(UserError) as caught:
        read("Ada met Bob.", annotations)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'a.ann'}, line {line}: ")
    assert what in message
    assert "\n" not in message


def test_text_that_is_not_utf8(read, tmp_path):
    with pytest.raises(UserError) as caught:
        read(b"Ada\nM\xfcnchen", "")
    assert str(caught.value).startswith(f"{tmp_path / 'a.txt'}, line 2: byte 0xfc")


def test_computed_extension_is_an_error(read):
    Span.set_extension("my_flag", getter=lambda span: 1)
    with pytest.raises(UserError, match=r"a\.ann, line 2: attribute my_flag cannot"):
        read("Ada", ADA + "A1\tmy_flag T1\n")


OFFSETS = {
    "carriage return in the quote": ("Lena\r\nMoor", "0 10\tLena\r Moor", (0, 10), ""),
    "line feed in the quote": ("Lena\nMoor ran", "0 9\tLena\nMoor", (0, 9), ""),
    "blank lines in the quote": ("Lena\n\nMoor", "0 10\tLena\n\nMoor", (0, 10), ""),
    "quote on the next line": ("Lena ran", "0 4\t\nLena", (0, 4), ""),
    "label in the quote": ("Lena\nA1 steel", "0 7\tLena\nA1", (0, 7), ""),
    "white space after the quote": ("Lena ran", "0 4\tLena \t ", (0, 4), ""),
    "collapsed white space": ("Lena  Moor", "0 10\tLena Moor", (0, 10), ""),
    "CR LF": ("Lena\r\nran\r\nfar", "9 12\tfar", (11, 14), "count CR LF as one"),
    "UTF-16": ("😀 Lena", "3 7\tLena", (2, 6), "count UTF-16 units"),
    "bytes": ("é Lena", "3 7\tLena", (2, 6), "count UTF-8 bytes"),
    "shifted": ("see Lena", "2 6\tLena", (4, 8), "are 2 characters too small"),
    "too long": ("see Lena run", "4 11\tLena", (4, 8), "is 3 characters too large"),
    "past the end": ("see Lena", "4 99\tLena", (4, 8), "is past the end of the text"),
    "end before start": (
        "Lena",
        "4 0\tLena",
        (0, 4),
        "are 4 characters too large",
    ),
    "fragments": ("😀 Le Na", "3 5;6 8\tLe Na", (2, 7), "count UTF-16 units"),
}


@pytest.mark.parametrize("case", OFFSETS)
def test_quote_decides_about_offsets(read, case):
    text, line, expected, how = OFFSETS[case]
    (doc,), report = read(text, f"T1\tPER {line}\nT2\tPER {line}\n\n")
    assert spans(doc) == [(*expected, "PER")]
    notes = whats(report, "relocated")
    assert len(notes) == 2 * bool(how)
    assert all(how in note for note in notes)


def test_broken_note_is_skipped_whole(read):
    (doc,), report = read("Ada", "#1\tAnnotatorNotes T1\tsure?\nOr not?\n" + ADA)
    assert spans(doc) == [(0, 3, "PER")]
    assert whats(report, "skipped") == ["note #1"]


BAD_ATTRIBUTES = {
    "unknown target": ("A1\tNegation T2", "attribute Negation of T2"),
    "unknown event": ("A1\tNegation E1", "attribute Negation of E1"),
    "no target": ("A1\tNegation", "'A1\\tNegation'"),
}


@pytest.mark.parametrize("case", BAD_ATTRIBUTES)
def test_attribute_of_no_entity_is_skipped(read, case):
    line, what = BAD_ATTRIBUTES[case]
    (doc,), report = read("Ada", ADA + line + "\n")
    assert spans(doc) == [(0, 3, "PER")]
    assert whats(report, "skipped") == [what]


@pytest.fixture
def bad_folder(tmp_path):
    folder = tmp_path / "in"
    make_pair(folder, "good")
    make_pair(folder, "a/other", annotations="T1\tPER 0 3\tBob\n")
    make_pair(folder, "b", annotations="T1\tPER 0 3\n")
    (folder / "c.ann").touch()
    make_pair(folder, "d")
    (folder / "d.txt").write_bytes(b"\xff")
    return folder


def test_all_bad_files_are_named_at_once(bad_folder, nlp):
    with pytest.raises(UserError) as caught:
        list(read_standoff(bad_folder, nlp))
    message = str(caught.value)
    assert message.startswith("4 of 5 documents cannot be read: ")
    for name in ("a/other.ann, line 1", "b.ann, line 1", "c.txt", "d.txt, line 1"):
        assert f"{bad_folder / name}: " in message
    assert message.endswith("; correct them, or leave them out with --skip-bad")
    assert "\n" not in message


def test_bad_files_are_skipped_on_request(bad_folder, nlp):
    report = ConversionReport()
    (doc,) = read_standoff(bad_folder, nlp, report=report, skip_bad=True)
    assert doc.user_data["id"] == "good"
    assert counts(report) == {"bad_files": 4}
    assert "c.txt: is missing" in whats(report, "bad_files")[2]


def test_one_bad_file_or_nothing_else_is_an_error(bad_folder, nlp):
    with pytest.raises(UserError, match=r"b\.ann, line 1: 'T1"):
        list(read_standoff(bad_folder / "b.txt", nlp, skip_bad=True))
    (bad_folder / "good.txt").unlink()
    with pytest.raises(UserError, match="5 of 5 documents cannot be read"):
        list(read_standoff(bad_folder, nlp, skip_bad=True))


def test_command_reports_bad_files(bad_folder, tmp_path):
    source, target = str(bad_folder), str(tmp_path / "out.spacy")
    failed = CliRunner().invoke(app, ["convert", source, target])
    assert failed.exit_code == 1
    assert not (tmp_path / "out.spacy").exists()
    done = CliRunner().invoke(app, ["convert", source, target, "--skip-bad"])
    assert done.exit_code == 0, done.output
    assert "files that could not be read, skipped" in done.output


def test_option_is_checked(read):
    with pytest.raises(UserError, match="unknown fragments 'x'; choose one of merge"):
        read("Ada", ADA, fragments="x")


@pytest.mark.parametrize(
    ("missing", "what"),
    [
        ("a.ann", "a.ann: is missing or not a file; a text needs a file"),
        ("a.txt", "a.txt: is missing or not a file"),
    ],
)
def test_pairs_must_be_whole(tmp_path, nlp, missing, what):
    make_pair(tmp_path, "a")
    (tmp_path / missing).unlink()
    (other,) = tmp_path.iterdir()
    for path in (tmp_path, other):
        with pytest.raises(UserError) as caught:
            list(read_standoff(path, nlp))
        assert what in str(caught.value)


def test_paths_that_hold_no_standoff(tmp_path, nlp):
    (tmp_path / "x.json").touch()
    cases = {
        tmp_path: "holds no .txt file",
        tmp_path / "x.json": "is neither a folder nor a .txt or .ann file",
        tmp_path / "no": "no such file or folder",
    }
    for path, what in cases.items():
        with pytest.raises(UserError, match=what):
            list(read_standoff(path, nlp))


def test_folder_or_pipe_in_place_of_a_file(tmp_path, nlp):
    make_pair(tmp_path, "a")
    (tmp_path / "a.ann").unlink()
    (tmp_path / "a.ann").mkdir()
    with pytest.raises(UserError, match=r"a\.ann: is missing or not a file"):
        list(read_standoff(tmp_path, nlp))
    (tmp_path / "a.ann").rmdir()
    os.mkfifo(tmp_path / "a.ann")
    with pytest.raises(UserError, match=r"a\.ann: is missing or not a file"):
        list(read_standoff(tmp_path, nlp))


def test_file_name_that_is_not_utf8(tmp_path, nlp):
    name = os.fsencode(tmp_path) + b"/M\xfc.txt"
    with open(name, "wb"):
        pass
    with pytest.raises(UserError, match="is not UTF-8; rename it"):
        list(read_standoff(tmp_path, nlp))


# Writing.


def write(docs, folder, **options):
    report = ConversionReport()
    folder.mkdir(exist_ok=True)
    write_standoff(docs, folder, "corpus", report=report, **options)
    return report


def make_doc(nlp, text, *ents, name=None):
    doc = nlp.make_doc(text)
    doc.set_ents([doc.char_span(*ent) for ent in ents])
    if name is not None:
        doc.user_data["id"] = name
    return doc


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_files_and_lines(tmp_path, nlp):
    doc = make_doc(nlp, "Ada\nByron met Bob.", (0, 9, "PER"), (14, 17, "PER"))
    docs = [doc, make_doc(nlp, "No one.", name="b/c")]
    report = write(docs, tmp_path)
    assert files(tmp_path) == [
        "b/c.ann",
        "b/c.txt",
        "corpus-00001.ann",
        "corpus-00001.txt",
    ]
    assert (tmp_path / "corpus-00001.txt").read_text("utf-8") == doc.text
    assert (tmp_path / "corpus-00001.ann").read_text("utf-8") == (
        "T1\tPER 0 9\tAda Byron\nT2\tPER 14 17\tBob\n"
    )
    assert (tmp_path / "b/c.ann").read_bytes() == b""
    assert counts(report) == {}


def test_attributes_come_back(tmp_path, nlp):
    for name in ("Negation", "note", "number", "list"):
        Span.set_extension(name, default=None)
    doc = make_doc(nlp, "Ada met Bob.", (0, 3, "PER"), (8, 11, "PER"))
    ada, bob = doc.ents
    ada._.Negation, ada._.note, ada._.number, ada._.list = True, "a  b\n c", 3, [1]
    bob._.Negation = False
    report = write([doc], tmp_path)
    (back,) = read_standoff(tmp_path, nlp)
    ada, bob = back.ents
    assert (ada._.Negation, ada._.note, ada._.number) == (True, "a  b  c", "3")
    assert (ada._.list, bob._.Negation) == (None, None)
    assert counts(report) == {"replaced": 2, "dropped": 1}


def test_labels_with_white_space(tmp_path, nlp):
    report = write([make_doc(nlp, "Ada", (0, 3, "A B\u2028"))], tmp_path)
    (back,) = read_standoff(tmp_path, nlp)
    assert spans(back) == [(0, 3, "A_B_")]
    assert whats(report, "replaced") == ["'A B\\u2028' becomes 'A_B_'"]


def test_spans_of_a_group(tmp_path, nlp):
    doc = make_doc(nlp, "New York Post")
    doc.spans["sc"] = [Span(doc, 0, 2, "LOC"), Span(doc, 0, 3, "ORG")]
    bare = nlp.make_doc("not annotated")
    report = write([doc, bare], tmp_path, spans_key="sc")
    back, _ = read_standoff(tmp_path, nlp, options=ConvertOptions(spans_key="x"))
    assert set(spans(back, "x")) == {(0, 8, "LOC"), (0, 13, "ORG")}
    assert whats(report, "replaced") == ["tokens without annotation become 'no entity'"]


BAD_IDS = [
    "../x",
    "/etc/x",
    "a/../../b",
    "a/./b",
    "a//b",
    "a/",
    ".hidden",
    "a.",
    "a ",
    "C:\\x",
    "a\\b",
    "a\x00b",
    "a\nb",
    "a\ud800",
    "what?",
    "x/nul",
    "COM1.old",
    "é" * 126,
]


@pytest.mark.parametrize("name", BAD_IDS)
def test_ids_that_are_no_names_of_files(tmp_path, nlp, name):
    folder = tmp_path / "out"
    with pytest.raises(UserError) as caught:
        write([make_doc(nlp, "x", name=name)], folder)
    message = str(caught.value)
    assert message.startswith("corpus, document 1: the id '")
    assert "or not a file name on all systems" in message
    assert "\n" not in message
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        ("a", "a", "is that of an earlier document"),
        ("a/B", "A/b", "differs only in case"),
        ("\u00e9", "e\u0301", "is that of an earlier document"),
        ("a.txt/b", "a", "needs a folder where an earlier one has a file"),
        ("a", "A.ann/b", "needs a folder where an earlier one has a file"),
        ("corpus-00002", None, "is that of an earlier document"),
    ],
)
def test_ids_that_meet(tmp_path, nlp, first, second, what):
    docs = [make_doc(nlp, "x", name=first), make_doc(nlp, "y", name=second)]
    with pytest.raises(UserError, match=f"corpus, document 2: the id .*{what}"):
        write(docs, tmp_path)


def test_ids_that_only_look_alike(tmp_path, nlp):
    names = ["a", "a.txt", "a.ann", "a/b", "a.b/c", "123", "Auxerre"]
    write([make_doc(nlp, "x", name=name) for name in names], tmp_path)
    ids = [doc.user_data["id"] for doc in read_standoff(tmp_path, nlp)]
    assert ids == sorted(names)


TEXTS = st.lists(
    st.sampled_from(["\r\n", "\r", "\n", "\u2028", "\x85", "\ufeff", "\t", "👩‍🔬", " "])
    | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    min_size=1,
    max_size=12,
).map("".join)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("roundtrip")


@settings(deadline=None, max_examples=200)
@given(data=st.data(), text=TEXTS)
def test_round_trip(folder, nlp, data, text):
    doc = nlp.make_doc(text)
    bounds = st.integers(0, len(doc))
    drawn = data.draw(
        st.lists(st.tuples(bounds, bounds, st.sampled_from(["PER", "Ü-1"])), max_size=5)
    )
    doc.spans["sc"] = [
        Span(doc, start, end, label)
        for start, end, label in sorted(set(drawn))
        if start < end and doc[start].text.strip() and doc[end - 1].text.strip()
    ]
    doc.user_data["id"] = "a"
    write([doc], folder, spans_key="sc")
    report = ConversionReport()
    options = ConvertOptions(align="strict", spans_key="sc")
    docs = list(read_standoff(folder, nlp, report=report, options=options))
    (back,) = docs
    assert isinstance(back, Doc)
    assert back.text == doc.text
    assert spans(back, "sc") == spans(doc, "sc")
    assert counts(report).keys() <= {"overlapping"}


def test_attributes_of_later_documents_are_there_from_the_first_on(tmp_path):
    for name, lines in (("1", ""), ("2", "A1\tOnlyInTheSecond T1\n")):
        (tmp_path / f"{name}.txt").write_text("Ann", encoding="utf8")
        marks = f"T1\tPER 0 3\tAnn\n{lines}"
        (tmp_path / f"{name}.ann").write_text(marks, encoding="utf8")
    docs = read_standoff(tmp_path, BlankPipeline("en"))
    assert [doc.ents[0]._.OnlyInTheSecond for doc in docs] == [None, True]


def test_a_second_value_for_the_same_characters_is_noted(tmp_path):
    (tmp_path / "1.txt").write_text("Ann", encoding="utf8")
    marks = (
        "T1\tPER 0 3\tAnn\nT2\tORG 0 3\tAnn\nA1\tCertain T1 yes\nA2\tCertain T2 no\n"
    )
    (tmp_path / "1.ann").write_text(marks, encoding="utf8")
    report = ConversionReport()
    (doc,) = read_standoff(tmp_path, BlankPipeline("en"), report=report)
    assert doc.ents[0]._.Certain == "yes"
    ((place, what),) = report.notes["skipped"].examples
    assert place.number == 2
    assert what == "ORG has Certain = 'no', but it is 'yes' already"


def test_given_and_wanted_annotations_of_bionlp(tmp_path):
    (tmp_path / "1.txt").write_text("Ann ran", encoding="utf8")
    (tmp_path / "1.a1").write_text("T1\tPER 0 3\tAnn\n", encoding="utf8")
    lines = "T2\tMove 4 7\tran\nE1\tMove:T2 Agent:T1\n"
    (tmp_path / "1.a2").write_text(lines, encoding="utf8")
    report = ConversionReport()
    (doc,) = read_standoff(tmp_path, BlankPipeline("en"), report=report)
    assert spans(doc) == [(0, 3, "PER"), (4, 7, "Move")]
    assert whats(report, "skipped") == ["event E1"]
