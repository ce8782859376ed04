import json

import datasets
import pyarrow
import pyarrow.parquet
import pytest
from datasets import (
    ClassLabel,
    Dataset,
    DatasetDict,
    Features,
    IterableDatasetDict,
    Value,
)
from datasets import Sequence as ListOf
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from spacy_ner_ext.data.formats.arrow_writers import write_datasets
from spacy_ner_ext.data.formats.dataset import read_datasets
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.options import ConvertOptions
from spacy_ner_ext.data.recognize import guess_format
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.util.errors import UserError

NLP = BlankPipeline("en")
NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
ROWS = [
    {"tokens": ["Ann", "Lee", "left"], "ner_tags": [1, 2, 0]},
    {"tokens": ["in", "Oslo", "Bergen"], "ner_tags": [0, 3, 3]},
]
ENTS = [[(0, 2, "PER")], [(1, 2, "LOC"), (2, 3, "LOC")]]
NAMED = [
    {**row, "ner_tags": [NAMES[number] for number in row["ner_tags"]]} for row in ROWS
]


def read(path, **options):
    report = ConversionReport(source=str(path))
    docs = []
    for doc in read_datasets(path, NLP, report=report, **options):
        report.add(doc)
        docs.append(doc)
    return docs, report


def words(docs):
    return [[token.text for token in doc] for doc in docs]


def ents(docs):
    return [[(e.start, e.end, e.label_) for e in doc.ents] for doc in docs]


def counts(report):
    return {kind: notes.count for kind, notes in report.notes.items() if notes.count}


def class_labels(rows=ROWS, names=NAMES):
    tags = ListOf(ClassLabel(names=names))
    features = Features({"tokens": ListOf(Value("string")), "ner_tags": tags})
    return Dataset.from_list(rows, features=features)


def write_lines(path, rows):
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.fixture
def bars_off():
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.fixture
def saved(tmp_path, bars_off):
    class_labels().save_to_disk(str(tmp_path / "saved"))
    return tmp_path / "saved"


def test_saved_dataset(saved):
    docs, report = read(saved)
    assert words(docs) == [row["tokens"] for row in ROWS]
    assert ents(docs) == ENTS
    assert all(doc.has_unknown_spaces for doc in docs)
    assert [token.ent_iob_ for token in docs[0]] == ["B", "I", "O"]
    assert (report.scheme, counts(report)) == ("iob2", {})
    assert (report.documents, report.sentences, report.tokens) == (2, 2, 6)


def test_splits_are_chosen_by_name(tmp_path, bars_off):
    splits = {"train": class_labels(), "test": class_labels(ROWS[1:])}
    DatasetDict(splits).save_to_disk(str(tmp_path / "d"))
    assert ents(read(tmp_path / "d", dataset_split="test")[0]) == ENTS[1:]
    with pytest.raises(UserError, match=r"the splits train, test; .*--dataset-split"):
        read(tmp_path / "d")
    with pytest.raises(UserError, match="no split 'dev', only train, test"):
        read(tmp_path / "d", dataset_split="dev")
    DatasetDict({"all": class_labels()}).save_to_disk(str(tmp_path / "one"))
    assert ents(read(tmp_path / "one")[0]) == ENTS


def test_parquet_with_the_names_of_its_tags(tmp_path, bars_off):
    class_labels().to_parquet(tmp_path / "a.parquet")
    assert ents(read(tmp_path / "a.parquet")[0]) == ENTS


@pytest.mark.parametrize("suffix", ["jsonl", "json", "parquet"])
def test_files_of_strings(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(NAMED), path)
    elif suffix == "json":
        path.write_text(json.dumps(NAMED))
    else:
        write_lines(path, NAMED)
    docs, report = read(path)
    assert ents(docs) == ENTS
    assert report.scheme == "iob2"


NAME_FILES = {
    "list": NAMES,
    "numbers by name": {name: number for number, name in enumerate(NAMES)},
    "names by number": {str(number): name for number, name in enumerate(NAMES)},
}


@pytest.mark.parametrize("case", NAME_FILES)
@pytest.mark.parametrize("indent", [None, 1])
def test_names_in_a_file(tmp_path, case, indent):
    path = write_lines(tmp_path / "a.jsonl", ROWS)
    text = json.dumps(NAME_FILES[case], indent=indent)
    (tmp_path / "names.json").write_text(text)
    assert ents(read(path, tag_names=tmp_path / "names.json")[0]) == ENTS
    (tmp_path / "names.json").rename(tmp_path / "labels.json")
    assert ents(read(path)[0]) == ENTS


def test_names_beside_matter_to_numbers_alone(tmp_path):
    (tmp_path / "labels.json").write_text('["PER", "LOC"]')
    assert ents(read(write_lines(tmp_path / "a.jsonl", NAMED))[0]) == ENTS
    with pytest.raises(UserError, match='name of tag 0, "PER", is not O or'):
        read(write_lines(tmp_path / "a.jsonl", ROWS))


def test_given_names_win(tmp_path, saved):
    names = ["O", "B-A", "I-A", "B-B", "I-B"]
    (tmp_path / "names.json").write_text(json.dumps(names))
    docs, _ = read(saved, tag_names=tmp_path / "names.json")
    assert ents(docs) == [[(0, 2, "A")], [(1, 2, "B"), (2, 3, "B")]]


def test_other_names_of_columns(tmp_path):
    rows = [{"words": row["tokens"], "bio": row["ner_tags"]} for row in NAMED]
    path = write_lines(tmp_path / "a.jsonl", rows)
    docs, _ = read(path, tokens_column="words", tags_column="bio")
    assert ents(docs) == ENTS


def test_scheme_is_recognised_and_repairs_are_noted(tmp_path):
    rows = [{"tokens": ["a", "b"], "ner_tags": ["I-X", "B-X"]}]
    _, report = read(write_lines(tmp_path / "a.jsonl", rows))
    assert (report.scheme, counts(report)) == ("iob1", {})
    rows = [{"tokens": ["a", "b"], "ner_tags": ["U-X", "O"]}]
    _, report = read(write_lines(tmp_path / "a.jsonl", rows))
    assert report.scheme == "biluo"
    flawed = {**ROWS[1], "ner_tags": [2, 0, 4]}
    path = write_lines(tmp_path / "a.jsonl", [ROWS[0], flawed])
    (tmp_path / "labels.json").write_text(json.dumps(NAMES))
    docs, report = read(path)
    assert ents(docs)[1] == [(0, 1, "PER"), (2, 3, "LOC")]
    notes = report.notes["repaired"].examples
    assert [(str(place), what) for place, what in notes] == [
        (f"{path}, line 2", "I-PER starts an entity"),
        (f"{path}, line 2", "I-LOC starts an entity"),
    ]


def test_blank_tokens_keep_their_place(tmp_path):
    tags = ["O", "B-X", "I-X", "I-X"]
    rows = [{"tokens": ["a", "", "\u00a0", "b"], "ner_tags": tags}]
    docs, report = read(write_lines(tmp_path / "a.jsonl", rows))
    assert words(docs) == [["a", " ", "\u00a0", "b"]]
    assert ents(docs) == [[(3, 4, "X")]]
    assert counts(report) == {"blank": 2, "trimmed": 1}


def test_row_without_tokens_is_left_out(tmp_path):
    rows = [{"tokens": [], "ner_tags": []}, NAMED[0]]
    docs, report = read(write_lines(tmp_path / "a.jsonl", rows))
    assert ents(docs) == ENTS[:1]
    assert counts(report) == {"empty": 1}


def test_row_without_tags_is_not_annotated(tmp_path):
    rows = [NAMED[0], {"tokens": ["a"], "ner_tags": None}]
    path = write_lines(tmp_path / "a.jsonl", rows)
    docs, _ = read(path)
    assert [doc.has_annotation("ENT_IOB") for doc in docs] == [True, False]
    with pytest.raises(UserError, match=r"line 2: the row is not annotated and cannot"):
        read(path, docs_of=2)


def test_names_of_documents_and_languages(tmp_path):
    values = [
        {"document_id": "d1", "sentence_id": 1, "lang": "en"},
        {"document_id": "d1", "sentence_id": 2, "lang": "en"},
        {"document_id": "d2", "sentence_id": 1, "lang": "de"},
        {"id": "x", "document": "d3", "cats": {"news": 0.5}, "meta": {"a": [1]}},
    ]
    path = write_lines(tmp_path / "a.jsonl", [{**NAMED[0], **row} for row in values])
    docs, _ = read(path)
    assert [doc.user_data["id"] for doc in docs] == ["d1.1", "d1.2", "d2.1", "x"]
    assert [doc.user_data["document"] for doc in docs] == ["d1", "d1", "d2", "d3"]
    assert [doc.user_data.get("lang") for doc in docs] == ["en", "en", "de", None]
    assert (docs[3].cats, docs[3].user_data["meta"]) == ({"news": 0.5}, {"a": [1]})
    docs, report = read(path, options=ConvertOptions(lang="en"))
    assert (len(docs), counts(report)) == (3, {"other_language": 1})
    docs, _ = read(path, docs_of=0)
    assert [doc.user_data["id"] for doc in docs] == ["d1", "d2", "d3"]
    assert [len(list(doc.sents)) for doc in docs] == [2, 1, 1]
    assert ents(docs)[0] == [(0, 2, "PER"), (3, 5, "PER")]


def test_other_languages_are_left_out_before_rows_are_joined(tmp_path):
    rows = [{**NAMED[0], "lang": lang} for lang in ("en", "de", "en", "en")]
    path = write_lines(tmp_path / "a.jsonl", rows)
    docs, report = read(path, options=ConvertOptions(lang="en"), docs_of=2)
    assert [len(list(doc.sents)) for doc in docs] == [2, 1]
    assert counts(report) == {"other_language": 1}


def row(tokens=("a",), tags=("O",), **more):
    return json.dumps({"tokens": list(tokens), "ner_tags": list(tags), **more})


GOOD = row()
MALFORMED = {
    "lengths": ([GOOD, row("ab", "O")], {}, 2, "2 tokens have 1 tags; give each"),
    "numbers": (
        [GOOD, row("a", [1])],
        {},
        2,
        "number without a name; name the tags with",
    ),
    "numbers first": (
        [row("a", [1])],
        {},
        1,
        '--tag-names, in a list such as ["O"',
    ),
    "negative": ([row("a", [-1])], {}, 1, "tag -1 is a number without"),
    "true": ([row("a", [True])], {}, 1, "tag true is not O or a prefix"),
    "float": ([row("a", [1.0])], {}, 1, "tag 1.0 is not O or a prefix"),
    "object": ([row("a", [{}])], {}, 1, "tag {} is not O or a prefix"),
    "no tag": ([row("a", ["PER"])], {}, 1, 'tag "PER" is not O or a prefix and a'),
    "token": ([row([3])], {}, 1, "a token of 'tokens' is 3, not a string"),
    "null token": ([row([None])], {}, 1, "a token of 'tokens' is null, not a string"),
    "tokens": (
        ['{"tokens": "a b", "ner_tags": []}'],
        {},
        1,
        "'tokens' is \"a b\", not",
    ),
    "tags": (['{"tokens": [], "ner_tags": "O"}'], {}, 1, "'ner_tags' is \"O\", not an"),
    "no column": (
        ['{"text": "a"}'],
        {},
        1,
        "column tokens, ner_tags is missing; columns are: text",
    ),
    "other column": (
        [GOOD],
        {"tokens_column": "w"},
        1,
        "column w is missing; columns are: tok",
    ),
    "clash": (
        [row("ab", ["B-X", "U-X"]), row("ab", ["B-X", "E-X"])],
        {},
        2,
        "a tag with E- does not belong to the scheme biluo, which has U- as on line 1",
    ),
    "id": ([row(id=[1])], {}, 1, "'id' is [1], not a string"),
    "spaces": ([row(spaces=[1])], {}, 1, "'spaces' is not true or false for each"),
    "starts": (
        [row(sent_starts=[1])],
        {},
        1,
        "'sent_starts' holds 1, not a number from",
    ),
    "cats": ([row(cats="{")], {}, 1, "'cats' is not a JSON value"),
    "cat": ([row(cats={"A": "x"})], {}, 1, "category 'A' is \"x\", not a number"),
    "meta": ([row(meta="[1]")], {}, 1, "'meta' is [1], not an object"),
    "surrogate": (['{"tokens": ["\\ud800"], "ner_tags": ["O"]}'], {}, 1, "surrogate"),
    "cut": (['{"tokens": ["a"'], {}, 1, "is not a JSON value"),
    "list": (["[1]"], {}, None, "not an object"),
    "docs_of": ([GOOD], {"docs_of": -1}, None, "must be 0 or more, not -1"),
    "split": ([GOOD], {"dataset_split": "dev"}, None, "leave out --dataset-split"),
    "config": ([GOOD], {"dataset_config": "en"}, None, "leave out --dataset-config"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_error_names_line_and_value(tmp_path, case):
    lines, options, line, what = MALFORMED[case]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(UserError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert what in message
    assert "\n" not in message
    if line is not None:
        assert message.startswith(f"{path}, line {line}: ")


BAD_NAMES = {
    "label": (
        '["O", "B-X", "I-X", "PER"]',
        'tag 3: the name of tag 3, "PER", is not O or a prefix',
    ),
    "number": ("[1, 2]", "the name of tag 0, 1, is not O"),
    "text": ("O B-PER", "is not a JSON value"),
    "value": ('"O"', "tag 1 is a number without a name; name the tags"),
    "object": ('{"O": "B-PER"}', "'O' has the value \"B-PER\", not the number"),
    "twice": ('{"0": "O", "00": "B-X"}', "number 0 has two names"),
    "clash": (
        '["O", "U-X", "E-X"]',
        "tag 2: a tag with E- does not belong to the scheme biluo, which has U- as on",
    ),
    "too few": ('["O", "B-PER"]', "tag 2 is a number without a name; name the tags"),
}


@pytest.mark.parametrize("case", BAD_NAMES)
def test_names_that_do_not_fit(tmp_path, case):
    path = write_lines(tmp_path / "a.jsonl", ROWS)
    text, what = BAD_NAMES[case]
    (tmp_path / "names.json").write_text(text)
    with pytest.raises(UserError) as caught:
        read(path, tag_names=tmp_path / "names.json")
    assert what in str(caught.value)


def test_number_without_name_in_a_saved_dataset(tmp_path, bars_off):
    Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "saved" / "labels.json").write_text(json.dumps(NAMES[:4]))
    assert ents(read(tmp_path / "saved")[0]) == ENTS
    (tmp_path / "saved" / "labels.json").write_text(json.dumps(NAMES[:3]))
    with pytest.raises(UserError, match=r"saved, row 2: tag 3 is a number"):
        read(tmp_path / "saved")


def test_paths_that_are_no_dataset(tmp_path, saved):
    (tmp_path / "a.csv").write_text("tokens,ner_tags\n")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "folder").mkdir()
    for path, what in [
        (tmp_path / "folder", "give a complete folder of save_to_disk"),
        (tmp_path / "a.csv", r"ends in \.jsonl, \.json, \.ndjson, \.parquet"),
        (tmp_path / "no.jsonl", "no such file"),
        (tmp_path / "empty.jsonl", "empty"),
    ]:
        with pytest.raises(UserError, match=what):
            read(path)
    with pytest.raises(UserError, match="has no split 'dev', only train"):
        read(saved, dataset_split="dev")


@pytest.mark.parametrize("name", ["state.json", "dataset_info.json", "*.arrow"])
@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff\xfe" * 99])
def test_damaged_folder(saved, name, content):
    (file,) = saved.glob(name)
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(saved)
    assert str(caught.value).startswith(str(saved))
    assert "\n" not in str(caught.value)


def test_damaged_parquet(tmp_path, bars_off):
    path = tmp_path / "a.parquet"
    class_labels().to_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"a\.parquet: cannot be read as Parquet"):
        read(path)


@pytest.fixture
def hub(monkeypatch):
    asked = []

    def load_dataset(name, config=None, *, streaming):
        asked.append((name, config, streaming))
        dataset = Dataset.from_list([{**row, "lang": "en"} for row in ROWS])
        streams = {split: dataset.to_iterable_dataset() for split in ("train", "test")}
        return IterableDatasetDict(streams)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return asked


def test_hub_is_streamed_and_multinerd_has_names(hub):
    name = "Babelscape/multinerd"
    docs, report = read(name, dataset_split="train", dataset_config="en")
    assert hub == [(name, "en", True)]
    assert ents(docs) == [[(0, 2, "PER")], [(1, 2, "ORG"), (2, 3, "ORG")]]
    assert (report.scheme, counts(report)) == ("iob2", {})
    with pytest.raises(UserError, match="multinerd: has the splits train, test"):
        read(name)
    with pytest.raises(UserError, match=r"other/one, row 1: .*--tag-names"):
        read("other/one", dataset_split="test")


def test_code_of_a_dataset_is_refused_where_it_could_run(monkeypatch):
    def load_dataset(name, config=None, trust_remote_code=True, **options):
        assert trust_remote_code is False
        return IterableDatasetDict({"train": class_labels().to_iterable_dataset()})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert ents(read("owner/name")[0]) == ENTS


HUB_ERRORS = {
    "offline": (
        ConnectionError("x"),
        "ConnectionError: x\\); check the name and the network",
    ),
    "missing": (
        datasets.exceptions.DatasetNotFoundError("x"),
        "HF_TOKEN if the dataset is private",
    ),
    "config": (
        ValueError("no\nconfig"),
        r"ValueError: no config\); check .* --dataset-c",
    ),
}


@pytest.mark.parametrize("case", HUB_ERRORS)
def test_hub_that_fails(monkeypatch, case):
    error, what = HUB_ERRORS[case]

    def load_dataset(*args, **options):
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(UserError, match=f"owner/name: .*{what}"):
        read("owner/name")


# Written and read again.


def write(docs, folder, **options):
    folder.mkdir()
    report = ConversionReport(source="in.spacy")
    write_datasets(docs, folder, "x", report=report, **options)
    return report


def test_everything_written_comes_back(tmp_path, capfd):
    doc = Doc(
        NLP.vocab,
        words=["Ann", "saw", "Oslo", ".", " ", "Hi"],
        spaces=[True, True, False, True, False, False],
        sent_starts=[True, False, False, False, False, True],
        ents=["B-PER", "O", "B-LOC", "O", "O", "O"],
    )
    doc.cats = {"news": 0.25, "sport": 0.0}
    doc.user_data.update(id="a/b", document="a", lang="en", meta={"year": 2001})
    report = write([doc, NLP.make_doc("not annotated")], tmp_path / "out")
    assert counts(report) == {}
    assert capfd.readouterr() == ("", "")
    assert len(list((tmp_path / "out").iterdir())) == 3
    (found, other), report = read(tmp_path / "out")
    assert found.to_json() == doc.to_json()
    assert found.user_data == doc.user_data
    assert not other.has_annotation("ENT_IOB") and not other.has_annotation(
        "SENT_START"
    )
    assert other.text == "not annotated"
    assert counts(report) == {"blank": 1}
    features = datasets.load_from_disk(str(tmp_path / "out")).features
    assert features["ner_tags"].feature.names == NAMES


def test_what_tags_cannot_hold_is_noted(tmp_path):
    doc = Doc(NLP.vocab, words=["a", "b", "c", "d"], tags=["X"] * 4)
    group = [(0, 3, "A"), (1, 2, "B"), (3, 4, "B"), (3, 4, "B")]
    doc.spans["sc"] = [Span(doc, *span) for span in group]
    report = write([doc], tmp_path / "out", spans_key="sc")
    assert counts(report) == {"dropped": 2, "skipped": 1}
    place, what = report.notes["dropped"].examples[0]
    assert str(place) == "in.spacy, document 1"
    assert what.startswith("B ") and what.endswith(" overlaps another span")
    assert report.notes["skipped"].examples[0][1] == "tags"
    assert ents(read(tmp_path / "out")[0]) == [[(0, 3, "A"), (3, 4, "B")]]


def test_no_documents_make_a_dataset_without_rows(tmp_path):
    write([], tmp_path / "out")
    assert len(datasets.load_from_disk(str(tmp_path / "out"))) == 0
    with pytest.raises(UserError, match="the dataset has no row"):
        read(tmp_path / "out")


def test_rows_are_joined_with_a_space(tmp_path):
    docs = [NLP.make_doc("It is."), NLP.make_doc("So?")]
    for doc in docs:
        doc.set_ents([])
    write(docs, tmp_path / "out")
    assert [doc.text for doc in read(tmp_path / "out", docs_of=2)[0]] == ["It is. So? "]


def test_spaces_are_unknown_if_those_of_one_row_are(tmp_path):
    rows = [{**NAMED[0], "spaces": [True, False, False]}, NAMED[1]]
    path = write_lines(tmp_path / "a.jsonl", rows)
    (doc,), _ = read(path, docs_of=2)
    assert doc.has_unknown_spaces
    assert ents([doc]) == [[(0, 2, "PER"), (4, 5, "LOC"), (5, 6, "LOC")]]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)
LABELS = st.sampled_from(["PER", "LOC", "creative-work", "Übung 1"])


@st.composite
def documents(draw):
    tokens = draw(st.lists(TEXT, min_size=1, max_size=8))
    size = len(tokens)
    spaces = draw(st.none() | st.lists(st.booleans(), min_size=size, max_size=size))
    doc = Doc(NLP.vocab, words=tokens, spaces=spaces)
    visible = [i for i, token in enumerate(tokens) if token.strip()]
    bounds = sorted(draw(st.sets(st.sampled_from(visible)))) if visible else []
    pairs = zip(bounds[::2], bounds[1::2])
    doc.set_ents([Span(doc, a, b + 1, draw(LABELS)) for a, b in pairs])
    doc.user_data["id"] = draw(TEXT)
    return doc


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("roundtrip")
    return (folder / str(number) for number in range(10_000))


@settings(deadline=None, max_examples=60)
@given(docs=st.lists(documents(), min_size=1, max_size=3))
def test_round_trip(numbered, docs):
    folder = next(numbered)
    assert counts(write(docs, folder)) == {}
    found, _ = read(folder)
    assert [doc.to_json() for doc in found] == [doc.to_json() for doc in docs]
    assert [doc.user_data for doc in found] == [doc.user_data for doc in docs]
    assert [d.has_unknown_spaces for d in found] == [d.has_unknown_spaces for d in docs]


def test_a_folder_of_files_is_read_by_name(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for name, word in (("b.jsonl", "Oslo"), ("a.jsonl", "Anna")):
        row = {"tokens": [word, "."], "ner_tags": [1, 0]}
        (folder / name).write_text(json.dumps(row) + "\n", encoding="utf8")
    (folder / "labels.json").write_text('["O", "B-X"]', encoding="utf8")
    assert guess_format(folder) == "datasets"
    docs, _ = read(folder)
    assert [doc[0].text for doc in docs] == ["Anna", "Oslo"]
    assert ents(docs) == [[(0, 1, "X")]] * 2
    with pytest.raises(
        UserError, match="has only one split; leave out --dataset-split"
    ):
        read(folder, dataset_split="train")


STRINGS = {
    "iob2": ["B-PER", "I-PER", "O"],
    "suffix": ["PER_B", "PER_I", "O"],
    "lower case": ["b-PER", "i-PER", "o"],
    "bmes": ["B-PER", "E-PER", "O"],
    "labels alone": ["PER", "PER", "O"],
    "missing": ["B-PER", "I-PER", None],
}


@pytest.mark.parametrize("style", STRINGS)
@pytest.mark.parametrize("names", [("tokens", "ner_tags"), ("words", "labels")])
def test_styles_of_strings(tmp_path, style, names):
    rows = [dict(zip(names, (["Ada", "Lund", "ran"], STRINGS[style])))]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf8")
    (doc,) = read_datasets(path, BlankPipeline("en"))
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Ada Lund", "PER")]
    assert doc[2].ent_iob_ == ("" if style == "missing" else "O")


@pytest.mark.parametrize("label", ["ENTITY", "PER"])
def test_prefixes_without_labels(tmp_path, label):
    path = tmp_path / "a.jsonl"
    row = {"tokens": ["Ada", "Lund", "ran"], "ner_tags": [1, 2, 0]}
    path.write_text(json.dumps(row), encoding="utf8")
    (tmp_path / "labels.json").write_text('["O", "B", "I"]', encoding="utf8")
    (doc,) = read_datasets(path, BlankPipeline("en"), default_label=label)
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Ada Lund", label)]
