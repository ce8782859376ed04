"""The formats by name: which function reads and which writes each.

A reader is `read_NAME(path, nlp, *, report=None, options=DEFAULT, **own)` and returns
documents; `docs.reads_docs` makes it of a function that reads records. Its own options
are fields of `ConvertOptions`. A writer is `write_NAME(docs, folder, name, *, report,
spans_key)`, which `spans.writes_docs` makes. To add a format, write these in a file of
this folder and add them here.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from spacy.tokens import Doc

from ...util.errors import UserError, check_choice
from .bioc import read_bioc
from .conll import read_conll, write_conll
from .conllu import read_conllu
from .dataset import read_datasets
from .docbin import read_docbin
from .inline import read_inline
from .jsonl import read_jsonl, write_jsonl
from .pubtator import read_pubtator
from .standoff import read_standoff, write_standoff
from .table import read_table, read_textcat
from .webanno import read_webanno

Reader = Callable[..., Iterator[Doc]]
Writer = Callable[..., None]


def _write_arrow(name: str, *args: Any, **settings: Any) -> None:
    # pyarrow takes long to import.
    from . import arrow_writers

    getattr(arrow_writers, name)(*args, **settings)


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
    "datasets": partial(_write_arrow, "write_datasets"),
    "parquet": partial(_write_arrow, "write_parquet"),
}
# Arguments of all readers.
RESERVED = ("path", "nlp", "report", "options")


def get_reader(format: str, options: Iterable[str] = ()) -> Reader:
    """Look up the reader of a format, and raise if it does not take an option."""
    check_choice("format", format, READERS)
    known = inspect.signature(READERS[format]).parameters
    for name in options:
        if name not in known or name in RESERVED:
            flag = "--" + name.replace("_", "-")
            raise UserError(f"format '{format}' does not take {flag}; leave it out")
    return READERS[format]


def get_writer(format: str) -> Writer:
    """Look up the writer of a format."""
    check_choice("format", format, WRITERS)
    return WRITERS[format]
