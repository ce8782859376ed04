"""The linear warm-up against its formula."""

from itertools import islice

import numpy
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spacy import registry

from spacy_ner_ext.training.schedules import linear_warmup

RATES = st.floats(0, 1)


def take(n, schedule):
    return list(islice(schedule, n))


def expected(step, value, total, part, start, end):
    top = part * total
    if step >= total:
        return end
    if step < top:
        return numpy.interp(step, [0, top], [start, value])
    return numpy.interp(step, [top, total], [value, end])


@given(
    value=RATES,
    total=st.integers(1, 40),
    part=st.floats(0, 1),
    start=RATES,
    end=RATES,
)
@example(value=1.0, total=7, part=0.1, start=0.0, end=0.5)
@example(value=1.0, total=7, part=0.0, start=0.3, end=0.5)
@example(value=1.0, total=7, part=1.0, start=0.3, end=0.5)
@example(value=1.0, total=1, part=0.5, start=0.3, end=0.5)
def test_each_step_is_that_of_the_formula(value, total, part, start, end):
    schedule = linear_warmup(value, total, part, start, end)
    lines = [
        expected(step, value, total, part, start, end) for step in range(total + 5)
    ]
    assert take(total + 5, schedule) == pytest.approx(lines, abs=1e-12)


def test_rises_to_the_value_and_falls_to_the_end():
    found = take(12, linear_warmup(1.0, 10, 0.2, 0.5, 0.2))
    falling = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    assert found == pytest.approx([0.5, 0.75, *falling, 0.2, 0.2])


def test_without_settings_it_rises_in_a_tenth_from_zero_to_zero():
    found = take(101, linear_warmup(1.0, 100))
    assert found[0] == 0 and found[100] == 0
    assert found[10] == 1 == max(found)
    assert found[5] == pytest.approx(0.5) and found[55] == pytest.approx(0.5)


def test_no_warm_up_starts_at_the_value():
    assert take(3, linear_warmup(1.0, 4, 0.0, 0.3)) == [1.0, 0.75, 0.5]


def test_warm_up_alone_never_falls_before_the_end():
    found = take(6, linear_warmup(1.0, 4, 1.0, 0.0, 0.1))
    assert found == [0.0, 0.25, 0.5, 0.75, 0.1, 0.1]


def test_a_config_resolves_it_by_its_registered_name():
    block = {
        "@schedules": "spacy_ner_ext.linear_warmup.v1",
        "value": 0.5,
        "total_steps": 2,
        "warmup_rate": 0.5,
    }
    schedule = registry.resolve({"rate": block})["rate"]
    assert take(4, schedule) == [0.0, 0.5, 0.0, 0.0]


@pytest.mark.parametrize("total", [0, -1])
def test_no_steps_are_an_error_at_once(total):
    with pytest.raises(ValueError, match=rf"total_steps = {total} of linear_warmup"):
        linear_warmup(1.0, total)


@pytest.mark.parametrize("part", [-0.1, 1.1, 10, float("nan")])
def test_a_warm_up_that_is_no_part_is_an_error_at_once(part):
    with pytest.raises(ValueError, match=rf"warmup_rate = {part} of linear_warmup"):
        linear_warmup(1.0, 10, part)
