"""Check single JSON values: syntax, types, and whether spaCy can store them."""

import json
import math
from collections.abc import Mapping
from json import JSONDecodeError
from typing import Any, NoReturn, TypeVar

from srsly.msgpack import Packer

from ...util.errors import Place, UserError

T = TypeVar("T")
EXCERPT = 40
KIND_NAMES = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    list: "an array",
    dict: "an object",
}


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number; leave it out")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits[:EXCERPT])


# `srsly.msgpack_dumps` searches all installed packages at each call.
PACKER = Packer()
DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)


def parse_json(text: str, place: Place, name: str = "") -> Any:
    """Parse one JSON value.

    name: What the text is, for the error, if it is only a part of the place.
    """
    try:
        value = DECODER.decode(text)
    except JSONDecodeError as err:
        found = f"{err.msg.removesuffix(' at')} at character {err.pos + 1}"
        advice = "correct it" if name else "write one value a line, or one array of all"
        what = f"{name} is not a JSON value ({found}); {advice}".lstrip()
        raise UserError.at(place, what) from err
    except (ValueError, RecursionError) as err:
        raise bad_value(err, place) from err
    check_storable(value, place)
    return value


def check_storable(value: Any, place: Place) -> None:
    """Raise if spaCy cannot store a value with a document: half of a surrogate pair, a
    whole number of more than 64 bits, very deep nesting."""
    try:
        PACKER.pack(value)
    except (ValueError, OverflowError, RecursionError) as err:
        raise bad_value(err, place) from err
    except TypeError as err:
        what = f"holds something that is not a plain JSON value ({err})"
        raise UserError.at(place, f"{what}; leave it out") from err


def bad_value(err: Exception, place: Place) -> UserError:
    """Explain an error of parsing or storing a value, other than its syntax."""
    if isinstance(err, UnicodeEncodeError):
        half = f"\\u{ord(err.object[err.start]):04x}"
        what = f"{half} is half of a surrogate pair; correct the text"
    elif isinstance(err, RecursionError) or "recursion" in str(err):
        what = "the value is nested too deep; leave out the nested part"
    elif isinstance(err, OverflowError) or "digits" in str(err):
        what = "a whole number has more than 64 bits; write it as a string"
    else:
        what = str(err)
    return UserError.at(place, what)


def field(values: Mapping[str, Any], name: str, kind: type[T], place: Place) -> T:
    """Get a required value of an object, of type str, int, float, list or dict."""
    if name not in values:
        there = ", ".join(values)[: 4 * EXCERPT] or "nothing"
        raise UserError.at(place, f"'{name}' is missing, found {there}; add it")
    return checked(values[name], kind, f"'{name}'", place)


def checked(value: Any, kind: type[T], name: str, place: Place) -> T:
    """Check that a value is of type str, int, float, list or dict. A bool is not a
    number, and a whole number is a float.

    name: What the value is, for the error.
    """
    kinds = (int, float) if kind is float else kind
    if not isinstance(value, kinds) or isinstance(value, bool):
        what = f"{name} is {excerpt(value)}, not {KIND_NAMES[kind]}; correct it"
        raise UserError.at(place, what)
    return value  # type: ignore[return-value]


def excerpt(value: Any) -> str:
    """The start of a value, as JSON if possible, for a message."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT]}..."


def name_of(values: Mapping[str, Any], name: str, place: Place) -> str:
    """Get a string or whole number of an object; empty if missing or null."""
    value = values.get(name)
    return "" if value is None else as_name(value, f"'{name}'", place)


def as_name(value: Any, name: str, place: Place) -> str:
    """Get a string or whole number as a string.

    name: What the value is, for the error.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return checked(value, str, name, place)
