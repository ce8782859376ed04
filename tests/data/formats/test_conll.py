import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.training import Corpus, Example

from spacy_ner_ext.data.formats.conll import read_conll
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.options import ConvertOptions
from spacy_ner_ext.data.report import MAX_EXAMPLES, ConversionReport
from spacy_ner_ext.util.errors import UserError
from tests.helpers.corpora import write_docs

NLP = BlankPipeline("en")


@pytest.fixture
def read(tmp_path):
    def read_text(text, **options):
        path = tmp_path / "in.conll"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        report = ConversionReport(source=str(path))
        docs = list(read_conll(path, NLP, report=report, **options))
        for doc in docs:
            report.add(doc)
        return docs, report

    return read_text


def words(docs):
    return [[token.text for token in doc] for doc in docs]


def ents(docs):
    return [[(e.start, e.end, e.label_) for e in doc.ents] for doc in docs]


def lines_of(report, kind):
    return [place.number for place, _ in report.notes[kind].examples]


def counts(report):
    return {kind: notes.count for kind, notes in report.notes.items() if notes.count}


def test_tokens_sentences_entities(read):
    docs, report = read("New\tB-LOC\nYork\tI-LOC\n!\tO\n\nHi\tO\nAnn\tB-PER\n")
    assert words(docs) == [["New", "York", "!"], ["Hi", "Ann"]]
    assert ents(docs) == [[(0, 2, "LOC")], [(1, 2, "PER")]]
    assert all(doc.has_unknown_spaces for doc in docs)
    assert all(doc.has_annotation("ENT_IOB") for doc in docs)
    assert report.scheme == "iob2"
    assert (report.documents, report.sentences, report.tokens) == (2, 2, 5)
    assert report.entities == {"LOC": 1, "PER": 1}
    assert counts(report) == {}
    assert report.warnings == []


def test_sentence_without_entities_is_annotated_as_outside(read):
    docs, report = read("Hi\tO\n!\tO\n")
    assert [token.ent_iob_ for token in docs[0]] == ["O", "O"]
    assert report.warnings == [f"{report.source}: no entity in the whole corpus"]


def test_columns_chosen(read):
    text = "1 Ann NNP B-NP B-PER x\n2 ran VBD B-VP O y\n"
    docs, _ = read(text, token_column=1, tag_column=-2)
    assert words(docs) == [["Ann", "ran"]]
    assert ents(docs) == [[(0, 1, "PER")]]
    docs, _ = read(text, token_column=-5, tag_column=3)
    assert ents(docs) == [[(0, 1, "NP"), (1, 2, "VP")]]


@pytest.mark.parametrize("separator", ["\n", "\t\n", " \t \n", "\r\n", "\u00a0\n"])
def test_separator_lines_may_hold_white_space(read, separator):
    docs, _ = read(f"{separator}a\tO\n{separator}{separator}b\tB-X\n{separator}")
    assert words(docs) == [["a"], ["b"]]


def test_bom_crlf_and_no_last_line_end(read):
    docs, _ = read(b"\xef\xbb\xbfa\tO\r\nb\tB-X\r\n\r\nc\tO")
    assert words(docs) == [["a", "b"], ["c"]]
    assert ents(docs)[0] == [(1, 2, "X")]
    docs, _ = read(b"O\ta\r\nB-X\tb\r\n", token_column=1, tag_column=0)
    assert words(docs) == [["a", "b"]]


def test_auto_delimiter_is_chosen_line_by_line(read):
    docs, _ = read("New York\tB-LOC\nhas   O\n it\u00a0is O \n\u00a0 O\n")
    assert words(docs) == [["New York", "has", "it\u00a0is", "\u00a0"]]


def test_given_delimiter(read):
    docs, _ = read("a \t b B-X\n", delimiter="space", token_column=1)
    assert words(docs) == [["b"]]
    with pytest.raises(UserError, match="1 column"):
        read("a B-X\n", delimiter="tab")


def test_only_line_feeds_end_lines(read):
    docs, report = read("a\tO\n\u2028\tO\n\x0c\tO\n\x85\tO\nb\x1d\tO\n")
    assert words(docs) == [["a", "\u2028", "\x0c", "\x85", "b\x1d"]]
    assert lines_of(report, "blank") == [2, 3, 4]


@pytest.mark.parametrize("delimiter", ["\t", " "])
def test_hash_token_is_no_comment(read, delimiter):
    docs, report = read(f"#{delimiter}O\n#tag{delimiter}B-X\n##{delimiter}O\n")
    assert words(docs) == [["#", "#tag", "##"]]
    assert counts(report) == {}


def test_comments_are_skipped_and_counted(read):
    text = "# id 1\tdomain=en\n# one two\na O\n# text = a b c\n# O\nb B-X\n# \n"
    docs, report = read(text)
    assert words(docs) == [["a", "#", "b"]]
    assert lines_of(report, "comments") == [1, 2, 4, 7]
    assert report.notes["comments"].examples[1][1] == "# one two"


def test_file_of_hash_tokens_alone(read):
    docs, _ = read("# O\n# B-X\n")
    assert words(docs) == [["#", "#"]]


@pytest.mark.parametrize("line", ["-DOCSTART- -X- O O", "-DOCSTART-", "# newdoc id=1"])
def test_document_starts(read, line):
    text = f"{line}\n\na x O\n\nb x O\n{line}\n\n\nc x B-X\n\nd x O\n\ne x O\n"
    grouped = {
        0: [["a", "b"], ["c", "d", "e"]],
        1: [["a"], ["b"], ["c"], ["d"], ["e"]],
        2: [["a", "b"], ["c", "d"], ["e"]],
        9: [["a", "b"], ["c", "d", "e"]],
    }
    for docs_of, expected in grouped.items():
        docs, report = read(text, docs_of=docs_of)
        assert words(docs) == expected
        assert report.documents == len(expected)
        assert report.sentences == 5
        assert all(len(sent) == 1 for doc in docs for sent in doc.sents)


def test_grouped_sentences_keep_starts_and_offsets(read):
    docs, report = read("a\tO\nb\tB-X\n\nc\tI-X\nd\tO\ne\tO\n", docs_of=0)
    assert [token.i for token in docs[0] if token.is_sent_start] == [0, 2]
    # Two entities: none reaches over the end of a sentence.
    assert ents(docs) == [[(1, 2, "X"), (2, 3, "X")]]
    assert lines_of(report, "repaired") == [4]
    assert report.warnings == [f"{report.source}: all 2 sentences became one document"]


def test_repairs_name_their_lines(read):
    docs, report = read("a\tO\nb\tI-X\n\n\nc\tB-X\nd\tI-Y\n")
    assert ents(docs) == [[(1, 2, "X")], [(0, 1, "X"), (1, 2, "Y")]]
    assert [
        (place.number, what) for place, what in report.notes["repaired"].examples
    ] == [
        (2, "I-X starts an entity"),
        (6, "I-Y starts an entity"),
    ]


def test_scheme_by_hand(read):
    text = "a\tI-X\nb\tB-X\n"
    assert read(text)[1].scheme == "iob1"
    assert counts(read(text, scheme="iob1")[1]) == {}
    assert counts(read(text, scheme="bio")[1]) == {"repaired": 1}
    assert counts(read(text, scheme="biluo")[1]) == {"repaired": 3}


def test_blank_tokens_keep_their_place_and_entities_are_trimmed(read):
    tokens = ["a", "", "b", "\u00a0", " ", "c", "\u200b"]
    tags = ["O", "B-X", "I-X", "I-X", "B-Y", "B-Z", "I-Z"]
    text = "".join(f"{word}\t{tag}\n" for word, tag in zip(tokens, tags, strict=True))
    docs, report = read(text)
    assert words(docs) == [["a", " ", "b", "\u00a0", " ", "c", "\u200b"]]
    assert ents(docs) == [[(2, 3, "X"), (5, 7, "Z")]]
    assert lines_of(report, "blank") == [2, 4, 5]
    assert lines_of(report, "trimmed") == [2]
    assert lines_of(report, "dropped") == [5]
    assert report.entities == {"X": 1, "Z": 1}


def test_blank_token_inside_entity_stays(read):
    docs, report = read("a\tB-X\n\u00a0\tI-X\nb\tI-X\n")
    assert ents(docs) == [[(0, 3, "X")]]
    assert counts(report) == {"blank": 1}


def test_examples_are_bounded_and_counts_exact(read):
    _, report = read("a\tI-X\nb\tB-Y\n\n" * (MAX_EXAMPLES + 7))
    assert report.notes["repaired"].count == MAX_EXAMPLES + 7
    assert len(report.notes["repaired"].examples) == MAX_EXAMPLES


def test_corpus_trains_on_the_tokens_of_the_file(read, tmp_path):
    docs, _ = read("can't\tO\n \tO\nNew\tB-LOC\nYork-\tI-LOC\n")
    write_docs(docs, tmp_path / "x.spacy")
    nlp = spacy.blank("en")
    (example,) = Corpus(tmp_path / "x.spacy")(nlp)
    assert isinstance(example, Example)
    assert [t.text for t in example.predicted] == ["can't", " ", "New", "York-"]
    assert example.get_aligned_ner() == ["O", "O", "B-LOC", "L-LOC"]


ERRORS = {
    "too few columns": ("a\tO\nb\n", {}, 2, "has 1 column, line 1 has 2"),
    "too many columns": ("a O\n\nb x O\n", {}, 3, "has 3 columns, line 1 has 2"),
    "one column": ("a\nb\n", {}, 1, "has 1 column, a token and a tag need 2"),
    "unknown tag": ("a\tO\nb\tB-X\nc\tPER\n", {}, 3, "tag 'PER' is not O or"),
    "not tags": ("a\tNN\nb\tVB\n", {}, 1, "tag 'NN' is not O or"),
    "hash and no tag": ("a\tB-X\n#b\t?\n", {}, 2, "tag '?' is not O or"),
    "no tag at all": ("a\t-\nb\t_\n", {}, None, "so nothing is annotated; choose"),
    "gold and predicted": (
        "a\tB-X\tB-X\nb\tO\tO\n",
        {},
        None,
        "columns 1 (B-X), 2 (B-X) all hold tags; choose one with --tag-column",
    ),
    "predictions that are rarely right": (
        "a B-X B-X\nb B-X O\nc O B-X\nd B-X B-Y\ne B-Y B-X\n" + "f B-X O\n" * 9,
        {},
        None,
        "columns 1 (B-X), 2 (B-X) all hold tags; choose one with --tag-column",
    ),
    "predictions that are never right": (
        "a B-X O\nb I-X B-X\nc O O\nd O B-X\n",
        {},
        None,
        "columns 1 (B-X), 2 (B-X) all hold tags; choose one with --tag-column",
    ),
    "tag column": ("a\tO\n", {"tag_column": 2}, 1, "--tag-column 2 is out of range"),
    "token column": (
        "\na\tO\n",
        {"token_column": -3},
        2,
        "--token-column -3 is out of range; choose one from -2 to 1",
    ),
    "same column": (
        "a\tO\n",
        {"token_column": 1, "tag_column": 1},
        1,
        "both token and tag",
    ),
    "tags alone": (
        "a\tO\n",
        {"tag_column": [0, 1]},
        None,
        "column 0 is both token and tag; leave one out of --tag",
    ),
    "clash": (
        "a\tU-X\n\nb\tB-X\nc\tE-X\n",
        {},
        4,
        "a tag with E- does not belong to the scheme biluo, which has U- as on line 1",
    ),
    "not in scheme": ("a\tO\nb\tS-X\n", {"scheme": "iob2"}, 2, "S- does not belong"),
    "encoding": (b"a\tO\nM\xfcnchen\tO\n", {}, 2, "byte 0xfc at position 2 is not UTF"),
    "utf-16": ("a\tO\n".encode("utf-16"), {}, 1, "byte 0xff at position 1"),
    "empty": ("", {}, None, "the file is empty"),
    "white space": ("\n\n \n", {}, None, "the file holds no token"),
    "document starts": ("-DOCSTART- O\n", {}, None, "the file holds no token"),
    "comments": ("# a comment\n", {}, None, "nothing is annotated"),
    "delimiter": ("a\tO\n", {"delimiter": ","}, None, "unknown delimiter ','"),
    "scheme": ("a\tO\n", {"scheme": "x"}, None, "unknown tag scheme 'x'"),
    "docs_of": ("a\tO\n", {"docs_of": -1}, None, "must be 0 or more, not -1"),
}


@pytest.mark.parametrize("case", sorted(ERRORS))
def test_error_names_line_and_value(read, tmp_path, case):
    text, options, line, what = ERRORS[case]
    with pytest.raises(UserError) as caught:
        read(text, **options)
    message = str(caught.value)
    assert what in message
    assert "\n" not in message
    if line is not None:
        assert message.startswith(f"{tmp_path / 'in.conll'}, line {line}: ")


def test_missing_file_and_folder(tmp_path):
    for path, what in [(tmp_path / "no", "no such file"), (tmp_path, "is a folder")]:
        with pytest.raises(UserError, match=what):
            list(read_conll(path, NLP, report=ConversionReport()))


# Round trips: spans -> tags -> file -> documents.

# First tag, tag inside, last tag, only tag of an entity.
PREFIXES = {"iob2": "BIIB", "bioes": "BIES", "biluo": "BILU"}


def encode(spans, length, scheme):
    tags = ["O"] * length
    for start, end, label in spans:
        touches = start > 0 and tags[start - 1][2:] == label
        iob1 = "BIIB" if touches else "IIII"
        first, inside, last, only = PREFIXES.get(scheme, iob1)
        prefixes = [first, *inside * (end - start - 2), last]
        prefixes = [only] if end - start == 1 else prefixes
        tags[start:end] = [f"{prefix}-{label}" for prefix in prefixes]
    return tags


TOKENS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=6
).filter(lambda text: not text.startswith(("-DOCSTART-", "\ufeff")))


@st.composite
def sentences(draw):
    spans, tokens = [], []
    labels = st.sampled_from(["PER", "LOC", "creative-work", None, None])
    for label in draw(st.lists(labels, min_size=1, max_size=5)):
        part = draw(st.lists(TOKENS, min_size=1, max_size=4))
        if label is not None:
            spans.append((len(tokens), len(tokens) + len(part), label))
        tokens += part
    return tokens, spans


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("roundtrip")


@settings(deadline=None)
@given(
    corpus=st.lists(sentences(), min_size=1, max_size=4),
    scheme=st.sampled_from(["iob1", "iob2", "bioes", "biluo"]),
    delimiter=st.sampled_from(["\t", " ", "   "]),
    end=st.sampled_from(["\n", "\r\n"]),
    by_hand=st.booleans(),
)
def test_round_trip(folder, corpus, scheme, delimiter, end, by_hand):
    lines = []
    for tokens, spans in corpus:
        tags = encode(spans, len(tokens), scheme)
        lines += [f"{a}{delimiter}{b}" for a, b in zip(tokens, tags, strict=True)]
        lines.append("")
    path = folder / "in.conll"
    path.write_bytes(end.join(lines).encode("utf-8"))
    report = ConversionReport()
    options = {"scheme": scheme} if by_hand else {}
    docs = list(read_conll(path, NLP, report=report, **options))
    assert words(docs) == [tokens for tokens, _ in corpus]
    assert ents(docs) == [spans for _, spans in corpus]
    assert counts(report) == {}


def test_line_ends_of_carriage_returns_are_an_error(tmp_path):
    path = tmp_path / "old.conll"
    path.write_bytes(b"Ann B-PER\rBob B-PER\r")
    with pytest.raises(UserError, match="line 1: a carriage return is inside"):
        list(read_conll(path, NLP, report=ConversionReport()))


def check(read, text, expected, **options):
    docs, report = read(text, **options)
    found = [[(ent.text, ent.label_) for ent in doc.ents] for doc in docs]
    assert [(doc.text.split(), e) for doc, e in zip(docs, found)] == expected
    return docs, report


ADA = [(["Ada", "Lund", "ran"], [("Ada Lund", "PER")])]
STYLES = {
    "iob2": "B-PER I-PER O",
    "iob1": "I-PER I-PER O",
    "bioes": "B-PER E-PER O",
    "biluo": "B-PER L-PER O",
    "bmes": "B-PER E-PER O",
    "bmeow": "B-PER E-PER O",
    "underscore": "B_PER I_PER O",
    "colon": "B:PER I:PER O",
    "suffix": "PER-B PER-I O",
    "suffix, underscore": "PER_B PER_I O",
    "lower case": "b-PER i-PER o",
    "labels alone": "PER PER O",
    "brackets": "(PER* *) *",
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("delimiter", ["\t", "  ", ",", ";"])
def test_styles_of_tags(read, style, delimiter):
    words = ["Ada", "Lund", "ran"]
    rows = zip(words, STYLES[style].split())
    text = "".join(f"{word}{delimiter}{tag}\n" for word, tag in rows)
    check(read, text, ADA)


def test_prefixes_without_labels(read):
    text = "Ada\tB\nLund\tI\nran\tO\n"
    check(read, text, [(ADA[0][0], [("Ada Lund", "ENTITY")])])
    check(read, text, ADA, default_label="PER")


def test_middle_and_single_tags(read):
    text = "a\tB-X\nb\tM-X\nc\tE-X\nd\tW-Y\ne\tO\n"
    _, report = check(read, text, [(list("abcde"), [("a b c", "X"), ("d", "Y")])])
    assert report.scheme == "bioes"
    assert counts(report) == {}


def test_labels_with_spaces(read):
    text = "Ada\tB-Given Name\nLund\tI-Given Name\nran\tO\n"
    check(read, text, [(ADA[0][0], [("Ada Lund", "Given Name")])])


@pytest.mark.parametrize("missing", ["-", "", "_"])
def test_missing_tags(read, missing):
    docs, report = read(f"Ada\tB-PER\nsaw\t{missing}\nBo\t{missing}\n")
    assert [token.ent_iob_ for token in docs[0]] == ["B", "", ""]
    assert "no token has the tag O" in report.warnings[0]
    docs, report = read(f"Ada\tB-PER\nsaw\tO\nBo\t{missing}\n")
    assert [token.ent_iob_ for token in docs[0]] == ["B", "O", ""]
    assert report.warnings == []


NESTED = "1\tAda\tB-PER\tO\n2\tof\tI-PER\tO\n3\tBern\tI-PER\tB-LOC\n4\tran\tO\tO\n"


@pytest.mark.parametrize("columns", [None, (2, 3), [-2, -1]])
def test_several_columns_of_tags(tmp_path, columns):
    path = tmp_path / "a.tsv"
    path.write_text(NESTED + "5\tLOC\tB-LOC\tO\n", encoding="utf8")
    options = ConvertOptions(spans_key="sc", lang="xx")
    docs = read_conll(path, NLP, options=options, tag_column=columns)
    doc = next(iter(docs))
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("Ada of Bern", "PER"),
        ("LOC", "LOC"),
    ]
    assert [s.text for s in doc.spans["sc"]] == ["Ada of Bern", "Bern", "LOC"]


LAYOUTS = {
    "a sentence a line": "Ada|N|B-PER Lund|N|I-PER ran|V|O\n",
    "two columns a line": "Ada|B-PER Lund|I-PER ran|O\n",
    "pipes, a token a line": "Ada|B-PER\nLund|I-PER\nran|O\n",
    "trailing tabs": "Ada\tB-PER\t\nLund\tI-PER\t\t\nran\tO\t\n",
    "index": "1\tAda\tB-PER\n2\tLund\tI-PER\n3\tran\tO\n",
    "index from 0": "0 Ada B-PER\n1 Lund I-PER\n2 ran O\n",
    "offsets": "0\t3\tAda\tB-PER\n4\t8\tLund\tI-PER\n9\t12\tran\tO\n",
    "tags first": "B-PER\tAda\nI-PER\tLund\nO\tran\n",
    "chunks": "Ada N B-NP B-PER\nLund N I-NP I-PER\nran V B-VP O\n",
    "annotator last": "1\tAda\tB-PER\t-\tx\n2\tLund\tI-PER\t-\tx\n3\tran\tO\t-\tx\n",
    "nothing between": "Ada _ _ B-PER\nLund _ _ I-PER\nran _ _ O\n",
    "header": "Word\tTag\nAda\tB-PER\nLund\tI-PER\nran\tO\n",
    "names of sentences": (
        "Sentence #,Word,POS,Tag\nSentence: 1,Ada,N,B-PER\n,Lund,N,I-PER\n,ran,V,O\n"
    ),
    "numbers of sentences": (
        "sentence_id,words,labels\n0,Ada,B-PER\n0,Lund,I-PER\n0,ran,O\n"
    ),
    "row numbers": (
        ",sentence_id,words,labels\n0,1,Ada,B-PER\n1,1,Lund,I-PER\n2,1,ran,O\n"
    ),
    "old WebAnno": "#text=x\n1-1\tAda\tB-PER\n1-2\tLund\tI-PER\n1-3\tran\tO\n",
    "times": "0.1\tAda\tB-PER\n0.2\tLund\tI-PER\n0.3\tran\tO\n",
    "ranges": "0:3\tAda\tB-PER\n4:8\tLund\tI-PER\n9:12\tran\tO\n",
    "codes": "d1-t1\tAda\tB-PER\nd1-t2\tLund\tI-PER\nd1-t3\tran\tO\n",
    "one name": "a.txt\tAda\tB-PER\na.txt\tLund\tI-PER\na.txt\tran\tO\n",
    "moods": "word,sentiment,tag\nAda,1,B-PER\nLund,0,I-PER\nran,1,O\n",
    "languages": "en:Ada\tB-PER\nen:Lund\tI-PER\nen:ran\tO\n",
    "comments": "# id 1\tx\nAda\tB-PER\n#note\n##x\tAda ran\nLund\tI-PER\nran\tO\n",
    "documents": "###MEDLINE:1\n\nAda\tB-PER\nLund\tI-PER\nran\tO\n",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(read, layout):
    check(read, LAYOUTS[layout], ADA)


def test_sentences_by_a_column(read):
    expected = [(["Ada", "ran"], [("Ada", "PER")]), (["Bo", "sat"], [])]
    check(read, "1,Ada,B-PER\n1,ran,O\n2,Bo,O\n2,sat,O\n", expected)
    check(read, "1,Ada,B-PER\n2,ran,O\n1,Bo,O\n2,sat,O\n", expected)
    text = ",sentence_id,word,tag\n0,1,Ada,B-PER\n1,1,ran,O\n2,2,Bo,O\n3,2,sat,O\n"
    check(read, text, expected)
    text = "name,token,tag\nx,Ada,B-PER\nx,ran,O\ny,Bo,O\ny,sat,O\n"
    check(read, text, expected)
    text = (
        "Sentence #,Word,Tag\nSentence: 1,Ada,B-PER\n,ran,O\nSentence: 2,Bo,O\n,sat,O\n"
    )
    check(read, text, expected)


def test_a_column_of_numbers_that_has_a_name_at_its_end(read):
    rows = [f"{i}\t{chr(97 + i % 26)}\tO\n" for i in range(6000)] + ["x\tAda\tB-PER\n"]
    docs, _ = read("".join(rows))
    assert [len(doc) for doc in docs] == [6000, 1]


def test_names_and_numbers_of_sentences(read):
    text = "sentence_id\tword\ttag\nx\tAda\tB-PER\n1\tran\tO\n2\tBo\tO\n"
    expected = [(["Ada"], [("Ada", "PER")]), (["ran"], []), (["Bo"], [])]
    check(read, text, expected)


def test_quoted_cells_of_a_table(read):
    text = 'Sentence #,Word,POS,Tag\nSentence: 1,"1,000","NN,X",B-N\n,"""","""",O\n'
    check(read, text, [(["1,000", '"'], [("1,000", "N")])])


def test_columns_of_ontonotes(read):
    row = "bc/x 0 {i} {word} NN (S* - - - spk {ner} {rest}\n"
    rows = [("Ada", "(PERSON*", "(ARG0*"), ("Lund", "*)", "*)"), ("ran", "*", "*")]
    text = "#begin document (bc/x); part 000\n"
    for i, (word, ner, rest) in enumerate(rows):
        text += row.format(i=i, word=word, ner=ner, rest=rest + " -")
    text += "\n" + row.format(i=0, word="Bern", ner="(GPE)", rest="-")
    text += "#end document\n"
    check(
        read,
        text,
        [(ADA[0][0], [("Ada Lund", "PERSON")]), (["Bern"], [("Bern", "GPE")])],
    )
