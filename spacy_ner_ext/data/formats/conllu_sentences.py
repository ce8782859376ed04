"""The sentences of CoNLL-U and CoNLL-U Plus files."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ...util.errors import Place, UserError
from ..report import ConversionReport
from ..text import read_lines

COLUMNS = (
    *("ID", "FORM", "LEMMA", "UPOS", "XPOS"),
    *("FEATS", "HEAD", "DEPREL", "DEPS", "MISC"),
)
# What a column behind those of CoNLL-U is called here.
ADDED_COLUMN = "NER"
PLUS = re.compile(r"#\s*global\.columns\s*=\s*(.*)")
NEWDOC = re.compile(r"#\s*newdoc\b(?:\s+id\s*=\s*(.*))?")
SENT_ID = re.compile(r"#\s*sent_id\s*=\s*(.*)")
TEXT = re.compile(r"#\s*text\s*=")
ID = re.compile(r"([0-9]{1,9})(?:([-.])([0-9]{1,9}))?")
EXCERPT = 40


class Word(NamedTuple):
    """A line of a sentence.

    line: Its number.
    cells: Its columns by their names.
    misc: The column MISC by its keys.
    """

    line: int
    cells: Mapping[str, str]
    misc: Mapping[str, str]


class Multiword(NamedTuple):
    """The line of a token that consists of several words.

    start, end: The words, the end exclusive.
    word: The line.
    """

    start: int
    end: int
    word: Word


@dataclass
class Sentence:
    """A sentence of syntactic words.

    path: The file.
    document: The name or number of its document; empty if the file has none.
    id: The `sent_id`.
    has_text: Whether its text is told, so that spaces are known.
    """

    path: Path
    document: str = ""
    id: str = ""
    has_text: bool = False
    words: list[Word] = field(default_factory=list)
    multiwords: list[Multiword] = field(default_factory=list)

    def place(self, word: Word) -> Place:
        """Where a word is."""
        return Place(self.path, word.line)


def read_sentences(
    path: Path, report: ConversionReport | None = None
) -> Iterator[Sentence]:
    """Read the sentences of a file.

    report: Gets comments and empty nodes.
    RAISES (UserError): If a line has another number of columns, or IDs do not count the
        words.
    """
    reader = _Reader(path, report)
    for number, line in read_lines(path):
        place = Place(path, number)
        if line.startswith("#"):
            reader.read_comment(line, place)
        elif line.strip():
            reader.read_word(line, place)
        elif reader.sentence.words:
            yield reader.end_sentence()
    if reader.sentence.words:
        yield reader.end_sentence()


class _Reader:
    """What is known while lines are read."""

    def __init__(self, path: Path, report: ConversionReport | None) -> None:
        self.path = path
        self.report = report
        self.columns: tuple[str, ...] = ()
        self.n_documents = 0
        self.sentence = Sentence(path)

    def end_sentence(self) -> Sentence:
        sentence = self.sentence
        for multiword in sentence.multiwords:
            if multiword.end > len(sentence.words):
                what = (
                    f"token {multiword.word.cells['ID']} reaches over the end of the "
                    f"sentence, which has {len(sentence.words)} words; correct the ID"
                )
                raise UserError.at(sentence.place(multiword.word), what)
        self.sentence = Sentence(self.path, sentence.document)
        return sentence

    def read_comment(self, line: str, place: Place) -> None:
        sentence = self.sentence
        if match := PLUS.match(line):
            self._set_columns(tuple(match[1].split()), place)
        elif match := NEWDOC.match(line):
            self.n_documents += 1
            sentence.document = (match[1] or "").strip() or str(self.n_documents)
        elif match := SENT_ID.match(line):
            sentence.id = match[1].strip()
        elif TEXT.match(line):
            sentence.has_text = True
        elif self.report is not None:
            self.report.note("comments", place, line)

    def _set_columns(self, columns: tuple[str, ...], place: Place) -> None:
        if self.columns and columns != self.columns:
            what = "the columns change inside the file; make it two files"
            raise UserError.at(place, what)
        for name in ("ID", "FORM"):
            if name not in columns:
                what = f"global.columns has no {name}; add that column"
                raise UserError.at(place, what)
        if len(set(columns)) < len(columns):
            raise UserError.at(place, "global.columns has a name twice; rename one")
        self.columns = columns

    def _split(self, line: str, place: Place) -> Word:
        cells = line.split("\t")
        if not self.columns and len(cells) in (len(COLUMNS), len(COLUMNS) + 1):
            self.columns = (*COLUMNS, ADDED_COLUMN)[: len(cells)]
        wanted = len(self.columns or COLUMNS)
        if len(cells) != wanted:
            found = f"{len(cells)} column{'s' * (len(cells) > 1)}"
            what = f"has {found}, not {wanted} with tabs between; correct it"
            raise UserError.at(place, what)
        named = dict(zip(self.columns, cells, strict=True))
        return Word(place.number, named, _misc(named.get("MISC", "_")))

    def read_word(self, line: str, place: Place) -> None:
        word = self._split(line, place)
        match = ID.fullmatch(word.cells["ID"])
        if match is None:
            shown = word.cells["ID"][:EXCERPT]
            what = f"'{shown}' is no ID such as 1, 1-2 or 1.1; correct it"
            raise UserError.at(place, what)
        if match[2] == ".":
            if self.report is not None:
                self.report.note("skipped", place, f"empty node {match[0]}")
            return
        start = len(self.sentence.words)
        if int(match[1]) != start + 1:
            what = f"ID {match[0]} stands where {start + 1} is due; correct it"
            raise UserError.at(place, what)
        if match[3] is None:
            self.sentence.words.append(word)
        else:
            self._add_multiword(Multiword(start, int(match[3]), word), place)

    def _add_multiword(self, added: Multiword, place: Place) -> None:
        earlier = self.sentence.multiwords
        if added.end <= added.start or (earlier and earlier[-1].end > added.start):
            what = (
                f"token {added.word.cells['ID']} has no words or overlaps an earlier "
                "one; correct its ID"
            )
            raise UserError.at(place, what)
        earlier.append(added)


def _misc(cell: str) -> dict[str, str]:
    if "=" not in cell:
        return {}
    pairs = (pair.partition("=") for pair in cell.split("|"))
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}
