"""weights.tsv: statistics of all weights during training."""

import numpy as np
import pytest
import spacy

from spacy_ner_ext.training.logging.files import WeightFile, weight_statistics
from spacy_ner_ext.util.weights import iter_weights
from tests.helpers.encoders import encoder_folder
from tests.helpers.loggers import read_table
from tests.helpers.pipelines import build, crf, fitted, make_examples

COLUMNS = ["step", "parameter", "mean", "standard_deviation", "norm", "largest"]


def test_a_line_for_each_array_and_evaluation(run_training, tmp_path):
    logger = {"@loggers": "spacy_ner_ext.Logger.v1", "log_weights": True}
    run_training(logger, tmp_path)
    rows = read_table(tmp_path / "weights.tsv")
    assert list(rows[0]) == COLUMNS
    paths = [p.path for p in iter_weights(spacy.load(tmp_path / "model-last"))]
    expected = [(str(step), path) for step in (0, 2, 4, 6) for path in paths]
    assert [(row["step"], row["parameter"]) for row in rows] == expected
    norms = [row["norm"] for row in rows if row["parameter"] == paths[-1]]
    assert len(set(norms)) == 4


def test_statistics_are_those_of_the_arrays():
    nlp = fitted("flat_biluo")
    found = dict(weight_statistics(nlp))
    transitions = nlp.get_pipe("crf_ner").model.get_ref("crf").get_param("transitions")
    assert found["crf_ner.crf.transitions"] == pytest.approx(describe(transitions))


def test_weights_of_torch_modules_have_paths():
    encoder = {
        "@architectures": "spacy_ner_ext.Transformer.v1",
        "name": str(encoder_folder("bert")),
        "window": 32,
        "stride": 24,
    }
    nlp = build({"crf_ner": crf(encoder)})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    found = dict(weight_statistics(nlp))
    (model,) = [n for n in nlp.get_pipe("crf_ner").model.walk() if n.shims]
    module = model.shims[0].model
    weights = {n: w for n, w in module.named_parameters() if n.endswith("dense.weight")}
    assert weights
    for name, weight in weights.items():
        end = name.removeprefix("encoder.encoder.")
        (path,) = [each for each in found if each.endswith(f".transformer.{end}")]
        assert found[path] == pytest.approx(describe(weight.detach().numpy()), rel=1e-4)


def describe(array):
    norm = np.sqrt((array.astype("float64") ** 2).sum())
    return (array.mean(), array.std(), norm, abs(array).max())


def test_a_weight_of_nan_is_logged(tmp_path):
    nlp = build("flat_biluo")
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    model = nlp.get_pipe("crf_ner").model.get_ref("crf")
    model.set_param("start", model.get_param("start") * np.nan)
    file = WeightFile(tmp_path, 0)
    file.add(3, nlp)
    file.close()
    rows = {row["parameter"]: row for row in read_table(tmp_path / "weights.tsv")}
    assert rows["crf_ner.crf.start"]["mean"] == "nan"
    assert rows["crf_ner.crf.end"]["mean"] != "nan"


def test_lines_of_earlier_steps_stay(tmp_path):
    nlp = fitted("flat_biluo")
    for first_step, steps in ((0, (0, 2, 4)), (3, (4, 6))):
        file = WeightFile(tmp_path, first_step)
        for step in steps:
            file.add(step, nlp)
        file.close()
    rows = read_table(tmp_path / "weights.tsv")
    n_arrays = len(list(iter_weights(nlp)))
    assert [row["step"] for row in rows] == [s for s in "0246" for _ in range(n_arrays)]
