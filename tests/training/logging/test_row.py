"""The estimate of the remaining time."""

import pytest
import spacy

from spacy_ner_ext.training.logging import row
from spacy_ner_ext.training.logging.row import RowBuilder


@pytest.fixture
def estimates(monkeypatch):
    """Estimates for steps, epochs and seconds of a run with these limits."""

    def make(evaluations, max_steps=0, max_epochs=0):
        clock = [0.0]
        monkeypatch.setattr(row, "timer", lambda: clock[-1])
        nlp = spacy.blank("xx")
        training = {"max_steps": max_steps, "max_epochs": max_epochs}
        nlp.config["training"].update(training)
        rows = RowBuilder(nlp)
        found, last = [], -1
        for step, epoch, seconds in evaluations:
            for _ in range(last, step):
                rows.count()
            clock.append(seconds)
            info = {"step": step, "epoch": epoch, "seconds": 0, "words": 0}
            info |= {"score": 0.0, "other_scores": {}, "losses": {}, "checkpoints": []}
            found.append(rows.build(info).remaining_seconds)
            last = step
        return found

    return make


def test_the_time_is_unknown_in_the_first_epoch(estimates):
    rows = [(0, 0, 1.0), (8, 0, 9.0), (16, 1, 17.0)]
    # An epoch has 9 to 16 steps, so the estimate is 16 / 1.5.
    assert estimates(rows, max_epochs=3) == [None, None, 16.0]


def test_the_estimate_improves_with_the_epochs(estimates):
    rows = [(step, step // 10, step) for step in range(0, 151, 7)]
    assert estimates(rows, max_epochs=20)[-1] == pytest.approx(200 - 147, abs=3)


def test_the_first_limit_counts(estimates):
    rows = [(step, step // 10, 2.0 * step) for step in (0, 10, 25)]
    assert estimates(rows, max_steps=50, max_epochs=20) == [None, 80.0, 50.0]
