"""Read the sentences of CoNLL-U files, and their syntax as arguments of `Doc`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from spacy.parts_of_speech import IDS

from ...util.errors import Place
from ..report import ConversionReport, NotedPlace
from ..text import read_lines

COLUMNS = (
    *("ID", "FORM", "LEMMA", "UPOS", "XPOS"),
    *("FEATS", "HEAD", "DEPREL", "DEPS", "MISC"),
)
# The name of an eleventh column.
ADDED_COLUMN = "NER"
PLUS = re.compile(r"#\s*global\.columns\s*=\s*(.*)")
NEWDOC = re.compile(r"#\s*newdoc\b(?:\s+id\s*=\s*(.*))?")
SENT_ID = re.compile(r"#\s*sent_id\s*=\s*(.*)")
TEXT = re.compile(r"#\s*text\s*=")
FIELDS = re.compile(r"#\s*global\.Entity\s*=\s*(.*)")
# Some corpora separate pairs by a space.
PAIRS = re.compile(r"\||\s+(?=[^\s=|]+=)")
ID = re.compile(r"([0-9]{1,9})(?:([-.])([0-9]{1,9}))?")
EXCERPT = 40
MISSING = ("_", "")
LAYERS = {"XPOS": "tags", "UPOS": "pos", "LEMMA": "lemmas", "FEATS": "morphs"}


class Word(NamedTuple):
    """A line of a sentence, its columns, and the keys of its MISC."""

    place: NotedPlace
    cells: Mapping[str, str]
    misc: Mapping[str, str]


class Multiword(NamedTuple):
    """A token of several words, and its line; end exclusive."""

    start: int
    end: int
    word: Word


@dataclass
class Sentence:
    """A sentence of syntactic words."""

    document: str = ""
    id: str = ""
    # Parts of the brackets of entities, by name.
    fields: tuple[str, ...] = ()
    # Its text is given, so that spaces are known.
    has_text: bool = False
    words: list[Word] = field(default_factory=list)
    multiwords: list[Multiword] = field(default_factory=list)


def read_sentences(path: Path, report: ConversionReport) -> Iterator[Sentence]:
    """Read the sentences of a file."""
    reader = _Reader()
    for number, line in read_lines(path):
        place = NotedPlace.of(Place(path, number), report)
        if line.startswith("#"):
            reader.read_comment(line, place)
        elif line.strip():
            reader.read_word(line, place)
        elif reader.sentence.words:
            yield reader.end_sentence()
    if reader.sentence.words:
        yield reader.end_sentence()


class _Reader:
    """The sentence and the columns while lines are read."""

    def __init__(self) -> None:
        self.columns: tuple[str, ...] = ()
        self.n_documents = 0
        self.sentence = Sentence()

    def end_sentence(self) -> Sentence:
        sentence = self.sentence
        n_words = len(sentence.words)
        for _, end, word in sentence.multiwords:
            if end > n_words:
                what = f"token {word.cells['ID']} extends beyond the end of the "
                what += f"sentence, which has {n_words} words; correct the ID"
                raise word.place.error(what)
        self.sentence = Sentence(sentence.document, fields=sentence.fields)
        return sentence

    def read_comment(self, line: str, place: NotedPlace) -> None:
        sentence = self.sentence
        if match := PLUS.match(line):
            self._set_columns(tuple(match[1].split()), place)
        elif match := FIELDS.match(line):
            sentence.fields = tuple(match[1].strip().split("-"))
        elif match := NEWDOC.match(line):
            self.n_documents += 1
            sentence.document = (match[1] or "").strip() or str(self.n_documents)
        elif match := SENT_ID.match(line):
            sentence.id = match[1].strip()
        elif TEXT.match(line):
            sentence.has_text = True
        else:
            place.note("comments", line)

    def _set_columns(self, columns: tuple[str, ...], place: Place) -> None:
        if self.columns and columns != self.columns:
            what = "the columns change inside the file; split it into two files"
            raise place.error(what)
        for name in ("ID", "FORM"):
            if name not in columns:
                raise place.error(f"global.columns has no {name}; add that column")
        if len(set(columns)) < len(columns):
            raise place.error("global.columns has a name twice; rename one")
        self.columns = columns

    def _split(self, line: str, place: NotedPlace) -> Word:
        cells = line.split("\t")
        if not self.columns and len(cells) in (len(COLUMNS), len(COLUMNS) + 1):
            self.columns = (*COLUMNS, ADDED_COLUMN)[: len(cells)]
        wanted = len(self.columns or COLUMNS)
        if len(cells) != wanted:
            found = f"{len(cells)} column{'s' * (len(cells) > 1)}"
            what = f"has {found}, not {wanted} separated by tabs; correct it"
            raise place.error(what)
        named = dict(zip(self.columns, cells, strict=True))
        return Word(place, named, _misc(named.get("MISC", "_")))

    def read_word(self, line: str, place: NotedPlace) -> None:
        word = self._split(line, place)
        match = ID.fullmatch(word.cells["ID"])
        if match is None:
            found = word.cells["ID"][:EXCERPT]
            what = f"'{found}' is not an ID such as 1, 1-2 or 1.1; correct it"
            raise place.error(what)
        if match[2] == ".":
            place.note("skipped", f"empty node {match[0]}")
            return
        start = len(self.sentence.words)
        if int(match[1]) != start + 1:
            what = f"the ID is {match[0]}, but {start + 1} comes next; correct it"
            raise place.error(what)
        if match[3] is None:
            self.sentence.words.append(word)
        else:
            self._add_multiword(Multiword(start, int(match[3]), word))

    def _add_multiword(self, added: Multiword) -> None:
        earlier = self.sentence.multiwords
        if added.end <= added.start or (earlier and earlier[-1].end > added.start):
            what = f"token {added.word.cells['ID']} has no words or overlaps an earlier"
            raise added.word.place.error(f"{what} one; correct its ID")
        earlier.append(added)


def _misc(cell: str) -> dict[str, str]:
    if "=" not in cell:
        return {}
    pairs = (pair.partition("=") for pair in PAIRS.split(cell))
    return {key.strip(): value.strip() for key, equals, value in pairs if equals}


def cell_value(word: Word, column: str) -> str:
    """The content of a column; empty if it is missing."""
    value = word.cells.get(column, "")
    if column == "LEMMA" and value == word.cells["FORM"]:
        return value
    return "" if value in MISSING else value


def make_layers(
    sentence: Sentence, columns: set[str], is_parsed: bool
) -> dict[str, list]:
    """Make the arguments of `Doc` from a sentence. What spaCy cannot store is left out
    and noted.

    is_parsed: Whether some sentence of the file has a parse.
    """
    layers: dict[str, list] = {
        layer: [_valid_value(word, column) for word in sentence.words]
        for column, layer in LAYERS.items()
        if column in columns
    }
    fault = find_fault(sentence)
    if fault and (is_parsed or any(cell_value(w, "HEAD") for w in sentence.words)):
        sentence.words[0].place.note("skipped", f"a parse: {fault}")
    if is_parsed:
        # Without a relation, spaCy takes the head to be unknown.
        heads = [0 if fault else _head(word) or 0 for word in sentence.words]
        layers["heads"] = [head - 1 if head else i for i, head in enumerate(heads)]
        layers["deps"] = [
            cell_value(word, "DEPREL") if head else "ROOT"
            for word, head in zip(sentence.words, heads, strict=True)
        ]
        if fault:
            layers["heads"] = [0] * len(heads)
            layers["deps"] = [""] * len(heads)
    return layers


def _valid_value(word: Word, column: str) -> str:
    value = cell_value(word, column)
    is_valid = column != "UPOS" or value in IDS
    if column == "FEATS" and value:
        is_valid = all(map(_is_feature, value.split("|")))
    if not is_valid:
        word.place.note("skipped", f"{column} {value[:EXCERPT]!r} is not valid")
    return value if is_valid else ""


def _is_feature(text: str) -> bool:
    name, _, value = text.partition("=")
    return bool(name and value) and "=" not in value


def _head(word: Word) -> int | None:
    text = cell_value(word, "HEAD")
    is_number = text.isascii() and text.isdecimal() and len(text) < 10
    return int(text) if is_number and cell_value(word, "DEPREL") else None


def find_fault(sentence: Sentence) -> str:
    """Describe the fault of the parse of a sentence; empty if it has none."""
    n_words = len(sentence.words)
    heads = [_head(word) for word in sentence.words]
    for i, head in enumerate(heads, start=1):
        if head is None or head > n_words:
            return f"word {i} has no valid HEAD and DEPREL"
    if heads.count(0) > 1:
        return "more than one word has HEAD 0"
    reaches_root = [head == 0 for head in heads]
    for first in range(n_words):
        path: list[int] = []
        i = first
        while not reaches_root[i]:
            if len(path) > n_words:
                return f"the heads of word {first + 1} form a cycle"
            path.append(i)
            i = (heads[i] or 0) - 1
        for i in path:
            reaches_root[i] = True
    return ""
