"""What predictions read."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_ner_ext.tools.predict import inputs
from spacy_ner_ext.tools.predict.inputs import open_source
from spacy_ner_ext.tools.predict.items import Words
from spacy_ner_ext.util.errors import UserError


@pytest.fixture
def read(tmp_path):
    """Read the bytes of a file: the texts and the objects their results begin with."""

    def read_bytes(name, data, **settings):
        path = tmp_path / name
        path.write_bytes(data)
        items = list(open_source([str(path)], **settings).items())
        return [(item.content, json.loads(item.head + "}")) for item in items]

    return read_bytes


def test_each_line_of_a_text_file_is_a_text(read):
    data = "\ufeffOne\r\n\n  \nb\u2028\x0cc\rd\nlast".encode()
    texts = ["One", "", "  ", "b\u2028\x0cc\rd", "last"]
    assert read("a.txt", data) == [(text, {"text": text}) for text in texts]


def test_fields_of_objects_are_carried_through_in_their_order(read):
    data = b'{"id": 7, "text": "Oslo", "meta": {"a": [1.5, null]}}\n\n{"text": ""}\n'
    [first, second] = read("a.jsonl", data)
    assert first == ("Oslo", json.loads(data.splitlines()[0]))
    assert list(first[1]) == ["id", "text", "meta"]
    assert second == ("", {"text": ""})


def test_another_field_can_have_the_text(read):
    data = b'{"body": "Oslo", "text": "other", "id": 1}'
    assert read("a.jsonl", data, text_field="body") == [
        ("Oslo", {"text": "Oslo", "id": 1})
    ]


def test_fields_with_the_names_of_results_are_counted(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "entities": [], "cats": {}, "id": 1}')
    [item] = open_source([str(path)]).items()
    assert (json.loads(item.head + "}"), item.replaced) == ({"text": "a", "id": 1}, 2)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1), values)
def test_any_text_and_value_passes_as_it_is(tmp_path_factory, texts, value):
    path = tmp_path_factory.mktemp("any") / "a.jsonl"
    objects = [{"value": value, "text": text} for text in texts]
    lines = [
        json.dumps(each, ensure_ascii=i % 2 == 1) for i, each in enumerate(objects)
    ]
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    items = list(open_source([str(path)]).items())
    assert [item.content for item in items] == texts
    assert [json.loads(item.head + "}") for item in items] == objects


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"{", "is not JSON \\(Expecting"),
        (b'"text"', "not a JSON object"),
        (b"[" * 100_000, "is not JSON \\((maximum recursion|Stack overflow)"),
        (b'{"text": NaN}', "is not JSON \\(NaN is not JSON\\); write"),
        (b'{"text": 5}', 'with a text in "text"'),
        (b'{"body": "a"}', "--text-field"),
        (b'{"text": "\\ud800"}', "cannot be written"),
        (b'{"text": "a", "id": 1e999}', "cannot be written"),
        (b'{"text": "\xff"}', "is not UTF-8"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, line, what):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "fine"}\n' + line + b'\n{"text": "fine"}\n')
    first, second, third = open_source([str(path)]).items()
    assert (first.content, first.error, third.content) == ("fine", "", "fine")
    assert second.error.startswith(f"{path}, line 2: ")
    assert re.search(what, second.error)
    assert json.loads(second.head + "}") == {"text": None}


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\nlast"])
def test_a_line_that_is_too_long_is_named(tmp_path, monkeypatch, end):
    monkeypatch.setattr(inputs, "MAX_LINE", 9)
    path = tmp_path / "a.txt"
    path.write_bytes(b"12345678\n" + b"a" * 50 + end)
    first, second, *rest = open_source([str(path)]).items()
    assert (first.content, second.content) == ("12345678", "")
    assert "line 2: is longer than" in second.error
    assert [item.content for item in rest] == (["last"] if len(end) > 2 else [])


def test_documents_keep_their_tokens_and_lose_their_annotation(tmp_path):
    (tmp_path / "more").mkdir()
    for name, words in (("a", ["New", "York-", "er"]), ("more/b", ["Oslo"])):
        doc = Doc(Vocab(), words=words, spaces=[True, *[False] * (len(words) - 1)])
        DocBin(docs=[doc]).to_disk(tmp_path / f"{name}.spacy")
    first, second = open_source([str(tmp_path)]).items()
    assert first.content == Words(["New", "York-", "er"], [True, False, False])
    assert first.head == '{"text": "New York-er"'
    assert str(second.place).endswith("b.spacy, document 1")


def test_damaged_documents_are_named(tmp_path):
    (tmp_path / "a.spacy").write_bytes(b"no documents")
    with pytest.raises(UserError, match=r"a\.spacy: is not a \.spacy file"):
        list(open_source([str(tmp_path / "a.spacy")]).items())


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("a.txt", "there is no such file"),
        ("*.txt", "matches no file"),
        ("folder", "has no file"),
        ("a.json", "give --format"),
        ("none://a", "cannot be opened"),
    ],
)
def test_what_cannot_be_read_is_refused_before(tmp_path, monkeypatch, given, what):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(UserError, match=what):
        open_source([given])
