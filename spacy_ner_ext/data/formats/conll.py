"""CoNLL-style column files: one token a line, its tag in one of the columns.

How a line is read:

* Empty or nothing but white space: the sentence ends.
* It starts with "-DOCSTART-": the sentence ends and a new document starts.
* It starts with "# ": a comment, unless it has as many columns as the file and a
  well-formed tag in the tag column; then "#" is the token. "#" with a tab behind it
  is always a token. A comment "# newdoc" starts a new document, as in CoNLL-U.
* Anything else is a token, with as many columns as the first token of the file.

A token that is empty or white space keeps its place, so that token numbers stay those
of the file; an empty one, which spaCy does not allow, becomes a space. No entity
starts or ends in such a token: spaCy refuses to train on those.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from spacy.tokens import Doc

from ...util.errors import Place, UserError
from ..docs import DEFAULT, AlignOptions, MakesDocs, make_docs
from ..record import Record, check_docs_of, group_sentences
from ..report import ConversionReport
from ..text import check_input, read_lines
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
# Token and tag in the columns of universalner.org: number, token, tag, "-", annotator.
UNIVERSAL_NER = (1, 2)
BLANKS = re.compile(r"[ \t]+")


def read_conll(
    path: Path,
    nlp: MakesDocs,
    *,
    report: ConversionReport | None = None,
    making: AlignOptions = DEFAULT,
    token_column: int | None = None,
    tag_column: int | None = None,
    delimiter: str = "auto",
    scheme: str = "auto",
    docs_of: int = 1,
) -> Iterator[Doc]:
    """Read a column file as documents with gold tokens, sentences and entities.

    The file is read twice, first to check every line and recognise the scheme, then
    to make the documents one by one, so nothing is yielded from a file with errors.

    nlp: A pipeline, for its vocabulary.
    report: Gets what was repaired; complete after the last document.
    making: How documents are made; tokens are those of the file.
    token_column: The column of the token, 0-based, negative from the end; None for the
        first, or for the second of the Universal NER project's columns.
    tag_column: The column of the tag, 0-based, negative from the end; None for the
        last, or for the third of Universal NER's.
    delimiter: What separates columns: "tab", "space" (runs of spaces and tabs), or
        "auto": a tab if the line has one, else space.
    scheme: The tag scheme, or "auto". See `spacy_ner_ext.data.formats.tags`.
    docs_of: Sentences a document; 0 for all sentences between two document starts. No
        document reaches over a document start.
    YIELDS: The documents. Spaces between tokens are unknown, so spaCy trains and
        evaluates on the tokens of the file.
    RAISES (UserError): If the file or an option cannot be used.
    """
    check_docs_of(docs_of)
    report = ConversionReport() if report is None else report
    layout = _Layout.of_file(Path(path), token_column, tag_column, delimiter)
    report.scheme = _find_scheme(layout, resolve_scheme(scheme))
    records = group_sentences(_records(layout, report), docs_of)
    yield from make_docs(records, nlp, report, making)


def _is_universal_ner(columns: tuple[str, ...]) -> bool:
    """Whether a first line is like "1 Oslo B-LOC - annotator"."""
    if len(columns) != 5 or columns[0] != "1":
        return False
    return parse_tag(columns[2].strip()) is not None and parse_tag(columns[-1]) is None


@dataclass
class _Layout:
    """Where the columns of a file are.

    width: The number of columns.
    first_line: The line that the number was taken from.
    first: The columns of that line.
    """

    path: Path
    token_column: int
    tag_column: int
    delimiter: str
    width: int = 0
    first_line: int = 0
    first: tuple[str, ...] = ()

    @classmethod
    def of_file(
        cls,
        path: Path,
        token_column: int | None,
        tag_column: int | None,
        delimiter: str,
    ) -> "_Layout":
        if delimiter not in DELIMITERS:
            known = ", ".join(DELIMITERS)
            raise UserError(f"unknown delimiter '{delimiter}'; choose one of {known}")
        check_input(path)
        layout = cls(path, 0, -1, delimiter)
        layout._measure()
        if _is_universal_ner(layout.first):
            layout.token_column, layout.tag_column = UNIVERSAL_NER
        if token_column is not None:
            layout.token_column = token_column
        if tag_column is not None:
            layout.tag_column = tag_column
        layout._check_columns()
        return layout

    def _measure(self) -> None:
        # A line that may be a comment only counts where there is no other.
        for number, line in read_lines(self.path):
            if not line.strip() or line.startswith(DOCSTART):
                continue
            self.first, self.first_line = tuple(self.split(line)), number
            self.width = len(self.first)
            if not line.startswith(COMMENT):
                return
        if not self.width:
            raise UserError("the file holds no token; check how it was made", self.path)

    def _check_columns(self) -> None:
        width = self.width
        if width < 2:
            what = "has 1 column, a token and a tag need 2; check --delimiter"
            raise UserError(what, self.path, self.first_line)
        columns = {"token": self.token_column, "tag": self.tag_column}
        for name, column in columns.items():
            if type(column) is not int:
                raise UserError(f"{name}_column = {column!r} is no whole number")
            if not -width <= column < width:
                what = (
                    f"has {width} columns, so --{name}-column {column} is out of "
                    f"range; choose one from {-width} to {width - 1}"
                )
                raise UserError(what, self.path, self.first_line)
        if self.token_column % width == self.tag_column % width:
            what = f"column {self.tag_column} is both token and tag; choose two columns"
            raise UserError(what, self.path, self.first_line)

    def split(self, line: str) -> list[str]:
        if self.delimiter == "tab" or (self.delimiter == "auto" and "\t" in line):
            return line.split("\t")
        # Not str.split(): it would also split at a no-break space inside a token.
        return BLANKS.split(line.strip(" \t"))

    def row(self, number: int, line: str) -> tuple[str, Tag] | None:
        """Token and tag; None for a comment."""
        columns = self.split(line)
        fits = len(columns) == self.width
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
            what = f"has {found}, line {self.first_line} has {self.width}"
            advice = "correct it or check --delimiter"
        raise UserError(f"{what}; {advice}", self.path, number)


@dataclass
class _Sentence:
    """The tokens of one sentence.

    path: The file.
    starts_document: Whether a document start stands before it.
    """

    path: Path
    starts_document: bool = False
    words: list[str] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def _sentences(
    layout: _Layout, report: ConversionReport | None = None
) -> Iterator[_Sentence]:
    sentence = _Sentence(layout.path)
    for number, line in read_lines(layout.path):
        starts_document = line.startswith(DOCSTART)
        if line.strip() and not starts_document:
            row = layout.row(number, line)
            if row is not None:
                sentence.words.append(row[0])
                sentence.tags.append(row[1])
                sentence.lines.append(number)
                continue
            if report is not None:
                report.note("comments", Place(layout.path, number), line)
            if not line.startswith(NEWDOC):
                continue
            starts_document = True
        if sentence.words:
            yield sentence
            sentence = _Sentence(layout.path)
        sentence.starts_document |= starts_document
    if sentence.words:
        yield sentence


def _records(layout: _Layout, report: ConversionReport) -> Iterator[Record]:
    n_documents = 0
    for sentence in _sentences(layout, report):
        n_documents += sentence.starts_document
        yield _record(sentence, str(n_documents or ""), report)


def _find_scheme(layout: _Layout, scheme: str) -> str:
    survey = SchemeSurvey()
    for sentence in _sentences(layout):
        survey.add(sentence.tags, sentence.lines)
    if not survey.first_line:
        raise UserError("the file holds no token but comments", layout.path)
    return find_scheme(survey, scheme, layout.path)


def _record(sentence: _Sentence, document: str, report: ConversionReport) -> Record:
    places = [Place(sentence.path, line) for line in sentence.lines]
    record = tagged_record(sentence.words, sentence.tags, places, report)
    record.document = document
    return record
