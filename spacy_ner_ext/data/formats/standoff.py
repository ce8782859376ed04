"""BRAT standoff: a text file, and beside it a file of annotations with offsets.

A folder may hold folders. Each `NAME.txt` needs its `NAME.ann`, which is empty where
the text has no entity. Files and folders that start with "." are left alone.

How a line of an .ann file is read:

* `T1<TAB>LABEL START END<TAB>TEXT`: an entity. The offsets count characters of the
  .txt file, a carriage return and a byte order mark among them; TEXT must be what
  stands there, with spaces for line ends. An entity of several fragments has
  `START END;START END` and a space between their texts. Fragments with nothing but
  white space between them are one: BRAT splits entities at line ends.
* `A1<TAB>NAME T1` or `A1<TAB>NAME T1 VALUE`, and the same with the older `M1`: an
  attribute, `span._.NAME` is True or the value as text. spaCy keeps one value for all
  spans of the same characters. Those of events and relations are skipped.
* N, E, R, * and #: normalisations, events, relations, equivalences and notes, skipped.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy.tokens import Doc, Span

from ...util.errors import Place, UserError
from ..docs import DEFAULT, AlignOptions, MakesDocs, make_docs
from ..record import Entity, Record
from ..report import ConversionReport
from ..text import BOM, read_lines
from .standoff_files import ANNOTATIONS, find_documents, read_text

FRAGMENTS = ("merge", "parts")
# More digits than any text has characters, and few enough for int().
RANGE = r"[0-9]{1,18} [0-9]{1,18}"
ENTITY = re.compile(rf"(T\S+)\t(\S+) ({RANGE}(?:;{RANGE})*)\t(.*)", re.DOTALL)
ATTRIBUTE = re.compile(r"[AM]\S+\t(\S+) (\S+)(?: (.*))?", re.DOTALL)
OTHERS = {
    "N": "normalisation",
    "E": "event",
    "R": "relation",
    "*": "equivalence",
    "#": "note",
}
# What another annotation can have attributes of.
TARGETS = "ER"
EXCERPT = 60


def read_standoff(
    path: Path,
    nlp: MakesDocs,
    *,
    report: ConversionReport | None = None,
    making: AlignOptions = DEFAULT,
    fragments: str = "merge",
) -> Iterator[Doc]:
    """Read BRAT standoff as documents with entities and their attributes.

    path: A folder of any depth, or a .txt or .ann file, in UTF-8.
    report: Gets what was changed or skipped; complete after the last document.
    fragments: What an entity of several fragments becomes: "merge" makes it reach from
        the first to the last, "parts" makes each an entity of its own.
    YIELDS: The documents by name. The "id" is the name of the file without its ending,
        with the folders that it is in.
    RAISES (UserError): If a file or an option cannot be used.
    """
    if fragments not in FRAGMENTS:
        known = ", ".join(FRAGMENTS)
        raise UserError(f"unknown fragments '{fragments}'; choose one of {known}")
    report = ConversionReport() if report is None else report
    yield from make_docs(_records(Path(path), fragments, report), nlp, report, making)


def _records(path: Path, fragments: str, report: ConversionReport) -> Iterator[Record]:
    _define_extensions(path)
    for name, text_path in find_documents(path, report):
        text = read_text(text_path)
        annotations = _Annotations(
            text_path.with_suffix(ANNOTATIONS), text, fragments, report
        )
        yield Record(
            Place(text_path, 1), text=text, entities=annotations.read(), id=name
        )


@dataclass
class _Annotations:
    """The annotations of one text.

    entities: What each T line becomes, by its name.
    values: Attributes by the name of their entity.
    others: Names of events and relations.
    """

    path: Path
    text: str
    fragments: str
    report: ConversionReport
    entities: dict[str, list[Entity]] = field(default_factory=dict)
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)

    def read(self) -> list[Entity]:
        attributes = []
        for number, line in read_lines(self.path):
            place = Place(self.path, number)
            if line.startswith("T"):
                self._add_entity(line, place)
            elif line.startswith(("A", "M")):
                attributes.append((line, place))
            elif line.strip():
                self._skip(line, place)
        # They may stand before what they belong to.
        for line, place in attributes:
            self._add_attribute(line, place)
        return [
            entity._replace(values=self.values.get(name, {}))
            for name, entities in self.entities.items()
            for entity in entities
        ]

    def _skip(self, line: str, place: Place) -> None:
        name, tab, _ = line.partition("\t")
        if line[0] not in OTHERS or not tab:
            known = ", ".join("TAM") + ", " + ", ".join(OTHERS)
            what = (
                f"{line[:EXCERPT]!r} is no annotation: it must start with one of "
                f"{known} and have a tab; correct it"
            )
            raise UserError.at(place, what)
        if line[0] in TARGETS:
            self.others.add(name)
        self.report.note("skipped", place, f"{OTHERS[line[0]]} {name}")

    def _add_entity(self, line: str, place: Place) -> None:
        match = ENTITY.fullmatch(line)
        if match is None:
            what = (
                f"{line[:EXCERPT]!r} is no entity; write "
                "T1<TAB>LABEL START END<TAB>TEXT"
            )
            raise UserError.at(place, what)
        name, label, ranges, shown = match.groups()
        if name in self.entities:
            raise UserError.at(place, f"{name} is there twice; rename one of them")
        spans = [_span(range) for range in ranges.split(";")]
        self._check(name, spans, shown, place)
        parts = self._parts(sorted(spans), name, place)
        self.entities[name] = [Entity(*part, label, place) for part in parts]

    def _check(
        self, name: str, spans: list[tuple[int, int]], shown: str, place: Place
    ) -> None:
        size = len(self.text)
        for start, end in spans:
            if not start < end <= size:
                what = f"{name} from {start} to {end} is not in the text of {size}"
                what += " characters" if start < end else " characters or is empty"
                raise UserError.at(place, f"{what}; correct its offsets")
        found = on_one_line(" ".join(self.text[start:end] for start, end in spans))
        if found != on_one_line(shown):
            what = (
                f"{name} is {shown[:EXCERPT]!r}, but {found[:EXCERPT]!r} stands at its "
                "offsets; correct them"
            )
            if self.text.startswith(BOM):
                what += ", or remove the byte order mark of the text"
            raise UserError.at(place, what)

    def _parts(
        self, spans: list[tuple[int, int]], name: str, place: Place
    ) -> list[tuple[int, int]]:
        parts = spans[:1]
        for start, end in spans[1:]:
            first, last = parts[-1]
            if start < last:
                what = f"fragments of {name} overlap; correct its offsets"
                raise UserError.at(place, what)
            if self.text[last:start].strip():
                parts.append((start, end))
            else:
                parts[-1] = (first, end)
        if len(parts) > 1:
            done = "merged" if self.fragments == "merge" else "made entities"
            what = f"{name} has {len(parts)} fragments, {done}"
            self.report.note("fragments", place, what)
        if self.fragments == "merge":
            return [(parts[0][0], parts[-1][1])]
        return parts

    def _add_attribute(self, line: str, place: Place) -> None:
        match = ATTRIBUTE.fullmatch(line)
        if match is None:
            what = f"{line[:EXCERPT]!r} is no attribute; write A1<TAB>NAME T1 VALUE"
            raise UserError.at(place, what)
        name, target, value = match.groups()
        if target in self.others:
            self.report.note("skipped", place, f"attribute {name} of {target}")
            return
        if target not in self.entities:
            what = f"attribute {name} of {target}, which is not in the file"
            raise UserError.at(place, f"{what}; correct or remove it")
        _check_extension(name, place)
        values = self.values.setdefault(target, {})
        if name in values:
            self.report.note("skipped", place, f"a second {name} of {target}")
        values.setdefault(name, value or True)


def on_one_line(text: str) -> str:
    """The text with a space for each line feed and carriage return."""
    return text.replace("\n", " ").replace("\r", " ")


def _span(range: str) -> tuple[int, int]:
    start, end = range.split(" ")
    return int(start), int(end)


def _define_extensions(path: Path) -> None:
    """Define all attributes, so that the first document has those of later ones too."""
    for _, text_path in find_documents(path, ConversionReport()):
        annotations = text_path.with_suffix(ANNOTATIONS)
        for number, line in read_lines(annotations):
            match = ATTRIBUTE.fullmatch(line)
            if match is not None:
                name = match.group(1)
                _check_extension(name, Place(annotations, number))
                if not Span.has_extension(name):
                    Span.set_extension(name, default=None)


def _check_extension(name: str, place: Place) -> None:
    if not Span.has_extension(name):
        return
    _, method, getter, setter = Span.get_extension(name)
    if setter is None and (method or getter):
        what = (
            f"attribute {name} cannot be stored, since a package has defined "
            f"span._.{name} as computed; rename the attribute"
        )
        raise UserError.at(place, what)
