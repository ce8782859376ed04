"""The rows of column files: what separates columns, comments and sentences."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...util.errors import UserError
from ..text import read_lines
from .tags import DEFAULT_LABEL, Tag

BLANKS = re.compile(r"[ \t]+")
# Lines that start a document, without or with a comment character.
DOCUMENT = re.compile(r"-DOCSTART-|#\s?newdoc(?!\t)|#begin document|###MEDLINE")
COMMENTS = ("# ", "#\t", "##")
# Those between the columns of a token where all tokens of a sentence are on one line.
ITEMS = {"pipe": "|", "slash": "/"}
SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", **ITEMS}
DELIMITERS = ("auto", "space", *SEPARATORS)
# A column with more different values does not have tags.
MAX_TEXTS = 5000
DIGITS = re.compile(r"\d+")

# The tags of columns by their text; None for brackets.
Tags = Mapping[int, Mapping[str, Tag] | None]
# A line number, the line, and its columns; empty for the end of a sentence, None for
# the start of a document.
Row = tuple[int, str, list[str] | None]


@dataclass
class Column:
    """The values of a column over a whole file."""

    texts: dict[str, None] = field(default_factory=dict)
    n_blank: int = 0
    n_same: int = 0
    previous: str = ""

    def add(self, text: str) -> None:
        """Add the next value."""
        self.n_blank += not text
        self.n_same += text == self.previous
        self.previous = text
        if len(self.texts) <= MAX_TEXTS:
            self.texts[text] = None

    @property
    def is_number(self) -> bool:
        """Whether all values are whole numbers."""
        return all(text.isdecimal() for text in self.texts)

    @property
    def is_code(self) -> bool:
        """Whether values have no letters or differ in numbers alone: 1-1, 0:3, s1.2."""
        has_letters = any(map(str.isalpha, "".join(self.texts)))
        return not has_letters or len({DIGITS.sub("", t) for t in self.texts}) == 1


@dataclass
class Rows:
    """A column file and its layout.

    first: The line of the first row.
    width: The number of columns of most rows.
    header: The line with the names of the columns; 0 if none.
    tags: The tags of each column of tags by their text; empty for brackets.
    """

    path: Path
    delimiter: str = "auto"
    default_label: str = DEFAULT_LABEL
    scheme: str = "auto"
    first: int = 0
    width: int = 0
    header: int = 0
    names: list[str] = field(default_factory=list)
    token_column: int = 0
    sentence_column: int | None = None
    tags: Tags = field(default_factory=dict)
    language: str = ""
    is_ontonotes: bool = False
    has_items: bool = False
    columns: list[Column] = field(default_factory=list)
    n_rows: int = 0
    n_sentences: int = 0
    n_unfit: int = 0
    is_found: bool = False

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
        if self.width and len(cells) > self.width and not any(cells[self.width :]):
            cells = cells[: self.width]
        return [cells]

    def rows(self) -> Iterator[Row]:
        """The rows of a file, comments among them."""
        previous = ""
        for number, line in read_lines(self.path):
            if not line.strip():
                yield number, line, []
            elif DOCUMENT.match(line):
                yield number, line, None
            elif number != self.header:
                for cells in self.split(line):
                    if (
                        self.sentence_column is not None
                        and self.fits(cells)
                        and not line.startswith(COMMENTS)
                    ):
                        name = cells[self.sentence_column]
                        if self._starts_sentence(name, previous):
                            yield number, line, []
                        previous = name or previous
                    yield number, line, cells
                if self.has_items:
                    yield number, line, []

    def _starts_sentence(self, name: str, previous: str) -> bool:
        if not name or name == previous:
            return False
        column = self.columns[self.sentence_column or 0]
        # A column that counts tokens starts again.
        counts = column.is_number and not column.n_same
        is_higher = name.isdecimal() and int(name) > int(previous or 0)
        return not (counts and is_higher)

    def fits(self, cells: Sequence[str]) -> bool:
        """Whether a row has all columns."""
        return len(cells) == self.width or (
            self.is_ontonotes and len(cells) >= self.width
        )

    def is_token(self, number: int, line: str, cells: list[str]) -> bool:
        """Whether a row is a token; otherwise it is a comment."""
        fits = self.fits(cells)
        wrong = [
            cells[column]
            for column, tags in self.tags.items()
            if fits and tags is not None and cells[column].strip() not in tags
        ]
        if fits and not wrong:
            return True
        if line.startswith("#") and (not fits or line.startswith(COMMENTS)):
            return False
        if fits:
            what = f"tag '{wrong[0].strip()}' is not O or a prefix and a label such as "
            advice = "B-PER; correct it or choose the column with --tag-column"
        else:
            found = f"{len(cells)} column{'s' * (len(cells) > 1)}"
            what = f"has {found}, line {self.first} has {self.width}; "
            advice = "correct it or check --delimiter"
        raise UserError(f"{what}{advice}", self.path, number)


def _unquoted(line: str, separator: str) -> list[str]:
    """The columns of a line with quotes; empty if it is not CSV."""
    try:
        return next(csv.reader([line], delimiter=separator), [])
    # Python 3.10 refuses a null character, and all refuse very long fields.
    except csv.Error:
        return []
