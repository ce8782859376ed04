"""Write BRAT standoff: texts, spans, and span extensions that are True or text."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from spacy.tokens import Doc

from ...util.errors import Place
from ..mentions import EXCERPT
from .spans import ExportedDoc, writes_docs, written
from .standoff import ANNOTATIONS, TEXT

SUFFIXES = (TEXT, ANNOTATIONS[0])
# What some file system or the reader does not accept in a name.
BAD_NAME = re.compile(
    r'[\x00-\x1f\x7f<>:"|?*\\\ud800-\udfff]|(^|/)(\.|/|$)|[. ](/|$)'
    r"|(^|/)(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9]) *(\.|/|$)",
    re.IGNORECASE,
)
MAX_NAME_BYTES = 255
WHITE_SPACE = re.compile(r"\s")
LINE_END = re.compile(r"[\r\n]")


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
        fault = (
            "is not a file name on all systems: a part is empty or too long, starts "
        )
        fault += "with '.', ends with '.' or ' ', or has what Windows reserves"
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
            if value is True or (isinstance(value, (str, int, float)) and value != ""):
                n_attributes += 1
                name = written(name, WHITE_SPACE, "_", place)
                text = (
                    "" if value is True else " " + written(value, LINE_END, " ", place)
                )
                yield f"A{n_attributes}\t{name} T{number}{text}\n"
            else:
                what = f"the attribute {name} is {value!r}"[:EXCERPT]
                place.note("dropped", f"{what}, neither True nor text")


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
