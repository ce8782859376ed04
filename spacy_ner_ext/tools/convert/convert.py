"""The conversion that is the same for all formats."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ...data.docs import AlignOptions
from ...data.filter import LabelFilter
from ...data.formats.guess import guess_format
from ...data.formats.registry import get_reader
from ...data.lang import BlankPipeline, tokenizer_language
from ...data.output import check_report, check_target, stale_parts, write_parts
from ...data.report import ConversionReport, Counts
from ...data.split.settings import SplitOptions
from ...data.split.split import shape_docs
from ...util.errors import Place, UserError

Progress = Callable[[Iterable[Any]], Iterable[Any]]
# What spaCy takes for a text: `Language.max_length`.
MAX_CHARACTERS = 1_000_000


def convert_file(
    source: Path | str,
    target: Path,
    *,
    format: str | None = None,
    lang: str = "en",
    align: str = "expand",
    spans_key: str | None = None,
    labels: Sequence[str] = (),
    map: Mapping[str, str] | None = None,
    shaping: SplitOptions | None = None,
    shard_size: int = 0,
    expected_parts: Sequence[str] = (),
    report_path: Path | None = None,
    progress: Progress = iter,
    **options: Any,
) -> ConversionReport:
    """Convert a corpus to spaCy's binary format.

    Documents pass one by one, and nothing is written unless all could be read.

    source: What to read: a file or a folder, as the format needs.
    target: The .spacy file to write, or a folder if there are shards or parts; missing
        parent folders are created.
    format: The name of the input format; None to recognise it.
    lang: The language of the tokenizer; of texts that tell their language others are
        left out. Several with commas between have the tokenizer of "xx", and "xx" takes
        all.
    align, spans_key: See `make.AlignOptions`.
    labels, map: See `select.LabelFilter`.
    shaping: How to cut, sample and split.
    shard_size: Documents of each file of a folder of .spacy files; 0 for one file.
    expected_parts: Parts that something else writes to the same folder.
    report_path: A .json file to write the report to; all that is noted goes to
        NAME.notes.jsonl beside it.
    progress: Wraps the documents as they pass, for a progress bar.
    **options: What the format's reader takes.
    RETURNS: What was read, changed and written.
    RAISES (UserError): If an input or an option cannot be used.
    """
    path, shaping = Path(source), shaping or SplitOptions()
    format = format or guess_format(path)
    reader = get_reader(format, options)
    check_target(target, path, shaping.parts, shard_size)
    read_too = [Path(value) for value in options.values() if isinstance(value, Path)]
    check_report(report_path, path, target, *read_too)
    langs = tuple(code.strip() for code in lang.split(","))
    nlp = BlankPipeline(tokenizer_language(lang))
    making = AlignOptions(align, spans_key, LabelFilter(langs, map or {}, labels))
    report = ConversionReport(source=str(source), target=str(target), format=format)
    report.parts = {part: Counts() for part in shaping.parts}

    def read(noted: ConversionReport) -> Iterator[Doc]:
        return reader(path, nlp, report=noted, making=making, **options)

    stale = stale_parts(target, shaping.parts, shard_size, expected_parts)
    report.more_warnings += [f"{file}: is of an earlier conversion" for file in stale]
    shaped = _watched(shape_docs(read, shaping, report), report)
    with report.writing(report_path):
        write_parts(progress(shaped), target, shaping.parts, shard_size)
    return report


def _watched(
    docs: Iterable[tuple[str, Doc]], report: ConversionReport
) -> Iterator[tuple[str, Doc]]:
    """Count what is written."""
    for part, doc in docs:
        n_characters = doc[-1].idx + len(doc[-1]) if len(doc) else 0
        if n_characters > MAX_CHARACTERS and not doc.has_unknown_spaces:
            what = (
                f"a document has {n_characters} characters, and spaCy trains on up to "
                f"{MAX_CHARACTERS}; cut it with --max-length 2000"
            )
            place = Place(Path(report.source), report.documents + 1, "document")
            raise UserError.at(place, what)
        report.add(doc)
        if part:
            report.parts[part].add(doc)
        yield part, doc
    if not report.documents:
        raise UserError(_why_empty(report), Path(report.source))


def _why_empty(report: ConversionReport) -> str:
    left_out = report.notes["other_language"]
    what = "no document is left to write"
    if not left_out.count:
        return f"{what}; check the input and the options"
    _, example = left_out.examples[0]
    n = left_out.count
    return f"{what}, {n} are of other languages ({example}); choose with --lang"
