"""Files of any bytes, and good files with any damage: a result or one sentence.

Nothing else may come out: no other exception, no warning, no file after an error.
"""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_ner_ext.data.formats.registry import READERS
from spacy_ner_ext.data.lang import BlankPipeline
from spacy_ner_ext.tools.convert.convert import convert
from spacy_ner_ext.util.errors import UserError

NLP = BlankPipeline("en")
VOCAB = Vocab()
FUZZ = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=25,
    suppress_health_check=list(HealthCheck),
)


def lines(*values):
    return "".join(f"{json.dumps(value, ensure_ascii=False)}\n" for value in values)


def docbin():
    doc = Doc(NLP.vocab, words=["Ida", "ran"], ents=["B-PER", "O"])
    doc.cats, doc.user_data["id"] = {"A": 1.0}, "7"
    return DocBin(docs=[doc, doc], store_user_data=True).to_bytes()


TEXT = "Ida Boe flew\r\nto Bern 😀 and é Köln."
SPANS = [{"start": 0, "end": 7, "label": "PER"}, {"start": 17, "end": 21, "label": "L"}]
TASK = {
    "id": 1,
    "data": {"text": TEXT},
    "annotations": [
        {
            "completed_by": 1,
            "result": [
                {
                    "id": "a",
                    "type": "labels",
                    "from_name": "label",
                    "to_name": "text",
                    "value": {"start": 0, "end": 7, "text": "Ida Boe", "labels": ["P"]},
                },
                {"type": "choices", "to_name": "text", "value": {"choices": ["A"]}},
            ],
        }
    ],
    "predictions": [],
}
BIOC = {
    "documents": [
        {
            "id": "9",
            "passages": [
                {
                    "offset": 0,
                    "text": "Zorbin 😀 cures flu",
                    "annotations": [
                        {
                            "id": "1",
                            "infons": {"type": "DRUG"},
                            "text": "Zorbin",
                            "locations": [{"offset": 0, "length": 6}],
                        }
                    ],
                    "relations": [{"id": "r"}],
                }
            ],
        }
    ]
}
# The format, and the files of which the first is damaged.
FILES = {
    "conll": (
        "conll",
        {"a.conll": "-DOCSTART- O\n\nIda B-PER\nBoe I-PER\nran O\n\nBo U-X\n"},
    ),
    "columns": (
        "conll",
        {"a.tsv": "1\tIda\tN\tB-PER\n2\tran\tV\tO\n\n# x\n1\tBo\tN\tO\n"},
    ),
    "pipes": ("conll", {"a.iob": "Ida|N|B-PER ran|V|O\nBo|N|O\n"}),
    "conllu": (
        "conllu",
        {
            "a.conllu": "# newdoc id = d\n# text = Ida ran.\n"
            "1\tIda\tida\tPROPN\tN\tCase=Nom\t2\tnsubj\t_\tNER=B-PER\n"
            "2-3\tran.\t_\t_\t_\t_\t_\t_\t_\t_\n"
            "2\tran\trun\tVERB\tV\t_\t0\troot\t_\tNER=O|SpaceAfter=No\n"
            "3\t.\t.\tPUNCT\t.\t_\t2\tpunct\t_\tNER=O\n\n"
        },
    ),
    "brat": (
        "standoff",
        {
            "b/a.ann": "T1\tPER 0 7\tIda Boe\nA1\tNeg T1\n"
            "T2\tLOC 17 21;30 34\tBern Köln\n"
            "#1\tAnnotatorNotes T1\tsure?\nR1\tIn Arg1:T1 Arg2:T2\n",
            "b/a.txt": TEXT,
        },
    ),
    "brat text": (
        "standoff",
        {"b/a.txt": TEXT, "b/a.ann": "T1\tPER 0 7\tIda Boe\nT2\tLOC 17 21\tBern\n"},
    ),
    "webanno": (
        "webanno",
        {
            "a.tsv": "#FORMAT=WebAnno TSV 3.3\n#T_SP=x.POS|PosValue\n"
            "#T_SP=x.NamedEntity|identifier|value\n#T_RL=x.R|kind|BT_x.NamedEntity\n\n\n"
            "#Text=Ida Boe ran\n1-1\t0-3\tIda\tN\t*[1]\tP\\_R[1]\t_\t_\t\n"
            "1-2\t4-7\tBoe\tN\t*[1]|*[2]\tP\\_R[1]|X[2]\ta\t1-1\t\n"
            "1-2.1\t4-6\tBo\t_\t*\tB\t_\t_\t\n1-3\t8-11\tran\tV\t_\t_\t_\t_\t\n"
        },
    ),
    "pubtator": (
        "pubtator",
        {
            "a.txt": "7|t|Zorbin é\n7|a|It cures flu.\n7\t0\t6\tZorbin\tDRUG\tD1\n"
            "7\t12,18\t17,21\tcures flu\tX\n7\tCID\tD1\tD2\n\n8|t|Tea\n8|a|\n"
        },
    ),
    "bioc": ("bioc", {"a.json": json.dumps(BIOC)}),
    "bioc lines": ("bioc", {"a.jsonl": lines(*BIOC["documents"])}),
    "bioc xml": (
        "bioc",
        {
            "a.xml": '<?xml version="1.0"?><collection><document><id>1</id><passage>'
            "<offset>0</offset><text>Zorbin cures</text><annotation id='T'>"
            "<infon key='type'>DRUG</infon><location offset='0' length='6'/>"
            "<text>Zorbin</text></annotation></passage></document></collection>"
        },
    ),
    "prodigy": (
        "jsonl",
        {
            "a.jsonl": lines(
                {"text": TEXT, "spans": SPANS, "answer": "accept", "_input_hash": 3},
                {"text": "Ida", "spans": [], "answer": "reject", "meta": {"a": 1}},
                {"text": TEXT, "label": "A", "answer": "accept", "_view_id": "ner"},
            )
        },
    ),
    "tokens": (
        "jsonl",
        {
            "a.jsonl": lines(
                {
                    "text": "Ida ran",
                    "tokens": [
                        {"text": "Ida", "start": 0, "end": 3, "id": 0, "ws": True},
                        {"text": "ran", "start": 4, "end": 7, "id": 1},
                    ],
                    "spans": [{"start": 0, "end": 3, "label": "PER"}],
                }
            )
        },
    ),
    "doccano": (
        "jsonl",
        {
            "a.jsonl": lines(
                {"id": 1, "text": TEXT, "label": [[0, 7, "PER"]]},
                {
                    "text": TEXT,
                    "entities": [{"start_offset": 0, "end_offset": 3, "label": "P"}],
                    "relations": [],
                },
            )
        },
    ),
    "label studio": ("jsonl", {"a.json": json.dumps([TASK])}),
    "spaCy": (
        "jsonl",
        {
            "a.json": json.dumps(
                [["Ida ran", {"entities": [[0, 3, "PER"]], "cats": {}}]]
            )
        },
    ),
    "spaCy 2": (
        "jsonl",
        {
            "a.json": json.dumps(
                [
                    {
                        "id": 0,
                        "paragraphs": [
                            {
                                "raw": "Ida ran",
                                "sentences": [
                                    {"tokens": [{"orth": "Ida", "ner": "U-PER"}]}
                                ],
                                "cats": [{"label": "A", "value": 1}],
                            }
                        ],
                    }
                ]
            )
        },
    ),
    "words": (
        "jsonl",
        {
            "a.jsonl": lines(
                {"tokenized_text": ["Ida", "ran"], "ner": [[0, 0, "PER"]]},
                {"words": ["Ida"], "tags": ["B-PER"]},
                {"doc_key": "d", "sentences": [["Ida"]], "ner": [[[0, 0, "PER"]]]},
            )
        },
    ),
    "cluener": (
        "jsonl",
        {"a.json": lines({"text": "Ida ran", "label": {"PER": {"Ida": [[0, 2]]}}})},
    ),
    "datasets": (
        "datasets",
        {
            "a.jsonl": lines(
                {"id": "1", "tokens": ["Ida", "ran"], "ner_tags": [1, 0], "lang": "en"},
                {"tokens": ["Bo"], "ner_tags": [0], "spaces": [False]},
            ),
            "labels.json": '["O", "B-PER", "I-PER"]',
        },
    ),
    "names of tags": (
        "datasets",
        {
            "labels.json": '{"O": 0, "B-PER": 1}',
            "a.jsonl": lines({"tokens": ["Ida", "ran"], "ner_tags": [1, 0]}),
        },
    ),
    "table": (
        "table",
        {"a.csv": 'id,text,spans\n1,"Ida, ran","[[0, 3, ""PER""]]"\n2,Bo,[]\n'},
    ),
    "textcat": ("textcat", {"a.csv": 'text,label\n"Ida ""ran""",A\nBo,B\n'}),
    "inline": (
        "inline",
        {"a.md": "[Ida \\[x](PER) met [[New York](LOC) Post](ORG)\nBo\n"},
    ),
    "docbin": ("docbin", {"a.spacy": docbin()}),
}
JUNK = (
    *(b"\0", b"\xff", b"\xed\xa0\x80", "\u2028\u0085".encode(), "😀é".encode()),
    *(b"\r", b"\n", b"\t", b" ", b"\xef\xbb\xbf", b"\\", b'"', b"'", b",", b"|", b"#"),
    *(b"[" * 3000, b"{", b"}", b"]", b"<a>", b"&x;", b"-", b"*", b"_", b"-1", b"1e999"),
    *(b"null", b"true", b"{}", b"[]", b'""', b"NaN", b"\\ud800", b"9" * 30, b"0", b"1"),
)
# Values of JSON, fields and words, which junk takes the place of.
VALUE = re.compile(rb'"(?:[^"\\]|\\.)*"|[0-9]+|\w+|\[[^\[\]]*\]|\{[^{}]*\}')


def swapped(content, separator, i, j):
    """Swap two lines, or two columns of all lines."""
    parts = content.split(separator)
    i, j = i % len(parts), j % len(parts)
    parts[i], parts[j] = parts[j], parts[i]
    return separator.join(parts)


def in_line(content, i, change):
    found = content.split(b"\n")
    i %= len(found)
    found[i] = change(found[i])
    return b"\n".join(found)


def replaced(content, i, junk):
    found = list(VALUE.finditer(content))
    if not found:
        return content + junk
    start, end = found[i % len(found)].span()
    return content[:start] + junk + content[end:]


NUMBER = st.integers(0, 10_000)
CHANGES = st.one_of(
    st.tuples(st.just("flip"), NUMBER, st.integers(0, 255)),
    st.tuples(st.sampled_from(["cut", "double", "drop"]), NUMBER, NUMBER),
    st.tuples(st.sampled_from(["lines", "tabs", "commas", "spaces"]), NUMBER, NUMBER),
    st.tuples(st.sampled_from(["insert", "replace"]), NUMBER, st.sampled_from(JUNK)),
    st.tuples(st.just("move"), NUMBER, NUMBER),
)


def changed(content, kind, i, what):
    at = i % (len(content) + 1)
    if kind == "flip":
        return content[:at] + bytes([what]) + content[at + 1 :]
    if kind == "cut":
        return content[:at]
    if kind == "insert":
        return content[:at] + what + content[at:]
    if kind == "replace":
        return replaced(content, i, what)
    if kind == "double":
        return in_line(content, i, lambda line: line + b"\n" + line)
    if kind == "drop":
        return content[:at] + content[at + what % 9 + 1 :]
    if kind == "lines":
        return swapped(content, b"\n", i, what)
    if kind == "move":
        values = VALUE.findall(content) or [b""]
        return replaced(content, i, values[what % len(values)])
    separator = {"tabs": b"\t", "commas": b",", "spaces": b" "}[kind]
    return in_line(content, i, lambda line: swapped(line, separator, i // 7, what))


def check(format, files, **options):
    """Convert files; any result is a corpus that can be read, any error a sentence."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for path, content in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            data = content.encode("utf-8") if isinstance(content, str) else content
            (folder / path).write_bytes(data)
        source = folder / next(name for name in files if name != "labels.json")
        source = source if source.parent == folder else source.parent
        before = sorted(folder.rglob("*"))
        target = folder / "new" / "a.spacy"
        try:
            convert(source, target, format=format, lang="xx", spans_key="sc", **options)
        except UserError as err:
            message = str(err)
            assert 10 < len(message) < 1000
            assert message.isprintable()
            assert sorted(folder.rglob("*")) == before
            return None
        docs = list(DocBin().from_disk(target).get_docs(VOCAB))
    assert docs
    for doc in docs:
        for span in (*doc.ents, *doc.spans.get("sc", ())):
            assert span.text.strip()
            assert span.label_.strip()
    return docs


@pytest.mark.parametrize("case", FILES)
def test_good_file_is_read(case):
    format, files = FILES[case]
    docs = check(format, files)
    assert any(doc.ents for doc in docs) or format == "textcat"


@pytest.mark.parametrize("case", FILES)
@FUZZ
@given(st.lists(CHANGES, min_size=1, max_size=4), st.booleans())
def test_damaged_file_is_read_or_named(case, changes, is_guessed):
    format, files = FILES[case]
    name = next(iter(files))
    content = files[name]
    content = content.encode("utf-8") if isinstance(content, str) else content
    for change in changes:
        content = changed(content, *change)
    check(None if is_guessed else format, {**files, name: content})


NAMES = ("a.json", "a.jsonl", "a.csv", "a.tsv", "a.txt", "a.conll", "a.xml", "a")
STARTS = (b"", b"[", b"{", b"#FORMAT=WebAnno TSV 3.3\n", b"1|t|", b"<", b"# global.col")


@pytest.mark.parametrize("format", [None, *READERS])
@FUZZ
@given(
    st.sampled_from(STARTS),
    st.one_of(st.binary(max_size=60), st.text(max_size=40).map(str.encode)),
    st.sampled_from(NAMES),
)
def test_any_bytes_are_read_or_named(format, start, content, name):
    check(format, {name: start + content})


KEYS = (
    *("text", "data", "label", "labels", "spans", "entities", "start", "end", "cats"),
    *("tokens", "ner_tags", "annotations", "result", "value", "passages", "offset"),
    *("answer", "ner", "sentences", "words", "tags", "id", "meta", "responses"),
)


@FUZZ
@given(
    st.recursive(
        st.one_of(
            st.none(), st.booleans(), st.integers(-2, 9), st.text("IOB-a", max_size=5)
        ),
        lambda value: st.one_of(
            st.lists(value, max_size=3),
            st.dictionaries(
                st.sampled_from(KEYS),
                value,
                max_size=5,
            ),
        ),
        max_leaves=12,
    ),
    st.sampled_from([None, "jsonl", "datasets", "bioc", "textcat", "table"]),
)
def test_any_json_is_read_or_named(value, format):
    check(format, {"a.json": lines(value, {"text": "Ida ran", "spans": []})})


@pytest.mark.parametrize("case", ["brat", "brat text"])
@FUZZ
@given(st.lists(CHANGES, min_size=1, max_size=4))
def test_an_entity_of_brat_has_the_text_of_its_line(case, changes):
    files = dict(FILES[case][1])
    name = next(iter(files))
    content = files[name].encode("utf-8")
    for change in changes:
        content = changed(content, *change)
    files[name] = content
    docs = check("standoff", files, align="strict", fragments="parts") or []
    lines = files["b/a.ann"]
    quoted = lines if isinstance(lines, str) else lines.decode("utf-8", "replace")
    words = set(re.split(r"\s+", quoted.replace("\\n", " ")))
    for doc in docs:
        for span in doc.spans["sc"]:
            assert words.issuperset(span.text.split())
