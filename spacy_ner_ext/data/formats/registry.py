"""The formats by name: which function reads, and which writes each.

A reader is `read_NAME(path, nlp, *, report=None, options=DEFAULT, **own)` and returns
documents; `docs.reads_docs` makes it of a function that reads records. Its own options
are fields of `ConvertOptions`. A writer is `write_NAME(docs, folder, name, *, report,
spans_key)`. To add a format, write these in a file of this folder and add them here.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from spacy.tokens import Doc

from ...util.errors import UserError
from .conll import read_conll, write_conll
from .conllu import read_conllu
from .dataset import read_datasets
from .docbin import read_docbin
from .inline import read_inline
from .jsonl import read_jsonl, write_jsonl
from .standoff import read_standoff
from .standoff_writer import write_standoff
from .table import read_table
from .textcat import read_textcat

Reader = Callable[..., Iterator[Doc]]
Writer = Callable[..., None]
T = TypeVar("T")


# pyarrow takes long to import, and may not be installed.
def write_datasets(*args: Any, **settings: Any) -> None:
    """Write documents as a dataset that `datasets.load_from_disk` reads."""
    from . import arrow_writers

    arrow_writers.write_datasets(*args, **settings)


def write_parquet(*args: Any, **settings: Any) -> None:
    """Write documents as a table of texts and spans, NAME.parquet."""
    from . import arrow_writers

    arrow_writers.write_parquet(*args, **settings)


READERS: dict[str, Reader] = {
    "conll": read_conll,
    "conllu": read_conllu,
    "standoff": read_standoff,
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
    "datasets": write_datasets,
    "parquet": write_parquet,
}
# Arguments of all readers.
RESERVED = ("path", "nlp", "report", "options")


def _look_up(functions: dict[str, T], format: str) -> T:
    if format not in functions:
        known = ", ".join(functions)
        raise UserError(f"unknown format '{format}'; choose one of {known}")
    return functions[format]


def get_reader(format: str, options: Iterable[str] = ()) -> Reader:
    """Look up the reader of a format: `read(path, nlp)` returns an iterator of `Doc`.

    format: Name of the format, see `READERS`.
    options: Names of the format's own options that the reader will be called with.
    RETURNS: The function.
    RAISES (UserError): If the format is unknown or does not take an option.
    """
    reader = _look_up(READERS, format)
    known = inspect.signature(reader).parameters
    for name in options:
        if name not in known or name in RESERVED:
            flag = "--" + name.replace("_", "-")
            raise UserError(f"format '{format}' does not take {flag}; leave it out")
    return reader


def get_writer(format: str) -> Writer:
    """Look up the writer of a format: `write(docs, folder, name, report=report)` writes
    files to the folder.

    format: Name of the format, see `WRITERS`.
    RETURNS: The function.
    RAISES (UserError): If the format is unknown or cannot be written.
    """
    return _look_up(WRITERS, format)
