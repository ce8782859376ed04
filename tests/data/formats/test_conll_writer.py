import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from spacy_ner_ext.data.formats.conll import read_conll, write_conll
from spacy_ner_ext.data.formats.registry import get_writer
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.util.errors import UserError
from spacy_ner_ext.util.files import replacing


@pytest.fixture(scope="module")
def nlp():
    return BlankPipeline("en")


def make_doc(nlp, words, *spans, starts=(0,)):
    sent_starts = [i in starts for i in range(len(words))]
    doc = Doc(nlp.vocab, words=words, sent_starts=sent_starts)
    doc.set_ents([Span(doc, *span) for span in spans])
    return doc


def write(docs, folder, **options):
    report = ConversionReport()
    write_conll(docs, folder, "corpus", report=report, **options)
    return report, folder / "corpus.conll"


def contents(docs):
    return [
        (
            [token.text for token in doc],
            [token.i for token in doc if token.is_sent_start],
            [(ent.start, ent.end, ent.label_) for ent in doc.ents],
        )
        for doc in docs
    ]


def counts(report):
    return {kind: notes.count for kind, notes in report.notes.items() if notes.count}


def whats(report, kind):
    return [f"{place}: {what}" for place, what in report.notes[kind].examples]


def test_registry_knows_it():
    assert get_writer("conll") is write_conll


def test_lines(tmp_path, nlp):
    docs = [
        make_doc(nlp, ["New", "York", "!", "Ok"], (0, 2, "LOC"), starts=(0, 3)),
        make_doc(nlp, ["Ann", "Bob"], (0, 1, "PER"), (1, 2, "PER")),
    ]
    report, path = write(docs, tmp_path)
    assert path.read_bytes().decode("utf-8") == (
        "-DOCSTART-\tO\n\nNew\tB-LOC\nYork\tI-LOC\n!\tO\n\nOk\tO\n\n"
        "-DOCSTART-\tO\n\nAnn\tB-PER\nBob\tB-PER\n\n"
    )
    assert counts(report) == {}
    assert contents(read_conll(path, nlp, docs_of=0)) == contents(docs)


@pytest.mark.parametrize("word", ["\ufeff", "#", "# a", "# newdoc", "\u2028", "\x85"])
def test_tokens_that_look_like_something_else(tmp_path, nlp, word):
    docs = [make_doc(nlp, [word, "a", word], (1, 2, "X"))]
    report, path = write(docs, tmp_path)
    assert counts(report) == {}
    assert contents(read_conll(path, nlp, docs_of=0)) == contents(docs)


@pytest.mark.parametrize(
    ("word", "written"),
    [("a\tb", "a b"), ("\r\n", "  "), ("-DOCSTART-", "_DOCSTART-"), ("\n-", " -")],
)
def test_tokens_that_the_format_cannot_hold(tmp_path, nlp, word, written):
    report, path = write([make_doc(nlp, ["a", word])], tmp_path)
    (doc,) = read_conll(path, nlp, docs_of=0)
    assert [token.text for token in doc] == ["a", written]
    what = f"corpus, document 1: {word!r} becomes {written!r}"
    assert whats(report, "replaced") == [what]


@pytest.mark.parametrize(
    ("label", "written"), [("A B", "A B"), ("A\tB\n", "A_B_"), ("A \u2028", "A__")]
)
def test_labels(tmp_path, nlp, label, written):
    report, path = write([make_doc(nlp, ["a", "b"], (0, 2, label))], tmp_path)
    (doc,) = read_conll(path, nlp, docs_of=0)
    assert [ent.label_ for ent in doc.ents] == [written]
    assert report.notes["replaced"].count == (label != written)


def test_spans_without_a_label_are_dropped(tmp_path, nlp):
    doc = make_doc(nlp, ["a", "b"])
    doc.spans["sc"] = [Span(doc, 0, 1), Span(doc, 1, 2, " ")]
    report, path = write([doc], tmp_path, spans_key="sc")
    assert "B-" not in path.read_text("utf-8")
    assert counts(report) == {"dropped": 2}


def test_of_overlapping_spans_the_longest_stays(tmp_path, nlp):
    doc = make_doc(nlp, ["New", "York", "Post", "x"], (3, 4, "X"))
    spans = [(0, 2, "LOC"), (0, 3, "ORG"), (1, 4, "LATE"), (3, 4, "Y"), (3, 4, "Y")]
    doc.spans["sc"] = [Span(doc, *span) for span in spans]
    report, path = write([doc], tmp_path, spans_key="sc")
    (back,) = read_conll(path, nlp, docs_of=0)
    assert contents([back])[0][2] == [(0, 3, "ORG"), (3, 4, "Y")]
    assert whats(report, "dropped") == [
        "corpus, document 1: LATE 'York Post x' overlaps another span",
        "corpus, document 1: LOC 'New York' overlaps another span",
        "corpus, document 1: Y 'x' overlaps another span",
    ]


def test_no_sentence_ends_inside_an_entity(tmp_path, nlp):
    docs = [make_doc(nlp, list("abc"), (0, 2, "X"), starts=(0, 1, 2))]
    report, path = write(docs, tmp_path)
    (back,) = read_conll(path, nlp, docs_of=0)
    assert contents([back]) == [(["a", "b", "c"], [0, 2], [(0, 2, "X")])]
    assert counts(report) == {"uncut": 1}


def test_what_is_not_annotated_is_noted(tmp_path, nlp):
    bare = Doc(nlp.vocab, words=["a"])
    partly = make_doc(nlp, ["a", "b"])
    partly.set_ents([], missing=[partly[1:2]])
    report, path = write([bare, partly, Doc(nlp.vocab)], tmp_path)
    assert counts(report) == {"replaced": 2, "empty": 1}
    assert len(list(read_conll(path, nlp, docs_of=0))) == 2
    assert counts(write([bare], tmp_path, spans_key="no")[0]) == {"replaced": 1}


def test_folder_that_is_not_there(tmp_path, nlp):
    target = tmp_path / "out"
    what = r"out: cannot be written \(No such"
    with pytest.raises(UserError, match=what), replacing(target) as folder:
        write([], folder)


WORDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r"),
    min_size=1,
    max_size=6,
) | st.sampled_from(["\ufeff", "#", "# newdoc", "O", "B-X", " ", "\u2028"])
LABELS = st.sampled_from(["PER", "LOC", "creative work", "Ü-1", None, None])


@st.composite
def documents(draw):
    words, spans, starts = [], [], []
    parts = st.tuples(st.lists(WORDS, min_size=1, max_size=3), LABELS, st.booleans())
    for part, label, is_start in draw(st.lists(parts, min_size=1, max_size=5)):
        if is_start or not words:
            starts.append(len(words))
        # No entity starts or ends in white space, here as everywhere.
        if label and part[0].strip() and part[-1].strip():
            spans.append((len(words), len(words) + len(part), label))
        words += part
    return words, spans, starts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("roundtrip")


@settings(deadline=None, max_examples=200)
@given(corpus=st.lists(documents(), min_size=1, max_size=4))
def test_round_trip(folder, nlp, corpus):
    docs = [make_doc(nlp, words, *spans, starts=s) for words, spans, s in corpus]
    report, path = write(docs, folder)
    assert counts(report).keys() <= {"replaced"}
    noted = ConversionReport()
    back = list(read_conll(path, nlp, report=noted, docs_of=0))
    assert contents(back) == contents(docs)
    assert counts(noted).keys() <= {"blank"}
    assert noted.scheme == "iob2"
