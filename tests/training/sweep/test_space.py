"""Values and ranges as they are written on the command line."""

import pytest
from spacy.cli._util import parse_config_overrides

from spacy_ner_ext.errors import UserError
from spacy_ner_ext.training.sweep.space import (
    Range,
    combine,
    read_grid,
    read_space,
    read_value,
    write_value,
)


def test_values_are_read_as_spacy_reads_overrides():
    grid = read_grid(['a.b=1,0.5,true,null,joint,[3],[3,4],"1","a,b",{"c":[1,2]}'])
    (values,) = grid.values()
    assert values == [
        *(1, 0.5, True, None, "joint", [3], [3, 4], "1", "a,b", {"c": [1, 2]})
    ]
    for value in values:
        written = write_value(value)
        assert read_value(written) == value
        assert parse_config_overrides([f"--a.b={written}"], env_var=None) == {
            "a.b": value
        }


def test_a_grid_is_all_combinations_in_their_order():
    grid = read_grid(["a.x=1,2", "--a.y=p,q"])
    assert [tuple(settings.values()) for settings in combine(grid)] == [
        *((1, "p"), (1, "q"), (2, "p"), (2, "q"))
    ]
    assert list(next(combine(grid))) == ["a.x", "a.y"]


@pytest.mark.parametrize(
    "text,expected",
    [
        ("0.1..0.5", Range(0.1, 0.5, False)),
        ("1e-5..1e-3:log", Range(1e-5, 1e-3, True)),
        ("-3..8", Range(-3, 8, False)),
        ("joint,marginal", ["joint", "marginal"]),
    ],
)
def test_ranges_and_choices(text, expected):
    assert read_space([f"a.b={text}"]) == {"a.b": expected}


def test_ranges_between_whole_numbers_hold_whole_numbers():
    assert read_space(["a.b=1..8"])["a.b"].is_whole
    assert not read_space(["a.b=1..8.0"])["a.b"].is_whole


@pytest.mark.parametrize(
    "pair,part",
    [
        ("dropout=0.1", "by its full name"),
        ("training.dropout", "by its full name"),
        ("training.dropout=", "by its full name"),
        ("a.b=1,1", "a value twice"),
    ],
)
def test_what_is_no_grid(pair, part):
    with pytest.raises(UserError, match=part):
        read_grid([pair])


@pytest.mark.parametrize(
    "pair,part",
    [
        ("a.b=5..1", "is no range"),
        ("a.b=a..b", "is no range"),
        ("a.b=1..", "is no range"),
        ("a.b=1..2:square", "is no range"),
        ("a.b=0..1:log", "above 0"),
    ],
)
def test_what_is_no_range(pair, part):
    with pytest.raises(UserError, match=part):
        read_space([pair])


@pytest.mark.parametrize("read", [read_grid, read_space])
def test_a_setting_is_given_once(read):
    with pytest.raises(UserError, match=r"a\.b is given twice"):
        read(["a.b=1,2", "a.b=3"])
