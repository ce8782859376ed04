import json

import pyarrow
import pytest
from pyarrow.parquet import write_table

from spacy_ner_ext.data.formats.table_file import read_rows
from spacy_ner_ext.util.errors import UserError


@pytest.fixture
def read(tmp_path):
    def read_file(name, content, columns=()):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        rows = read_rows(path, columns=columns)
        return [(place.unit, place.number, row) for place, row in rows]

    return read_file


def test_quoted_fields_and_the_lines_of_rows(read):
    text = '\ufefftext,label\r\n"a\r\nb, ""c""",x\r\n\r\nd\te,"y\nz"\r\n'
    assert read("a.csv", text, ["label"]) == [
        ("line", 2, {"text": 'a\r\nb, "c"', "label": "x"}),
        ("line", 5, {"text": "d\te", "label": "y\nz"}),
    ]
    assert read("a.TSV", 'text\tlabel\na, b "c"\t\x0c\u2028\n') == [
        ("line", 2, {"text": 'a, b "c"', "label": "\x0c\u2028"})
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_json_rows_may_differ(read, name):
    rows = [{"text": "a", "label": [1]}, {"text": "b"}]
    text = "\n".join(map(json.dumps, rows))
    assert read(name, text, ["text"]) == [("line", 1, rows[0]), ("line", 2, rows[1])]
    assert [row for _, _, row in read(name, json.dumps(rows))] == rows


def test_parquet_rows_of_several_batches(tmp_path):
    rows = [{"text": str(i), "spans": [{"start": i}]} for i in range(600)]
    write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    read = list(read_rows(tmp_path / "a.parquet", columns=["spans"]))
    assert [row for _, row in read] == rows
    assert str(read[-1][0]).endswith("a.parquet, row 600")


ERRORS = {
    "ending": (
        "a.txt",
        "text\na\n",
        None,
        "must end in one of .csv, .tsv, .jsonl, .json, .ndjson, .parqu",
    ),
    "missing columns": (
        "a.csv",
        "a,b\n1,2\n",
        2,
        "column x, y is missing; columns are: a, b",
    ),
    "missing key": (
        "a.jsonl",
        '{"a": 1}\n',
        1,
        "column x, y is missing; columns are: a",
    ),
    "same name": ("a.csv", "a,b,a\n1,2,3\n", 1, "two columns are named 'a'"),
    "too few": ("a.csv", 'x,y\n"1\n",2\n3\n', 4, "has 1 fields, but the header has 2"),
    "too many": ("a.tsv", "x\ty\n1\t2\t3\n", 2, "has 3 fields, but the header has 2"),
    "open quote": ("a.csv", 'x,y\n1,"2\n3,4\n', 2, "unexpected end of data"),
    "quote inside": ("a.csv", 'x,y\n"1"2,3\n', 2, "double the quotes in a quoted"),
    "line ends": ("a.csv", "x,y\r1,2\r", 1, "new-line character seen in unquoted"),
    "encoding": ("a.csv", b"x,y\n1,\xff\n", 2, "byte 0xff at position 3 is not UTF-8"),
    "header alone": ("a.csv", "x,y\n", None, "the table has no row"),
    "no element": ("a.json", "[]", None, "the table has no row"),
    "no object": ("a.jsonl", '{"x": 1, "y": 2}\n[3]\n', 2, "a row is [3], not an obj"),
    "no Parquet": ("a.parquet", "x,y\n1,2\n", None, "cannot be read as Parquet"),
    "cut Parquet": ("a.parquet", "PAR1abcPAR1", None, "cannot be read as Parquet"),
    "empty": ("a.csv", "", None, "the file is empty"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error_names_file_and_line(read, tmp_path, case):
    name, content, line, what = ERRORS[case]
    with pytest.raises(UserError) as caught:
        read(name, content, ["x", "y"])
    message = str(caught.value)
    assert what in message
    assert "\n" not in message
    place = "" if line is None else f", line {line}"
    assert message.startswith(f"{tmp_path / name}{place}: ")


def test_parquet_that_is_not_utf8(tmp_path):
    buffers = pyarrow.array([b"\xff"]).buffers()
    texts = pyarrow.Array.from_buffers(pyarrow.string(), 1, buffers)
    write_table(pyarrow.table({"text": texts}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        list(read_rows(tmp_path / "a.parquet"))


def test_parquet_with_two_columns_of_a_name(tmp_path):
    table = pyarrow.table([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"])
    write_table(table, tmp_path / "a.parquet")
    with pytest.raises(UserError, match="two columns are named 'a'"):
        list(read_rows(tmp_path / "a.parquet"))


def test_fields_may_be_long(read):
    rows = read("a.csv", f"x,y\n{'a' * 200_000},b\n", ["x", "y"])
    assert len(rows[0][2]["x"]) == 200_000


def test_times_that_python_does_not_have(tmp_path):
    import pyarrow
    from pyarrow import parquet

    times = pyarrow.array([2**60], type=pyarrow.timestamp("ms"))
    table = pyarrow.table({"text": ["a"], "time": times})
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"a\.parquet: cannot be read as Parquet"):
        list(read_rows(tmp_path / "a.parquet"))
