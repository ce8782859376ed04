import shutil

import pytest
import srsly
from spacy.tokens import Doc, Span

from spacy_ner_ext.data.lang import blank_vocab
from spacy_ner_ext.tools.check.check import check_files
from spacy_ner_ext.tools.check.limits import PieceLimit
from spacy_ner_ext.tools.check.pieces import Distribution, PieceScan, PieceTokenizer
from spacy_ner_ext.util.errors import UserError
from tests.helpers.corpora import write_docs
from tests.helpers.encoders import bare_tokenizer, encoder_folder

VOCAB = blank_vocab("en")
WORDS = ["Anna", "lives", "in", "New", "York", ",", "the", "ferry", "is", "late"]


def make_doc(words=WORDS, spaces=None, sent_starts=None):
    return Doc(VOCAB, words=words, spaces=spaces, sent_starts=sent_starts)


def scan(*docs, kind="bert", limits=()):
    found = PieceScan(PieceTokenizer(str(encoder_folder(kind)), limits))
    for doc in docs:
        found.add(doc)
    found.finish()
    return found


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "roberta"])
def test_pieces_of_words_and_of_text(kind):
    words = make_doc([*WORDS, "\n"])
    spaces = [True] * len(WORDS)
    spaces[4] = spaces[-1] = False
    text = make_doc(spaces=spaces)
    known = bare_tokenizer(kind)
    of_words = known(WORDS, is_split_into_words=True, add_special_tokens=False)
    of_text = known(text.text, add_special_tokens=False)
    n_words, n_text = len(of_words["input_ids"]), len(of_text["input_ids"])
    assert dict(scan(words, kind=kind).docs) == {n_words: 1}
    assert dict(scan(text, kind=kind).docs) == {n_text: 1}
    both = scan(words, text, words, kind=kind)
    assert both.pieces == 2 * n_words + n_text
    assert both.per_word == pytest.approx(both.pieces / (3 * len(WORDS)))


def test_pieces_of_sentences():
    starts = [True] + [False] * 5 + [True] + [False] * 3
    found = scan(make_doc(sent_starts=starts), make_doc(WORDS[:6]), make_doc([]))
    first, second = scan(make_doc(WORDS[:6])).pieces, scan(make_doc(WORDS[6:])).pieces
    assert found.sentences == {first: 2, second: 1}
    assert found.docs == {first + second: 1, first: 1}


def test_batches_change_nothing(monkeypatch):
    docs = [make_doc(WORDS[: i % 9 + 1]) for i in range(30)]
    whole = scan(*docs).to_dict()
    monkeypatch.setattr("spacy_ner_ext.tools.check.pieces.BATCH", 4)
    assert scan(*docs).to_dict() == whole


def test_distribution():
    counts = Distribution()
    assert counts.to_dict() == {"mean": 0, "median": 0, "p95": 0, "max": 0}
    assert counts.share_above(0) == 0
    counts.update(range(1, 101))
    assert counts.to_dict() == {"mean": 50.5, "median": 50, "p95": 95, "max": 100}
    assert counts.share_above(90) == 0.1


def test_share_above_a_limit_with_and_without_special_pieces():
    n = scan(make_doc()).pieces
    limits = [PieceLimit("a", n, False), PieceLimit("b", n), PieceLimit("c", n + 2)]
    found = scan(make_doc(), limits=limits).to_dict()["limits"]
    assert [limit["documents_longer"] for limit in found] == [0, 1, 0]
    assert [limit["sentences_longer"] for limit in found] == [0, 1, 0]


@pytest.fixture
def folder(tmp_path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        path = tmp_path / "tokenizer" / name
        path.parent.mkdir(exist_ok=True)
        shutil.copy(encoder_folder() / name, path)
    return tmp_path / "tokenizer"


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(40, [40]), (1000000000000000019884624838656, []), (1e30, []), (None, [])],
)
def test_limit_of_the_tokenizer_itself(folder, limit, expected):
    srsly.write_json(folder / "tokenizer_config.json", {})
    config = f'{{"model_max_length": {"null" if limit is None else limit}}}'
    (folder / "tokenizer_config.json").write_text(config)
    loaded = PieceTokenizer(str(folder))
    assert [limit.pieces for limit in loaded.limits] == expected
    given = PieceLimit("window", 7)
    assert PieceTokenizer(str(folder), [given]).limits == (given,)


def test_a_saved_limit_on_length_does_not_cut(folder):
    data = srsly.read_json(folder / "tokenizer.json")
    data["truncation"] = {
        "direction": "Right",
        "max_length": 4,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    srsly.write_json(folder / "tokenizer.json", data)
    found = PieceScan(PieceTokenizer(str(folder)))
    found.add(make_doc())
    found.finish()
    assert found.pieces == scan(make_doc()).pieces


@pytest.mark.parametrize("content", ["", "{}", "[1]", "x"])
def test_damaged_tokenizers(folder, content):
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(UserError, match="cannot be loaded") as error:
        PieceTokenizer(str(folder))
    assert str(folder) in str(error.value)


@pytest.mark.parametrize("name", ["./no/folder", "no-such-owner/no such model"])
def test_neither_a_folder_nor_on_the_hub(name):
    with pytest.raises(
        UserError, match=f"tokenizer '{name}' cannot be loaded"
    ) as error:
        PieceTokenizer(name)
    assert "\n" not in str(error.value)


def test_the_encoder_of_a_config_is_the_default(tmp_path):
    doc = make_doc()
    doc.set_ents([Span(doc, 0, 1, "PER")])
    write_docs([doc], tmp_path / "a.spacy")
    config = tmp_path / "c.cfg"
    paths = dict.fromkeys(("train", "dev"), tmp_path / "a.spacy")
    for encoder, expected in (
        (str(encoder_folder()), {"train", "dev"}),
        ("a/b", set()),
    ):
        config.write_text(
            '[nlp]\nlang = "en"\n\n[components]\n\n[components.sm]\n'
            'factory = "span_marker_ner"\n\n[components.sm.model]\n'
            f'@architectures = "spacy_ner_ext.SpanMarker.v1"\nname = "{encoder}"\n'
        )
        report = check_files(paths, config=config)
        assert report.pieces.keys() == expected
        assert report.to_dict()["pieces"]["tokenizer"] == (encoder if expected else "")
