"""CoNLL column files: one token a line, its tag in one of the columns."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from spacy.tokens import Span

from ...util.errors import Place, UserError
from ..docs import reads_docs
from ..record import Record, check_docs_of, group_sentences
from ..report import ConversionReport, NotedPlace
from ..text import check_input, read_lines
from .spans import ExportedDoc, without_overlap, writes_docs
from .tags import (
    SchemeSurvey,
    Tag,
    find_scheme,
    parse_tag,
    resolve_scheme,
    tagged_record,
)

DOCSTART = "-DOCSTART-"
COMMENT = "# "
NEWDOC = "# newdoc"
DELIMITERS = ("auto", "tab", "space")
# The columns of universalner.org: number, token, tag, "-", annotator.
UNIVERSAL_NER = (1, 2)
BLANKS = re.compile(r"[ \t]+")
BREAKS = re.compile(r"[\t\n\r]")
# The reader strips tags, so that a label cannot end in white space either.
LABEL_BREAKS = re.compile(r"[\t\n\r]|\s(?=\s*$)")


@reads_docs
def read_conll(
    path: Path,
    report: ConversionReport,
    *,
    token_column: int | None = None,
    tag_column: int | None = None,
    delimiter: str = "auto",
    scheme: str = "auto",
    docs_of: int = 1,
) -> Iterator[Record]:
    """Read a column file as documents with gold tokens, sentences and entities."""
    check_docs_of(docs_of)
    scheme = resolve_scheme(scheme)
    if delimiter not in DELIMITERS:
        known = ", ".join(DELIMITERS)
        raise UserError(f"unknown delimiter '{delimiter}'; choose one of {known}")
    check_input(path)
    layout = _Layout(path, delimiter)
    layout.measure()
    layout.choose_columns(token_column, tag_column)
    # The file is read twice, first to check every line and recognize the scheme.
    survey = SchemeSurvey()
    for sentence in _sentences(layout, ConversionReport()):
        survey.add(sentence.tags, sentence.lines)
    if not survey.first_line:
        raise UserError("the file holds only comments; check --delimiter", path)
    report.scheme = find_scheme(survey, scheme, path)
    yield from group_sentences(_records(layout, report), docs_of)


def _is_universal_ner(columns: tuple[str, ...]) -> bool:
    """Whether a first line is like "1 Oslo B-LOC - annotator"."""
    if len(columns) != 5 or columns[0] != "1":
        return False
    return parse_tag(columns[2].strip()) is not None and parse_tag(columns[-1]) is None


@dataclass
class _Layout:
    """The columns of a file; `first` are those of the first token's line."""

    path: Path
    delimiter: str
    token_column: int = 0
    tag_column: int = -1
    first_line: int = 0
    first: tuple[str, ...] = ()

    def measure(self) -> None:
        # A line that may be a comment only counts if there is no other.
        for number, line in read_lines(self.path):
            if not line.strip() or line.startswith(DOCSTART):
                continue
            self.first, self.first_line = tuple(self.split(line)), number
            if not line.startswith(COMMENT):
                return
        if not self.first:
            raise UserError("the file holds no token; check how it was made", self.path)

    def choose_columns(self, token_column: int | None, tag_column: int | None) -> None:
        if _is_universal_ner(self.first):
            self.token_column, self.tag_column = UNIVERSAL_NER
        if token_column is not None:
            self.token_column = token_column
        if tag_column is not None:
            self.tag_column = tag_column
        self._check_columns()

    def _check_columns(self) -> None:
        width = len(self.first)
        if width < 2:
            what = "has 1 column, a token and a tag need 2; check --delimiter"
            raise UserError(what, self.path, self.first_line)
        columns = {"token": self.token_column, "tag": self.tag_column}
        for name, column in columns.items():
            if type(column) is not int:
                what = f"{name}_column = {column!r} is not a whole number; correct it"
                raise UserError(what)
            if not -width <= column < width:
                what = f"has {width} columns, so --{name}-column {column} is out of "
                what += f"range; choose one from {-width} to {width - 1}"
                raise UserError(what, self.path, self.first_line)
        if self.token_column % width == self.tag_column % width:
            what = f"column {self.tag_column} is both token and tag; choose two columns"
            raise UserError(what, self.path, self.first_line)

    def split(self, line: str) -> list[str]:
        if self.delimiter == "tab" or (self.delimiter == "auto" and "\t" in line):
            return line.split("\t")
        # Not str.split(), which splits at a no-break space inside a token too.
        return BLANKS.split(line.strip(" \t"))

    def row(self, number: int, line: str) -> tuple[str, Tag] | None:
        """Token and tag; None for a comment."""
        columns = self.split(line)
        fits = len(columns) == len(self.first)
        text = columns[self.tag_column].strip() if fits else ""
        tag = parse_tag(text)
        if tag is not None:
            return columns[self.token_column], tag
        if line.startswith(COMMENT):
            return None
        if fits:
            what = f"tag '{text}' is not O or a prefix and a label such as B-PER"
            advice = "correct it or choose the column with --tag-column"
        else:
            found = f"{len(columns)} column{'s' * (len(columns) > 1)}"
            what = f"has {found}, line {self.first_line} has {len(self.first)}"
            advice = "correct it or check --delimiter"
        raise UserError(f"{what}; {advice}", self.path, number)


@dataclass
class _Sentence:
    starts_document: bool = False
    words: list[str] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def _sentences(layout: _Layout, report: ConversionReport) -> Iterator[_Sentence]:
    sentence = _Sentence()
    for number, line in read_lines(layout.path):
        starts_document = line.startswith(DOCSTART)
        if line.strip() and not starts_document:
            row = layout.row(number, line)
            if row is not None:
                sentence.words.append(row[0])
                sentence.tags.append(row[1])
                sentence.lines.append(number)
                continue
            report.note("comments", Place(layout.path, number), line)
            if not line.startswith(NEWDOC):
                continue
            starts_document = True
        if sentence.words:
            yield sentence
            sentence = _Sentence()
        sentence.starts_document |= starts_document
    if sentence.words:
        yield sentence


def _records(layout: _Layout, report: ConversionReport) -> Iterator[Record]:
    n_documents = 0
    for sentence in _sentences(layout, report):
        n_documents += sentence.starts_document
        places = [Place(layout.path, line) for line in sentence.lines]
        record = tagged_record(sentence.words, sentence.tags, places, report)
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
