"""Write BRAT standoff: texts, spans, and span extensions that are True or text."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from spacy.tokens import Doc, Span

from ...util.errors import Place, UserError
from ..mentions import EXCERPT
from ..report import NotedPlace
from .spans import ExportedDoc, writes_docs
from .standoff import ANNOTATIONS, TEXT, on_one_line

# Characters that some file system or the reader does not accept.
FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\\ud800-\udfff]')
RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9]) *(\..*)?", re.IGNORECASE)
MAX_NAME_BYTES = 255
WHITE_SPACE = re.compile(r"\s")

Values = dict[tuple[int, int], dict[str, Any]]


@writes_docs
def write_standoff(docs: Iterable[ExportedDoc], folder: Path, name: str) -> None:
    """Write each document as a .txt and an .ann file, named by its "id" if any."""
    taken: dict[str, str] = {}
    for exported in docs:
        doc, place, _ = exported
        doc_id = str(doc.user_data.get("id") or f"{name}-{place.number:05}")
        _take_name(doc_id, taken, place)
        spans = exported.spans()
        exported.note_lost(spans, held=("attributes", "ids"))
        lines = _lines(spans, _values(doc), place)
        _write(folder / f"{doc_id}{TEXT}", doc.text)
        _write(folder / f"{doc_id}{ANNOTATIONS}", "".join(lines))


def _take_name(name: str, taken: dict[str, str], place: Place) -> None:
    """Check the name of a document, and add its files and folders to those taken."""
    fault = _fault(name)
    # Names that differ only in this are the same on some file systems.
    key = unicodedata.normalize("NFC", name).casefold()
    folders = (str(folder) for folder in PurePosixPath(key).parents)
    needed = dict.fromkeys(folders, "folder")
    needed |= dict.fromkeys((f"{key}{TEXT}", f"{key}{ANNOTATIONS}"), "file")
    for path, kind in needed.items():
        if taken.get(path, kind) != kind:
            fault = "needs a folder where an earlier one has a file, or the reverse"
        elif path in taken and kind == "file":
            fault = "is that of an earlier document, or differs only in case"
    if fault:
        what = f"the id {name[:EXCERPT]!r} {fault}; give the document another"
        raise place.error(what)
    taken |= needed


def _fault(name: str) -> str:
    """Why a name cannot be a file name; empty if it can."""
    forbidden = FORBIDDEN.search(name)
    if forbidden:
        return f"contains {forbidden[0]!r}, which file names cannot"
    for part in name.split("/"):
        if not part or part.startswith(".") or part.endswith((".", " ")):
            return "has a part that is empty, starts with '.' or ends with '.' or ' '"
        if RESERVED.fullmatch(part):
            return f"contains {part!r}, which Windows reserves"
        if len(f"{part}{TEXT}".encode()) > MAX_NAME_BYTES:
            return f"is too long for a file name of up to {MAX_NAME_BYTES} bytes"
    return ""


def _values(doc: Doc) -> Values:
    """Extensions by the characters of their span, as spaCy stores them."""
    values: Values = defaultdict(dict)
    for key, value in doc.user_data.items():
        if isinstance(key, tuple) and len(key) == 4 and key[0] == "._.":
            _, name, start, end = key
            if end is not None:
                values[start, end][name] = value
    return values


def _lines(spans: list[Span], values: Values, place: NotedPlace) -> Iterator[str]:
    n_attributes = 0
    for number, span in enumerate(spans, start=1):
        label = _without_white_space(span.label_, place)
        start, end = span.start_char, span.end_char
        yield f"T{number}\t{label} {start} {end}\t{on_one_line(span.text)}\n"
        for name, value in values.get((start, end), {}).items():
            text = _value(name, value, place)
            if text is not None:
                n_attributes += 1
                called = _without_white_space(name, place)
                yield f"A{n_attributes}\t{called} T{number}{text}\n"


def _value(name: str, value: object, place: NotedPlace) -> str | None:
    # A missing attribute means the same.
    if value is None or value is False:
        return None
    if value is True:
        return ""
    if not isinstance(value, (str, int, float)) or value == "":
        what = f"the attribute {name} is {value!r}"[:EXCERPT]
        place.note("dropped", f"{what}, neither True nor text")
        return None
    text = on_one_line(str(value))
    if text != value:
        shown = f"{name} is {value!r}"[:EXCERPT]
        place.note("replaced", f"{shown}, written as text on one line")
    return f" {text}"


def _without_white_space(name: str, place: NotedPlace) -> str:
    written = WHITE_SPACE.sub("_", name)
    if written != name:
        place.note("replaced", f"{name!r} becomes '{written}'")
    return written


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
    except UnicodeEncodeError as err:
        what = f"{err.object[err.start]!r} in an attribute is half a surrogate pair"
        raise UserError(f"{what}; correct it", path) from err
