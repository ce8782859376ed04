"""Write .spacy files in other formats."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ...data.formats.docbin import read_docbin
from ...data.formats.registry import get_writer
from ...data.lang import BlankPipeline
from ...data.output import check_report
from ...data.report import ConversionReport
from ...util.errors import UserError
from ...util.files import replacing


def export_corpus(
    source: Path,
    target: Path,
    *,
    format: str,
    lang: str = "xx",
    spans_key: str | None = None,
    report_path: Path | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> ConversionReport:
    """Write the documents of a .spacy file, or of a folder of them, in a format.

    source: The .spacy file or the folder.
    target: The folder to write, which must not hold anything yet; missing parent
        folders are created.
    lang: The language of the vocabulary.
    spans_key: The span group to write in place of `doc.ents`.
    report_path: A .json file to write the report to.
    progress: Wraps the documents as they pass, for a progress bar.
    RETURNS: What was written, and what the format cannot hold.
    RAISES (UserError): If an input or an option cannot be used; nothing is written.
    """
    write = get_writer(format)
    _check_folder(target)
    check_report(report_path, source, target)
    report = ConversionReport(source=str(source), target=str(target), format=format)
    docs = read_docbin(source, BlankPipeline(lang), report=report)
    name = Path(os.path.realpath(source)).stem
    with report.writing(report_path), replacing(target) as folder:
        folder.mkdir()
        watched = _watched(progress(docs), report, spans_key)
        write(watched, folder, name, report=report, spans_key=spans_key)
    return report


def _check_folder(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise UserError("is a file; give the name of a folder", target)
    if target.is_dir() and any(target.iterdir()):
        what = "holds files already; give a new folder, or empty this one"
        raise UserError(what, target)


def _watched(
    docs: Iterable[Doc], report: ConversionReport, spans_key: str | None
) -> Iterator[Doc]:
    lacking = 0
    for doc in docs:
        report.add(doc, spans_key)
        lacking += spans_key is not None and spans_key not in doc.spans
        yield doc
    if lacking:
        what = f"{lacking} documents have no span group '{spans_key}'"
        report.more_warnings.append(f"{report.source}: {what}")
