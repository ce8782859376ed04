"""BioC, JSON or XML: passages with offsets, and annotations with theirs."""

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ...util.errors import Place, UserError, one_line
from ..docs import reads_docs
from ..mentions import Mention, locate
from ..offsets import Quote
from ..record import Entity, Record
from ..report import ConversionReport, NotedPlace
from ..text import check_input
from .json_file import checked, excerpt, field, name_of, objects, read_json_values

Values = Mapping[str, Any]
# The offset of a text, the text and its mentions.
Text = tuple[int, str, list[Mention]]
# Keys of the documents of a collection; the second is that of the API of PubTator 3.
COLLECTIONS = ("documents", "PubTator3")
# Keys of the label, in the order in which they are looked up.
LABELS = ("type", "label", "class", "category", "semantic_type", "entity_type")
LISTS = ("annotation", "passage", "sentence", "relation", "location")


@reads_docs
def read_bioc(
    path: Path, report: ConversionReport, *, fragments: str = "merge"
) -> Iterator[Record]:
    """Read documents, with a line feed between their passages or sentences."""
    check_input(path)
    with path.open("rb") as file:
        is_xml = file.read(64).removeprefix(BOM_UTF8).lstrip().startswith(b"<")
    documents = _read_xml(path) if is_xml else _read_json(path)
    for number, values in enumerate(documents, start=1):
        place = NotedPlace.of(Place(path, number, "document"), report)
        yield _read_document(values, place, fragments)


def _read_json(path: Path) -> Iterator[Values]:
    for place, value in read_json_values(path):
        documents = _documents(value)
        if not any(isinstance(found.get("passages"), list) for found in documents):
            what = f"{excerpt(value)} is not a BioC collection or document"
            raise place.error(f"{what}; it must have 'documents' or 'passages'")
        yield from documents


def _documents(value: Any) -> list[Values]:
    if isinstance(value, list):
        return [document for item in value for document in _documents(item)]
    if not isinstance(value, dict):
        return []
    lists = (value[key] for key in COLLECTIONS if isinstance(value.get(key), list))
    return [item for item in next(lists, [value]) if isinstance(item, dict)]


def _read_xml(path: Path) -> Iterator[Values]:
    try:
        for _, element in ElementTree.iterparse(path):
            if element.tag == "document":
                yield _from_xml(element)
                element.clear()
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as err:
        what = f"is not BioC XML ({one_line(err)}); correct it"
        raise UserError(what, path) from err


def _from_xml(element: ElementTree.Element) -> dict[str, Any]:
    """The values of an element as in JSON, except that numbers are strings."""
    values: dict[str, Any] = {**element.attrib, "infons": {}}
    for child in element:
        if child.tag == "infon":
            values["infons"][child.get("key")] = child.text
        elif child.tag in LISTS:
            values.setdefault(f"{child.tag}s", []).append(_from_xml(child))
        else:
            values[child.tag] = child.text or ""
    return values


def _read_document(values: Values, place: NotedPlace, fragments: str) -> Record:
    levels, texts = [values], list[Text]()
    for passage in objects(values, "passages", place):
        sentences = objects(passage, "sentences", place)
        levels += [passage, *sentences]
        for part in [passage] if passage.get("text") else sentences:
            text = field(part, "text", str, place)
            texts.append((_number(part, "offset", place), text, []))
    texts.sort(key=itemgetter(0))
    for level in levels:
        for _ in objects(level, "relations", place):
            place.note("skipped", "relation")
        for annotation in objects(level, "annotations", place):
            _add_mention(annotation, texts, place)
    record = Record(place, id=name_of(values, "id", place))
    record.text = "\n".join(text for _, text, _ in texts)
    start, found = 0, list[Entity]()
    for _, text, mentions in texts:
        found += locate(text, mentions, fragments, place.report, start)
        start += len(text) + 1
    record.entities = [entity for entity in found if entity.label]
    record.missing = [
        (entity.start, entity.end) for entity in found if not entity.label
    ]
    return record


def _add_mention(annotation: Values, texts: list[Text], place: NotedPlace) -> None:
    """Add an annotation to the mentions of its text, with offsets that count there."""
    name = f"annotation {name_of(annotation, 'id', place)}".strip()
    infons = checked(annotation.get("infons") or {}, dict, "'infons'", place)
    label = next((infons[key] for key in LABELS if infons.get(key)), "")
    checked(label, str, f"the type of {name}", place)
    spans = []
    for location in objects(annotation, "locations", place):
        start = _number(location, "offset", place)
        spans.append((start, start + _number(location, "length", place)))
    before = [text for text in texts if spans and text[0] <= spans[0][0]]
    if not before:
        place.note("skipped", f"{name} is not in a text")
        return
    if not label:
        place.note("not_understood", f"{name} has no type")
    at, _, mentions = before[-1]
    spans = [(start - at, end - at) for start, end in spans]
    text = annotation.get("text") or None
    quote = Quote(spans, text and checked(text, str, f"the text of {name}", place))
    mentions.append(Mention(place, name, label, quote))


def _number(values: Values, name: str, place: Place) -> int:
    value = values.get(name)
    if isinstance(value, str) and value.isdecimal() and len(value) < 19:
        return int(value)
    return field(values, name, int, place)
