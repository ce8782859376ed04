import re
from pathlib import Path

import pytest
import spacy
from spacy import util
from spacy.tokens import DocBin

from scripts.encoder import export_encoder
from spacy_ner_ext import convert
from spacy_ner_ext.util.weights import iter_weights
from tests.helpers.pipelines import build, make_examples

ROOT = Path(__file__).parents[3]
TRF = ROOT / "configs" / "crf_trf.cfg"
CPU = ROOT / "configs" / "crf_cpu.cfg"
NESTED = "components.crf_ner.model.tok2vec.tok2vec"
ENCODER = "crf_ner.tok2vec.tok2vec.transformer"
GROUP = "--training.optimizer.groups.encoder.pattern"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Arguments that name the first sentences of the demo corpus, and its encoder."""
    folder = tmp_path_factory.mktemp("corpus")
    vocab = spacy.blank("en").vocab
    for name in ("train", "dev"):
        convert(ROOT / f"assets/demo/{name}.conll", folder / f"{name}.spacy")
        docs = list(DocBin().from_disk(folder / f"{name}.spacy").get_docs(vocab))
        DocBin(docs=docs[:20]).to_disk(folder / f"{name}.spacy")
    export_encoder(folder / "encoder", "package")
    corpus = ["--paths.train", folder / "train.spacy", "--paths.dev"]
    corpus.append(folder / "dev.spacy")
    return {CPU: corpus, TRF: [*corpus, "--paths.encoder", folder / "encoder"]}


def rows(out):
    """The columns of each weight, by its path."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]
    found = {line[0]: line[1:] for line in lines if len(line) == 5}
    assert found.pop("path") == ["shape", "group", "learning rate", "decay"]
    return {path: row for path, row in found.items() if set(path) != {"-"}}


def summary(out):
    """The last line, which a terminal may break."""
    return re.search(r"\d+ arrays; .*", " ".join(out.split()))[0]


def check_error(result, *parts):
    code, out, err = result
    assert (code, out) == (1, "")
    assert err.startswith("Error: ") and err.count("\n") == 1
    for part in parts:
        assert part in err


def test_prints_what_training_will_do_with_each_weight(run, files):
    done = run("params", TRF, *files[TRF], "--training.max_steps", 10)
    assert (done.returncode, done.stderr) == (0, "")
    found = rows(done.stdout)
    layer = f"{ENCODER}.layer.5.output"
    # spaCy makes one step more than max_steps, here at the end of the schedule.
    encoder, default = "0 > 0.0001 > 0", "0.001 > 0.001 > 0"
    assert found[f"{layer}.dense.weight"] == ["384 x 1536", "encoder", encoder, "0.01"]
    assert found[f"{layer}.dense.bias"] == ["384", "encoder", encoder, "0"]
    assert found[f"{layer}.LayerNorm.weight"] == ["384", "encoder", encoder, "0"]
    n_tags = int(found["crf_ner.output_layer.linear.b"][0])
    rest = ["default", default]
    shape = f"1 x {n_tags} x {n_tags}"
    assert found["crf_ner.output_layer.linear.W"] == [f"{n_tags} x 384", *rest, "0.01"]
    assert found["crf_ner.crf.transitions"] == [shape, *rest, "0"]
    assert found["crf_ner.tok2vec.norm.layernorm.G"] == ["384", *rest, "0"]
    sizes = {"encoder": 0, "default": 0}
    for shape, group, *_ in found.values():
        size = 1
        for length in shape.split(" x "):
            size *= int(length)
        sizes[group] += size
    assert sizes["encoder"] > 22_000_000
    groups = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    assert summary(done.stdout) == f"{len(found)} arrays; weights by group: {groups}"


def test_a_wrong_pattern_is_an_error_of_one_line(call, files):
    result = call("params", TRF, *files[TRF], GROUP, "transfomer")
    check_error(result, "crf_trf.cfg", "'transfomer'", "'encoder'", "matches no weight")
    assert re.search(f"Closest: .*{re.escape(ENCODER)}", result[2])


def test_overrides_change_the_plan(call, files):
    rate = "--training.optimizer.learn_rate.value=0.5"
    overrides = [rate, GROUP, r"\.layer\.[34]\.", f"--{NESTED}.freeze", 4]
    code, out, err = call("params", TRF, *files[TRF], *overrides)
    assert (code, err) == (0, "")
    found = rows(out)
    for path, (_, group, rates, _) in found.items():
        layer = re.search(r"\.layer\.(\d)\.", path)
        assert (group == "encoder") == (layer is not None and layer[1] in "34")
        lower = layer is not None and layer[1] in "0123"
        assert (rates == "frozen") == (lower or ".embeddings." in path)
        if group == "default" and rates != "frozen":
            assert rates.startswith("0.001 > 0.5 > ")
    # No frozen weight is counted among those of a group.
    names = re.findall(r"(\w+) [\d,]+", summary(out).partition(": ")[2])
    assert sorted(names) == ["default", "encoder", "frozen"]


def test_any_other_optimizer_has_one_group(call, files):
    code, out, err = call("params", CPU, *files[CPU])
    assert (code, err) == (0, "")
    found = rows(out)
    # Adam of thinc decays all arrays alike.
    assert {tuple(row[1:]) for row in found.values()} == {("default", "0.001", "0.01")}
    assert {path.partition(".")[0] for path in found} == {
        "tok2vec",
        "text_cnn",
        "crf_ner",
    }
    nlp = util.load_model_from_config(util.load_config(CPU), auto_fill=True)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    assert list(found) == [weight.path for weight in iter_weights(nlp)]


def test_a_schedule_of_another_optimizer_is_followed(call, files, tmp_path):
    config = util.load_config(CPU, interpolate=False)
    config["training"]["optimizer"]["learn_rate"] = {
        "@schedules": "warmup_linear.v1",
        "initial_rate": 0.01,
        "warmup_steps": 2,
        "total_steps": 6,
    }
    config.to_disk(tmp_path / "warm.cfg")
    steps = ("--training.max_steps", 6)
    code, out, err = call("params", "warm.cfg", *files[CPU], *steps)
    assert (code, err) == (0, "")
    assert {row[2] for row in rows(out).values()} == {"0 > 0.01 > 0"}


def test_frozen_components_are_frozen(call, files, tmp_path):
    nlp = build("text_cnn")
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    nlp.to_disk(tmp_path / "trained")
    config = util.load_config(CPU, interpolate=False)
    config["nlp"]["pipeline"] = ["text_cnn", "crf_ner"]
    config["components"].pop("tok2vec")
    config["components"]["text_cnn"] = {"source": str(tmp_path / "trained")}
    config["components"]["crf_ner"]["model"]["tok2vec"]["width"] = 16
    config["training"]["frozen_components"] = ["text_cnn"]
    config["training"]["annotating_components"] = ["text_cnn"]
    config["nlp"]["lang"] = "xx"
    config.to_disk(tmp_path / "frozen.cfg")
    code, out, _ = call("params", "frozen.cfg", *files[CPU])
    assert code == 0
    for path, (_, _, rates, _) in rows(out).items():
        assert (rates == "frozen") == path.startswith("text_cnn."), path


def test_help_shows_an_example(call):
    code, out, err = call("params", "--help")
    assert (code, err) == (0, "")
    assert "python -m spacy_ner_ext params configs/crf_trf.cfg --paths.train" in out


@pytest.mark.parametrize(
    "overrides,parts",
    [
        (["--paths.train", "none.spacy"], ["none.spacy"]),
        (["--paths.encoder", "./none"], ["The encoder './none' cannot be loaded"]),
        ([GROUP, "("], ["'('", "regular expression"]),
        ([f"--{NESTED}.stride", "999"], ["stride = 999", "window = 128"]),
        (["--training.optimizer.@optimizers", "None.v1"], ["None.v1"]),
        (["--nothing.here", "3"], ["nothing -> here"]),
        (["--nothing"], ["no such option --nothing", "--paths.train"]),
    ],
)
def test_a_wrong_setting_is_an_error_of_one_line(call, files, overrides, parts):
    check_error(call("params", TRF, *files[TRF], *overrides), *parts)


@pytest.mark.parametrize(
    "text", ["encoder = 3\n", '[nlp]\nlang = "xx"\npipeline = 3\n']
)
def test_another_file_is_an_error_of_one_line(call, tmp_path, text):
    (tmp_path / "a.cfg").write_text(text)
    check_error(call("params", "a.cfg"), "a.cfg cannot be used for training")


def test_a_missing_config_is_an_error_of_usage(call):
    code, out, err = call("params", "none.cfg")
    assert (code, out) == (2, "") and "'none.cfg' does not exist" in err
