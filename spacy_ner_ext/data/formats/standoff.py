"""BRAT standoff: text files, each with files of annotations with offsets. Attributes
are span extensions that are True or text."""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from spacy.tokens import Doc, Span

from ...util.errors import Place, UserError, together
from ..docs import reads_docs
from ..mentions import EXCERPT, Mention, locate
from ..offsets import Quote
from ..record import Record
from ..report import ConversionReport, NotedPlace
from ..text import MAX_LINE, decode_text, read_lines, readable
from .spans import ExportedDoc, writes_docs, written

# BioNLP's shared tasks have the given and the wanted annotations in two files.
TEXT, ANNOTATIONS = ".txt", (".ann", ".a1", ".a2")
SUFFIXES = (TEXT, ANNOTATIONS[0])
# More digits than the length of any text, and few enough for int().
RANGE = r"[0-9]{1,18} [0-9]{1,18}"
ENTITY = re.compile(rf"(T\S+)\t(\S+) ({RANGE}(?:;{RANGE})*)\t(.*)", re.DOTALL)
ATTRIBUTE = re.compile(r"^[AM]\S+\t(\S+) (\S+)(?: (.*))?", re.MULTILINE)
OTHERS = {"N": "normalization", "E": "event", "R": "relation"}
OTHERS |= {"*": "equivalence", "#": "note"}
# Other lines continue the one before, whose text has line ends.
START = re.compile(r"[TAMNER#]\S*\t|\*\s|T\S+ +\S+ [0-9]+ [0-9]+ ")
# What some file system or the reader does not accept in a name.
BAD_NAME = re.compile(
    r'[\x00-\x1f\x7f<>:"|?*\\\ud800-\udfff]|(^|/)(\.|/|$)|[. ](/|$)'
    r"|(^|/)(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9]) *(\.|/|$)",
    re.IGNORECASE,
)
MAX_NAME_BYTES = 255
WHITE_SPACE = re.compile(r"\s")
LINE_END = re.compile(r"[\r\n]")


@reads_docs
def read_standoff(
    path: Path,
    report: ConversionReport,
    *,
    fragments: str = "merge",
    skip_bad: bool = False,
) -> Iterator[Record]:
    """Read a folder of any depth, or a text or a file of annotations."""
    with readable(path):
        texts = _find_texts(path, report)
        _define_extensions(texts.values())
    bad: list[UserError] = []
    for name, text_path in sorted(texts.items()):
        try:
            record = _read_document(name, text_path, fragments, report)
        except UserError as err:
            bad.append(err)
            if skip_bad:
                report.note("bad_files", Place(text_path, 1), str(err))
        else:
            yield record
    if len(texts) == 1 and bad:
        raise bad[0]
    if bad and (not skip_bad or len(bad) == len(texts)):
        what = f"{len(bad)} of {len(texts)} documents cannot be read"
        raise together(what, bad, "correct them, or leave them out with --skip-bad")


def _read_document(
    name: str, text_path: Path, fragments: str, report: ConversionReport
) -> Record:
    text = _read_text(text_path)
    mentions: dict[str, Mention] = {}
    attributes = []
    for place, line in _read_lines(_annotations(text_path), report):
        if line.startswith("T"):
            _add_entity(mentions, line, place)
        elif line.startswith(("A", "M")):
            attributes.append((line, place))
        else:
            place.note("skipped", f"{OTHERS[line[0]]} {line.split()[0]}")
    # They may come before their entity.
    for line, place in attributes:
        _add_attribute(mentions, line, place)
    entities = list(locate(text, list(mentions.values()), fragments, report))
    return Record(Place(text_path, 1), text=text, entities=entities, id=name)


def _read_lines(
    paths: Iterable[Path], report: ConversionReport
) -> Iterator[tuple[NotedPlace, str]]:
    """Read each annotation with the lines that continue it."""
    for path in paths:
        place, lines = NotedPlace(path, 1), list[str]()
        for number, line in read_lines(path, keep_ends=True):
            if START.match(line):
                if lines:
                    yield place, "".join(lines).rstrip()
                place, lines = NotedPlace.of(Place(path, number), report), [line]
            elif lines and "\t" not in line:
                lines.append(line)
            elif line.strip():
                known = ", ".join([*"TAM", *OTHERS])
                what = f"{line[:EXCERPT].rstrip()!r} is not an annotation: it must "
                what += f"start with one of {known} and have a tab; correct it"
                raise Place(path, number).error(what)
        if lines:
            yield place, "".join(lines).rstrip()


def _add_entity(mentions: dict[str, Mention], line: str, place: Place) -> None:
    match = ENTITY.fullmatch(line)
    if match is None:
        what = f"{line[:EXCERPT]!r} is not an entity"
        raise place.error(f"{what}; write T1<TAB>LABEL START END<TAB>TEXT")
    name, label, ranges, quote = match.groups()
    if name in mentions:
        raise place.error(f"{name} is given twice; rename one of them")
    bounds = (range.split() for range in ranges.split(";"))
    spans = [(int(start), int(end)) for start, end in bounds]
    mentions[name] = Mention(place, name, label, Quote(spans, quote))


def _add_attribute(mentions: dict[str, Mention], line: str, place: NotedPlace) -> None:
    match = ATTRIBUTE.match(line)
    name, target, value = match.groups() if match else ("", "", "")
    if target not in mentions:
        what = f"attribute {name} of {target}" if match else f"{line[:EXCERPT]!r}"
        place.note("skipped", what)
        return
    mention = mentions[target]
    _, method, getter, setter = Span.get_extension(name) or (None,) * 4
    if setter is None and (method or getter):
        what = f"attribute {name} cannot be stored, since a package has defined span._."
        raise place.error(f"{what}{name} as computed; rename the attribute")
    if name in mention.values:
        place.note("skipped", f"a second {name} of {target}")
    else:
        values = {**mention.values, name: value or True}
        mentions[target] = mention._replace(values=values)


def _define_extensions(texts: Iterable[Path]) -> None:
    """Define all attributes first, so that every document has those of all."""
    for path in (path for text_path in texts for path in _annotations(text_path)):
        content = path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""
        for name, _, _ in ATTRIBUTE.findall(content):
            if not Span.has_extension(name):
                Span.set_extension(name, default=None)


def _annotations(text_path: Path) -> list[Path]:
    """List the files of annotations of a text that exist."""
    return [p for p in map(text_path.with_suffix, ANNOTATIONS) if p.exists()]


def _find_texts(path: Path, report: ConversionReport) -> dict[str, Path]:
    """List the texts of a folder by name, or that of a single file."""
    suffixes = (TEXT, *ANNOTATIONS)
    if not path.exists():
        raise UserError("there is no such file or folder; check the path", path)
    if not path.is_dir():
        if path.suffix in suffixes:
            return {path.stem: path.with_suffix(TEXT)}
        what = "is neither a folder nor a .txt or .ann file; give one of these"
        raise UserError(what, path)
    texts: dict[str, Path] = {}
    errors: list[OSError] = []
    for folder, folders, files in os.walk(path, onerror=errors.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for link in (name for name in folders if Path(folder, name).is_symlink()):
            what = f"the folder '{link}' is a link and is not followed"
            report.note("skipped", Place(Path(folder), 1, "folder"), what)
        for file in (Path(folder, name) for name in files if name[0] != "."):
            name = file.relative_to(path).with_suffix("").as_posix()
            if file.suffix in suffixes:
                texts[name] = file.with_suffix(TEXT)
    for error in errors:
        raise error
    for name in texts:
        if name.encode(errors="ignore").decode() != name:
            raise UserError(f"the name of the file {name!a} is not UTF-8; rename it")
    if not texts:
        raise UserError("the folder holds no .txt file; check the path", path)
    return texts


def _read_text(path: Path) -> str:
    """Read a text with its line ends and byte order mark, since offsets count both."""
    annotations = _annotations(path) or [path.with_suffix(ANNOTATIONS[0])]
    for file in (path, *annotations):
        if not file.is_file():
            what = (
                "is missing or not a file; a text needs a file of annotations next to"
            )
            raise UserError(f"{what} it, which is empty if it has no entity", file)
    with readable(path):
        if path.stat().st_size > MAX_LINE:
            what = f"is longer than {MAX_LINE // 2**20} MiB; cut the text into several"
            raise UserError(what, path)
        return decode_text(path.read_bytes(), path)


@writes_docs
def write_standoff(docs: Iterable[ExportedDoc], folder: Path, name: str) -> None:
    """Write each document as a .txt and an .ann file, named by its "id" if any."""
    taken: dict[str, str] = {}
    for exported in docs:
        doc, place, _ = exported
        doc_id = str(doc.user_data.get("id") or f"{name}-{place.number:05}")
        _take_name(doc_id, taken, place)
        for suffix, text in zip(SUFFIXES, (doc.text, "".join(_lines(exported)))):
            path = folder / f"{doc_id}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")


def _take_name(name: str, taken: dict[str, str], place: Place) -> None:
    """Check the name of a document, and add its files and folders to those taken."""
    fault = ""
    sizes = [len(f"{part}{TEXT}".encode(errors="ignore")) for part in name.split("/")]
    if BAD_NAME.search(name) or max(sizes) > MAX_NAME_BYTES:
        fault = "has a part that is empty, too long, or not a file name on all systems"
    # Names that differ only in this are the same on some file systems.
    key = unicodedata.normalize("NFC", name).casefold()
    needed = dict.fromkeys(map(str, PurePosixPath(key).parents), "folder")
    needed |= dict.fromkeys((f"{key}{suffix}" for suffix in SUFFIXES), "file")
    for path, kind in needed.items():
        if taken.get(path, kind) != kind:
            fault = "needs a folder where an earlier one has a file, or the reverse"
        elif path in taken and kind == "file":
            fault = "is that of an earlier document, or differs only in case"
    if fault:
        what = f"the id {name[:EXCERPT]!r} {fault}; give the document another"
        raise place.error(what)
    taken |= needed


def _lines(exported: ExportedDoc) -> Iterator[str]:
    doc, place, _ = exported
    spans = exported.spans()
    exported.note_lost(spans, held=("attributes", "ids"))
    values, n_attributes = _values(doc), 0
    for number, span in enumerate(spans, start=1):
        label = written(span.label_, WHITE_SPACE, "_", place)
        start, end = span.start_char, span.end_char
        yield f"T{number}\t{label} {start} {end}\t{LINE_END.sub(' ', span.text)}\n"
        for name, value in values[start, end].items():
            if value == "" or not isinstance(value, str | int | float):
                what = f"the attribute {name} is {value!r}"[:EXCERPT]
                place.note("dropped", f"{what}, neither True nor text")
                continue
            n_attributes += 1
            name = written(name, WHITE_SPACE, "_", place)
            text = "" if value is True else written(value, LINE_END, " ", place)
            yield f"A{n_attributes}\t{name} T{number} {text}".rstrip() + "\n"


def _values(doc: Doc) -> dict[tuple[int, int], dict[str, Any]]:
    """Extensions by the characters of their span, as spaCy stores them. A missing one
    means the same as False."""
    values: dict[tuple[int, int], dict[str, Any]] = defaultdict(dict)
    for key, value in doc.user_data.items():
        if isinstance(key, tuple) and len(key) == 4 and key[0] == "._.":
            _, name, start, end = key
            if end is not None and value is not None and value is not False:
                values[start, end][name] = value
    return values
