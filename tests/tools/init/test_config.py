"""Every recipe: a complete config with comments, which trains on real files."""

import shlex
from pathlib import Path

import pytest
import spacy
from spacy import util
from spacy.cli.init_config import fill_config
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config
from typer.testing import CliRunner

from spacy_ner_ext import convert
from spacy_ner_ext.tools.app import app
from spacy_ner_ext.tools.init.config import (
    put_comments,
    take_comments,
    write_config,
)
from spacy_ner_ext.tools.init.recipes import (
    PATTERNS,
    choose,
)
from spacy_ner_ext.tools.train.settings import RunSettings, read_settings
from tests.helpers.encoders import make_encoder

ROOT = Path(__file__).parents[3]
FITTING = [(name, pattern) for pattern, names in PATTERNS.items() for name in names]
CHOICES = [
    *((name, pattern, None) for name, pattern in FITTING),
    *((name, "flair", "roberta-base") for name in PATTERNS["flair"]),
]
SHIPPED = ["eds_crf.cfg", "flair_tagger.cfg", "flair_pos.cfg", "multinerd.cfg"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The first sentences of the demo corpus with tags, and a tiny encoder."""
    folder = tmp_path_factory.mktemp("corpus")
    vocab = spacy.blank("en").vocab
    for name in ("train", "dev"):
        path = folder / f"{name}.spacy"
        convert(ROOT / f"assets/demo/{name}.conll", path)
        docs = list(DocBin().from_disk(path).get_docs(vocab))[:30]
        for token in (token for doc in docs for token in doc):
            token.tag_ = "NAME" if token.is_title else "WORD"
        DocBin(docs=docs).to_disk(path)
    make_encoder(folder / "encoder", "bert", max_position_embeddings=300)
    return folder


def load(text):
    return Config().from_str(text, interpolate=False)


@pytest.mark.parametrize("component, pattern, encoder", CHOICES)
def test_a_recipe_is_complete(component, pattern, encoder, tmp_path):
    path = tmp_path / "config.cfg"
    path.write_text(write_config(choose(component, pattern, encoder)))
    _, filled = fill_config(tmp_path / "filled.cfg", path)
    assert filled.to_str() == util.load_config(path).to_str()


@pytest.mark.parametrize("component, pattern, encoder", CHOICES)
def test_a_recipe_trains(component, pattern, encoder, files, tmp_path):
    if encoder or pattern != "flair":
        encoder = str(files / "encoder")
    paths = {part: str(files / f"{part}.spacy") for part in ("train", "dev")}
    text = write_config(choose(component, pattern, encoder, **paths))
    steps = {"training.max_steps": 3, "training.eval_frequency": 2}
    config = Config().from_str(text, overrides=steps, interpolate=False)
    nlp = init_nlp(config)
    before = nlp.to_bytes(exclude=["vocab"])
    trained, best = train(nlp, tmp_path)
    assert trained.to_bytes(exclude=["vocab"]) != before
    assert spacy.load(best).pipe_names == [component]


@pytest.mark.parametrize("component, pattern, encoder", CHOICES)
def test_common_settings_have_comments(component, pattern, encoder):
    text = write_config(choose(component, pattern, encoder))
    comments = take_comments(text)
    for section, setting in (
        *(("paths", "train"), ("nlp", "batch_size"), ("training", "max_steps")),
        *(("training.batcher", "size"), ("training.optimizer.learn_rate", "value")),
    ):
        assert comments[section, setting], (section, setting)
    assert all(len(line) <= 88 for lines in comments.values() for line in lines)


def test_the_settings_of_training_are_all_there_and_known():
    config = load(write_config(choose(pattern="multinerd"))).interpolate()
    assert set(config["spacy_ner_ext"]) == set(RunSettings.__dataclass_fields__)
    patience = read_settings(config).patience
    assert patience is not None
    assert (patience.number, patience.unit) == (3, "evaluations")
    # The same under `spacy train`, in steps.
    training = config["training"]
    assert training["patience"] == 3 * training["eval_frequency"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_config_is_what_its_first_line_writes(name):
    text = (ROOT / "configs" / name).read_text(encoding="utf8")
    command = shlex.split(text.splitlines()[0].removeprefix("# "))
    assert command[:5] == ["python", "-m", "spacy_ner_ext", "init", "CONFIG"]
    done = CliRunner().invoke(app, ["init", "-", *command[5:]])
    assert (done.exit_code, done.stdout) == (0, text)


def test_names_may_have_any_characters():
    recipe = choose("crf_tagger", encoder='a "b" # c', train="wörter/[x]=1;.spacy")
    text = write_config(recipe)
    paths = load(text)["paths"]
    assert (paths["train"], paths["encoder"]) == (recipe.train, recipe.encoder)


def test_comments_return_to_their_places():
    text = "# of a\n[a]\nb = 1\n# of c\n# in two lines\nc = 2\n\n[d]\n# of c\nc = 3"
    comments = take_comments(text)
    assert comments["a", ""] == ["# of a"]
    plain = "\n".join(line for line in text.split("\n") if line[:1] != "#")
    assert put_comments(plain, comments) == text
