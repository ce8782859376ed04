"""Log files of small training runs."""

import json

import pytest


def row(step, **values):
    return {
        "step": step,
        "epoch": 0,
        "steps": 10,
        "seconds": step * 2.0,
        "words": step * 100,
        "words_per_second": 50.0,
        "score": step / 100,
        "scores": {"ents_f": step / 100, "ents_p": 0.5, "ents_per_type": {"A": {}}},
        "losses": {"crf_ner": 20.0, "tok2vec": 0.0},
        "rates": {"encoder": 1e-5, "default": 1e-3},
        "gradient_norm": 1.0,
        "gradient_norm_max": 2.0,
        "gradient_spikes": 0,
        **values,
    }


@pytest.fixture
def make_run(tmp_path):
    def make(name, rows, weights=None):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        text = "".join(f"{json.dumps(each)}\n" for each in rows)
        (folder / "log.jsonl").write_text(text, encoding="utf8")
        if weights is not None:
            header = "step\tparameter\tmean\tstandard_deviation\tnorm\tlargest"
            (folder / "weights.tsv").write_text("\n".join([header, *weights, ""]))
        return folder

    return make
