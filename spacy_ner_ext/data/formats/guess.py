"""Recognize the format of an input if it is certain."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ...util.errors import UserError
from ..text import check_input
from .dataset_source import SAVED_DATASET, data_files
from .json_file import read_json_values
from .json_shapes import guess_of_value
from .registry import READERS
from .table_file import read_rows

RECORDS = 100
SUFFIXES = {
    ".spacy": "docbin",
    ".ann": "standoff",
    ".conllu": "conllu",
    ".conllup": "conllu",
    ".conll": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".bio": "conll",
}
JSON_SUFFIXES = (".jsonl", ".json")
TABLE_SUFFIXES = (".parquet", ".csv", ".tsv")


def guess_format(path: Path) -> str:
    """Recognize a format."""
    if path.is_dir():
        found = _of_folder(path)
    elif not path.exists() and not path.suffix and len(path.parts) == 2:
        what = "there is no such file; for a dataset on the hub give --format datasets"
        raise UserError(what, path)
    else:
        check_input(path)
        found = _of_file(path)
    if found is None:
        known = ", ".join(READERS)
        what = "the format is not certain; name it with --format, one of"
        raise UserError(f"{what} {known}", path)
    return found


def _of_folder(path: Path) -> str | None:
    if any((path / name).is_file() for name in SAVED_DATASET):
        return "datasets"
    files = data_files(path)
    if files:
        return "datasets" if _of_file(files[0]) == "datasets" else None
    kinds = {".spacy": "docbin", ".ann": "standoff"}
    found = {kinds[file.suffix] for file in path.rglob("*") if file.suffix in kinds}
    return found.pop() if len(found) == 1 else None


def _of_file(path: Path) -> str | None:
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if suffix == ".txt":
        return "standoff" if path.with_suffix(".ann").is_file() else None
    if suffix in JSON_SUFFIXES:
        return _first(guess_of_value(value) for _, value in read_json_values(path))
    if suffix in TABLE_SUFFIXES:
        found = _first(guess_of_value(row) for _, row in read_rows(path))
        return "table" if found == "jsonl" else found
    return None


def _first(found: Iterator[str | None]) -> str | None:
    # A single record may not be certain, such as a text alone.
    return next((name for name in islice(found, RECORDS) if name), None)
