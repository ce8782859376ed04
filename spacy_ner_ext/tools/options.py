"""Parse lists and pairs in the value of an option."""

from typing import Any

from spacy.cli._util import parse_config_overrides

from ..util.errors import UserError


def names(option: str, value: str | None) -> tuple[str, ...]:
    """Read a list of names, such as "A,B"."""
    if not value:
        return ()
    found = tuple(name.strip() for name in value.split(","))
    if not all(found):
        raise UserError(f"{option} {value} has an empty name; write A,B")
    return found


def numbers(option: str, value: str | None) -> tuple[float, ...]:
    """Read a list of numbers, such as "0.8,0.2"."""
    return tuple(_number(option, name) for name in names(option, value))


def whole_numbers(option: str, value: str | None) -> tuple[int, ...]:
    """Read a list of whole numbers, such as "2,3"."""
    try:
        return tuple(map(int, names(option, value)))
    except ValueError as err:
        what = f"{option} {value} is not a list of whole numbers; write 2 or 2,3"
        raise UserError(what) from err


def renames(option: str, value: str | None) -> dict[str, str]:
    """Read pairs of an old and a new name, such as "A=B,C=D"."""
    found: dict[str, str] = {}
    for part in names(option, value):
        old, _, new = part.partition("=")
        if not old or not new:
            raise UserError(f"{option} {part} is not a pair; write OLD=NEW,OLD=NEW")
        if old in found:
            raise UserError(f"{option} gives {old} two names; leave one out")
        found[old] = new
    return found


def shares(option: str, value: str | None) -> dict[str, float]:
    """Read shares by name, such as "A,B=0.1,C=0.2": A and B have the same share."""
    found: dict[str, float] = {}
    waiting: list[str] = []
    for part in names(option, value):
        name, _, share = part.partition("=")
        waiting.append(name)
        if share:
            found.update(dict.fromkeys(waiting, _number(option, share)))
            waiting = []
    if waiting:
        what = f"{option} {value} has no share for {waiting[0]}"
        raise UserError(f"{what}; write {waiting[0]}=0.1")
    return found


def read_overrides(arguments: list[str]) -> dict[str, Any]:
    """Read settings that override those of a config, by their full names."""
    for argument in arguments:
        if argument.startswith("--") and "." not in argument.partition("=")[0]:
            raise UserError(
                f"no such option {argument}: override a setting of the config by its "
                "full name, such as --paths.train FILE"
            )
    return parse_config_overrides(arguments)


def _number(option: str, value: str) -> float:
    try:
        return float(value)
    except ValueError as err:
        what = f"{option} has the value '{value}', which is not a number; write 0.1"
        raise UserError(what) from err
