"""The error that commands report in one line, without a traceback."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

# A quoted error, and a whole sentence, are cut at these lengths.
MAX_QUOTE = 300
MAX_LENGTH = 600


class Place(NamedTuple):
    """A place in an input.

    path: The file, or what else was read.
    number: The line, or what `unit` says, 1-based.
    unit: What is counted: "line", "row" of a table, "document".
    """

    path: Path | str
    number: int
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.path}, {self.unit} {self.number}"

    def error(self, what: str) -> "UserError":
        """Create the error for this place."""
        return UserError(what, *self)


class UserError(ValueError):
    """An error that the user can fix, such as an unusable file or option.

    what: What is wrong, with the value and the next step.
    path: The file it is about.
    line: The number of the line in that file, 1-based.
    unit: What is counted in place of lines.
    """

    def __init__(
        self,
        what: str,
        path: Path | str | None = None,
        line: int | None = None,
        unit: str = "line",
    ) -> None:
        place = "" if path is None else f"{path}: "
        if path is not None and line is not None:
            place = f"{Place(path, line, unit)}: "
        super().__init__(_printable(place) + _shortened(_printable(what)))


class LostProcess(UserError):
    """A process that this one works with was ended, or does not answer."""


def together(what: str, errors: Sequence[UserError], advice: str) -> UserError:
    """Create one error that names the places and faults of all others, at any length,
    with one advice in place of theirs."""
    error = UserError(what)
    faults = (str(err).rpartition("; ")[0] or str(err) for err in errors)
    error.args = (f"{what}: {'; '.join(faults)}; {advice}",)
    return error


def check_choice(what: str, value: str, known: Iterable[str]) -> None:
    """Raise if the value of a setting is not one of those that are known."""
    if value not in known:
        listed = ", ".join(known)
        raise UserError(f"unknown {what} '{value}'; choose one of {listed}")


def one_line(err: BaseException) -> str:
    """Quote another error in a sentence: the start of its message on one line, or the
    name of its class if it has none."""
    return " ".join(str(err).split())[:MAX_QUOTE] or type(err).__name__


def _printable(text: str) -> str:
    # Quoted text and file names may contain line breaks and the like.
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _shortened(text: str) -> str:
    if len(text) <= MAX_LENGTH:
        return text
    # The end has the advice.
    return f"{text[: MAX_LENGTH // 2]} ... {text[-MAX_LENGTH // 2 :]}"
