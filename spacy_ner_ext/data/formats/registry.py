"""The formats by name.

A reader is a function `read_NAME(path, nlp, *, report=None, making=DEFAULT, **options)
-> Iterator[Doc]`; a writer is `write_NAME(docs, folder, name, *, report, spans_key) ->
None` and writes into an empty folder. To add a format, write these in a file of its own
and enter them here, by file and name or as they are. The files are imported when a
format is asked for, since some need large libraries.
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
    "datasets": "rows:read_datasets",
    "table": "table:read_table",
    "inline": "inline:read_inline",
    "textcat": "textcat:read_textcat",
    "docbin": "docbin:read_docbin",
}
WRITERS: dict[str, str | Writer] = {
    "standoff": "standoff_writer:write_standoff",
    "conll": "conll_writer:write_conll",
    "jsonl": "jsonl:write_jsonl",
    "datasets": "rows_writer:write_datasets",
    "parquet": "table_writer:write_parquet",
}


# Arguments of readers that are no options.
RESERVED = ("path", "nlp", "report", "making")


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
    """Look up the reader of a format.

    options: Names of the options that it will be called with.
    RAISES (UserError): If there is no such format or it does not take an option.
    """
    reader = _load(READERS, format)
    for name in options:
        known = inspect.signature(reader).parameters
        if name not in known or name in RESERVED:
            flag = "--" + name.replace("_", "-")
            raise UserError(f"format '{format}' does not take {flag}; leave it out")
    return reader


def get_writer(format: str) -> Writer:
    """Look up the writer of a format.

    RAISES (UserError): If there is no such format.
    """
    return _load(WRITERS, format)
