"""`spacy_ner_ext.train`: training from Python that can be stopped and resumed."""

import shutil
import signal

import pytest
import spacy
import srsly
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as train_as_spacy
from thinc.api import Config

from spacy_ner_ext import train
from spacy_ner_ext.tools.train.api import load
from spacy_ner_ext.tools.train.checkpoint import find_checkpoints
from spacy_ner_ext.util.errors import UserError
from tests.helpers.pipelines import crf
from tests.helpers.training_runs import TRANSFORMER, make_config, write_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def config(corpus):
    return make_config("crf_ner", corpus)


def weights(nlp):
    return {name: component.model.to_bytes() for name, component in nlp.pipeline}


def test_the_weights_are_those_of_spacy(config, tmp_path):
    (tmp_path / "spacy").mkdir()
    theirs, _ = train_as_spacy(init_nlp(load(config, {})), tmp_path / "spacy")
    trained = train(config, tmp_path / "ours", silent=True)
    assert weights(spacy.load(tmp_path / "ours/model-last")) == weights(theirs)
    best = tmp_path / "spacy/model-best"
    assert weights(trained.nlp) == weights(spacy.load(best))
    assert trained.path == tmp_path / "ours/model-best"


def test_the_best_pipeline_comes_back_without_a_folder(config, capsys):
    seen = []
    trained = train(config, callbacks=[lambda info: seen.append(dict(info))])
    evaluated = [info for info in seen if info["score"] is not None]
    assert [info["step"] for info in seen] == list(range(25))
    assert [info["step"] for info in evaluated] == [0, 6, 12, 18, 24]
    assert trained.score == max(info["score"] for info in evaluated)
    assert trained.scores["ents_f"] == trained.score
    assert trained.path is None
    assert trained.reason == "step 24 was reached"
    assert trained.nlp("Anna lives in Oslo .").has_annotation("ENT_IOB")
    assert "ENTS_F" in capsys.readouterr().out


def test_silence(config, capfd):
    train(config, overrides={"training.max_steps": 2}, silent=True)
    assert capfd.readouterr().out == ""


def test_a_config_can_be_a_file_a_dict_or_a_config(config, tmp_path):
    path = tmp_path / "train.cfg"
    Config(config).to_disk(path)
    overrides = {"training.max_steps": 3}
    runs = [
        train(each, overrides=overrides, silent=True)
        for each in (path, str(path), dict(config), Config(config))
    ]
    found = [weights(trained.nlp) for trained in runs]
    assert all(each == found[0] for each in found)


def test_a_callback_can_end_training(config, tmp_path):
    trained = train(
        config, tmp_path, callbacks=[lambda info: info["step"] == 7], silent=True
    )
    assert trained.reason == "a callback ended it"
    assert srsly.read_json(tmp_path / "run.json")["step"] == 7


@pytest.fixture(autouse=True)
def default_interrupts():
    """Shells start background processes with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def stop_at(step, number=signal.SIGINT):
    return lambda info: signal.raise_signal(number) if info["step"] == step else None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_a_checkpoint_to_resume_from(number, config, tmp_path):
    stopped = train(config, tmp_path / "a", callbacks=[stop_at(9, number)], silent=True)
    assert (stopped.reason, stopped.signal) == ("it was stopped", number)
    assert srsly.read_json(tmp_path / "a/run.json")["status"] == "stopped"
    # A signal between the steps is remembered until the next has ended.
    assert [path.name for path in find_checkpoints(tmp_path / "a")] == ["step-00000009"]
    resumed = train(config, tmp_path / "a", resume=True, silent=True)
    whole = train(config, tmp_path / "b", silent=True)
    assert weights(resumed.nlp) == weights(whole.nlp)
    assert resumed.scores.keys() == whole.scores.keys()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_ctrl_c_stops_at_once(config, tmp_path):
    def twice(info):
        if info["step"] == 5:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path, callbacks=[twice], silent=True)
    assert srsly.read_json(tmp_path / "run.json")["status"] == "failed"


def test_signals_that_are_ignored_stay_ignored(config):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    overrides = {"training.max_steps": 5}
    trained = train(config, overrides=overrides, callbacks=[stop_at(2)], silent=True)
    assert trained.reason == "step 5 was reached"
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_as_many_checkpoints_are_kept_as_set(config, tmp_path):
    train(config, tmp_path, checkpoint_every=5, keep_checkpoints=3, silent=True)
    names = [path.name for path in find_checkpoints(tmp_path)]
    assert names == ["step-00000015", "step-00000020", "step-00000024"]


def test_settings_of_the_section_are_read(config, tmp_path):
    section = {"checkpoint_every": 8, "eval_frequency": "1 epoch"}
    config["spacy_ner_ext"] = {**section, "patience": "2 evaluations"}
    config["training"]["max_steps"] = 0
    steps = []
    trained = train(
        config,
        tmp_path,
        callbacks=[lambda info: info["score"] is not None and steps.append(info)],
        silent=True,
    )
    assert trained.reason == "no better score for 2 evaluations"
    assert find_checkpoints(tmp_path)
    epochs = [info["epoch"] for info in steps[1:]]
    assert epochs == list(range(len(epochs)))


def test_plain_spacy_ignores_the_section(config, tmp_path):
    config["spacy_ner_ext"] = {"checkpoint_every": 8}
    config["training"]["max_steps"] = 3
    (tmp_path / "spacy").mkdir()
    train_as_spacy(init_nlp(load(config, {})), tmp_path / "spacy")
    trained = spacy.load(tmp_path / "spacy/model-last")
    assert trained.config["spacy_ner_ext"] == {"checkpoint_every": 8}
    assert not find_checkpoints(tmp_path / "spacy")


def test_a_run_that_has_ended_can_be_extended(config, tmp_path):
    config["training"].update(max_steps=0, max_epochs=2)
    train(config, tmp_path / "a", checkpoint_every=100, silent=True)
    extended = train(config, tmp_path / "a", resume_to="4 epochs", silent=True)
    config["training"].update(max_epochs=4)
    whole = train(config, tmp_path / "b", silent=True)
    assert weights(extended.nlp) == weights(whole.nlp)
    last = spacy.load(tmp_path / "a/model-last"), spacy.load(tmp_path / "b/model-last")
    assert weights(last[0]) == weights(last[1])


@pytest.mark.parametrize("again", ["5 epochs", None])
def test_a_stopped_extension_continues_as_one_without_a_stop(again, config, tmp_path):
    config["training"].update(max_steps=0, max_epochs=1, patience=18)
    for name in ("stopped", "whole"):
        train(config, tmp_path / name, checkpoint_every=100, silent=True)
    stop = [stop_at(9)]
    train(
        config, tmp_path / "stopped", resume_to="5 epochs", callbacks=stop, silent=True
    )
    settings = {"resume_to": again, "resume": True, "silent": True}
    ended = train(config, tmp_path / "stopped", **settings)
    whole = train(config, tmp_path / "whole", resume_to="5 epochs", silent=True)
    assert ended.reason == whole.reason
    last = [spacy.load(tmp_path / f"{n}/model-last") for n in ("stopped", "whole")]
    assert weights(last[0]) == weights(last[1])


def test_schedules_of_an_extended_run_are_longer(config, tmp_path):
    rate = {"@schedules": "spacy_ner_ext.linear_warmup.v1", "value": 0.01}
    rate["total_steps"] = "${training.max_steps}"
    config["training"]["optimizer"]["learn_rate"] = rate
    train(config, tmp_path, checkpoint_every=100, silent=True)
    rates = []
    train(
        config,
        tmp_path,
        resume_to="40 steps",
        callbacks=[lambda info: rates.append(float(info["optimizer"].learn_rate))],
        silent=True,
    )
    # As in a run of 40 steps: the rate is that of the next step.
    expected = [0.01 * max(0, 40 - step) / 36 for step in range(26, 42)]
    assert rates == pytest.approx(expected)


def check_error(message, *args, **settings):
    with pytest.raises(UserError, match=message):
        train(*args, silent=True, **settings)


def test_a_run_is_not_overwritten_by_accident(config, tmp_path):
    train(config, tmp_path, checkpoint_every=10, silent=True)
    check_error("has a run with checkpoints", config, tmp_path)
    again = train(config, tmp_path, overwrite=True, silent=True)
    assert again.path.exists()
    assert not find_checkpoints(tmp_path)


def test_paths_of_the_first_call_are_repeated(config, tmp_path):
    path = config["corpora"]["train"]["path"]
    config = Config(config).copy()
    config["paths"]["train"] = None
    config["corpora"]["train"]["path"] = "${paths.train}"
    given = {"training.max_steps": 3, "paths.train": path}
    train(config, tmp_path, overrides=given, checkpoint_every=3, silent=True)
    message = (
        f"started with paths.train = {path!r}, now it is not set: .* --paths.train "
    )
    check_error(message, config, tmp_path, resume=True)
    # An error in a new run is not explained by the old one.
    with pytest.raises(ValueError, match="E913"):
        train(config, tmp_path, overwrite=True, silent=True)
    del given["training.max_steps"]
    longer = train(config, tmp_path, overrides=given, resume_to="5 steps", silent=True)
    assert longer.reason == "step 5 was reached"


@pytest.mark.parametrize("limit", [{"max_steps": 3}, {"max_steps": 0, "max_epochs": 1}])
def test_a_run_that_has_ended_says_how_to_extend_it(limit, config, tmp_path, capsys):
    overrides = {f"training.{name}": value for name, value in limit.items()}
    train(config, tmp_path, overrides=overrides, checkpoint_every=2, silent=True)
    step = srsly.read_json(tmp_path / "run.json")["step"]
    again = train(config, tmp_path, overrides=overrides, resume=True)
    assert srsly.read_json(tmp_path / "run.json")["step"] == step
    hint = f'ended already: {again.reason}; extend it by --resume-to "{2 * step} steps"'
    assert hint in capsys.readouterr().out


def test_nothing_to_resume(config, tmp_path):
    check_error("has no checkpoint to resume from", config, tmp_path, resume=True)
    check_error("name its output folder", config, resume=True)


@pytest.mark.parametrize(
    ("until", "message"),
    [
        ("soon", "number of epochs or steps"),
        ("1 epoch", "has already made .* epochs"),
        ("5 steps", "has already made 24 steps"),
        ("7.5 epochs", "whole epochs"),
    ],
)
def test_ends_that_cannot_be(until, message, config, tmp_path):
    train(config, tmp_path, checkpoint_every=100, silent=True)
    check_error(message, config, tmp_path, resume_to=until)


def test_a_run_continues_with_its_own_settings_and_data(config, corpus, tmp_path):
    train(config, tmp_path / "run", checkpoint_every=10, silent=True)
    options = {"resume": True, "overrides": {"training.dropout": 0.5}}
    output = tmp_path / "run"
    check_error(
        "started with training.dropout = 0.2, now it is 0.5", config, output, **options
    )
    other = write_corpus(tmp_path / "corpus", n=23)
    config["training"]["max_steps"] = 30
    config["corpora"] = make_config("crf_ner", other)["corpora"]
    check_error("started with corpora.dev.path", config, output, resume=True)


@pytest.mark.parametrize("n", [22, 23])
def test_files_may_move_but_not_change(n, config, corpus, tmp_path):
    config["paths"] = {**config["paths"], "train": str(corpus / "train.spacy")}
    config["corpora"]["train"]["path"] = "${paths.train}"
    train(config, tmp_path / "run", checkpoint_every=10, silent=True)
    moved = write_corpus(tmp_path / "moved", n=n)
    config["paths"]["train"] = str(moved / "train.spacy")
    config["training"]["max_steps"] = 30
    if n == 22:
        assert train(config, tmp_path / "run", resume=True, silent=True).step >= 0
        assert srsly.read_json(tmp_path / "run/run.json")["step"] == 30
    else:
        message = "training data differs from that which the run started with"
        check_error(message, config, tmp_path / "run", resume=True)


def test_a_broken_checkpoint_is_named(config, tmp_path):
    train(config, tmp_path, checkpoint_every=10, silent=True)
    last = find_checkpoints(tmp_path)[-1]
    (last / "state.json").write_text("{", encoding="utf8")
    check_error(f"{last.name} cannot be read", config, tmp_path, resume=True)
    (last / "state.json").unlink()
    check_error(f"{last.name} cannot be read", config, tmp_path, resume=True)


def test_a_checkpoint_of_another_layout_is_refused(config, tmp_path):
    train(config, tmp_path, checkpoint_every=10, silent=True)
    path = find_checkpoints(tmp_path)[-1] / "state.json"
    state = srsly.read_json(path)
    del state["layout"]
    srsly.write_json(path, state)
    message = "written by another version of spacy_ner_ext .layout 1, not 2"
    check_error(message, config, tmp_path, resume=True)


def test_weights_that_do_not_fit_are_named(config, tmp_path):
    train(config, tmp_path, checkpoint_every=10, silent=True)
    last = find_checkpoints(tmp_path)[-1]
    (last / "state.safetensors").write_bytes(b"nothing")
    config["training"]["max_steps"] = 30
    check_error("does not fit the config", config, tmp_path, resume=True)


def test_an_output_that_is_a_file(config, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf8")
    check_error("is a file: name a folder", config, tmp_path / "file")


def test_averages_are_what_is_evaluated_and_saved(config, tmp_path):
    optimizer = {"@optimizers": "spacy_ner_ext.Adam.v1", "averages": 0.9}
    callback = {"@callbacks": "spacy_ner_ext.name_parameters.v1"}
    config["training"].update(optimizer=optimizer, before_update=callback)
    trained = train(config, tmp_path, checkpoint_every=24, silent=True)
    last = spacy.load(tmp_path / "model-last")
    raw = (find_checkpoints(tmp_path)[-1] / "components/crf_ner/model").read_bytes()
    assert last.get_pipe("crf_ner").model.to_bytes() != raw
    assert trained.scores


def test_cached_vectors_of_a_frozen_encoder_change_nothing_in_a_resumed_run(
    corpus, tmp_path
):
    frozen = {**TRANSFORMER, "freeze": True, "embedding_cache": "cpu"}
    config = make_config({"crf_ner": crf(frozen)}, corpus, dropout=0.0)
    settings = {"checkpoint_every": 8, "keep_checkpoints": 9, "silent": True}
    train(config, tmp_path / "whole", **settings)
    shutil.copytree(tmp_path / "whole", tmp_path / "resumed")
    for path in find_checkpoints(tmp_path / "resumed")[1:]:
        shutil.rmtree(path)
    train(config, tmp_path / "resumed", resume=True, **settings)
    last = [spacy.load(tmp_path / f"{n}/model-last") for n in ("whole", "resumed")]
    assert weights(last[0]) == weights(last[1])


def test_scores_that_are_not_finite_are_none(config, tmp_path):
    @spacy.registry.scorers("test.odd_scorer.v1")
    def make_scorer():
        return lambda examples, **_: {"ents_f": 0.5, "odd": float("nan")}

    config["components"]["crf_ner"]["scorer"] = {"@scorers": "test.odd_scorer.v1"}
    train(config, tmp_path, overrides={"training.max_steps": 2}, silent=True)
    assert srsly.read_json(tmp_path / "run.json")["scores"]["odd"] is None
