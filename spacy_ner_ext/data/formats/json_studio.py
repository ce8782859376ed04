"""Read the exports of Label Studio (JSON, JSON-MIN, CSV) and of Argilla."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

from ...util.errors import Place
from ..record import Record
from ..report import NotedPlace
from .json_file import checked, excerpt, field, name_of
from .json_spans import Annotators, add_spans, first, has_offsets, is_plain_label

Values = Mapping[str, Any]
Region = dict[str, Any]
# The second is the name in versions before 1.0.
ANNOTATIONS = ("annotations", "completions")
LABELS = ("labels", "hypertextlabels")
ADDRESS = re.compile(r"(?:\w+:/|/data/(?:upload|local-files))/?\S*")
# Columns of JSON-MIN that come after the results.
AFTER = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time")


def is_task(value: Any) -> bool:
    """Whether a value is a task of Label Studio with all its annotations."""
    return isinstance(value, dict) and isinstance(value.get("data"), dict)


def read_task(
    values: Values, place: NotedPlace, annotators: Annotators
) -> Iterator[Record]:
    """Read one annotation: by the annotator who is wanted, the one that is marked as
    ground truth, or the first."""
    key = first(values, ANNOTATIONS)
    given = _objects(values, key, place) if key else []
    valid = [one for one in given if not one.get("was_cancelled")]
    valid = [a for a in valid if not annotators.skips(a.get("completed_by"), place)]
    if given and not valid:
        place.note("rejected", "all annotations are cancelled or not wanted")
        return
    valid.sort(key=lambda annotation: not annotation.get("ground_truth"))
    for annotation in valid[1:]:
        author = excerpt(annotation.get("completed_by", "unknown"))
        place.note("skipped", f"further annotation, by {author}; see --annotator")
    for _ in checked(values.get("predictions") or [], list, "'predictions'", place):
        place.note("skipped", "prediction")
    results = _objects(valid[0], "result", place) if valid else []
    record = Record(place, id=name_of(values, "id", place))
    regions = _sort_results(results, record, place)
    names = [name_of(result, "to_name", place) for result in results]
    data = field(values, "data", dict, place)
    is_known = bool(valid) and (bool(regions) or not results)
    yield _add_regions(record, data, names, regions if is_known else None, place)


def _objects(values: Values, name: str, place: Place) -> list[dict[str, Any]]:
    items = field(values, name, list, place)
    return [checked(item, dict, f"a value of '{name}'", place) for item in items]


def _sort_results(
    results: list[dict[str, Any]], record: Record, place: NotedPlace
) -> list[Region]:
    """The labeled regions with their attributes; the choices become categories."""
    regions: list[Region] = []
    others: list[tuple[Any, dict[str, Any], dict[str, Any]]] = []
    for result in results:
        key, value = (
            result.get("id"),
            checked(result.get("value") or {}, dict, "the value of a result", place),
        )
        kind = first(value, LABELS)
        if kind:
            regions.append({**value, "labels": value[kind], "values": {}, "id": key})
        else:
            others.append((key, value, result))
    for key, value, result in others:
        kind = name_of(result, "type", place) or first(value, ("choices",))
        targets = [r for r in regions if key is not None and _is_about(value, key, r)]
        found = value.get(kind)
        for region in targets:
            is_one = isinstance(found, list) and len(found) == 1
            name = name_of(result, "from_name", place) or kind
            region["values"][name] = found[0] if is_one and found else found
        if kind == "choices" and not targets and not has_offsets(value):
            for choice in field(value, kind, list, place):
                record.cats[checked(choice, str, "a choice", place)] = 1.0
        elif not targets:
            note = "skipped" if kind == "relation" else "not_understood"
            place.note(note, f"result of type {kind or 'unknown'}")
    return regions


def _is_about(value: Values, key: Any, region: Region) -> bool:
    bounds = ("start", "end")
    is_same = all(value.get(n, region.get(n)) == region.get(n) for n in bounds)
    return is_same and region["id"] == key


def _add_regions(
    record: Record,
    data: Values,
    preferred: Sequence[str],
    regions: list[Region] | None,
    place: NotedPlace,
) -> Record:
    """Find the text that regions are of, and add them; None are not known."""
    texts = {k: v for k, v in data.items() if isinstance(v, str) and v.strip()}
    if any("globalOffsets" in region for region in regions or ()):
        texts = {name: _text_of_html(value) for name, value in texts.items()}
    quotes = [str(region.get("text", "")) for region in regions or ()]
    names = [name for name in (*preferred, "text") if name in texts][:1]
    if quotes and not names:
        names = [n for n, text in texts.items() if all(q in text for q in quotes)]
    names = names or list(texts)
    if len(names) != 1:
        what = f"there is no 'text', but {', '.join(data) or 'nothing'}"
        raise place.error(f"{what}; name the text 'text'")
    record.text = texts[names[0]]
    if ADDRESS.fullmatch(record.text.strip()):
        what = f"{excerpt(record.text)} is the address of a text, not a text"
        raise place.error(f"{what}; put the texts themselves into the file")
    for region in regions or ():
        if str(region.get("start")).startswith("/") and "globalOffsets" not in region:
            place.note("not_understood", "a region of HTML without global offsets")
            record.is_complete = False
        else:
            add_spans(record, [region], place)
    if regions is not None and record.entities is None:
        record.entities = []
    return record


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def _text_of_html(html: str) -> str:
    parser = _Html()
    parser.feed(html)
    parser.close()
    return "".join(parser.parts)


def is_minimal(value: Any) -> bool:
    """Whether a value is a record of Label Studio's JSON-MIN or a row of its CSV."""
    if not isinstance(value, dict) or "_view_id" in value:
        return False
    has_key = "annotation_id" in value or "lead_time" in value
    return has_key or any(_regions_of(control) for control in value.values())


def _regions_of(control: Any) -> list[Region]:
    items = [item for item in control if has_offsets(item)] if _is_list(control) else []
    kinds = [first(item, LABELS) for item in items]
    return [{**i, "labels": i[k]} for i, k in zip(items, kinds) if _is_list(i.get(k))]


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def read_minimal(
    values: Values, place: NotedPlace, annotators: Annotators
) -> Iterator[Record]:
    """Read a record of JSON-MIN, in which a control can have any name."""
    if annotators.skips(values.get("annotator"), place):
        return
    data = {name: value for name, value in values.items() if name not in AFTER}
    names = list(data)
    # Results come after "id", other columns of the task before it.
    cut = names.index("id") if "id" in names else 0
    regions = [region for value in data.values() for region in _regions_of(value)]
    record = Record(place, id=name_of(values, "id", place))
    preferred = names[:cut] if cut == 1 else []
    _add_regions(record, data, preferred, regions, place)
    for name in names[cut:]:
        value = data[name]
        found = value.get("choices") if isinstance(value, dict) else [value]
        choices: list[Any] = found if isinstance(found, list) else [None]
        if name == "id" or not value or value == record.text or _regions_of(value):
            continue
        if not regions:
            record.entities = None
        if all(map(is_plain_label, choices)) and not regions:
            record.cats.update({str(choice): 1.0 for choice in choices})
        else:
            place.note("not_understood", f"'{name}'")
    yield record


def is_argilla(value: Any) -> bool:
    """Whether a value is a record of Argilla with fields and responses."""
    return isinstance(value, dict) and isinstance(value.get("fields"), dict)


def read_argilla(
    values: Values, place: NotedPlace, annotators: Annotators
) -> Iterator[Record]:
    """Read the first response to each question, or that of one annotator."""
    record = Record(place, id=name_of(values, "id", place))
    _add_regions(record, values["fields"], (), None, place)
    answered: set[str] = set()
    given = values.get("responses") or {}
    for question, answer in _responses(given, place):
        value, status = answer.get("value"), answer.get("status")
        items: list[Any] = value if isinstance(value, list) else [value]
        if status in ("discarded", "draft"):
            place.note("rejected", f"a response is {status}")
        elif annotators.skips(answer.get("user_id"), place):
            continue
        elif question in answered:
            place.note("skipped", "further response; see --annotator")
        elif _is_list(value) and all(has_offsets(item) for item in items):
            add_spans(record, items, place)
        elif all(isinstance(item, str) and is_plain_label(item) for item in items):
            record.cats.update(dict.fromkeys(items, 1.0))
        else:
            place.note("not_understood", f"the response to '{question}'")
        answered.add(question)
    for _ in values.get("suggestions") or ():
        place.note("skipped", "suggestion")
    if answered or not given:
        yield record


def _responses(given: Any, place: Place) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(given, dict):
        for question in given:
            for answer in _objects(given, question, place):
                yield question, answer
        return
    for response in _objects({"responses": given}, "responses", place):
        answers = checked(response.get("values") or {}, dict, "'values'", place)
        for question in answers:
            yield question, {**response, **field(answers, question, dict, place)}
