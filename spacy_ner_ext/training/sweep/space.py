"""Settings to be tried, as they are written on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from ...errors import UserError

Settings = dict[str, Any]
OPENING, CLOSING = "[{", "]}"


@dataclass(frozen=True)
class Range:
    """Numbers from one to another.

    low (float), high (float): The ends, which are part of it.
    is_log (bool): Whether their logarithms are drawn evenly.
    """

    low: float
    high: float
    is_log: bool

    @property
    def is_whole(self) -> bool:
        """RETURNS (bool): Whether it holds whole numbers alone."""
        return isinstance(self.low, int) and isinstance(self.high, int)


def read_value(text: str) -> Any:
    """Read the value of a setting as spaCy reads that of an override.

    text (str): JSON, or else a text.
    RETURNS (Any): The value.
    """
    try:
        return json.loads(text)
    except ValueError:
        return text


def write_value(value: Any) -> str:
    """Write the value of a setting so that spaCy reads it as an override.

    value (Any): The value.
    RETURNS (str): JSON, or a text as it is where it is read as a text.
    """
    is_text = isinstance(value, str) and read_value(value) == value
    return value if is_text else json.dumps(value)


def split_pair(option: str, pair: str) -> tuple[str, str]:
    """Split what an option gives to a setting.

    option (str): The option, for the error.
    pair (str): Such as "training.dropout=0.1,0.2".
    RETURNS (Tuple[str, str]): The setting and what follows.
    RAISES (UserError): If it is no such pair.
    """
    name, _, values = pair.partition("=")
    name = name.strip().removeprefix("--")
    if "." not in name or not values.strip():
        raise UserError(
            f"{option} {pair}: write a setting by its full name, and values, such as "
            "training.dropout=0.1,0.2"
        )
    return name, values.strip()


def split_values(text: str) -> list[Any]:
    """Split values at their commas, but not those inside lists.

    text (str): Such as "[3],[3,4]".
    RETURNS (List[Any]): The values.
    """
    parts, depth, is_quoted = [""], 0, False
    for char in text:
        is_quoted ^= char == '"'
        depth += 0 if is_quoted else (char in OPENING) - (char in CLOSING)
        if char == "," and depth == 0 and not is_quoted:
            parts.append("")
        else:
            parts[-1] += char
    return [read_value(part.strip()) for part in parts]


def read_grid(pairs: Sequence[str]) -> dict[str, list[Any]]:
    """Read the values of a grid.

    pairs (Sequence[str]): Such as ["training.dropout=0.1,0.2"].
    RETURNS (Dict[str, List[Any]]): The values of each setting.
    RAISES (UserError): If a pair is none, or a setting or value is there twice.
    """
    grid: dict[str, list[Any]] = {}
    for pair in pairs:
        name, text = split_pair("--grid", pair)
        values = split_values(text)
        if name in grid:
            raise UserError(f"--grid {name} is given twice; write all values in one")
        # As texts, since 1 == True.
        if len({json.dumps(value) for value in values}) < len(values):
            raise UserError(f"--grid {pair} has a value twice; leave one out")
        grid[name] = values
    return grid


def combine(grid: dict[str, list[Any]]) -> Iterator[Settings]:
    """Combine all values of all settings, the last setting changes fastest.

    grid (Dict[str, List[Any]]): The values of each setting.
    YIELDS (Dict[str, Any]): A value for each setting.
    """
    for values in product(*grid.values()):
        yield dict(zip(grid, values))


def read_space(pairs: Sequence[str]) -> dict[str, Range | list[Any]]:
    """Read what settings are drawn from.

    pairs (Sequence[str]): Such as ["training.optimizer.learn_rate=1e-5..1e-3:log",
        "training.dropout=0.1..0.5", "components.crf_ner.objective=joint,marginal"].
    RETURNS (Dict[str, Union[Range, List[Any]]]): A range or values for each setting.
    RAISES (UserError): If one cannot be read, or is there twice.
    """
    space: dict[str, Range | list[Any]] = {}
    for pair in pairs:
        name, text = split_pair("--space", pair)
        if name in space:
            raise UserError(f"--space {name} is given twice; leave one out")
        space[name] = _read_range(pair, text) if ".." in text else split_values(text)
    return space


def _read_range(pair: str, text: str) -> Range:
    ends, _, scale = text.partition(":")
    low, high = (read_value(end) for end in ends.split("..", maxsplit=1))
    numbers = all(type(end) in (int, float) for end in (low, high))
    if not numbers or low >= high or scale not in ("", "log"):
        raise UserError(
            f"--space {pair} is no range; write the lower end first, such as "
            "training.dropout=0.1..0.5, or 1e-5..1e-3:log"
        )
    if scale and low <= 0:
        raise UserError(
            f"--space {pair}: on a logarithmic scale the lower end is above 0"
        )
    return Range(low, high, bool(scale))
