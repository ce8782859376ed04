import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin

from spacy_ner_ext.data.formats.conllu import read_conllu
from spacy_ner_ext.data.formats.registry import get_reader
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.options import ConvertOptions
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.util.errors import UserError
from tests.helpers.corpora import write_docs


@pytest.fixture(scope="module")
def nlp():
    return BlankPipeline("en")


@pytest.fixture
def read(tmp_path, nlp):
    def read_text(text, **options):
        path = tmp_path / "in.conllu"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        report = ConversionReport()
        return list(read_conllu(path, nlp, report=report, **options)), report

    return read_text


def row(number, form, misc="_", *, lemma="_", upos="_", xpos="_", feats="_", **rest):
    head, deprel = rest.get("head", "_"), rest.get("deprel", "_")
    cells = [number, form, lemma, upos, xpos, feats, head, deprel, "_", misc]
    return "\t".join(map(str, cells)) + "\n"


def words(docs):
    return [[token.text for token in doc] for doc in docs]


def ents(doc):
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


def counts(report):
    return {kind: notes.count for kind, notes in report.notes.items() if notes.count}


def notes(report, kind):
    return [(place.number, what) for place, what in report.notes[kind].examples]


SENTENCE = (
    row(1, "Ada", "NER=B-PER", lemma="Ada", upos="PROPN", xpos="NNP", head=2,
        deprel="nsubj", feats="Number=Sing|Case=Nom")
    + row(2, "ran", "SpaceAfter=No|NER=O", lemma="run", upos="VERB", xpos="VBD",
          head=0, deprel="root")
    + row(3, ".", lemma=".", upos="PUNCT", xpos=".", head=2, deprel="punct")
)  # fmt: skip


def test_registry_knows_it():
    assert get_reader("conllu", ["entity_key", "scheme", "docs_of"]) is read_conllu


def test_all_layers(read):
    (doc,), report = read(f"# sent_id = s-1\n# text = Ada ran.\n{SENTENCE}\n")
    assert doc.text == "Ada ran. "
    assert ents(doc) == [(0, 1, "PER")]
    assert [token.tag_ for token in doc] == ["NNP", "VBD", "."]
    assert [token.pos_ for token in doc] == ["PROPN", "VERB", "PUNCT"]
    assert [token.lemma_ for token in doc] == ["Ada", "run", "."]
    assert str(doc[0].morph) == "Case=Nom|Number=Sing"
    assert [token.head.i for token in doc] == [1, 1, 1]
    assert [token.dep_ for token in doc] == ["nsubj", "ROOT", "punct"]
    assert doc.user_data["id"] == "s-1"
    assert (report.scheme, counts(report)) == ("iob2", {})


def test_sentences_are_grouped_by_document(read):
    text = f"# newdoc id = d/1\n\n{SENTENCE}\n{SENTENCE}\n# newdoc\n{SENTENCE}"
    docs, _ = read(text, docs_of=0)
    assert [doc.user_data["id"] for doc in docs] == ["d/1", "2"]
    assert [token.head.i for token in docs[0]] == [1, 1, 1, 4, 4, 4]
    assert [sent.start for sent in docs[0].sents] == [0, 3]
    assert ents(docs[0]) == [(0, 1, "PER"), (3, 4, "PER")]
    docs, _ = read(text)
    assert [doc.user_data["document"] for doc in docs] == ["d/1", "d/1", "2"]


def test_sentence_starts_without_a_parse(read):
    text = row(1, "a", "NER=O") + "\n" + row(1, "b") + row(2, "c")
    (doc,), _ = read(text, docs_of=2)
    assert [token.is_sent_start for token in doc] == [True, True, False]
    assert not doc.has_annotation("DEP")
    assert not doc.has_annotation("TAG")


def test_layers_are_saved(read, tmp_path):
    docs, _ = read(SENTENCE + "\n" + row(1, "x", head=0, deprel="root"))
    write_docs(docs, tmp_path / "x.spacy")
    stored = list(DocBin().from_disk(tmp_path / "x.spacy").get_docs(docs[0].vocab))
    for doc, before in zip(stored, docs, strict=True):
        assert doc.to_json() == before.to_json() and doc.has_annotation("DEP")


def test_a_parse_with_gaps_is_left_out_and_noted(read):
    (first, second), report = read(f"{SENTENCE}\n{row(1, 'x', head=0)}")
    assert first.has_annotation("DEP")
    assert second.has_annotation("TAG") is False
    assert not second.has_annotation("DEP")
    what = "a parse: word 1 has no valid HEAD and DEPREL"
    assert notes(report, "skipped") == [(5, what)]


BROKEN = {
    "two roots": ([0, 0], ["root", "root"], "more than one word has HEAD 0"),
    "circle": ([2, 1], ["a", "b"], "the heads of word 1 form a cycle"),
    "own head": ([0, 2], ["root", "b"], "the heads of word 2 form a cycle"),
    "outside": ([0, 3], ["root", "b"], "word 2 has no valid HEAD and DEPREL"),
    "text": ([0, "x"], ["root", "b"], "word 2 has no valid HEAD and DEPREL"),
    "huge": ([0, "9" * 5000], ["root", "b"], "word 2 has no valid HEAD and DEPREL"),
    "no relation": ([0, 1], ["root", "_"], "word 2 has no valid HEAD and DEPREL"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("docs_of", [1, 2])
def test_a_broken_parse_is_left_out_of_its_sentence(read, case, docs_of):
    heads, relations, what = BROKEN[case]
    text = "".join(
        row(i, "w", "NER=B-X", head=head, deprel=relation)
        for i, (head, relation) in enumerate(zip(heads, relations), start=1)
    )
    docs, report = read(f"{text}\n{SENTENCE}", docs_of=docs_of)
    assert notes(report, "skipped") == [(1, f"a parse: {what}")]
    tokens = [token for doc in docs for token in doc]
    assert [token.has_dep() for token in tokens] == [False] * 2 + [True] * 3
    assert [sent.text for doc in docs for sent in doc.sents] == ["w w", "Ada ran."]
    assert ents(docs[0])[:2] == [(0, 1, "X"), (1, 2, "X")]


def test_values_that_are_not_valid_are_left_out(read):
    (doc,), report = read(
        row(1, "Ada", "NER=B-X", upos="propn", xpos="N")
        + row(2, "ran", upos="VERB", feats="past")
        + row(3, "on", upos="ADP", feats="A=b|C=d")
    )
    assert [token.pos_ for token in doc] == ["", "VERB", "ADP"]
    assert [str(token.morph) for token in doc] == ["", "", "A=b|C=d"]
    assert [token.tag_ for token in doc] == ["N", "", ""]
    assert notes(report, "skipped") == [
        (1, "UPOS 'propn' is not valid"),
        (2, "FEATS 'past' is not valid"),
    ]


@pytest.mark.parametrize(
    ("tag", "scheme", "tags"),
    [("B-X", "iob2", "BII"), ("S-X", "bioes", "BII"), ("U-X", "biluo", "BII")],
)
def test_tags_of_multiword_tokens_are_spread(read, tag, scheme, tags):
    words = "".join(row(i, "w") for i in (1, 2, 3))
    (doc,), report = read(row("1-3", "www", f"NER={tag}") + words)
    assert ents(doc) == [(0, 3, "X")]
    assert report.scheme == scheme
    assert counts(report) == {}


def test_pairs_of_misc_with_a_space_between_them(read):
    (doc,), _ = read(
        row(1, "Ada", "Gloss=a b name=B-PER") + row(2, "L", "SpaceAfter=No name=I-PER")
    )
    assert (doc.text, ents(doc)) == ("Ada L", [(0, 2, "PER")])


def test_labels_without_prefixes(read):
    text = row(1, "Ada", "NE=PER") + row(2, "L", "NE=PER") + row(3, "ran", "NE=O")
    assert ents(read(text)[0][0]) == [(0, 2, "PER")]


BRACKETS = {
    "fields": ("# global.Entity = GRP-etype-infstat", "(1-person-new", "2-place-new"),
    "CorefUD": ("# global.Entity = eid-etype-head", "(e1-person-1", "e2-place-1"),
    "no fields": ("# x", "(e1-person-1", "e2-place-1"),
    "type first": ("# x", "(person-1", "place-2"),
}


@pytest.mark.parametrize("case", BRACKETS)
def test_brackets_of_entities_nest(tmp_path, nlp, case):
    fields, first, second = BRACKETS[case]
    name = "person-1" if case == "type first" else first[1:].split("-")[0]
    path = tmp_path / "a.conllu"
    path.write_text(
        f"{fields}\n"
        + row(1, "Ada", f"Entity={first}")
        + row(2, "of", "_")
        + row(3, "Bern", f"Entity=({second}){name})"),
        encoding="utf8",
    )
    options = ConvertOptions(spans_key="sc", lang="xx")
    (doc,) = read_conllu(path, nlp, options=options)
    assert ents(doc) == [(0, 3, "person")]
    spans = [(span.text.strip(), span.label_) for span in doc.spans["sc"]]
    assert spans == [("Ada of Bern", "person"), ("Bern", "place")]


def test_brackets_that_do_not_match(read):
    text = row(1, "a", "Entity=(e1-per-1") + row(2, "b", "Entity=(e2-loc-1)e3)")
    (doc,), report = read(text)
    assert ents(doc) == [(1, 2, "loc")]
    assert notes(report, "dropped") == [
        (2, "bracket (e2-loc-1)e3) closes nothing"),
        (1, "bracket (e1-per-1 is not closed"),
    ]


def test_crossing_arcs_stay_one_sentence(read):
    heads = [3, 4, 0, 3]
    text = "".join(
        row(i, "w", "NER=O", head=head, deprel="x") for i, head in enumerate(heads, 1)
    )
    (doc,), _ = read(text)
    assert [token.is_sent_start for token in doc] == [True, False, False, False]


def test_underscore_as_a_word(read):
    (doc,), _ = read(row(1, "_", "NER=O", lemma="_") + row(2, "a", lemma="a"))
    assert [token.text for token in doc] == ["_", "a"]
    assert [token.lemma_ for token in doc] == ["_", "a"]


@pytest.mark.parametrize(
    ("form", "parts", "text"),
    [("don't", ("do", "n't"), "don't, "), ("du", ("de", "le"), "de le, ")],
)
def test_multiword_tokens(read, form, parts, text):
    (doc,), report = read(
        row("1-2", form, "SpaceAfter=No|NER=B-X")
        + row(1, parts[0], "NER=B-PER")
        + row(2, parts[1], "NER=I-PER|SpaceAfter=No")
        + row(3, ",")
    )
    assert doc.text == text
    assert words([doc]) == [[*parts, ","]]
    assert ents(doc) == [(0, 2, "PER")]
    assert notes(report, "skipped") == [(1, "tag of the token 1-2, not of a word")]


def test_empty_nodes_are_skipped(read):
    text = row("0.1", "E") + row(1, "a", "NER=B-X") + row("1.1", "E") + row(2, "b")
    (doc,), report = read(text)
    assert words([doc]) == [["a", "b"]]
    assert notes(report, "skipped") == [(1, "empty node 0.1"), (3, "empty node 1.1")]


def test_spaces_are_unknown_unless_told(read):
    text = row(1, "Hi", "NER=O") + row(2, ".")
    assert read(text)[0][0].has_unknown_spaces
    (doc,), _ = read("# text = Hi .\n" + text)
    assert (doc.text, doc.has_unknown_spaces) == ("Hi . ", False)
    (doc,), _ = read(text.replace("NER=O", "NER=O|SpaceAfter=No"))
    assert (doc.text, doc.has_unknown_spaces) == ("Hi. ", False)


@pytest.mark.parametrize("key", ["NER", "NE", "name", "ner", "Entity"])
def test_keys_that_are_known(read, key):
    (doc,), _ = read(row(1, "Ada", f"A=b|{key}=B-PER|C") + row(2, "x", f"{key}=_"))
    assert ents(doc) == [(0, 1, "PER")]


def test_the_first_key_with_tags_is_taken(read):
    text = row(1, "Ada", "NER=yes|name=B-A|Entity=B-B") + row(2, "x", "mine=B-C")
    assert ents(read(text)[0][0]) == [(0, 1, "A")]
    assert ents(read(text, entity_key="Entity")[0][0]) == [(0, 1, "B")]
    assert ents(read(text, entity_key="mine")[0][0]) == [(1, 2, "C")]


def test_eleventh_column(read):
    text = row(1, "Ada").replace("\n", "\tB-PER\n") + row(2, "x").replace("\n", "\t_\n")
    (doc,), _ = read(text)
    assert ents(doc) == [(0, 1, "PER")]


def test_columns_of_conllu_plus(read):
    text = (
        "\ufeff# global.columns = ID FORM UPOS ORG:NE\r\n# a note\r\n"
        "1\tAda\tPROPN\tB-PER\r\n2\t#\tSYM\t*\r\n\r\n1\tran\tVERB\tO"
    )
    docs, report = read(text, entity_key="ORG:NE")
    assert words(docs) == [["Ada", "#"], ["ran"]]
    assert [token.pos_ for token in docs[0]] == ["PROPN", "SYM"]
    assert ents(docs[0]) == [(0, 1, "PER")]
    assert docs[0].has_unknown_spaces
    assert counts(report) == {"comments": 1}
    docs, _ = read(text.replace("ORG:NE", "NER"))
    assert ents(docs[0]) == [(0, 1, "PER")]


def test_scheme_and_repairs(read):
    text = row(1, "a", "NER=I-X") + row(2, "b", "NER=O")
    assert read(text)[1].scheme == "iob1"
    _, report = read(text, scheme="bio")
    assert notes(report, "repaired") == [(1, "I-X starts an entity")]


def test_words_with_spaces_and_blank_words(read):
    (doc,), report = read(row(1, "10 000", "NER=B-X") + row(2, "\u00a0", "NER=I-X"))
    assert words([doc]) == [["10 000", "\u00a0"]]
    assert ents(doc) == [(0, 1, "X")]
    assert counts(report) == {"blank": 1, "trimmed": 1}


X = row(1, "x", "NER=O")
ERRORS = {
    "columns": (X + "2\tb\tc\n", {}, 2, "has 3 columns, not 10 separated by tabs"),
    "spaces": (
        "1 x _ _ _ _ _ _ _ NER=O\n",
        {},
        1,
        "has 1 column, not 10 separated by tabs",
    ),
    "more columns": (X + X.replace("\n", "\tO\n"), {}, 2, "has 11 columns, not 10"),
    "id": (row("a", "x"), {}, 1, "the ID is 'a', but 1 comes next, or 1-2 for a"),
    "digits": (row("٣", "x"), {}, 1, "the ID is '٣', but 1"),
    "order": (X + row(3, "y"), {}, 2, "the ID is '3', but 2 comes next"),
    "no blank line": (X + X, {}, 2, "the ID is '1', but 2 comes next"),
    "range": (row("1-3", "xy") + X, {}, 1, "token 1-3 extends beyond the end of the"),
    "range reversed": (
        X + row("2-1", "y"),
        {},
        2,
        "the ID is '2-1', but 2 comes next",
    ),
    "range of one": (row("1-1", "a") + X, {}, 1, "the ID is '1-1', but 1 comes next"),
    "ranges": (
        row("1-2", "a") + row("1-3", "b"),
        {},
        2,
        "the ID is '1-3', but 1 comes next",
    ),
    "tag": (
        X + row(2, "y", "NER=PER") + row(3, "z", "NER=B-X"),
        {},
        2,
        "'PER' is not O or a prefix and a label",
    ),
    "tag of key": (X, {"entity_key": "FORM"}, 1, "'x' is not O or a prefix"),
    "no key": (row(1, "x", "A=1|B=2"), {}, None, "keys of MISC are: A, B; choose"),
    "no misc": (row(1, "x"), {}, None, "keys of MISC are: none; choose a column or"),
    "other key": (
        X,
        {"entity_key": "Ner"},
        None,
        "no entities under Ner; other columns and keys of MISC are: NER; choose",
    ),
    "clash": (
        row(1, "x", "NER=U-A") + row(2, "y", "NER=E-A"),
        {},
        2,
        "E- does not belong to the scheme biluo",
    ),
    "not in scheme": (
        X + row(2, "x", "NER=S-A"),
        {"scheme": "iob2"},
        2,
        "S- does not belong to the scheme iob2",
    ),
    "plus without form": (
        "# global.columns = ID NER\n",
        {},
        1,
        "must have ID and FORM",
    ),
    "plus twice": ("# global.columns = ID FORM A A\n", {}, 1, "each name once"),
    "plus changes": (
        "# global.columns = ID FORM\n# global.columns = ID FORM A\n",
        {},
        2,
        "the columns change inside the file",
    ),
    "plus width": ("# global.columns = ID FORM\n1\n", {}, 2, "has 1 column, not 2"),
    "encoding": (
        X.encode() + b"2\t\xfc\n",
        {},
        2,
        "byte 0xfc at position 3 is",
    ),
    "empty": ("", {}, None, "the file is empty"),
    "comments": ("# newdoc\n\n", {}, None, "the file holds no word"),
    "scheme": (X, {"scheme": "x"}, None, "unknown tag scheme 'x'"),
    "docs_of": (X, {"docs_of": -1}, None, "must be 0 or more, not -1"),
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
        assert message.startswith(f"{tmp_path / 'in.conllu'}, line {line}: ")


def test_missing_file_and_folder(tmp_path, nlp):
    for path, what in [(tmp_path / "no", "no such file"), (tmp_path, "is a folder")]:
        with pytest.raises(UserError, match=what):
            list(read_conllu(path, nlp))


def test_long_chain_of_heads(read):
    n = 3000
    rows = (row(i + 1, "x", "NER=O", head=i, deprel="d") for i in range(n))
    (doc,), _ = read("".join(rows))
    assert [token.head.i for token in doc] == [0, *range(n - 1)]


CELLS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="|="),
    min_size=1,
    max_size=5,
).filter(str.strip)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("roundtrip")


@settings(deadline=None, max_examples=100)
@given(data=st.data(), plus=st.booleans(), end=st.sampled_from(["\n", "\r\n"]))
def test_round_trip(folder, nlp, data, plus, end):
    lines, expected = ["# global.columns = ID FORM NER"] * plus, []
    for forms in data.draw(
        st.lists(st.lists(CELLS, min_size=1, max_size=5), min_size=1, max_size=4)
    ):
        tagged = data.draw(
            st.lists(st.booleans(), min_size=len(forms), max_size=len(forms))
        )
        for i, (form, has_tag) in enumerate(zip(forms, tagged, strict=True), start=1):
            tag = "B-X" if has_tag else "O"
            if plus:
                lines.append(f"{i}\t{form}\t{tag}")
            else:
                lines.append(row(i, form, f"NER={tag}", lemma=form).rstrip("\n"))
        lines.append("")
        entities = [(i, i + 1, "X") for i, has_tag in enumerate(tagged) if has_tag]
        expected.append((forms, entities))
    path = folder / "in.conllu"
    path.write_bytes(end.join(lines).encode("utf-8"))
    report = ConversionReport()
    docs = list(read_conllu(path, nlp, report=report))
    assert [([t.text for t in doc], ents(doc)) for doc in docs] == expected
    assert counts(report) == {}


def test_columns_of_conllu_plus_may_have_a_prefix(tmp_path):
    path = tmp_path / "a.conllup"
    text = "# global.columns = ID FORM X:NER\n1\tAnna\tB-PER\n2\tging\tO\n\n"
    path.write_text(text, encoding="utf8")
    (doc,) = read_conllu(path, BlankPipeline("en"))
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Anna", "PER")]


def test_keys_of_misc_are_not_columns(read):
    text = "# global.columns = ID FORM NER MISC\n1\tAda\tB-PER\tLEMMA=x|UPOS=y\n"
    (doc,), report = read(text)
    assert (doc[0].lemma_, doc[0].pos_, counts(report)) == ("", "", {})
