"""spacy_ner_ext.TensorBoardLogger.v1, read back by TensorBoard."""

import sys

import pytest
from spacy import registry
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from spacy_ner_ext.util.errors import UserError
from tests.helpers.loggers import GROUPED, read_log

NAME = "spacy_ner_ext.TensorBoardLogger.v1"
LOGGER = {"@loggers": NAME}


def read_events(folder):
    """The steps and numbers of each scalar."""
    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_a_chain_writes_the_same_to_files_and_to_tensorboard(run_training, tmp_path):
    chain = {
        "@loggers": "spacy.ChainLogger.v1",
        "logger1": {"@loggers": "spacy_ner_ext.Logger.v1"},
        "logger2": LOGGER,
    }
    printed = run_training(chain, tmp_path, **GROUPED)
    assert "tensorboard --logdir" in printed and "LOSS CRF_NER" in printed
    log, events = read_log(tmp_path), read_events(tmp_path / "tensorboard")
    expected = {
        "loss/crf_ner": [line["losses"]["crf_ner"] / line["steps"] for line in log],
        "score/score": [line["score"] for line in log],
        "score/ents_p": [line["scores"]["ents_p"] for line in log],
        "rate/crf": [0.05] * 4,
        "rate/default": [0.01] * 4,
        "gradient/norm": [line["gradient_norm"] for line in log],
        "gradient/norm_max": [line["gradient_norm_max"] for line in log],
        "gradient/spikes": [0] * 4,
    }
    for tag, numbers in expected.items():
        assert [step for step, _ in events[tag]] == [0, 2, 4, 6]
        assert [number for _, number in events[tag]] == pytest.approx(numbers)
    assert all(number > 0 for _, number in events["speed/words_per_second"])
    assert "ents_per_type/PER.f" in events


def test_folder_and_name_can_be_chosen(start, tmp_path):
    folder = tmp_path / "events"
    started = start(NAME, log_dir=str(folder), run_name="first").log(0, 2)
    started.finalize()
    steps = [step for step, _ in read_events(folder / "first")["score/score"]]
    assert steps == [0, 2]
    assert not started.output.exists()


def test_repeated_steps_of_a_resumed_run_are_shown_once(start):
    start(NAME).log(0, 2, 4, 6).finalize()
    resumed = start(NAME).log(6, 8, first=5, score=0.75)
    resumed.finalize()
    events = read_events(resumed.output / "tensorboard")["score/score"]
    assert [step for step, _ in events] == [0, 2, 4, 6, 8]
    assert [number for _, number in events[-2:]] == [0.75, 0.75]


def test_a_new_training_in_the_same_folder_hides_the_earlier(start):
    start(NAME).log(0, 2, 4).finalize()
    again = start(NAME).log(0, 2, score=0.5)
    again.finalize()
    events = read_events(again.output / "tensorboard")["score/score"]
    assert events == [(0, 0.5), (2, 0.5)]


def test_without_a_folder_nothing_is_written_and_a_line_says_so(run_training):
    assert "Nothing is written for TensorBoard: use --output" in run_training(LOGGER)


def test_without_tensorboard_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UserError, match=r'pip install "spacy-ner-ext\[tensorboard\]"'):
        registry.loggers.get(NAME)()
