"""The formats by name: which function reads, which writes each, and how to guess one.

A reader is `read_NAME(path, nlp, *, report=None, options=DEFAULT, **own)` and returns
documents; `docs.reads_docs` makes it of a function that reads records. Its own options
are fields of `ConvertOptions`. A writer is `write_NAME(docs, folder, name, *, report,
spans_key)`, which `spans.writes_docs` makes. To add a format, write these in a file of
this folder and add them here.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from spacy.tokens import Doc

from ...util.errors import UserError
from .bioc import read_bioc
from .conll import read_conll, write_conll
from .conllu import read_conllu
from .dataset import read_datasets
from .dataset_source import SAVED_DATASET, data_files
from .docbin import read_docbin
from .inline import read_inline
from .jsonl import read_jsonl, write_jsonl
from .pubtator import read_pubtator
from .recognize import recognize_file
from .standoff import read_standoff
from .standoff_writer import write_standoff
from .table import read_table
from .textcat import read_textcat
from .webanno import read_webanno

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
# A path does not keep the second slash.
ADDRESS = re.compile(r"(https?|s3|hf):/+")


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
    """Recognize a format.

    RAISES (UserError): If it is not certain, with what was tried.
    """
    if path.is_dir():
        return _of_folder(path)
    if ADDRESS.match(str(path)):
        address = ADDRESS.sub(r"\1://", str(path))
        raise UserError(f"{address} is an address; download the file and give its name")
    if not path.exists() and not path.suffix and len(path.parts) == 2:
        what = "there is no such file; for a dataset on the hub give --format datasets"
        raise UserError(what, path)
    return recognize_file(path, READERS)


def _of_folder(path: Path) -> str:
    if any((path / name).is_file() for name in SAVED_DATASET):
        return "datasets"
    files = data_files(path)
    if files and recognize_file(files[0], READERS) == "datasets":
        return "datasets"
    kinds = {".spacy": "docbin", ".ann": "standoff"}
    found = {kinds[file.suffix] for file in path.rglob("*") if file.suffix in kinds}
    if len(found) == 1 and not files:
        return found.pop()
    endings = ", ".join(sorted({file.suffix or file.name for file in path.iterdir()}))
    what = f"the format of the folder is not recognized: it has {endings or 'nothing'}"
    raise UserError(f"{what}; give one file, or name the format with --format", path)
