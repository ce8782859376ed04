"""Write CoNLL-style column files, see `conll`.

A line is a token, a tab and its tag of the scheme iob2. `-DOCSTART-` stands before
each document, and an empty line after each sentence. Kept are tokens, sentences and
spans without overlap; `read_conll` with docs_of=0 makes the same documents of them.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from spacy.tokens import Doc, Span

from ...util.errors import Place, UserError
from ..report import ConversionReport
from .conll import DOCSTART
from .spans import note_lost, spans_to_write, without_overlap

BREAKS = re.compile(r"[\t\n\r]")
# The reader strips tags, so that a label cannot end in white space either.
LABEL_BREAKS = re.compile(r"[\t\n\r]|\s(?=\s*$)")


def write_conll(
    docs: Iterable[Doc],
    folder: Path,
    name: str,
    *,
    report: ConversionReport,
    spans_key: str | None = None,
) -> None:
    """Write documents as one column file.

    docs: The documents, taken as they come.
    name: The name of the file, to which ".conll" is added.
    report: Gets what the format cannot hold.
    spans_key: A span group to write in place of `doc.ents`; where its spans overlap,
        the longest is written, of equal ones the first.
    RAISES (UserError): If the file cannot be written.
    """
    path = folder / f"{name}.conll"
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for number, doc in enumerate(docs, start=1):
                place = Place(Path(report.source or name), number, "document")
                file.writelines(_lines(doc, spans_key, place, report))
    except OSError as err:
        raise UserError(f"cannot be written ({err.strerror})", path) from err


def _lines(
    doc: Doc, spans_key: str | None, place: Place, report: ConversionReport
) -> Iterator[str]:
    if not len(doc):
        report.note("empty", place, "a text without a token")
        return
    spans = spans_to_write(doc, spans_key, place, report)
    note_lost(doc, spans, place, report, held=(), spans_key=spans_key)
    tags = _tags(doc, without_overlap(spans, place, report), place, report)
    yield f"{DOCSTART}\tO\n\n"
    for token, tag in zip(doc, tags, strict=True):
        if token.i and token.is_sent_start:
            if tag.startswith("I-"):
                what = f"a sentence starts inside an entity, at {token.text!r}"
                report.note("uncut", place, what)
            else:
                yield "\n"
        yield f"{_written_token(token.text, place, report)}\t{tag}\n"
    yield "\n"


def _tags(
    doc: Doc, spans: list[Span], place: Place, report: ConversionReport
) -> list[str]:
    tags = ["O"] * len(doc)
    for span in spans:
        label = LABEL_BREAKS.sub("_", span.label_)
        if label != span.label_:
            what = f"label {span.label_!r} becomes {label!r}"
            report.note("replaced", place, what)
        tags[span.start] = f"B-{label}"
        for i in range(span.start + 1, span.end):
            tags[i] = f"I-{label}"
    return tags


def _written_token(text: str, place: Place, report: ConversionReport) -> str:
    written = BREAKS.sub(" ", text)
    if written.startswith(DOCSTART):
        written = f"_{written[1:]}"
    if written != text:
        report.note("replaced", place, f"token {text!r} becomes {written!r}")
    return written
