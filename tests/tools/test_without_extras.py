"""Every command without each optional library, and without all of them: it works, or
says in one sentence which extra it needs, and writes nothing."""

import shutil
import sys
from zipfile import ZipFile

import pytest
from thinc.api import Config

from spacy_ner_ext.tools.app import COMMANDS
from tests.helpers.blocked import ROOT, run_blocked
from tests.helpers.pipelines import TEXTS, TOK2VEC, crf
from tests.helpers.training_runs import make_config, write_corpus

# With a dot the command works without the library; otherwise it names this extra.
# captum itself needs matplotlib. Rows with a dash need what is not in every environment
# of the tests.
TABLE = """
                     matplotlib nervaluate captum  tensorboard optuna spacy_transformers cupy
convert              .          .          .       .           .      .                  .
export               .          .          .       .           .      .                  .
check                .          .          .       .           .      .                  .
init                 .          .          .       .           .      .                  .
params               .          .          .       .           .      .                  .
params:peer          -          -          -       -           -      spacy-transformers -
train                .          .          .       .           .      .                  .
train:tensorboard    .          .          .       tensorboard .      .                  .
train:peer           -          -          -       -           -      spacy-transformers -
train:gpu            -          -          -       -           -      -                  cuda12x
predict              .          .          .       .           .      .                  .
predict:peer         -          -          -       -           -      spacy-transformers -
predict:gpu          -          -          -       -           -      -                  cuda12x
evaluate             report     .          .       .           .      .                  .
calibrate            .          .          .       .           .      .                  .
audit                .          .          .       .           .      .                  .
suggest              .          .          .       .           .      .                  .
explain              explain    .          explain .           .      .                  .
explain:occlusion    .          .          .       .           .      .                  .
plot                 plot       .          .       .           .      .                  .
card                 .          .          .       .           .      .                  .
distill-filter       .          .          .       .           .      .                  .
export-span-marker   .          .          .       .           .      .                  .
"""  # noqa: E501
LIBRARIES, *ROWS = (line.split() for line in TABLE.strip().splitlines())
EXTRAS = {
    row[0]: dict(zip(LIBRARIES, row[1:], strict=True))
    for row in ROWS
    # PyTorch, and not CuPy, computes on a Mac's GPU.
    if sys.platform != "darwin" or not row[0].endswith(":gpu")
}

MODEL, DEV = "crf_transformer", "corpus/dev.spacy"
ARGUMENTS = {
    "convert": ("dev.conll", "converted.spacy"),
    "export": (DEV, "exported", "--format", "conll"),
    "check": ("corpus/train.spacy", DEV, "--output", "check.json"),
    "init": ("new.cfg",),
    "params": ("train.cfg",),
    "params:peer": ("peer.cfg",),
    "train": ("train.cfg", "--output", "run"),
    "train:tensorboard": (
        *("train.cfg", "--output", "watched", "--training.logger.@loggers"),
        "spacy_ner_ext.TensorBoardLogger.v1",
    ),
    "train:peer": ("peer.cfg", "--output", "run-peer"),
    "train:gpu": ("train.cfg", "--output", "run-gpu", "--gpu-id", "0"),
    "predict": (MODEL, "texts.txt", "--output", "found.jsonl"),
    "predict:peer": ("peer", "texts.txt", "--output", "peer.jsonl"),
    "predict:gpu": (MODEL, "texts.txt", "--output", "gpu.jsonl", "--gpu-id", "0"),
    "evaluate": (MODEL, DEV, "--output", "evaluation", "--resamples", "5"),
    "calibrate": (MODEL, DEV, "--output", "calibrated"),
    "audit": (DEV, "--model", MODEL, "--output", "audit"),
    "suggest": (MODEL, "texts.txt", "--number", "2", "--output", "tasks.jsonl"),
    "explain": (MODEL, TEXTS[0], "--output", "explained.html"),
    "explain:occlusion": (
        *(MODEL, TEXTS[0], "--output", "masked.html", "--method", "occlusion"),
    ),
    "plot": ("run", "--output", "plots"),
    "card": (MODEL, "--test", DEV, "--output", "card.md"),
    "distill-filter": (
        *("span_marker_all", "texts.txt", "--output", "filtered", "--epochs", "1"),
    ),
    "export-span-marker": ("span_marker_all", "--output", "span-marker"),
}
META = '{"lang": "en", "name": "peer", "version": "1.0"}'
# Nothing but a table.
PRINTS_ONLY = {"params"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    write_corpus(folder / "corpus")
    for name in (MODEL, "span_marker_all"):
        with ZipFile(ROOT / "tests" / "golden" / f"{name}.zip") as file:
            file.extractall(folder / name)
    pipes = {"crf_ner": crf(TOK2VEC)}
    config = make_config(pipes, folder / "corpus", max_steps=2, eval_frequency=1)
    Config(config).to_disk(folder / "train.cfg")
    peer = (ROOT / "configs" / "crf_spacy_transformers.cfg").read_text(encoding="utf8")
    for split in ("train", "dev"):
        peer = peer.replace(f"{split} = null", f'{split} = "corpus/{split}.spacy"')
    (folder / "peer").mkdir()
    for path in (folder / "peer.cfg", folder / "peer" / "config.cfg"):
        path.write_text(peer, encoding="utf8")
    (folder / "peer" / "meta.json").write_text(META)
    (folder / "texts.txt").write_text("\n".join(TEXTS * 20), encoding="utf8")
    (folder / "dev.conll").write_text("Anna B-PER\nsleeps O\n\n", encoding="utf8")
    return folder


def run_all(blocked, inputs, folder):
    shutil.copytree(inputs, folder)
    commands = {
        name: [name.partition(":")[0], *ARGUMENTS[name]]
        for name, extras in EXTRAS.items()
        if {"-"} != {extras[library] for library in blocked}
    }
    return run_blocked(blocked, commands, folder)


def check(name, done, extra):
    if extra is not None:
        assert done["code"] == 1, (name, done)
        assert done["err"].startswith("Error: ") and done["err"].count("\n") == 1
        assert f'pip install "spacy-ner-ext[{extra}]"' in done["err"]
        assert done["written"] == [], name
    else:
        assert done["code"] == 0, (name, done)
        assert bool(done["written"]) != (name in PRINTS_ONLY), name


def extra_of(name, blocked):
    named = {EXTRAS[name][library] for library in blocked} - {".", "-"}
    return named.pop() if named else None


def test_every_command_is_in_the_table():
    names = {command.__name__.replace("_", "-") for command in COMMANDS}
    assert names == {name.partition(":")[0] for name in EXTRAS}
    assert {row[0] for row in ROWS} == set(ARGUMENTS)


def test_commands_without_any_extra(inputs, tmp_path):
    done = run_all(LIBRARIES, inputs, tmp_path / "work")
    assert list(done) == list(EXTRAS)
    for name, result in done.items():
        check(name, result, extra_of(name, LIBRARIES))


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_commands_without_one_library(library, inputs, tmp_path):
    for name, result in run_all([library], inputs, tmp_path / "work").items():
        check(name, result, extra_of(name, [library]))
        if (name, library) == ("evaluate", "nervaluate"):
            assert 'pip install "spacy-ner-ext[report]"' in result["out"]


def test_a_logger_of_another_package_names_what_it_needs(inputs, call, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    logger = ("--training.logger.@loggers", "spacy.WandbLogger.v3")
    logger += ("--training.logger.project_name", "p")
    code, _, err = call("train", inputs / "train.cfg", *logger)
    assert code == 1 and err.startswith("Error: ") and err.count("\n") == 1
    assert "'wandb' library could not be found" in err
