"""Read the sentences of CoNLL-U files, and their syntax as arguments of `Doc`."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

from spacy.parts_of_speech import IDS

from ...util.errors import Place
from ..report import ConversionReport, NotedPlace
from ..text import read_lines

COLUMNS = ["ID", "FORM", "LEMMA", "UPOS", "XPOS"]
COLUMNS += ["FEATS", "HEAD", "DEPREL", "DEPS", "MISC"]
# The name of an eleventh column.
ADDED_COLUMN = "NER"
PLUS = re.compile(r"#\s*global\.columns\s*=")
COMMENT = re.compile(
    r"#\s*(global\.columns|global\.Entity|newdoc|sent_id|text)\b"
    r"(?:\s+id\b)?(?:\s*=\s*(.*))?"
)
# Some corpora separate pairs by a space.
PAIRS = re.compile(r"\||\s+(?=[^\s=|]+=)")
ID = re.compile(r"([0-9]{1,9})(?:([-.])([0-9]{1,9}))?")
NUMBER = re.compile("[0-9]{1,9}")
FEATURES = re.compile(r"[^=|]+=[^=|]+(\|[^=|]+=[^=|]+)*")
EXCERPT = 40
MISSING = ("_", "")
LAYERS = {"XPOS": "tags", "UPOS": "pos", "LEMMA": "lemmas", "FEATS": "morphs"}


class Word(NamedTuple):
    """A line of a sentence: its columns and the keys of its MISC.

    end: If it is a token of several words, the index after the last; else 0.
    """

    place: NotedPlace
    cells: Mapping[str, str]
    end: int = 0

    def value(self, column: str) -> str:
        """The content of a column; empty if it is missing."""
        value = self.cells.get(column, "")
        if column == "LEMMA" and value == self.cells["FORM"]:
            return value
        return "" if value in MISSING else value

    @property
    def head(self) -> int | None:
        """The ID of its head, 0 for the root; None if it or the relation is missing."""
        head = NUMBER.fullmatch(self.value("HEAD"))
        return int(head[0]) if head and self.value("DEPREL") else None


@dataclass
class Sentence:
    """A sentence of syntactic words.

    fields: The parts of the brackets of entities, by name.
    has_text: Whether its text is given, so that spaces are known.
    tokens: The tokens of several words, by the index of the first.
    """

    document: str = ""
    id: str = ""
    fields: Sequence[str] = ()
    has_text: bool = False
    words: list[Word] = field(default_factory=list)
    tokens: dict[int, Word] = field(default_factory=dict)


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
        self.columns: list[str] = []
        self.n_documents = 0
        self.sentence = Sentence()

    def end_sentence(self) -> Sentence:
        sentence, n_words = self.sentence, len(self.sentence.words)
        for token in sentence.tokens.values():
            if token.end > n_words:
                what = f"token {token.cells['ID']} extends beyond the end of the "
                what += f"sentence, which has {n_words} words; correct the ID"
                raise token.place.error(what)
        self.sentence = Sentence(sentence.document, fields=sentence.fields)
        return sentence

    def read_comment(self, line: str, place: NotedPlace) -> None:
        match = COMMENT.match(line)
        key, value = match.groups() if match else ("", None)
        if key == "newdoc":
            self.n_documents += 1
            self.sentence.document = (value or "").strip() or str(self.n_documents)
        elif value is None:
            place.note("comments", line)
        elif key == "global.columns":
            self._set_columns(value.split(), place)
        elif key == "global.Entity":
            self.sentence.fields = value.strip().split("-")
        elif key == "sent_id":
            self.sentence.id = value.strip()
        else:
            self.sentence.has_text = True

    def _set_columns(self, columns: list[str], place: Place) -> None:
        if self.columns and columns != self.columns:
            what = "the columns change inside the file; split it into two files"
            raise place.error(what)
        if not {"ID", "FORM"} <= {*columns} or len({*columns}) < len(columns):
            what = "global.columns must have ID and FORM, and each name once"
            raise place.error(f"{what}; correct it")
        self.columns = columns

    def read_word(self, line: str, place: NotedPlace) -> None:
        cells = line.split("\t")
        if not self.columns and len(cells) in (len(COLUMNS), len(COLUMNS) + 1):
            self.columns = [*COLUMNS, ADDED_COLUMN][: len(cells)]
        wanted = len(self.columns or COLUMNS)
        if len(cells) != wanted:
            found = f"{len(cells)} column{'s' * (len(cells) > 1)}"
            what = f"has {found}, not {wanted} separated by tabs; correct it"
            raise place.error(what)
        named = dict(zip(self.columns, cells))
        self._add(Word(place, {**_misc(named.get("MISC", "_")), **named}))

    def _add(self, word: Word) -> None:
        words, tokens = self.sentence.words, self.sentence.tokens
        number, place, start = word.cells["ID"], word.place, len(words)
        match = ID.fullmatch(number)
        first, kind, end = match.groups() if match else ("0", "", "")
        is_next, ends = int(first) == start + 1, (t.end for t in tokens.values())
        if kind == ".":
            place.note("skipped", f"empty node {number}")
        elif is_next and kind is None:
            words.append(word)
        elif is_next and int(end) > start + 1 and start >= max(ends, default=0):
            tokens[start] = word._replace(end=int(end))
        else:
            what = f"the ID is '{number[:EXCERPT]}', but {start + 1} comes next, or "
            what += f"{start + 1}-{start + 2} for a token of two words; correct it"
            raise place.error(what)


def _misc(cell: str) -> dict[str, str]:
    if "=" not in cell:
        return {}
    pairs = (pair.partition("=") for pair in PAIRS.split(cell))
    found = {key.strip(): value.strip() for key, equals, value in pairs if equals}
    # A key is not taken for a column that the file does not have.
    return {key: value for key, value in found.items() if key not in COLUMNS}


def make_layers(words: Sequence[Word], columns: Collection[str]) -> dict[str, list]:
    """Make the arguments of `Doc` from some columns and the parse. What spaCy cannot
    store is left out and noted."""
    layers: dict[str, list] = {
        layer: [_valid_value(word, column) for word in words]
        for column, layer in LAYERS.items()
        if column in columns
    }
    fault = _find_fault([word.head for word in words])
    if fault:
        if any(word.value("HEAD") for word in words):
            words[0].place.note("skipped", f"a parse: {fault}")
        # Without a relation, spaCy takes the head to be unknown.
        return layers | {"heads": [0] * len(words), "deps": [""] * len(words)}
    layers["heads"] = [(word.head or i) - 1 for i, word in enumerate(words, 1)]
    layers["deps"] = [word.value("DEPREL") if word.head else "ROOT" for word in words]
    return layers


def _valid_value(word: Word, column: str) -> str:
    value = word.value(column)
    is_valid = column != "UPOS" or value in IDS
    if column == "FEATS" and value:
        is_valid = FEATURES.fullmatch(value) is not None
    if not is_valid:
        word.place.note("skipped", f"{column} {value[:EXCERPT]!r} is not valid")
    return value if is_valid else ""


def _find_fault(heads: Sequence[int | None]) -> str:
    """Describe the fault of the heads of a sentence; empty if they are a tree."""
    for i, head in enumerate(heads, start=1):
        if head is None or head > len(heads):
            return f"word {i} has no valid HEAD and DEPREL"
    if heads.count(0) > 1:
        return "more than one word has HEAD 0"
    try:
        TopologicalSorter({i: [head] for i, head in enumerate(heads, 1)}).prepare()
    except CycleError as err:
        return f"the heads of word {min(err.args[1])} form a cycle"
    return ""
