import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_ner_ext.data.formats.inline import read_inline
from spacy_ner_ext.data.formats.registry import get_reader
from spacy_ner_ext.data.lang import BlankPipeline, blank_vocab
from spacy_ner_ext.data.options import ConvertOptions
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.util.errors import UserError


@pytest.fixture(scope="module")
def nlp():
    return BlankPipeline("en")


class Characters:
    """A token of each character, so that any entity is one of whole tokens."""

    vocab = blank_vocab("en")

    def make_doc(self, text):
        return Doc(self.vocab, words=list(text), spaces=[False] * len(text))


@pytest.fixture
def read(tmp_path, nlp):
    def read_text(text, **options):
        path = tmp_path / "in.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        report = ConversionReport()
        return list(read_inline(path, nlp, report=report, **options)), report

    return read_text


def spans(doc, key=None):
    found = doc.ents if key is None else doc.spans[key]
    return [(span.start_char, span.end_char, span.label_) for span in found]


def counts(report):
    return {kind: notes.count for kind, notes in report.notes.items() if notes.count}


def test_registry_knows_it():
    assert get_reader("inline") is read_inline


def test_a_document_of_each_line(read):
    docs, report = read("[Ada Lovelace](PER) met [Bob](PER).\r\n\n \t\nNo one.")
    assert [doc.text for doc in docs] == ["Ada Lovelace met Bob.", "No one."]
    assert spans(docs[0]) == [(0, 12, "PER"), (17, 20, "PER")]
    assert [token.ent_iob_ for token in docs[1]] == ["O", "O", "O"]
    assert counts(report) == {}


def test_nested_marks(read):
    text = "the [[[New] York](LOC) Post](ORG) [1]\n"
    (doc,), report = read(text, options=ConvertOptions(spans_key="sc"))
    assert doc.text == "the [New] York Post [1]"
    assert spans(doc, "sc") == [(4, 14, "LOC"), (4, 19, "ORG")]
    assert spans(doc) == [(4, 19, "ORG")]
    assert counts(report) == {"overlapping": 1}


@pytest.mark.parametrize(
    ("line", "text", "found"),
    [
        (r"\[Ada\](PER)", "[Ada](PER)", []),
        (r"[Ada]\(PER)", "[Ada](PER)", []),
        (r"[a\]b](X)", "a]b", [(0, 3, "X")]),
        (r"[a \\](X)", "a \\", [(0, 3, "X")]),
        (r"C:\dir \n [a](X)", r"C:\dir \n a", [(10, 11, "X")]),
        ("[sic] (X) and (Y)", "[sic] (X) and (Y)", []),
        ("[] is empty", "[] is empty", []),
        ("[a](X)(b)", "a(b)", [(0, 1, "X")]),
        ("(see [a](X))", "(see a)", [(5, 6, "X")]),
        ("[a](Ü-1/x.y)", "a", [(0, 1, "Ü-1/x.y")]),
        ("\ufeff[👩‍🔬](X) [b](Y)", "👩‍🔬 b", [(0, 3, "X"), (4, 5, "Y")]),
        ("a\u2028[b](X)\x85", "a\u2028b\x85", [(2, 3, "X")]),
    ],
)
def test_what_is_text_and_what_is_a_mark(tmp_path, line, text, found):
    (tmp_path / "in.txt").write_text(line, "utf-8", newline="")
    (doc,) = read_inline(tmp_path / "in.txt", Characters())
    assert doc.text == text
    assert spans(doc) == found


def test_white_space_in_a_mark_is_no_part_of_the_entity(read):
    (doc,), report = read("met [ Ada ](PER) and [ ](X)\n")
    assert spans(doc) == [(5, 8, "PER")]
    assert counts(report) == {"trimmed": 1, "dropped": 1}


ERRORS = {
    "not closed": ("ok\n[Ada", 2, r"'[' is not closed; add ']' and a label, or write"),
    "inner not closed": ("[Ada [x](PER)", 1, "'[' is not closed"),
    "closes nothing": ("Ada](PER)", 1, "']' closes nothing; add '['"),
    "closes no text": ("a ] b", 1, r"write '\]' for a bracket"),
    "no label": (
        "[Ada]()",
        1,
        "'()' is not a label: it has white space, is a link or empty",
    ),
    "open label": ("[Ada](PER", 1, "'](PER' is not a label: it is not closed"),
    "bracket in label": ("[Ada](P(E)R)", 1, "'](P(E)R)' is not a label"),
    "backslash in label": (r"[Ada](P\)R)", 1, "is not a label"),
    "link": ("[x](http://a.b/c)", 1, "'(http://a.b/c)' is not a label: it has white"),
    "words": ("as in [1](see page 3)", 1, r"write ']\(' if it is text"),
    "no-break space": ("[1](a\u00a0b)", 1, "is not a label: it has white space"),
    "nothing marked": ("ab [](PER)", 1, "PER from 3 to 3 is empty"),
    "encoding": (b"a\nM\xfcnchen\n", 2, "byte 0xfc at position 2 is not UTF-8"),
    "carriage return": ("a\rb", 1, "a carriage return is inside the line"),
    "empty": ("", None, "the file is empty"),
    "white space": ("\n \n", None, "the file holds no text"),
}


@pytest.mark.parametrize("case", sorted(ERRORS))
def test_error_names_line_and_value(read, tmp_path, case):
    text, line, what = ERRORS[case]
    with pytest.raises(UserError) as caught:
        read(text)
    message = str(caught.value)
    place = f", line {line}: " if line else ": "
    assert message.startswith(f"{tmp_path / 'in.txt'}{place}")
    assert what in message
    assert "\n" not in message


def test_missing_file_and_folder(tmp_path, nlp):
    for path, what in [(tmp_path / "no", "no such file"), (tmp_path, "is a folder")]:
        with pytest.raises(UserError, match=what):
            list(read_inline(path, nlp))


def test_deep_nesting(read):
    depth = 3000
    text = "[" * depth + "a" + "](X)" * depth
    (doc,), report = read(text)
    assert spans(doc) == [(0, 1, "X")]
    assert counts(report) == {"duplicates": depth - 1}


def escaped(text):
    return "".join(f"\\{c}" if c in "\\[]()" else c for c in text)


WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Z"]) | st.sampled_from("\\[]()"),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("roundtrip")


@settings(deadline=None, max_examples=150)
@given(
    parts=st.lists(
        st.tuples(WORDS, st.sampled_from([(), ("A",), ("A", "B")])), min_size=1
    )
)
def test_round_trip(folder, nlp, parts):
    line, text, expected = "", "", []
    for word, labels in parts:
        line += " " + "[" * len(labels) + escaped(word)
        line += "".join(f"]({label})" for label in labels)
        expected += [
            (len(text) + 1, len(text) + 1 + len(word), label) for label in labels
        ]
        text += f" {word}"
    path = folder / "in.txt"
    path.write_text(line, "utf-8", newline="")
    report = ConversionReport()
    options = ConvertOptions(spans_key="sc")
    (doc,) = read_inline(path, nlp, report=report, options=options)
    assert doc.text == text
    assert spans(doc, "sc") == expected
    assert counts(report).keys() <= {"overlapping"}
