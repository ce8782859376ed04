"""CoNLL column files: one token a line, its tags in one or more of the columns."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from spacy.tokens import Span

from ...util.errors import Place, UserError
from ..docs import reads_docs
from ..record import Record, check_docs_of, group_sentences
from ..report import ConversionReport, NotedPlace
from ..text import check_input
from .brackets import read_brackets
from .columns import DELIMITERS
from .layout import Layout
from .spans import ExportedDoc, without_overlap, writes_docs
from .tags import (
    DEFAULT_LABEL,
    MISSING,
    OUTSIDE,
    SchemeSurvey,
    Tag,
    find_scheme,
    resolve_scheme,
    tagged_record,
)

# Whether it starts a document, and the lines and cells of its tokens.
Sentence = tuple[bool, list[tuple[int, list[str]]]]
DOCSTART = "-DOCSTART-"
BREAKS = re.compile(r"[\t\n\r]")
# The reader strips tags, so that a label cannot end in white space either.
LABEL_BREAKS = re.compile(r"[\t\n\r]|\s(?=\s*$)")


@reads_docs
def read_conll(
    path: Path,
    report: ConversionReport,
    *,
    token_column: int | None = None,
    tag_column: int | Sequence[int] | None = None,
    delimiter: str = "auto",
    scheme: str = "auto",
    default_label: str = DEFAULT_LABEL,
    docs_of: int = 1,
) -> Iterator[Record]:
    """Read a column file as documents with gold tokens, sentences and entities."""
    check_docs_of(docs_of)
    scheme = resolve_scheme(scheme)
    if delimiter not in DELIMITERS:
        known = ", ".join(DELIMITERS)
        raise UserError(f"unknown delimiter '{delimiter}'; choose one of {known}")
    check_input(path)
    layout = Layout(path, delimiter, default_label, scheme)
    layout.measure(token_column, tag_column)
    # The file is read again, to check every line and recognize the scheme.
    survey = SchemeSurvey()
    for sentence in _sentences(layout, ConversionReport()):
        for tags in _layers(layout, sentence):
            survey.add(tags, [line for line, _ in sentence[1]])
    if not survey.first_line and None not in layout.tags.values():
        raise UserError("the file holds only comments; check --delimiter", path)
    _check_annotated(survey, layout, report)
    report.scheme = find_scheme(survey, scheme, path)
    yield from group_sentences(_records(layout, report), docs_of)


def _check_annotated(
    survey: SchemeSurvey, layout: Layout, report: ConversionReport
) -> None:
    if survey.first_line.keys() == {MISSING[0]}:
        what = "every tag is '-', '_' or empty, so nothing is annotated"
        raise UserError(f"{what}; choose the column with --tag-column", layout.path)
    if MISSING[0] in survey.first_line and OUTSIDE[0] not in survey.first_line:
        what = "no token has the tag O, and those with '-' or no tag have no annotation"
        report.more_warnings.append(f"{layout.path}: {what}")


def _sentences(layout: Layout, report: ConversionReport) -> Iterator[Sentence]:
    starts_document, rows = False, list[tuple[int, list[str]]]()
    for number, line, cells in layout.rows():
        if cells and layout.is_token(number, line, cells):
            rows.append((number, cells))
            continue
        if cells != [] and line.startswith("#"):
            report.note("comments", Place(layout.path, number), line)
        if rows and not cells:
            yield starts_document, rows
            starts_document, rows = False, []
        starts_document |= cells is None
    if rows:
        yield starts_document, rows


def _layers(layout: Layout, sentence: Sentence) -> list[list[Tag]]:
    """The tags of each column of tags."""
    return [
        [tags[cells[column].strip()] for _, cells in sentence[1]]
        for column, tags in layout.tags.items()
        if tags is not None
    ]


def _records(layout: Layout, report: ConversionReport) -> Iterator[Record]:
    n_documents = 0
    for sentence in _sentences(layout, report):
        starts_document, rows = sentence
        n_documents += starts_document
        places = [Place(layout.path, line) for line, _ in rows]
        tokens = [cells[layout.token_column] for _, cells in rows]
        words = [token.removeprefix(layout.language) for token in tokens]
        record = tagged_record(words, _layers(layout, sentence), places, report)
        assert record.entities is not None
        for column, tags in layout.tags.items():
            if tags is None:
                brackets = [cells[column] for _, cells in rows]
                record.entities += read_brackets(brackets, places, report)
        record.document = str(n_documents or "")
        yield record


@writes_docs
def write_conll(docs: Iterable[ExportedDoc], folder: Path, name: str) -> None:
    """Write documents as one column file, NAME.conll."""
    path = folder / f"{name}.conll"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for exported in docs:
            file.writelines(_lines(exported))


def _lines(exported: ExportedDoc) -> Iterator[str]:
    doc, place, _ = exported
    if not len(doc):
        place.note("empty", "a text without tokens")
        return
    spans = exported.spans()
    exported.note_lost(spans)
    tags = _tags(len(doc), without_overlap(spans, place), place)
    yield f"{DOCSTART}\tO\n\n"
    for token, tag in zip(doc, tags, strict=True):
        if token.i and token.is_sent_start:
            if tag.startswith("I-"):
                what = f"a sentence starts inside an entity, at {token.text!r}"
                place.note("uncut", what)
            else:
                yield "\n"
        yield f"{_written_token(token.text, place)}\t{tag}\n"
    yield "\n"


def _tags(n_tokens: int, spans: list[Span], place: NotedPlace) -> list[str]:
    tags = ["O"] * n_tokens
    for span in spans:
        label = LABEL_BREAKS.sub("_", span.label_)
        if label != span.label_:
            place.note("replaced", f"label {span.label_!r} becomes {label!r}")
        inside = [f"I-{label}"] * (len(span) - 1)
        tags[span.start : span.end] = [f"B-{label}", *inside]
    return tags


def _written_token(text: str, place: NotedPlace) -> str:
    written = BREAKS.sub(" ", text)
    if written.startswith(DOCSTART):
        written = f"_{written[1:]}"
    if written != text:
        place.note("replaced", f"token {text!r} becomes {written!r}")
    return written
