"""BRAT standoff: text files, each with a file of annotations with offsets."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from spacy.tokens import Span

from ...util.errors import Place, UserError
from ..docs import reads_docs
from ..record import Entity, Record
from ..report import ConversionReport
from ..text import BOM, MAX_LINE, decode_text, read_lines

TEXT, ANNOTATIONS = ".txt", ".ann"
FRAGMENTS = ("merge", "parts")
# More digits than the length of any text, and few enough for int().
RANGE = r"[0-9]{1,18} [0-9]{1,18}"
ENTITY = re.compile(rf"(T\S+)\t(\S+) ({RANGE}(?:;{RANGE})*)\t(.*)", re.DOTALL)
ATTRIBUTE = re.compile(r"[AM]\S+\t(\S+) (\S+)(?: (.*))?", re.DOTALL)
OTHERS = {
    "N": "normalization",
    "E": "event",
    "R": "relation",
    "*": "equivalence",
    "#": "note",
}
# Annotations that can have attributes, besides entities.
TARGETS = "ER"
EXCERPT = 60


@reads_docs
def read_standoff(
    path: Path, report: ConversionReport, *, fragments: str = "merge"
) -> Iterator[Record]:
    """Read a folder of any depth, or a .txt or .ann file."""
    if fragments not in FRAGMENTS:
        known = ", ".join(FRAGMENTS)
        raise UserError(f"unknown fragments '{fragments}'; choose one of {known}")
    _define_extensions(path)
    for name, text_path in _find_documents(path, report):
        text = _read_text(text_path)
        annotations_path = text_path.with_suffix(ANNOTATIONS)
        entities = _Annotations(annotations_path, text, fragments, report).read()
        yield Record(Place(text_path, 1), text=text, entities=entities, id=name)


@dataclass
class _Annotations:
    """The annotations of one text."""

    path: Path
    text: str
    fragments: str
    report: ConversionReport
    # Entities and attributes by the name of a T line; names of events and relations.
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
        # They may come before their entity.
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
            known = ", ".join([*"TAM", *OTHERS])
            what = f"{line[:EXCERPT]!r} is not an annotation: it must start with one of"
            raise place.error(f"{what} {known} and have a tab; correct it")
        if line[0] in TARGETS:
            self.others.add(name)
        self.report.note("skipped", place, f"{OTHERS[line[0]]} {name}")

    def _add_entity(self, line: str, place: Place) -> None:
        match = ENTITY.fullmatch(line)
        if match is None:
            what = f"{line[:EXCERPT]!r} is not an entity"
            raise place.error(f"{what}; write T1<TAB>LABEL START END<TAB>TEXT")
        name, label, ranges, shown = match.groups()
        if name in self.entities:
            raise place.error(f"{name} is given twice; rename one of them")
        bounds = (range.split(" ") for range in ranges.split(";"))
        spans = [(int(start), int(end)) for start, end in bounds]
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
                raise place.error(f"{what}; correct its offsets")
        found = on_one_line(" ".join(self.text[start:end] for start, end in spans))
        if found != on_one_line(shown):
            what = f"{name} is {shown[:EXCERPT]!r}, but {found[:EXCERPT]!r} is at its "
            what += "offsets; correct them"
            if self.text.startswith(BOM):
                what += ", or remove the byte order mark of the text"
            raise place.error(what)

    def _parts(
        self, spans: list[tuple[int, int]], name: str, place: Place
    ) -> list[tuple[int, int]]:
        parts = spans[:1]
        for start, end in spans[1:]:
            first, last = parts[-1]
            if start < last:
                raise place.error(f"fragments of {name} overlap; correct its offsets")
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
            what = f"{line[:EXCERPT]!r} is not an attribute"
            raise place.error(f"{what}; write A1<TAB>NAME T1 VALUE")
        name, target, value = match.groups()
        if target in self.others:
            self.report.note("skipped", place, f"attribute {name} of {target}")
            return
        if target not in self.entities:
            what = f"attribute {name} of {target}, which is not in the file"
            raise place.error(f"{what}; correct or remove it")
        _check_extension(name, place)
        values = self.values.setdefault(target, {})
        if name in values:
            self.report.note("skipped", place, f"a second {name} of {target}")
        values.setdefault(name, value or True)


def on_one_line(text: str) -> str:
    """Replace each line feed and carriage return by a space."""
    return text.replace("\n", " ").replace("\r", " ")


def _define_extensions(path: Path) -> None:
    """Define all attributes first, so that every document has those of all."""
    for _, text_path in _find_documents(path, ConversionReport()):
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
        what = f"attribute {name} cannot be stored, since a package has defined span._."
        raise place.error(f"{what}{name} as computed; rename the attribute")


def _find_documents(path: Path, report: ConversionReport) -> list[tuple[str, Path]]:
    """List the names and .txt files of a folder, or of a single .txt or .ann file."""
    try:
        return _documents(path, report)
    except OSError as err:
        where = Path(err.filename or path)
        raise UserError(f"cannot be read ({err.strerror})", where) from err


def _documents(path: Path, report: ConversionReport) -> list[tuple[str, Path]]:
    if not path.is_dir():
        if not path.exists():
            raise UserError("there is no such file or folder; check the path", path)
        if path.suffix not in (TEXT, ANNOTATIONS):
            what = "is neither a folder nor a .txt or .ann file; give one of these"
            raise UserError(what, path)
        _check_pair(path.with_suffix(TEXT))
        return [(path.stem, path.with_suffix(TEXT))]
    names = sorted(_names(path, report))
    documents = [(name, path / f"{name}{TEXT}") for name in names]
    for _, text_path in documents:
        _check_pair(text_path)
    if not documents:
        raise UserError("the folder holds no .txt file; check the path", path)
    return documents


def _check_pair(text_path: Path) -> None:
    annotations_path = text_path.with_suffix(ANNOTATIONS)
    if not annotations_path.exists():
        what = f"its annotations {annotations_path.name} are missing; add the file, "
        advice = "empty if the text has no entity, or move the text elsewhere"
        raise UserError(what + advice, text_path)
    if not text_path.exists():
        what = f"its text {text_path.name} is missing; add it or remove this file"
        raise UserError(what, annotations_path)
    for path in (text_path, annotations_path):
        if not path.is_file():
            raise UserError("is not a regular file; save its content to a file", path)


def _names(root: Path, report: ConversionReport) -> set[str]:
    names = set()
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for link in (name for name in folders if Path(folder, name).is_symlink()):
            what = f"the folder '{link}' is a link and is not followed"
            report.note("skipped", Place(Path(folder), 1, "folder"), what)
        for name in files:
            path = Path(folder, name)
            if path.suffix in (TEXT, ANNOTATIONS) and not name.startswith("."):
                names.add(_name(path.relative_to(root)))
    return names


def _name(path: Path) -> str:
    name = path.with_suffix("").as_posix()
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as err:
        what = f"the name of the file {name!a} is not UTF-8; rename it"
        raise UserError(what) from err
    return name


def _raise(error: OSError) -> NoReturn:
    raise error


def _read_text(path: Path) -> str:
    """Read a text with its line ends and byte order mark, since offsets count both."""
    try:
        size = path.stat().st_size
        if size > MAX_LINE:
            what = f"is longer than {MAX_LINE // 2**20} MiB; cut the text into several"
            raise UserError(what, path)
        raw = path.read_bytes()
    except OSError as err:
        raise UserError(f"cannot be read ({err.strerror})", path) from err
    return decode_text(raw, path)
