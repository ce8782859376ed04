"""The error that readers, writers and checks of data files raise."""

from pathlib import Path

from ..errors import UserError


class DataError(UserError):
    """A file or an option that cannot be used, told in one sentence.

    what (str): What is wrong, with the value and the next step.
    path (Optional[Path]): The file it is about.
    line (Optional[int]): The line in that file, 1-based.
    """

    def __init__(
        self, what: str, path: Path | None = None, line: int | None = None
    ) -> None:
        place = "" if path is None else f"{path}: "
        if path is not None and line is not None:
            place = f"{path}, line {line}: "
        super().__init__(place + what)
