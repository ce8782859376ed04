"""Lists and pairs in the value of one option."""

from ..util.errors import UserError


def names(option: str, value: str | None) -> tuple[str, ...]:
    """Read a list of names.

    option: What the option is called.
    value: "A,B"; None or empty for an empty list.
    RAISES (UserError): If a name is empty.
    """
    if not value:
        return ()
    found = tuple(name.strip() for name in value.split(","))
    if not all(found):
        raise UserError(f"{option} {value} has an empty name; write A,B")
    return found


def numbers(option: str, value: str | None) -> tuple[float, ...]:
    """Read a list of numbers.

    option: What the option is called.
    value: "0.8,0.2", or None for an empty list.
    RAISES (UserError): If one is no number.
    """
    return tuple(_number(option, name) for name in names(option, value))


def renames(option: str, value: str | None) -> dict[str, str]:
    """Read new names.

    option: What the option is called.
    value: "A=B,C=D", or None for none.
    RETURNS: The new name by the old one.
    RAISES (UserError): If a part is no pair, or a name is there twice.
    """
    found: dict[str, str] = {}
    for part in names(option, value):
        old, _, new = part.partition("=")
        if not old or not new:
            raise UserError(f"{option} {part} is no pair; write OLD=NEW,OLD=NEW")
        if old in found:
            raise UserError(f"{option} gives {old} two names; leave one out")
        found[old] = new
    return found


def shares(option: str, value: str | None) -> dict[str, float]:
    """Read shares of names; a share holds for the names before it that have none.

    option: What the option is called.
    value: "A,B=0.1,C=0.2", or None for none.
    RAISES (UserError): If a name has no share, or a share is no number.
    """
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


def _number(option: str, value: str) -> float:
    try:
        return float(value)
    except ValueError as err:
        what = f"{option} has '{value}' where a number is meant; write 0.1"
        raise UserError(what) from err
