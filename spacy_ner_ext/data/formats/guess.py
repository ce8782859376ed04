"""Recognise the format of an input where it is certain.

* A folder: of .spacy files (docbin), of .ann files (standoff), as `datasets` saves
  one, or of files with tokens and ner_tags (datasets).
* A file by its ending: .spacy (docbin), .ann (standoff), .conllu and .conllup (conllu),
  .conll, .iob, .iob2, .bio (conll); .txt where the .ann stands beside it (standoff).
* .jsonl, .json, .parquet, .csv and .tsv by what the first records have: tokens and
  ner_tags (datasets), spans of a text (jsonl or table), a label of a text (textcat).

Anything else has to be named.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from ...util.errors import UserError
from ..text import check_input
from .columns import read_rows
from .dataset_source import SAVED_DATASET, data_files
from .json_values import read_json_values
from .registry import READERS

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
# Keys of a text's spans in the formats of JSON, and of its categories.
SPAN_KEYS = ("spans", "entities", "annotations", "labels")


def guess_format(path: Path) -> str:
    """Recognise a format.

    RAISES (UserError): If there is no such input, or the format is not certain.
    """
    if path.is_dir():
        found = _of_folder(path)
    elif not path.exists() and not path.suffix and len(path.parts) == 2:
        what = "there is no such file; for a dataset of the hub give --format datasets"
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
        return _first(_of_json(value) for _, value in read_json_values(path))
    if suffix in TABLE_SUFFIXES:
        return _first(_of_row(row) for _, row in read_rows(path))
    return None


def _first(found: Iterator[str | None]) -> str | None:
    """The first that is certain: a record may tell nothing, such as a mere text."""
    return next((name for name in islice(found, RECORDS) if name), None)


def _of_json(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        # [text, {"entities": ...}], as spaCy 2 was trained on.
        return "jsonl" if isinstance(value, list) else None
    found = _of_row(value)
    if found == "table" or ("data" in value and "annotations" in value):
        return "jsonl"
    return found


def _of_row(row: Mapping[str, Any]) -> str | None:
    if "tokens" in row and "ner_tags" in row:
        return "datasets"
    if any(key in row for key in SPAN_KEYS):
        return "table"
    label = row.get("label")
    if isinstance(label, list) and any(isinstance(v, list | dict) for v in label):
        return "table"
    if "text" in row and "tokens" in row:
        return "table"
    if "text" in row and ("cats" in row or label not in (None, [])):
        return "textcat"
    return None
