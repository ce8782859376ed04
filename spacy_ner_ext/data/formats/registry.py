"""The formats by name: which function reads, which writes each, and how to guess one.

A reader is `read_NAME(path, nlp, *, report=None, options=DEFAULT, **own)` and returns
documents; `docs.reads_docs` makes it of a function that reads records. Its own options
are fields of `ConvertOptions`. A writer is `write_NAME(docs, folder, name, *, report,
spans_key)`, which `spans.writes_docs` makes. To add a format, write these in a file of
this folder and add them here.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from spacy.tokens import Doc

from ...util.errors import UserError
from ..text import check_input, read_first_line
from .bioc import is_bioc_xml, looks_like_bioc, read_bioc
from .conll import read_conll, write_conll
from .conllu import read_conllu
from .dataset import read_datasets
from .dataset_source import SAVED_DATASET, data_files
from .docbin import read_docbin
from .inline import read_inline
from .json_file import read_json_values
from .json_shapes import guess_of_values
from .jsonl import read_jsonl, write_jsonl
from .pubtator import looks_like_pubtator, read_pubtator
from .standoff import read_standoff
from .standoff_writer import write_standoff
from .table import SUFFIXES as TABLE_SUFFIXES
from .table import read_table
from .table_file import JSON_SUFFIXES, parse_cells, read_rows
from .textcat import read_textcat
from .webanno import looks_like_webanno, read_webanno

Reader = Callable[..., Iterator[Doc]]
Writer = Callable[..., None]
T = TypeVar("T")


def _arrow_writer(name: str) -> Writer:
    # pyarrow takes long to import, and may not be installed.
    def write(*args: Any, **settings: Any) -> None:
        from . import arrow_writers

        getattr(arrow_writers, name)(*args, **settings)

    return write


READERS: dict[str, Reader] = {
    "conll": read_conll,
    "conllu": read_conllu,
    "standoff": read_standoff,
    "webanno": read_webanno,
    "pubtator": read_pubtator,
    "bioc": read_bioc,
    "jsonl": read_jsonl,
    "datasets": read_datasets,
    "table": read_table,
    "inline": read_inline,
    "textcat": read_textcat,
    "docbin": read_docbin,
}
WRITERS: dict[str, Writer] = {
    "standoff": write_standoff,
    "conll": write_conll,
    "jsonl": write_jsonl,
    "datasets": _arrow_writer("write_datasets"),
    "parquet": _arrow_writer("write_parquet"),
}
# Arguments of all readers.
RESERVED = ("path", "nlp", "report", "options")
BINARY = (".spacy", ".parquet", ".arrow")
FIRST_LINES: dict[str, Callable[[str], bool]] = {
    "webanno": looks_like_webanno,
    "pubtator": looks_like_pubtator,
}
SUFFIXES = {
    ".spacy": "docbin",
    ".ann": "standoff",
    ".pubtator": "pubtator",
    **dict.fromkeys((".conllu", ".conllup"), "conllu"),
    **dict.fromkeys((".conll", ".iob", ".iob2", ".bio"), "conll"),
}


def _look_up(functions: dict[str, T], format: str) -> T:
    if format not in functions:
        known = ", ".join(functions)
        raise UserError(f"unknown format '{format}'; choose one of {known}")
    return functions[format]


def get_reader(format: str, options: Iterable[str] = ()) -> Reader:
    """Look up the reader of a format, and raise if it does not take an option."""
    reader = _look_up(READERS, format)
    known = inspect.signature(reader).parameters
    for name in options:
        if name not in known or name in RESERVED:
            flag = "--" + name.replace("_", "-")
            raise UserError(f"format '{format}' does not take {flag}; leave it out")
    return reader


def get_writer(format: str) -> Writer:
    """Look up the writer of a format."""
    return _look_up(WRITERS, format)


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
    if suffix not in BINARY:
        line, _ = read_first_line(path)
        for name, looks_like in FIRST_LINES.items():
            if looks_like(line):
                return name
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if suffix == ".txt":
        return "standoff" if path.with_suffix(".ann").is_file() else None
    if suffix == ".xml":
        return "bioc" if is_bioc_xml(path) else None
    if suffix in JSON_SUFFIXES:
        if any(looks_like_bioc(v) for _, v in islice(read_json_values(path), 1)):
            return "bioc"
        return guess_of_values(value for _, value in read_json_values(path))
    if suffix in TABLE_SUFFIXES:
        found = guess_of_values(
            parse_cells(row, place, "text") for place, row in read_rows(path)
        )
        return "table" if found == "jsonl" else found
    return None
