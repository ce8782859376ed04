"""The formats by name: which function reads, and which writes each.

A reader is a function `read_NAME(path, nlp, *, report=None, options=DEFAULT, **own) ->
Iterator[Doc]`; its own options are fields of `ConvertOptions`. A writer is
`write_NAME(docs, folder, name, *, report, spans_key) -> None`. To add a format, write
these in a file of this folder and add them here. The file is imported when its format
is used, since some need large libraries; it never imports this one.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from spacy.tokens import Doc

from ...util.errors import UserError

Reader = Callable[..., Iterator[Doc]]
Writer = Callable[..., None]

READERS: dict[str, str | Reader] = {
    "conll": "conll:read_conll",
    "conllu": "conllu:read_conllu",
    "standoff": "standoff:read_standoff",
    "jsonl": "jsonl:read_jsonl",
    "datasets": "dataset:read_datasets",
    "table": "table:read_table",
    "inline": "inline:read_inline",
    "textcat": "textcat:read_textcat",
    "docbin": "docbin:read_docbin",
}
WRITERS: dict[str, str | Writer] = {
    "standoff": "standoff_writer:write_standoff",
    "conll": "conll:write_conll",
    "jsonl": "jsonl:write_jsonl",
    "datasets": "arrow_writers:write_datasets",
    "parquet": "arrow_writers:write_parquet",
}
# Arguments of all readers.
RESERVED = ("path", "nlp", "report", "options")


def _load(functions: Mapping[str, str | Callable[..., Any]], format: str) -> Any:
    if format not in functions:
        known = ", ".join(functions)
        raise UserError(f"unknown format '{format}'; choose one of {known}")
    found = functions[format]
    if not isinstance(found, str):
        return found
    module, _, function = found.partition(":")
    return getattr(import_module(f".{module}", __package__), function)


def get_reader(format: str, options: Iterable[str] = ()) -> Reader:
    """Look up the reader of a format: `read(path, nlp)` returns an iterator of `Doc`.

    options: Names of the format's own options that the reader will be called with.
    RAISES (UserError): If the format is unknown or does not take an option.
    """
    reader = _load(READERS, format)
    known = inspect.signature(reader).parameters
    for name in options:
        if name not in known or name in RESERVED:
            flag = "--" + name.replace("_", "-")
            raise UserError(f"format '{format}' does not take {flag}; leave it out")
    return reader


def get_writer(format: str) -> Writer:
    """Look up the writer of a format: `write(docs, folder, name, report=report)` writes
    files to the folder.

    RAISES (UserError): If the format is unknown or cannot be written.
    """
    return _load(WRITERS, format)
