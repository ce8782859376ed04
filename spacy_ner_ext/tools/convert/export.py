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
    """Write the documents of a .spacy file, or of a folder of them, in another format.

    `convert` reads what is written back to the same spans.

    source: The .spacy file or the folder.
    target: Folder to write, which must be empty or not exist; missing parent folders
        are created.
    format: Name of the output format: standoff, conll, jsonl, datasets or parquet.
    lang: Language of the vocabulary.
    spans_key: Span group to write in place of `doc.ents`.
    report_path: .json file to write the report to.
    progress: Wraps the iterator of documents, for a progress bar.
    RETURNS: Counts of what was written, and notes about what the format loses.
    RAISES (UserError): If an input or an option cannot be used; nothing is written.
    """
    write = get_writer(format)
    if target.exists() and not target.is_dir():
        raise UserError("is a file; give the name of a folder", target)
    if target.is_dir() and any(target.iterdir()):
        what = "already contains files; give a new folder, or empty this one"
        raise UserError(what, target)
    check_report(report_path, source, target)
    report = ConversionReport(source=str(source), target=str(target), format=format)
    docs = read_docbin(source, BlankPipeline(lang), report=report)
    name = Path(os.path.realpath(source)).stem
    with report.writing(report_path), replacing(target) as folder:
        folder.mkdir()
        counted = _counted(progress(docs), report, spans_key)
        write(counted, folder, name, report=report, spans_key=spans_key)
    return report


def _counted(
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
