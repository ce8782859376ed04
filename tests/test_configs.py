"""Every shipped config: complete, and trains for a few steps on real files."""

from pathlib import Path

import pytest
import spacy
from spacy import util
from spacy.cli.init_config import fill_config
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train

from scripts.encoder import export_encoder
from spacy_ner_ext import convert

ROOT = Path(__file__).parent.parent
# It needs transformers 4: `tests/spacy_transformers` trains it.
SEPARATE = "crf_spacy_transformers.cfg"
CONFIGS = sorted(
    path.name for path in (ROOT / "configs").glob("*.cfg") if path.name != SEPARATE
)
# The score that selects the best pipeline, where it is not one of entities.
MAIN_SCORES = {
    "flair_pos.cfg": "tag_acc",
    "textcat_cnn.cfg": "cats_weighted_f",
    "textcat_trf.cfg": "cats_weighted_f",
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The first sentences of the demo corpus with tags, and the demo's encoder."""
    folder = tmp_path_factory.mktemp("corpus")
    vocab = spacy.blank("en").vocab
    for name in ("train", "dev"):
        convert(ROOT / f"assets/demo/{name}.conll", folder / f"{name}.spacy")
        docs = list(DocBin().from_disk(folder / f"{name}.spacy").get_docs(vocab))
        for token in (token for doc in docs[:40] for token in doc):
            token.tag_ = "NAME" if token.is_title else "WORD"
        for doc in docs[:40]:
            is_long = len(doc) > 10
            doc.cats = {"LONG": float(is_long), "SHORT": float(not is_long)}
        DocBin(docs=docs[:40]).to_disk(folder / f"{name}.spacy")
    export_encoder(folder / "encoder", "package")
    return folder


def load(name, corpus, **settings):
    overrides = {
        "paths.train": str(corpus / "train.spacy"),
        "paths.dev": str(corpus / "dev.spacy"),
        "training.max_steps": 3,
        "training.eval_frequency": 2,
        **settings,
    }
    config = util.load_config(ROOT / "configs" / name)
    if "encoder" in config["paths"]:
        overrides["paths.encoder"] = str(corpus / "encoder")
    return util.load_config(ROOT / "configs" / name, overrides, interpolate=False)


def test_there_are_configs():
    assert set(CONFIGS) == {
        *("crf_cpu.cfg", "crf_trf.cfg", "crf_trf_shared.cfg"),
        *("span_marker.cfg", "textcat_trf.cfg", "textcat_cnn.cfg"),
        *("eds_crf.cfg", "flair_tagger.cfg", "flair_pos.cfg", "multinerd.cfg"),
    }


@pytest.mark.parametrize("name", CONFIGS)
def test_is_complete(name, tmp_path):
    check_complete(name, tmp_path)


def check_complete(name, tmp_path):
    path = ROOT / "configs" / name
    _, filled = fill_config(tmp_path / "filled.cfg", path)
    assert filled.to_str() == util.load_config(path).to_str()


@pytest.mark.parametrize("name", CONFIGS)
def test_trains_saves_and_loads(name, corpus, tmp_path):
    check_training(name, corpus, tmp_path)


def check_training(name, corpus, tmp_path):
    nlp = init_nlp(load(name, corpus))
    before = nlp.to_bytes(exclude=["vocab"])
    trained, best = train(nlp, tmp_path)
    assert trained.to_bytes(exclude=["vocab"]) != before
    loaded = spacy.load(best)
    doc = loaded("Ines Marlow sailed from Carrow.")
    main = MAIN_SCORES.get(name, "ents_f")
    assert main in loaded.meta["performance"]
    assert all(0 <= ent._.score <= 1 for ent in doc.ents)


@pytest.mark.parametrize("name", ["crf_cpu.cfg", "crf_trf.cfg", "span_marker.cfg"])
def test_same_seed_gives_the_same_weights(name, corpus, tmp_path):
    weights = []
    for run in ("first", "second"):
        output = tmp_path / run
        output.mkdir()
        nlp, _ = train(init_nlp(load(name, corpus)), output)
        weights.append(nlp.pipeline[-1][1].model.to_bytes())
    assert weights[0] == weights[1]
