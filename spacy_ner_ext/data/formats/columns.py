"""The rows of column files: what separates columns, comments and sentences."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...util.errors import Place
from ..report import ConversionReport
from ..text import read_lines
from .tags import NOT_A_TAG, Column, Tag

BLANKS = re.compile(r"[ \t]+")
# Lines that start a document, without or with a comment character.
DOCUMENT = re.compile(r"-DOCSTART-|#\s?newdoc(?!\t)|#begin document|###MEDLINE")
NUMBER = re.compile("[0-9]{1,18}")
COMMENTS = ("# ", "#\t", "##")
# Those between the columns of a token where all tokens of a sentence are on one line.
ITEMS = {"pipe": "|", "slash": "/"}
SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", **ITEMS}
DELIMITERS = ("auto", "space", *SEPARATORS)

# The tags of columns by their text; None for brackets.
Tags = Mapping[int, Mapping[str, Tag] | None]
# A line number, the line, and its columns; empty for the end of a sentence, None for
# the start of a document.
Row = tuple[int, str, list[str] | None]
# Whether it starts a document, and the lines and cells of its tokens.
Sentence = tuple[bool, list[tuple[int, list[str]]]]


@dataclass
class Rows:
    """A column file and its layout.

    first: The line of the first row.
    width: The number of columns of most rows.
    header: The line with the names of the columns; 0 if none.
    tags: The tags of each column of tags by their text.
    counts_tokens: Whether the column of sentences counts the tokens of each.
    has_items: Whether all tokens of a sentence are on one line.
    """

    path: Path
    delimiter: str = "auto"
    first: int = 0
    width: int = 0
    header: int = 0
    token_column: int = 0
    sentence_column: int | None = None
    counts_tokens: bool = False
    tags: Tags = field(default_factory=dict)
    is_ontonotes: bool = False
    has_items: bool = False
    columns: list[Column] = field(default_factory=list)

    def split(self, line: str) -> list[list[str]]:
        """The columns of each token of a line."""
        if self.has_items:
            separator, n = ITEMS[self.delimiter], max(self.width - 1, -1)
            return [item.rsplit(separator, n) for item in line.split()]
        if self.delimiter in SEPARATORS or ("\t" in line and self.delimiter != "space"):
            separator = SEPARATORS.get(self.delimiter, "\t")
            cells = line.split(separator)
            if '"' in line and (self.header or separator != "\t"):
                quoted = _unquoted(line, separator) or cells
                cells = quoted if len(quoted) == (self.width or len(quoted)) else cells
        else:
            # Not str.split(), which splits at a no-break space inside a token too.
            cells = BLANKS.split(line.strip(" \t"))
        if self.width and not any(cells[self.width :]):
            cells = cells[: self.width]
        return [cells]

    def rows(self) -> Iterator[Row]:
        """The rows of a file, comments among them."""
        for number, line in read_lines(self.path):
            if not line.strip():
                yield number, line, []
            elif DOCUMENT.match(line):
                yield number, line, None
            elif number != self.header:
                for cells in self.split(line):
                    yield number, line, cells
                if self.has_items:
                    yield number, line, []

    def sentences(self, report: ConversionReport) -> Iterator[Sentence]:
        """The sentences of a file; comments are noted."""
        starts_document, rows, name = False, list[tuple[int, list[str]]](), ""
        for number, line, cells in self.rows():
            token = cells if cells and self._is_token(number, line, cells) else []
            is_new = not cells
            if token and self.sentence_column is not None:
                is_new = self._starts_sentence(token[self.sentence_column], name)
                name = token[self.sentence_column] or name
            if rows and is_new:
                yield starts_document, rows
                starts_document, rows = False, []
            if token:
                rows.append((number, token))
            elif line.startswith("#"):
                report.note("comments", Place(self.path, number), line)
            starts_document |= cells is None
        if rows:
            yield starts_document, rows

    def layers(self, rows: Iterable[tuple[int, Sequence[str]]]) -> list[list[Tag]]:
        """The tags of a sentence, for each column of them."""
        return [
            [tags[cells[column].strip()] for _, cells in rows]
            for column, tags in self.tags.items()
            if tags is not None
        ]

    def _starts_sentence(self, name: str, previous: str) -> bool:
        if not name or name == previous:
            return False
        numbers = all(map(NUMBER.fullmatch, (name, previous or "0")))
        is_higher = numbers and int(name) > int(previous or 0)
        return not (self.counts_tokens and is_higher)

    def fits(self, cells: Sequence[str]) -> bool:
        """Whether a row has all columns."""
        n_more = len(cells) - self.width
        return n_more == 0 or (n_more > 0 and self.is_ontonotes)

    def _is_token(self, number: int, line: str, cells: Sequence[str]) -> bool:
        """Whether a row is a token; otherwise it is a comment."""
        fits = self.fits(cells)
        wrong = [
            cells[column].strip()
            for column, tags in self.tags.items()
            if fits and tags is not None and cells[column].strip() not in tags
        ]
        if fits and not wrong:
            return True
        if line.startswith("#") and (not fits or line.startswith(COMMENTS)):
            return False
        if fits:
            what = f"tag '{wrong[0]}' {NOT_A_TAG}; correct it or choose the column with"
            raise Place(self.path, number).error(f"{what} --tag-column")
        found = f"{len(cells)} column{'s' * (len(cells) > 1)}"
        what = f"has {found}, line {self.first} has {self.width}; correct it or check"
        raise Place(self.path, number).error(f"{what} --delimiter")


def _unquoted(line: str, separator: str) -> list[str]:
    """The columns of a line with quotes; empty if it is not CSV."""
    try:
        return next(csv.reader([line], delimiter=separator), [])
    # Python 3.10 refuses a null character, and all refuse very long fields.
    except csv.Error:
        return []
