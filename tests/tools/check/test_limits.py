import pytest
import spacy
import srsly
from spacy.tokens import Doc, Span
from spacy.training import Corpus

from spacy_ner_ext.data.lang import blank_vocab
from spacy_ner_ext.tools.check.check import check_files
from spacy_ner_ext.tools.check.limits import DocLimit, Limits, PieceLimit
from spacy_ner_ext.util.errors import UserError
from tests.helpers.corpora import write_docs

VOCAB = blank_vocab("en")
MARKER = "\n[components.sm]\nfactory = 'span_marker_ner'\n"
MODEL = "\n[components.{}.model]\n@architectures = 'spacy_ner_ext.SpanMarker.v1'\n"
SPANCAT = "\n[components.sc]\nfactory = 'spancat'\n"
SUGGESTER = "\n[components.sc.suggester]\n@misc = 'spacy.{}.v1'\n"


@pytest.fixture
def config(tmp_path):
    def write_config(text):
        path = tmp_path / "config.cfg"
        head = "[nlp]\nlang = 'en'\n\n[components]\n"
        path.write_text((head + text).replace("'", '"'), encoding="utf8")
        return path

    return write_config


def span_limits(path):
    return [
        (limit.component, list(limit.sizes), limit.keys) for limit in Limits(path).spans
    ]


@pytest.mark.parametrize(
    ("text", "longest", "keys"),
    [
        (MARKER, 8, ("ents",)),
        (MARKER + "target = ['ents', 'x']\n", 8, ("ents", "x")),
        (MARKER + MODEL.format("sm"), 8, ("ents",)),
        (MARKER + MODEL.format("sm") + "entity_max_length = 3\n", 3, ("ents",)),
    ],
)
def test_lengths_of_span_markers(config, text, longest, keys):
    assert span_limits(config(text)) == [("sm", list(range(1, longest + 1)), keys)]


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("", [1, 2, 3]),
        (SUGGESTER.format("ngram_suggester") + "sizes = [4, 1]\n", [1, 4]),
        (
            SUGGESTER.format("ngram_range_suggester") + "min_size = 2\nmax_size = 4\n",
            [2, 3, 4],
        ),
    ],
)
@pytest.mark.parametrize("kind", ["spancat", "spancat_singlelabel"])
def test_lengths_of_suggesters(config, text, sizes, kind):
    path = config(SPANCAT.replace("spancat", kind) + "spans_key = 'k'\n" + text)
    assert span_limits(path) == [("sc", sizes, ("k",))]


def test_a_span_marker_in_a_spancat(config):
    path = config(SPANCAT + MODEL.format("sc") + "entity_max_length = 2\n")
    assert span_limits(path) == [("sc", [1, 2], ("sc",)), ("sc", [1, 2, 3], ("sc",))]


def test_other_components_and_suggesters_have_no_limit(config):
    text = "\n[components.ner]\nfactory = 'ner'\n\n[components.x]\nsource = 'x'\n"
    text += SPANCAT + SUGGESTER.format("preset_spans_suggester") + "spans_key = 'k'\n"
    assert span_limits(config(text)) == []


def test_a_checkpoint_brings_its_own_lengths(config, tmp_path):
    path = config(MARKER + f"checkpoint = '{tmp_path / 'saved'}'\n")
    assert span_limits(path) == []
    (tmp_path / "saved").mkdir()
    saved = {"entity_max_length": 5, "model_max_length": None}
    srsly.write_json(tmp_path / "saved" / "config.json", saved)
    assert span_limits(path) == [("sm", [1, 2, 3, 4, 5], ("ents",))]
    assert Limits(path).pieces[0].pieces == 512
    for damaged in ("[1]", "{"):
        (tmp_path / "saved" / "config.json").write_text(damaged)
        with pytest.raises(UserError, match=r"config\.json: is not"):
            Limits(path)


def test_lengths_of_windows_and_names_of_encoders(config):
    text = "\n[vars]\nwindow = 99\n" + MARKER + MODEL.format("sm") + "name = 'a/b'\n"
    text += "\n[components.trf]\nfactory = 'crf_ner'\n\n[components.trf.model]\n"
    text += "\n[components.trf.model.tok2vec]\nname = 'c'\nwindow = ${vars.window}\n"
    text += "@architectures = 'spacy_ner_ext.Transformer.v1'\n"
    limits = Limits(config(text))
    assert limits.pieces == [
        PieceLimit("model_max_length of sm", 256),
        PieceLimit("window of trf", 99, False),
    ]
    assert limits.encoders == ["a/b", "c"]


READER = "\n[corpora.{}]\n@readers = 'spacy.Corpus.v1'\nmax_length = {}\n"


def test_lengths_of_corpus_readers(config):
    text = "\n[corpora]\n" + READER.format("train", 9) + READER.format("dev", 0)
    assert Limits(config(text)).docs == {"train": DocLimit("corpora.train", 9)}
    text += READER.format("x", 7) + "\n[training]\ndev_corpus = 'corpora.x'\n"
    assert Limits(config(text)).docs["dev"] == DocLimit("corpora.x", 7)
    sentences = "\n[corpora]\n" + READER.format("train", 9) + "gold_preproc = true\n"
    assert Limits(config(sentences)).docs == {}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (MARKER + MODEL.format("sm") + "entity_max_length = 0\n", ["sm.model.entity"]),
        (MARKER + MODEL.format("sm") + "entity_max_length = true\n", ["is True"]),
        (MARKER + MODEL.format("sm") + "model_max_length = 'x'\n", ["'x'", "whole"]),
        (SPANCAT + SUGGESTER.format("ngram_suggester") + "sizes = [1, 'a']\n", ["'a'"]),
        (
            SPANCAT
            + SUGGESTER.format("ngram_range_suggester")
            + "min_size = 3\nmax_size = 2\n",
            ["max_size is 2", "from 3"],
        ),
        ("\n[corpora]\n" + READER.format("train", -1), ["corpora.train.max_length"]),
        ("\n[components.x]\na = ${no.such}\n", ["not a config of spaCy"]),
        ("\n[no.parent.x]\na = 1\n", ["not a config of spaCy"]),
        ("\n[no.parent]\na = 1\n", ["not a config of spaCy"]),
        ("\n[components.x]\na = 1\na = 2\n", ["not a config of spaCy"]),
        ("\nno setting\n", ["not a config of spaCy"]),
    ],
)
def test_bad_configs(config, text, parts):
    with pytest.raises(UserError) as error:
        Limits(config(text))
    message = str(error.value)
    assert message.startswith(str(config(text)))
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "the file is empty"),
        (b"\xff\xfe\x00", "is not a config of spaCy"),
        (b'{"nlp": 1}', "is not a config of spaCy"),
        (b"[tool]\na = 1\n", r"has no section \[nlp\]"),
    ],
)
def test_files_that_are_not_configs(tmp_path, content, what):
    (tmp_path / "c.cfg").write_bytes(content)
    with pytest.raises(UserError, match=rf"c\.cfg: {what}"):
        Limits(tmp_path / "c.cfg")
    with pytest.raises(UserError, match="no such file"):
        Limits(tmp_path / "no.cfg")
    with pytest.raises(UserError, match="is a folder"):
        Limits(tmp_path)


def make_doc(words, spans=(), sent_starts=None, groups=None):
    doc = Doc(VOCAB, words=words, sent_starts=sent_starts)
    doc.set_ents([Span(doc, *span) for span in spans])
    for key, found in (groups or {}).items():
        doc.spans[key] = [Span(doc, *span) for span in found]
    return doc


@pytest.fixture
def warnings_of(tmp_path, config):
    def check_docs(text, train):
        dev = [make_doc(["Ann"], [(0, 1, "PER")])]
        for name, docs in {"train": train, "dev": dev}.items():
            write_docs(docs, tmp_path / f"{name}.spacy")
        paths = {name: tmp_path / f"{name}.spacy" for name in ("train", "dev")}
        report = check_files(paths, config=config(text), rare=0)
        return [(found.what, found.examples) for found in report.of("warning")]

    return check_docs


def test_entities_longer_than_a_component_finds(warnings_of):
    text = MARKER + MODEL.format("sm") + "entity_max_length = 2\n"
    spaced = make_doc(["A", "\n", "B", "c"], [(0, 3, "PER")])
    long = make_doc(["A", "B", "C"], [(0, 3, "PER")])
    other = make_doc(["D", "e", "f"], [(0, 3, "PER")])
    ((what, examples),) = warnings_of(text, [spaced, long, other])
    assert what.startswith("entities in train longer than 2 words")
    assert "sm finds" in what
    assert what.endswith("lost: 2")
    assert examples == ["document 2: PER 'A B C'", "document 3: PER 'D e f'"]


def test_spans_of_a_group_that_are_not_suggested(warnings_of):
    text = SPANCAT + SUGGESTER.format("ngram_suggester") + "sizes = [1, 3]\n"
    spans = [(0, 1, "X"), (0, 2, "X"), (0, 3, "X"), (0, 4, "X")]
    doc = make_doc(list("abcd"), [(0, 4, "PER")], groups={"sc": spans})
    ((what, examples),) = warnings_of(text, [doc])
    assert "not of 1, 3 words" in what
    assert what.endswith(": 2")
    assert examples == ["document 1: X 'a b'", "document 1: X 'a b c d'"]


def test_documents_that_a_reader_cuts_or_leaves_out(warnings_of, tmp_path):
    text = "\n[corpora]\n" + READER.format("train", 3)
    docs = [
        make_doc(["A", "b"], [(0, 1, "PER")]),
        make_doc(["A", "b", "c"], [(0, 1, "PER")]),
        make_doc(list("Abcde"), [(2, 3, "PER")], [1, 0, 1, 0, 0]),
    ]
    (cut, left_out) = warnings_of(text, docs)
    assert cut[0].endswith("[corpora.train], split into sentences: 1")
    assert cut[1] == ["document 3: 5 tokens"]
    assert left_out[0].endswith("left out with 2 entities: 2")
    assert left_out[1] == ["document 2: 3 tokens", "document 3: 3 tokens"]
    corpus = Corpus(tmp_path / "train.spacy", max_length=3)
    assert [len(example) for example in corpus(spacy.blank("en"))] == [2, 2]
