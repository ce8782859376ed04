"""The input formats by name, and the conversion that is the same for all of them.

A reader is a function `read(path, vocab, *, report, **options) -> Iterator[Doc]`. To
add a format, write its reader in a file of its own and enter it in `FORMATS`.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from .conll import read_conll
from .errors import DataError
from .lang import blank_vocab
from .report import ConversionReport
from .write import check_output, write_docs, write_json

Reader = Callable[..., Iterator[Doc]]

FORMATS: dict[str, Reader] = {
    "conll": read_conll,
}


def get_reader(format: str, options: Iterable[str] = ()) -> Reader:
    """Look up the reader of a format.

    format (str): A key of `FORMATS`.
    options (Iterable[str]): Names of the options that it will be called with.
    RETURNS (Reader): The reader.
    RAISES (DataError): If there is no such format or it does not take an option.
    """
    if format not in FORMATS:
        known = ", ".join(FORMATS)
        raise DataError(f"unknown format '{format}'; choose one of {known}")
    reader = FORMATS[format]
    for name in options:
        if name not in inspect.signature(reader).parameters:
            flag = "--" + name.replace("_", "-")
            raise DataError(f"format '{format}' does not take {flag}; leave it out")
    return reader


def convert_file(
    source: Path,
    target: Path,
    *,
    format: str = "conll",
    lang: str = "en",
    report_path: Path | None = None,
    progress: Callable[[Iterable[Doc]], Iterable[Doc]] = iter,
    **options: Any,
) -> ConversionReport:
    """Convert a file to a .spacy file.

    Nothing is written unless the whole input could be read.

    source (Path): The file to read.
    target (Path): The .spacy file to write; missing parent folders are created.
    format (str): The name of the input format.
    lang (str): The language of the blank vocabulary.
    report_path (Optional[Path]): A .json file to write the report to.
    progress (Callable[[Iterable[Doc]], Iterable[Doc]]): Wraps the documents as they
        pass, for a progress bar.
    **options: What the format's reader takes.
    RETURNS (ConversionReport): What was read and changed.
    RAISES (DataError): If a file or an option cannot be used.
    """
    reader = get_reader(format, options)
    check_output(target, ".spacy")
    if source.resolve() == target.resolve():
        raise DataError("is input and output; give the output another name", source)
    if report_path is not None:
        check_output(report_path, ".json")
    report = ConversionReport(str(source), str(target), format)
    docs = reader(source, blank_vocab(lang), report=report, **options)
    write_docs(progress(docs), target)
    if report_path is not None:
        write_json(report.to_dict(), report_path)
    return report
