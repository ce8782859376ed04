import pytest

from spacy_ner_ext.data.formats.registry import get_reader
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.data.text import encoded_as, read_chunks, read_encoded, read_lines
from spacy_ner_ext.util.errors import UserError

TEXT = "Zoë\tB-PER\r\nπ😀\tO\n"


def cesu8(text):
    units = text.encode("utf-16-be")
    pairs = (units[i : i + 2] for i in range(0, len(units), 2))
    return b"".join(
        chr(int.from_bytes(pair, "big")).encode("utf-8", "surrogatepass")
        for pair in pairs
    )


ENCODED = {
    "utf-8": TEXT.encode("utf-8-sig"),
    "UTF-8-sig": TEXT.encode("utf-8-sig"),
    "utf-16": TEXT.encode("utf-16"),
    "utf-16-le": TEXT.encode("utf-16-le"),
    "cesu-8": cesu8(TEXT),
    "gb18030": TEXT.encode("gb18030"),
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_lines_in_other_encodings(tmp_path, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes(ENCODED[encoding])
    with encoded_as(encoding):
        assert list(read_lines(path)) == [(1, "Zoë\tB-PER"), (2, "π😀\tO")]
        assert "".join(read_chunks(path)) == TEXT


ADVICE = {
    "latin-1": ("a\nMünchen\n".encode("latin-1"), 2, "--encoding latin-1"),
    "windows": ("they said “yes” and left\n".encode("cp1252"), 1, "--encoding cp1252"),
    "utf-16": ("Ada\n".encode("utf-16"), 1, "--encoding utf-16)"),
    "no mark": ("Ada\n".encode("utf-16-le"), 1, "--encoding utf-16-le"),
    "no mark, big": ("Ada\n".encode("utf-16-be"), 1, "--encoding utf-16-be"),
    "cesu-8": (cesu8("hi\n😀\n"), 2, "--encoding cesu-8"),
    "one byte": ("é è ê\n".encode() + b"\xff\n", 2, "correct this line"),
    "cyrillic": ("привет мир\n".encode("cp1251"), 1, "such as cp1251, gbk"),
}


@pytest.mark.parametrize("case", ADVICE)
def test_the_error_names_the_option(tmp_path, case):
    raw, line, advice = ADVICE[case]
    path = tmp_path / "a.txt"
    path.write_bytes(raw)
    with pytest.raises(UserError) as caught:
        list(read_lines(path))
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert advice in str(caught.value)


@pytest.mark.parametrize("name", ["nonsense", "hex", "utf-99", "undefined"])
def test_unknown_encodings(name):
    what = f"Python has no encoding '{name}'; give one"
    with pytest.raises(UserError, match=what), encoded_as(name):
        pass


def test_an_encoding_that_needs_a_byte_order_mark(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"Ada met Bo\n\n")
    what = "cannot be read as utf-16 .*; give another --encoding"
    with pytest.raises(UserError, match=what), encoded_as("utf-16"):
        list(read_lines(path))


def test_the_given_encoding_may_be_wrong(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\n\xff\n")
    what = "line 2: byte 0xff is not ascii; choose"
    with pytest.raises(UserError, match=what), encoded_as("ascii"):
        list(read_lines(path))


FILES = {
    "a.conll": ("conll", "Zoë\tB-PER\n"),
    "a.conllu": ("conllu", "1\tZoë\t_\t_\t_\t_\t_\t_\t_\tNER=B-PER\n"),
    "a.jsonl": ("jsonl", '["Zoë", {"entities": [[0, 3, "PER"]]}]\n'),
    "a.json": ("jsonl", '[\n["Zoë", {"entities": [[0, 3, "PER"]]}]]\n'),
    "b.jsonl": ("datasets", '{"tokens": ["Zoë"], "ner_tags": ["B-PER"]}\n'),
    "a.csv": ("table", 'text,spans\nZoë,"[[0, 3, ""PER""]]"\n'),
    "b.csv": ("textcat", "text,label\nZoë,A\n"),
    "a.txt": ("inline", "[Zoë](PER)\n"),
    "c.txt": ("standoff", "Zoë"),
}


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
@pytest.mark.parametrize("name", FILES)
def test_every_text_format_in_other_encodings(tmp_path, name, encoding):
    format, text = FILES[name]
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    ann = "T1\tPER 0 3\tZoë\n".encode(encoding)
    path.with_suffix(".ann").write_bytes(ann)
    own = {"categories": ["A"]} if format == "textcat" else {}
    docs = get_reader(format)(path, BlankPipeline("en"), **own)
    (doc,) = read_encoded(docs, encoding)
    assert doc.text.strip() == "Zoë"
    assert doc.ents or doc.cats
