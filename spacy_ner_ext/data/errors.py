"""The error that readers, writers and checks of data files raise, and where it is."""

from pathlib import Path
from typing import NamedTuple

from ..errors import UserError


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
        super().__init__(place + what)

    @classmethod
    def at(cls, place: Place, what: str) -> "DataError":
        """Tell what is wrong at a place.

        place (Place): The place.
        what (str): What is wrong, with the value and the next step.
        RETURNS (DataError): The error.
        """
        return cls(what, *place)
