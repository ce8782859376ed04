"""The error that readers, writers and checks of data files raise, and where it is."""

from pathlib import Path
from typing import NamedTuple

from ..errors import UserError

# A sentence that quotes more is cut in its middle.
MAX_LENGTH = 600


class Place(NamedTuple):
    """A place in an input.

    path (Path): The file, or what else was read.
    number (int): The line, or what `unit` says, 1-based.
    unit (str): What is counted: "line", "row" of a table, "document".
    """

    path: Path
    number: int
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.path}, {self.unit} {self.number}"


class DataError(UserError):
    """A file or an option that cannot be used, told in one sentence.

    what (str): What is wrong, with the value and the next step.
    path (Optional[Path]): The file it is about.
    line (Optional[int]): The number of the line in that file, 1-based.
    unit (str): What is counted in place of lines.
    """

    def __init__(
        self,
        what: str,
        path: Path | None = None,
        line: int | None = None,
        unit: str = "line",
    ) -> None:
        place = "" if path is None else f"{path}: "
        if path is not None and line is not None:
            place = f"{Place(path, line, unit)}: "
        super().__init__(_one_line(place) + _shortened(_one_line(what)))

    @classmethod
    def at(cls, place: Place, what: str) -> "DataError":
        """Tell what is wrong at a place.

        place (Place): The place.
        what (str): What is wrong, with the value and the next step.
        RETURNS (DataError): The error.
        """
        return cls(what, *place)


def _one_line(text: str) -> str:
    # What is quoted, or the name of a file, may hold line breaks and the like.
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _shortened(text: str) -> str:
    if len(text) <= MAX_LENGTH:
        return text
    # The end has the advice.
    return f"{text[: MAX_LENGTH // 2]} ... {text[-MAX_LENGTH // 2 :]}"
