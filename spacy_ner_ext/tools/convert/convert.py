"""Convert a corpus of any format to .spacy files, and back."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ...data.formats.docbin import read_docbin
from ...data.formats.registry import get_reader, get_writer
from ...data.lang import BlankPipeline, tokenizer_language
from ...data.options import make_options
from ...data.output import check_report, check_target, stale_parts, write_parts
from ...data.recognize import guess_format
from ...data.report import ConversionReport, Counts
from ...data.split.split import shape_docs
from ...data.text import encoded_as, read_encoded
from ...util.errors import Place, UserError
from ...util.files import replacing

Progress = Callable[[Iterable[Any]], Iterable[Any]]
# spaCy's limit of texts, `Language.max_length`.
MAX_CHARACTERS = 1_000_000


def convert(
    source: Path | str,
    target: Path | str,
    *,
    report_path: Path | None = None,
    expected_parts: Sequence[str] = (),
    progress: Progress = iter,
    **settings: Any,
) -> ConversionReport:
    """Convert a corpus to .spacy files for `spacy train`.

    Documents pass one by one, so the input may be of any size, and nothing is written
    unless all of them could be read. A .spacy file holds up to 20,000 documents or
    250,000 tokens; a larger corpus becomes a folder of numbered .spacy files with the
    name of the target, which spaCy's Corpus reads as one.

        report = convert("train.conll", "corpus/train.spacy", docs_of=10)
        convert("all.jsonl", "corpus", split=(0.8, 0.1, 0.1), align="contract")

    source: File or folder to read, or the id of a dataset on the Hugging Face Hub.
    target: .spacy file to write, or the folder with `split` or `shard_size`. It is
        replaced if it exists; missing parent folders are created.
    report_path: .json file to write the report to; NAME.notes.jsonl next to it gets
        everything that was noted, without a limit.
    expected_parts: Parts of a split ("dev", "test") that something else writes to the
        same folder, so that no warning is given about them.
    progress: Wraps the iterator of documents, for a progress bar.
    **settings: Fields of `ConvertOptions`, such as `format`, `lang`, `align`, `labels`
        and the options of the format.
    RETURNS: Counts of what was read, changed, skipped and written.
    RAISES (UserError): If the input, the output or a setting cannot be used.
    """
    path, target = Path(source), Path(target)
    options = make_options(settings)
    with encoded_as(options.encoding):
        format = options.format or guess_format(path)
    own = options.of_format
    reader = get_reader(format, own)
    parts, shard_size = options.parts, options.shard_size
    check_target(target, path, parts, shard_size)
    read_too = [Path(value) for value in own.values() if isinstance(value, Path)]
    check_report(report_path, path, target, *read_too)
    nlp = BlankPipeline(tokenizer_language(options.lang))
    report = ConversionReport(source=str(source), target=str(target), format=format)
    report.parts = {part: Counts() for part in parts}

    def read(noted: ConversionReport) -> Iterator[Doc]:
        docs = reader(path, nlp, report=noted, options=options, **own)
        return read_encoded(docs, options.encoding)

    for file in stale_parts(target, parts, shard_size, expected_parts):
        report.more_warnings.append(f"{file}: is from an earlier conversion")
    docs = progress(_counted(shape_docs(read, options, report), report))
    with report.writing(report_path):
        report.folders = write_parts(docs, target, parts, shard_size)
    return report


def _counted(
    docs: Iterable[tuple[str, Doc]], report: ConversionReport
) -> Iterator[tuple[str, Doc]]:
    """Add the documents to the report while they pass."""
    for part, doc in docs:
        n_characters = doc[-1].idx + len(doc[-1]) if len(doc) else 0
        if n_characters > MAX_CHARACTERS and not doc.has_unknown_spaces:
            what = f"a document has {n_characters} characters, more than "
            what += f"{MAX_CHARACTERS}, which is spaCy's limit; cut it with "
            place = Place(Path(report.source), report.documents + 1, "document")
            raise place.error(f"{what}--max-length 2000")
        report.add(doc)
        if part:
            report.parts[part].add(doc)
        yield part, doc
    if not report.documents:
        raise UserError(_why_empty(report), Path(report.source))


def _why_empty(report: ConversionReport) -> str:
    skipped = report.notes["other_language"]
    what = "no document is left to write"
    if not skipped.count:
        return f"{what}; check the input and the options"
    _, example = skipped.examples[0]
    n = skipped.count
    return f"{what}, {n} are in other languages ({example}); choose with --lang"


def export_corpus(
    source: Path,
    target: Path,
    *,
    format: str,
    lang: str = "xx",
    spans_key: str | None = None,
    report_path: Path | None = None,
    progress: Progress = iter,
) -> ConversionReport:
    """Write the documents of .spacy files to a new or empty folder, in another format.

    `convert` reads what is written back to the same spans. If an input or an option
    cannot be used, nothing is written.
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
        counted = _count_exported(progress(docs), report, spans_key)
        write(counted, folder, name, report=report, spans_key=spans_key)
    return report


def _count_exported(
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
