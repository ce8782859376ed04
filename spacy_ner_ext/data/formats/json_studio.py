"""Read the exports of Label Studio (JSON, JSON-MIN, CSV) and of Argilla."""

import re
from collections.abc import Iterator, Sequence
from html import unescape
from itertools import chain, zip_longest
from typing import Any

from ...util.errors import Place
from ..record import Record
from .json_file import array, checked, excerpt, field, name_of, objects
from .json_spans import ValuePlace, Values, add_spans, first, has_offsets
from .json_spans import is_plain_label as is_plain

Dict = dict[str, Any]
# The second is the name in versions before 1.0.
ANNOTATIONS = ("annotations", "completions")
LABELS = ("labels", "hypertextlabels", "label")
ADDRESS = re.compile(r"(?:\w+:/|/data/(?:upload|local-files))/?\S*")
HTML = re.compile(r"<!--.*?-->|<[^<>]*>", re.DOTALL)
RESPONSES = ".responses"
# Columns of JSON-MIN that come after the results, and of Argilla that are not texts.
AFTER = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time")
HIDDEN = ("id", "status", "_server_id")


def read_task(values: Values, place: ValuePlace) -> Iterator[Record]:
    """Read one annotation of a task of Label Studio: by the annotator who is wanted,
    the one that is marked as ground truth, or the first."""
    given = objects(values, first(values, ANNOTATIONS), place)
    valid = [one for one in given if not one.get("was_cancelled")]
    valid = [one for one in valid if not place.skips(one.get("completed_by"))]
    if given and not valid:
        place.note("rejected", "all annotations are cancelled or not wanted")
        return
    valid.sort(key=lambda annotation: not annotation.get("ground_truth"))
    for annotation in valid[1:]:
        author = excerpt(annotation.get("completed_by", "unknown"))
        place.note("skipped", f"further annotation, by {author}; see --annotator")
    for _ in array(values, "predictions", place):
        place.note("skipped", "prediction")
    if not valid:
        yield _record(values, None, place)
        return
    field(valid[0], "result", list, place)
    results = objects(valid[0], "result", place)
    data = field(values, "data", dict, place)
    about = [name_of(result, "to_name", place) for result in results]
    names = [name for name in dict.fromkeys(about) if isinstance(data.get(name), str)]
    # Each text is a document, as offsets count in the one that they are about.
    for name in names if len(names) > 1 else ():
        found = [r for r, n in zip(results, about) if (n or names[0]) == name]
        yield _record({**values, "data": {name: data[name]}}, found, place)
    if len(names) < 2:
        yield _record(values, results, place)


def _record(task: Values, results: list[Dict] | None, place: ValuePlace) -> Record:
    """The record of a text; without a list of results it is not annotated."""
    record = Record(place, id=name_of(task, "id", place), choices={})
    regions = _sort_results(results or [], record, place)
    names = [name_of(result, "to_name", place) for result in results or ()]
    data = field(task, "data", dict, place)
    record.text = _choose_text(data, names, regions, place)
    has_labels = any(region["labels"] for region in regions)
    found: list[Dict] = []
    for region in regions:
        is_path = str(region.get("start")).startswith("/")
        if has_labels and ("globalOffsets" in region or not is_path):
            found.append(region)
        else:
            what = "offsets" if has_labels else "label"
            place.note("not_understood", f"region without {what}: {excerpt(region)}")
    if has_labels or results == []:
        add_spans(record, found, place)
    record.is_complete = len(found) == len(regions)
    return record


def _sort_results(results: list[Dict], record: Record, place: ValuePlace) -> list[Dict]:
    """Add the choices about the text to its record, and return the regions with their
    attributes; of those without label, nothing is known about the tokens."""
    regions: list[Dict] = []
    # Attributes may come before the labels.
    for result in sorted(results, key=lambda result: _labels_of(result, place) is None):
        value, labels = result.get("value") or {}, _labels_of(result, place)
        about = {**value, "labels": labels or [], "values": {}, "id": result.get("id")}
        kind = name_of(result, "type", place) or first(value, ("choices",))
        name = name_of(result, "from_name", place) or kind
        targets = [one for one in regions if labels is None and _is_about(about, one)]
        found = value.get("text" if kind == "textarea" else kind)
        is_one = isinstance(found, list) and len(found) == 1
        for region in targets:
            region["values"][name] = found[0] if is_one and found else found
        if labels is not None or (has_offsets(value) and not targets):
            regions.append(about)
        elif kind == "choices" and not targets:
            items = field(value, kind, list, place)
            chosen = [checked(item, str, "a choice", place) for item in items]
            record.choices = {**(record.choices or {}), name: chosen}
            record.cats |= dict.fromkeys(chosen, 1.0)
        elif not targets:
            note = "skipped" if kind == "relation" else "not_understood"
            place.note(note, f"result of type {kind or 'unknown'}")
    return regions


def _labels_of(result: Dict, place: Place) -> Any:
    value = checked(result.get("value") or {}, dict, "the value of a result", place)
    return value.get(first(value, LABELS))


def _is_about(value: Values, region: Values) -> bool:
    names = ("start", "end")
    is_same = all(value.get(n, region.get(n)) == region.get(n) for n in names)
    return is_same and value["id"] is not None and region["id"] == value["id"]


def _choose_text(
    data: Values, preferred: Sequence[str], regions: Sequence[Values], place: Place
) -> str:
    """Find the text that regions are of."""
    texts = {k: v for k, v in data.items() if isinstance(v, str)}
    texts = {k: v for k, v in texts.items() if v.strip()} or texts
    if any("globalOffsets" in region for region in regions):
        texts = {name: unescape(HTML.sub("", value)) for name, value in texts.items()}
    quotes = [str(region.get("text", "")) for region in regions]
    names = [name for name in (*preferred, "text") if name in texts][:1]
    if quotes and not names:
        names = [n for n, text in texts.items() if all(q in text for q in quotes)]
    names = names or list(texts)
    if len(names) != 1:
        checked(data.get("text", ""), str, "'text'", place)
        what = f"there is no 'text', but {', '.join(data) or 'nothing'}"
        raise place.error(f"{what}; name the text 'text'")
    text = texts[names[0]]
    if ADDRESS.fullmatch(text.strip()):
        what = f"{excerpt(text)} is the address of a text, not a text"
        raise place.error(f"{what}; put the texts themselves into the file")
    return text


def is_minimal(value: Values) -> bool:
    """Whether an object is a record of Label Studio's JSON-MIN or a row of its CSV."""
    has_key = "annotation_id" in value or "lead_time" in value
    is_record = has_key or any(map(_regions_of, value.values()))
    return is_record and "_view_id" not in value


def _regions_of(control: Any) -> list[Dict]:
    items = control if isinstance(control, list) else []
    found = [item for item in items if has_offsets(item)]
    # Other tools have lists of "label".
    names = LABELS[:2]
    return [item for item in found if isinstance(item.get(first(item, names)), list)]


def read_minimal(values: Values, place: ValuePlace) -> Iterator[Record]:
    """Read a record of JSON-MIN, in which a control can have any name, as a task."""
    names = [name for name in values if name not in AFTER]
    # Results come after "id", other columns of the task before it.
    cut = names.index("id") if "id" in names else 0
    data = {name: values[name] for name in names if name != "id"}
    regions = [region for value in data.values() for region in _regions_of(value)]
    text = _choose_text(data, names[:cut] if cut == 1 else [], regions, place)
    controls = {n: v for n, v in data.items() if _regions_of(v) or n in names[cut:]}
    results = [
        result
        for name, value in controls.items()
        for result in _results_of(name, value, has_choices=not regions)
        if value != text
    ]
    annotation = {"completed_by": values.get("annotator"), "result": results}
    # Rows of texts without annotation have empty cells.
    is_annotated = bool(results or first(values, AFTER[:2]))
    annotations = [annotation] if is_annotated else []
    task = {"id": values.get("id"), "data": {"text": text}, "annotations": annotations}
    yield from read_task(task, place)


def _results_of(name: str, answer: Any, has_choices: bool = True) -> list[Dict]:
    """The answer to a question, or the value of a control, as results of a task."""
    value = answer.get("choices") if isinstance(answer, dict) else answer
    items: list[Any] = value if isinstance(value, list) else [value]
    if all(map(has_offsets, items)):
        ids = [f"{item.get('start')} {item.get('end')}" for item in items]
        more = {"from_name": name, "type": "choices"}
        return [{**more, "id": id, "value": item} for id, item in zip(ids, items)]
    if not answer:
        return []
    if has_choices and all(isinstance(item, str) and is_plain(item) for item in items):
        return [{"type": "choices", "from_name": name, "value": {"choices": items}}]
    return [{"type": f"'{name}'"}]


def is_argilla(value: Values) -> bool:
    """Whether an object is a record of Argilla with fields and responses."""
    is_flat = any(key.endswith(RESPONSES) for key in value)
    return is_flat or isinstance(value.get("fields"), dict)


def read_argilla(values: Values, place: ValuePlace) -> Iterator[Record]:
    """Read the first response to each question, or that of one annotator, as a task."""
    data, responses = values.get("fields"), _responses(values, place)
    if not isinstance(data, dict):
        data = {k: v for k, v in values.items() if "." not in k and k not in HIDDEN}
    results: dict[str, list[Dict]] = {}
    for question, response in responses:
        if place.skips(response.get("user_id")):
            continue
        if response.get("status") in ("discarded", "draft"):
            place.note("rejected", f"a response is {response['status']}")
        elif question in results:
            place.note("skipped", "further response; see --annotator")
        else:
            value = response.get("value")
            items = value if isinstance(value, list) else [value]
            results[question] = _results_of(question, items)
    if values.get("suggestions"):
        place.note("skipped", "suggestions")
    if results or not responses:
        found = list(chain(*results.values())) if results else None
        yield _record({"id": values.get("id"), "data": data}, found, place)


def _responses(values: Values, place: Place) -> list[tuple[str, Dict]]:
    """The responses by question, as in version 2, by user, or in columns."""
    given = values.get("responses") or {}
    if not isinstance(given, dict):
        by_user = objects(values, "responses", place)
        return [
            (question, {**response, **field(answers, question, dict, place)})
            for response in by_user
            for answers in [response.get("values") or {"": {}}]
            for question in checked(answers, dict, "'values'", place)
        ]
    found = [(name, answer) for name in given for answer in objects(given, name, place)]
    for name in [name for name in values if name.endswith(RESPONSES)]:
        answers = array(values, name, place)
        users = array(values, f"{name}.users", place)[: len(answers)]
        found += [
            (name.removesuffix(RESPONSES), {"value": value, "user_id": user})
            for value, user in zip_longest(answers, users)
        ]
    return found
