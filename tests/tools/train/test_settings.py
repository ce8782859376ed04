"""The settings of [spacy_ner_ext], evaluations and the end of training."""

import json

import pytest

from spacy_ner_ext.tools.train.batches import Batch, Position
from spacy_ner_ext.tools.train.progress import (
    EvaluationSchedule,
    Progress,
    Result,
    StopCriterion,
)
from spacy_ner_ext.tools.train.settings import RunSettings, read_settings
from spacy_ner_ext.util.errors import UserError


def read(**section):
    return read_settings({"spacy_ner_ext": section})


@pytest.mark.parametrize(
    ("name", "value", "number", "unit"),
    [
        ("eval_frequency", "0.1 epoch", 0.1, "epochs"),
        ("eval_frequency", "200 steps", 200, "steps"),
        ("eval_frequency", 50, 50, "steps"),
        ("patience", "1 evaluation", 1, "evaluations"),
        ("patience", "2.5 epochs", 2.5, "epochs"),
        ("sub_batch", "1024 pieces", 1024, "pieces"),
        ("sub_batch", 4, 4, "docs"),
    ],
)
def test_amounts_have_units(name, value, number, unit):
    amount = getattr(read(**{name: value}), name)
    assert (float(amount.number), amount.unit) == (number, unit)


def test_the_section_is_optional():
    assert read_settings({}) == RunSettings()


def test_options_override_settings():
    config = {"spacy_ner_ext": {"checkpoint_every": 5, "keep_checkpoints": 4}}
    given = {"checkpoint_every": 7, "keep_checkpoints": None}
    assert read_settings(config, given) == RunSettings(7, 4)


@pytest.mark.parametrize(
    ("section", "parts"),
    [
        ({"patiance": 3}, ["no setting patiance", "patience"]),
        ({"eval_frequency": "often"}, ["eval_frequency", "'often'", "0.1 epoch"]),
        ({"eval_frequency": "0 epochs"}, ["'0 epochs'"]),
        ({"eval_frequency": "1/0 epochs"}, ["'1/0 epochs'"]),
        ({"eval_frequency": "3 pieces"}, ["epochs or steps"]),
        ({"eval_frequency": "0.5 steps"}, ["'0.5 steps'"]),
        ({"patience": "-1 epochs"}, ["'-1 epochs'"]),
        ({"patience": "nan epochs"}, ["'nan epochs'"]),
        ({"sub_batch": "1024 tokens"}, ["pieces or words or docs"]),
        ({"num_workers": -1}, ["num_workers = -1", "at least 0"]),
        ({"num_workers": True}, ["num_workers = True"]),
        ({"keep_checkpoints": 0}, ["at least 1"]),
        ({"checkpoint_every": "10"}, ["checkpoint_every = '10'"]),
    ],
)
def test_invalid_settings_are_named(section, parts):
    with pytest.raises(UserError) as caught:
        read(**section)
    for part in parts:
        assert part in str(caught.value)


def evaluated(frequency, n_steps, default=100, per_epoch=10, is_stream=False):
    """The steps that are followed by an evaluation."""
    amount = read(eval_frequency=frequency).eval_frequency if frequency else None
    is_time = EvaluationSchedule(amount, default, is_stream)
    places = [(s, s / per_epoch, (s + 1) / per_epoch) for s in range(n_steps)]
    return [step for step, before, after in places if is_time(step, before, after)]


def test_evaluations_as_in_spacy():
    assert evaluated(None, 25, default=10) == [0, 10, 20]
    assert evaluated("7 steps", 25) == [0, 7, 14, 21]


def test_evaluations_by_epochs():
    assert evaluated("1 epoch", 35) == [0, 9, 19, 29]
    assert evaluated("0.5 epochs", 21) == [0, 4, 9, 14, 19]
    assert evaluated("0.1 epoch", 12) == list(range(12))
    assert evaluated("0.1 epoch", 60, per_epoch=30) == [0, *range(2, 60, 3)]


def test_parts_of_epochs_of_a_stream_are_an_error():
    with pytest.raises(UserError, match="length of an epoch is unknown"):
        EvaluationSchedule(
            read(eval_frequency="0.5 epoch").eval_frequency, 1, is_stream=True
        )


def progress_of(scores, every=10, per_epoch=20):
    progress = Progress()
    for number, score in enumerate(scores):
        step = number * every
        progress.step, progress.epochs = step, step / per_epoch
        progress.add(Result(score, step, step / per_epoch, {"number": number}))
    return progress


def stopped_by(patience, scores, default=0, max_steps=0):
    amount = read(patience=patience).patience if patience else None
    return StopCriterion(amount, default, max_steps)(progress_of(scores))


def test_patience():
    scores = [0.1, 0.5, 0.3, 0.4]
    assert stopped_by("2 evaluations", scores) == "no better score for 2 evaluations"
    assert stopped_by("3 evaluations", scores) is None
    assert stopped_by("1 epoch", scores) == "no better score for 1 epochs"
    assert stopped_by("1.5 epochs", scores) is None
    assert stopped_by(None, scores, default=20) == "no better score for 20 steps"
    assert stopped_by(None, scores, default=21) is None
    assert stopped_by(None, scores) is None
    assert stopped_by(None, scores, max_steps=30) == "step 30 was reached"


def test_the_first_of_equal_scores_counts_for_patience_and_the_last_is_kept():
    progress = progress_of([0.2, 0.5, 0.5, 0.1])
    assert progress.best.step == 10
    assert progress.saved.step == 20
    assert progress.saved.scores == {"number": 2}
    assert [result.scores for result in progress.results].count({}) == 3


def test_patience_restarts_in_an_extended_run():
    progress = progress_of([0.5, 0.1, 0.1, 0.1])
    stopping = StopCriterion(read(patience="2 evaluations").patience, 0, 0)
    assert stopping(progress)
    progress.extended_at = Result(0.0, 20, 1.0)
    assert stopping(progress) is None


def test_progress_is_the_same_after_json():
    progress = progress_of([0.5, 0.1])
    progress.advance(Batch(0, [], Position({}, {}, [1, 0]), 0.5), {"crf_ner": 2})
    progress.extended_at = Result(0.0, 20, 1.0)
    restored = Progress()
    restored.restore(json.loads(json.dumps(progress.state())))
    assert restored == progress
