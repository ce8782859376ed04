"""Recognise the format of files."""

from pathlib import Path

from ..errors import DataError

SUFFIXES = {".conll": "conll", ".iob2": "conll", ".iob": "conll", ".bio": "conll"}


def guess_format(path: Path) -> str:
    """Recognise a format where it is certain.

    path (Path): The input.
    RETURNS (str): A key of `registry.READERS`.
    RAISES (DataError): If it is not certain.
    """
    if path.suffix in SUFFIXES:
        return SUFFIXES[path.suffix]
    raise DataError("the format is not certain; name it with --format", path)
