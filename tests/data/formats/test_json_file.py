import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ner_ext.data import text as texts
from spacy_ner_ext.data.formats import json_file
from spacy_ner_ext.data.formats.json_file import (
    checked,
    field,
    name_of,
    read_json_values,
)
from spacy_ner_ext.util.errors import Place, UserError


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "in.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return [(p.unit, p.number, value) for p, value in read_json_values(path)]

    return read_text


@pytest.fixture(params=[2**16, 1, 7])
def chunk(request, monkeypatch):
    monkeypatch.setattr(texts, "CHUNK", request.param)


LAYOUTS = {
    "one value a line": ('{"a":1}\n2\n', [("line", 1, {"a": 1}), ("line", 2, 2)]),
    "blank lines": ("\n1\r\n \t\r\n2", [("line", 2, 1), ("line", 4, 2)]),
    "comma after a line": ('{"a":1},\n2\n', [("line", 1, {"a": 1}), ("line", 2, 2)]),
    "comma at the end": ("[1,\n2,\n]", [("line", 1, 1), ("line", 2, 2)]),
    "two arrays": ("[1]\n[2,\n3]", [("line", 1, 1), ("line", 2, 2), ("line", 3, 3)]),
    "byte order mark": ("\ufeff1\n", [("line", 1, 1)]),
    "pairs": ('["a"]\n\n["b"]\n', [("line", 1, ["a"]), ("line", 3, ["b"])]),
    "indented objects": (
        '{\n"a": 1\n}\n\n{"a":\n2} {}',
        [("line", 1, {"a": 1}), ("line", 5, {"a": 2}), ("line", 6, {})],
    ),
    "one pair": ('["a", {}]\n', [("line", 1, ["a", {}])]),
    "array on a line": ("[1, [2]]\n", [("element", 1, 1), ("element", 2, [2])]),
    "empty array": ("\ufeff []\n", []),
    "array, one element a line": (
        '[["a", 1],\r\n["b",\n 2]\n,3.5]\n',
        [("line", 1, ["a", 1]), ("line", 2, ["b", 2]), ("line", 4, 3.5)],
    ),
    "indented array": (
        '\n[\n  {\n    "a": "]"\n  },\n  null\n]\n\n',
        [("line", 3, {"a": "]"}), ("line", 6, None)],
    ),
    "array of strings": ('[\n"a",\n"b"\n]', [("line", 2, "a"), ("line", 3, "b")]),
    "surrogate pairs": ('[["\\ud83d\\ude00"]]', [("element", 1, ["😀"])]),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_values_and_their_places(read, chunk, case):
    text, expected = LAYOUTS[case]
    assert read(text) == expected


ERRORS = {
    "cut line": ('{"a": 1}\n{"a": \n', 2, "check whether the file is complete"),
    "bracket missing": ('{"a": [1}\n{"a": 2}\n', 1, "Expecting ',' delimiter)"),
    "end missing": ('{"a": 1\n{"a": 2}\n', 1, "Expecting ',' delimiter on line 2)"),
    "array: end missing": ('[\n{"a": [1\n,{"a": 2}\n]', 2, "on line 4)"),
    "control character": ('"a\tb"\n', 1, "Invalid control character"),
    "trailing comma": ('{"a": 1,}\n', 1, "is not a JSON value ("),
    "NaN": ('{"a": 1}\n{"a": NaN}\n', 2, "NaN is not a JSON number"),
    "infinity": ("-Infinity\n", 1, "-Infinity is not a JSON number"),
    "float out of range": ("1e999\n", 1, "1e999 is not a JSON number"),
    "64 bits": ("18446744073709551616\n", 1, "more than 64 bits"),
    "digits": ("9" * 5000, 1, "more than 64 bits"),
    "lone surrogate": ('1\n{"a": "\\ud800"}\n', 2, "\\ud800 is half of a surrogate"),
    "surrogate as key": ('{"\\udc00": 1}\n', 1, "\\udc00 is half of a surrogate"),
    "depth": ("1\n" + '{"a":' * 100_000, 2, "nested too deep"),
    "depth, whole": ("1\n" + "[" * 800 + "]" * 800, 2, "nested too deep"),
    "encoding": (b"1\n\xff\n", 2, "byte 0xff is not UTF-8"),
    "empty": ("", None, "the file is empty"),
    "white space": ("\ufeff \n\n", None, "the file holds no value"),
    "array: cut": ("[1,\n2", 2, "check whether the file is complete"),
    "array: cut in a string": ('[1,\n"ab', 2, "check whether the file is complete"),
    "array: nothing": ("[", 1, "check whether the file is complete"),
    "array: wrong end": ("[1,\n2}", 2, "Expecting value"),
    "array: two": ("[1,\n2]\n3\n", 3, "something follows the end"),
    "array: NaN": ("[1,\n[NaN]]", 2, "NaN is not a JSON number"),
    "array: line break": ('[1,\n"a\nb"]', 2, "Invalid control character"),
    "array: lone surrogate": ('[\n1, ["\\udfff"]]', 2, "\\udfff is half"),
    "array: depth": ("[\n" + "[" * 100_000, 2, "nested too deep"),
    "array: encoding": (b'[1,\n"\xff"]', 2, "byte 0xff is not UTF-8"),
    "array: cut in a character": (b'[1,\n"\xc3', 2, "byte 0xc3 is not UTF-8"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error_names_file_and_line(read, tmp_path, case):
    text, line, what = ERRORS[case]
    with pytest.raises(UserError) as caught:
        read(text)
    message = str(caught.value)
    assert what in message
    assert "\n" not in message
    place = "" if line is None else f", line {line}"
    assert message.startswith(f"{tmp_path / 'in.json'}{place}: ")


def test_missing_file_and_folder(tmp_path):
    for path, what in [(tmp_path / "no", "no such file"), (tmp_path, "is a folder")]:
        with pytest.raises(UserError, match=what):
            list(read_json_values(path))


@pytest.mark.parametrize("text", ['[["{}"],\n1]', '[\n["{}"]]'])
def test_elements_have_a_limit(read, monkeypatch, text):
    monkeypatch.setattr(json_file, "MAX_LINE", 1000)
    monkeypatch.setattr(texts, "CHUNK", 100)
    assert len(read(text.format("a" * 900))) == len(json.loads(text.format("")))
    with pytest.raises(UserError, match="more than 1000 characters, or no end"):
        read(text.format("a" * 5000))


@pytest.mark.parametrize("separator", [", ", ",\n"])
def test_arrays_are_not_held_in_memory(tmp_path, separator):
    path = tmp_path / "in.json"
    element = json.dumps({"text": "a" * 2000})
    path.write_text(f"[{separator.join([element] * 4_000)}]")
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_json_values(path)) == 4_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A single line is read once to see that it is one.
    n_bytes = path.stat().st_size
    assert peak < (n_bytes / 5 if separator == ",\n" else 2.5 * n_bytes)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("roundtrip") / "in.json"


TEXT = st.characters(exclude_categories=["Cs"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(TEXT),
    lambda values: st.lists(values) | st.dictionaries(st.text(TEXT), values),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    values=st.lists(VALUES, min_size=1, max_size=5),
    is_ascii=st.booleans(),
    indent=st.sampled_from([None, 0, 2]),
)
def test_any_values_are_read_back(path, values, is_ascii, indent):
    rows = [json.dumps(value, ensure_ascii=is_ascii) for value in values]
    path.write_text("\n".join(["null", *rows, "null"]), "utf-8", newline="\n")
    assert [value for _, value in read_json_values(path)] == [None, *values, None]
    text = json.dumps([None, *values], ensure_ascii=is_ascii, indent=indent)
    path.write_text(text, "utf-8", newline="\n")
    assert [value for _, value in read_json_values(path)] == [None, *values]


PLACE = Place("in.json", 3)


@pytest.mark.parametrize(
    ("value", "kind", "what"),
    [
        (True, int, "true, not a whole number"),
        (1.0, int, "1.0, not a whole number"),
        (False, float, "false, not a number"),
        (None, str, "null, not a string"),
        ({"a": 1}, list, '{"a": 1}, not an array'),
        ("a" * 99, dict, f'"{"a" * 39}..., not an object'),
    ],
)
def test_types_are_checked(value, kind, what):
    with pytest.raises(UserError, match=r"in\.json, line 3: 'x' is ") as caught:
        field({"x": value}, "x", kind, PLACE)
    assert what in str(caught.value)


def test_checked_values_are_given_back():
    assert checked(3, float, "x", PLACE) == 3
    assert field({"x": [1]}, "x", list, PLACE) == [1]
    with pytest.raises(UserError, match="'y' is missing, found x; add it"):
        field({"x": 1}, "y", int, PLACE)


def test_names_are_strings_or_whole_numbers():
    values = {"a": "x", "b": 7, "c": None, "d": True, "e": [1]}
    assert [name_of(values, name, PLACE) for name in "abcz"] == ["x", "7", "", ""]
    for name in "de":
        with pytest.raises(UserError, match=f"'{name}' is "):
            name_of(values, name, PLACE)
