"""Single JSON values, checked: syntax, types, and that spaCy can store them."""

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
    raise ValueError(f"{name} is no JSON number; leave it out")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits[:EXCERPT])


# Made once: `srsly.msgpack_dumps` looks through all installed packages at each call.
PACKER = Packer()
DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)


def parse_json(text: str, place: Place, name: str = "") -> Any:
    """Parse one JSON value.

    text: The value, and nothing else but white space.
    name: What it is, for the error, if it is but a part of the place.
    RAISES (UserError): If it is not JSON, or spaCy cannot store it.
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
    """Raise if spaCy could not store a value with a document.

    RAISES (UserError): If it has half of a surrogate pair, a whole number of more than
        64 bits, or is nested too deep.
    """
    try:
        PACKER.pack(value)
    except (ValueError, OverflowError, RecursionError) as err:
        raise bad_value(err, place) from err
    except TypeError as err:
        what = f"holds something that is no plain JSON value ({err})"
        raise UserError.at(place, f"{what}; leave it out") from err


def bad_value(err: Exception, place: Place) -> UserError:
    """Tell why a value cannot be used, other than its syntax.

    err: What parsing or storing it raised.
    """
    if isinstance(err, UnicodeEncodeError):
        half = f"\\u{ord(err.object[err.start]):04x}"
        what = f"{half} is half of a surrogate pair, no character; correct the text"
    elif isinstance(err, RecursionError) or "recursion" in str(err):
        what = "the value is nested too deep; leave out what is nested so"
    elif isinstance(err, OverflowError) or "digits" in str(err):
        what = "a whole number has more than 64 bits; write it as a string"
    else:
        what = str(err)
    return UserError.at(place, what)


def field(values: Mapping[str, Any], name: str, kind: type[T], place: Place) -> T:
    """Take a value out of an object.

    name: The name of the value.
    kind: The type it must have: str, int, float, list or dict.
    RAISES (UserError): If it is missing or of another type.
    """
    if name not in values:
        there = ", ".join(values)[: 4 * EXCERPT] or "nothing"
        raise UserError.at(place, f"there is no '{name}' beside {there}; add it")
    return checked(values[name], kind, f"'{name}'", place)


def checked(value: Any, kind: type[T], name: str, place: Place) -> T:
    """Check the type of a value.

    kind: The type it must have: str, int, float, list or dict; a bool is no number, and
        a whole number is a float.
    name: What it is, for the error.
    RAISES (UserError): If it is of another type.
    """
    kinds = (int, float) if kind is float else kind
    if not isinstance(value, kinds) or isinstance(value, bool):
        what = f"{name} is {excerpt(value)}, not {KIND_NAMES[kind]}; correct it"
        raise UserError.at(place, what)
    return value  # type: ignore[return-value]


def excerpt(value: Any) -> str:
    """Shorten a value for a message.

    RETURNS: The start of it, as JSON if it can be.
    """
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT]}..."


def name_of(values: Mapping[str, Any], name: str, place: Place) -> str:
    """Take a name or number out of an object, such as an ID or a language.

    name: The name of the value.
    RETURNS: The value; empty if it is missing or null.
    RAISES (UserError): If it is neither a string nor a whole number.
    """
    value = values.get(name)
    return "" if value is None else as_name(value, f"'{name}'", place)


def as_name(value: Any, name: str, place: Place) -> str:
    """Take a string, or a whole number as a string.

    name: What it is, for the error.
    RAISES (UserError): If it is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return checked(value, str, name, place)
