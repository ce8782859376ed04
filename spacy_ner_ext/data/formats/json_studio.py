"""Read the exports of Label Studio (JSON, JSON-MIN, CSV) and of Argilla."""

import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from itertools import zip_longest
from typing import Any

from ...util.errors import Place
from ..record import Record
from .json_file import checked, excerpt, field, name_of
from .json_object import read_annotation
from .json_spans import ValuePlace, Values, first, has_offsets, is_plain_label

Dict = dict[str, Any]
# The second is the name in versions before 1.0.
ANNOTATIONS = ("annotations", "completions")
LABELS = ("labels", "hypertextlabels")
ADDRESS = re.compile(r"(?:\w+:/|/data/(?:upload|local-files))/?\S*")
RESPONSES = ".responses"
# Columns of JSON-MIN that come after the results.
AFTER = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time")


def is_task(value: Values) -> bool:
    """Whether an object is a task of Label Studio with all its annotations."""
    return isinstance(value.get("data"), dict)


def read_task(values: Values, place: ValuePlace) -> Iterator[Record]:
    """Read one annotation: by the annotator who is wanted, the one that is marked as
    ground truth, or the first."""
    key = first(values, ANNOTATIONS)
    given = _objects(values, key, place) if key else []
    valid = [one for one in given if not one.get("was_cancelled")]
    valid = [one for one in valid if not place.skips(one.get("completed_by"))]
    if given and not valid:
        place.note("rejected", "all annotations are cancelled or not wanted")
        return
    valid.sort(key=lambda annotation: not annotation.get("ground_truth"))
    for annotation in valid[1:]:
        author = excerpt(annotation.get("completed_by", "unknown"))
        place.note("skipped", f"further annotation, by {author}; see --annotator")
    for _ in checked(values.get("predictions") or [], list, "'predictions'", place):
        place.note("skipped", "prediction")
    results = _objects(valid[0], "result", place) if valid else None
    data = field(values, "data", dict, place)
    about = [name_of(result, "to_name", place) for result in results or ()]
    names = [name for name in dict.fromkeys(about) if isinstance(data.get(name), str)]
    if len(names) < 2:
        yield _record(values, results, place)
        return
    # Each text is a document, as offsets count in the one that they are about.
    for name in names:
        found = [r for r, n in zip(results or (), about) if (n or names[0]) == name]
        yield _record({**values, "data": {name: data[name]}}, found, place)


def _record(task: Values, results: list[Dict] | None, place: ValuePlace) -> Record:
    regions, choices = _sort_results(results or [], place)
    names = [name_of(result, "to_name", place) for result in results or ()]
    text = _choose_text(field(task, "data", dict, place), names, regions, place)
    read = {"text": text, "id": task.get("id"), "label": choices or None}
    has_labels = any(region["labels"] for region in regions)
    found = [region for region in regions if has_labels and not _is_lost(region)]
    if has_labels or results == []:
        read["spans"] = found
    for region in [region for region in regions if region not in found]:
        what = "offsets" if has_labels else "label"
        place.note("not_understood", f"region without {what}: {excerpt(region)}")
    record = read_annotation(read, place)
    record.is_complete = len(found) == len(regions)
    return record


def _is_lost(region: Values) -> bool:
    """Whether a region has paths in HTML alone, without offsets in its text."""
    return str(region.get("start")).startswith("/") and "globalOffsets" not in region


def _objects(values: Values, name: str, place: Place) -> list[Dict]:
    items = field(values, name, list, place)
    return [checked(item, dict, f"a value of '{name}'", place) for item in items]


def _sort_results(
    results: list[Dict], place: ValuePlace
) -> tuple[list[Dict], list[str]]:
    """The labeled regions with their attributes, and the choices about the text."""
    regions: list[Dict] = []
    others: list[tuple[Dict, Dict]] = []
    choices: list[str] = []
    for result in results:
        value = result.get("value") or {}
        kind = first(checked(value, dict, "the value of a result", place), LABELS)
        if kind:
            more = {"labels": value[kind], "values": {}, "id": result.get("id")}
            regions.append({**value, **more})
        else:
            others.append((result, value))
    for result, value in others:
        kind = name_of(result, "type", place) or first(value, ("choices",))
        name = name_of(result, "from_name", place) or kind
        targets = [r for r in regions if _is_about(result.get("id"), value, r)]
        found = value.get(kind)
        is_one = isinstance(found, list) and len(found) == 1
        for region in targets:
            region["values"][name] = found[0] if is_one and found else found
        if kind == "choices" and not targets and not has_offsets(value):
            items = field(value, kind, list, place)
            choices += [checked(item, str, "a choice", place) for item in items]
        elif not targets and has_offsets(value):
            # Nothing is known about its tokens.
            more = {"labels": [], "values": {}, "id": result.get("id")}
            regions.append({**value, **more})
        elif not targets:
            note = "skipped" if kind == "relation" else "not_understood"
            place.note(note, f"result of type {kind or 'unknown'}")
    return regions, choices


def _is_about(id: Any, value: Values, region: Values) -> bool:
    bounds = ("start", "end")
    is_same = all(value.get(n, region.get(n)) == region.get(n) for n in bounds)
    return is_same and id is not None and region["id"] == id


def _choose_text(
    data: Values, preferred: Sequence[str], regions: Sequence[Values], place: Place
) -> str:
    """Find the text that regions are of."""
    texts = {k: v for k, v in data.items() if isinstance(v, str)}
    texts = {k: v for k, v in texts.items() if v.strip()} or texts
    if any("globalOffsets" in region for region in regions):
        texts = {name: _text_of_html(value) for name, value in texts.items()}
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


def _text_of_html(html: str) -> str:
    parts: list[str] = []
    parser = HTMLParser()
    parser.handle_data = parts.append  # type: ignore
    parser.feed(html)
    parser.close()
    return "".join(parts)


def is_minimal(value: Values) -> bool:
    """Whether an object is a record of Label Studio's JSON-MIN or a row of its CSV."""
    has_key = "annotation_id" in value or "lead_time" in value
    is_record = has_key or any(map(_regions_of, value.values()))
    return is_record and "_view_id" not in value


def is_of_label_studio(value: Any) -> bool:
    """Whether a value is a task or a record of JSON-MIN."""
    return isinstance(value, dict) and (is_task(value) or is_minimal(value))


def _regions_of(control: Any) -> list[Dict]:
    items = control if isinstance(control, list) else []
    found = [item for item in items if has_offsets(item)]
    return [item for item in found if isinstance(item.get(first(item, LABELS)), list)]


def read_minimal(values: Values, place: ValuePlace) -> Iterator[Record]:
    """Read a record of JSON-MIN, in which a control can have any name, as a task."""
    names = [name for name in values if name not in AFTER]
    # Results come after "id", other columns of the task before it.
    cut = names.index("id") if "id" in names else 0
    data = {name: values[name] for name in names if name != "id"}
    regions = [region for value in data.values() for region in _regions_of(value)]
    text = _choose_text(data, names[:cut] if cut == 1 else [], regions, place)
    results: list[Values] = [{"id": _bounds(r), "value": r} for r in regions]
    for name in names[cut:]:
        if name != "id" and values[name] != text:
            results += _results_of(name, values[name], bool(regions))
    annotation = {"completed_by": values.get("annotator"), "result": results}
    # Rows of texts without annotation have empty cells.
    is_annotated = bool(results or first(values, AFTER[:2]))
    annotations = [annotation] if is_annotated else []
    task = {"id": values.get("id"), "data": {"text": text}, "annotations": annotations}
    yield from read_task(task, place)


def _results_of(name: str, value: Any, has_regions: bool) -> list[Values]:
    """The results of a control other than labeled regions."""
    if not value or _regions_of(value):
        return []
    if isinstance(value, list) and all(map(has_offsets, value)):
        more = {"type": "choices", "from_name": name}
        return [{**more, "id": _bounds(item), "value": item} for item in value]
    given = value.get("choices") if isinstance(value, dict) else [value]
    choices: list[Any] = given if isinstance(given, list) else [None]
    if has_regions or not all(map(is_plain_label, choices)):
        return [{"type": f"'{name}'"}]
    return [{"type": "choices", "value": {"choices": list(map(str, choices))}}]


def _bounds(region: Values) -> str:
    return f"{region.get('start')} {region.get('end')}"


def is_argilla(value: Values) -> bool:
    """Whether an object is a record of Argilla with fields and responses."""
    is_flat = any(key.endswith(RESPONSES) for key in value)
    return is_flat or isinstance(value.get("fields"), dict)


def read_argilla(values: Values, place: ValuePlace) -> Iterator[Record]:
    """Read the first response to each question, or that of one annotator."""
    fields, answers = values.get("fields"), _answers(values, place)
    if not isinstance(fields, dict):
        hidden = ("id", "status", "_server_id")
        fields = {k: v for k, v in values.items() if "." not in k and k not in hidden}
    text = _choose_text(fields, (), (), place)
    read: Dict = {"id": values.get("id"), "text": text}
    answered: set[str] = set()
    for question, answer in answers:
        value, status = answer.get("value"), answer.get("status")
        items: list[Any] = value if isinstance(value, list) else [value]
        if place.skips(answer.get("user_id")):
            continue
        if status in ("discarded", "draft"):
            place.note("rejected", f"a response is {status}")
            continue
        if question in answered:
            place.note("skipped", "further response; see --annotator")
        elif value == items and all(map(has_offsets, items)):
            read["spans"] = [*read.get("spans", ()), *items]
        elif all(isinstance(item, str) and is_plain_label(item) for item in items):
            read["label"] = [*read.get("label", ()), *items]
        else:
            place.note("not_understood", f"the response to '{question}'")
        answered.add(question)
    if values.get("suggestions"):
        place.note("skipped", "suggestions")
    if answered or not answers:
        yield read_annotation(read, place)


def _answers(values: Values, place: Place) -> list[tuple[str, Dict]]:
    """The responses by question, as in version 2, by user, or in columns."""
    given = values.get("responses") or {}
    if not isinstance(given, dict):
        responses = _objects(values, "responses", place)
        by_user = [(one, one.get("values") or {"": {}}) for one in responses]
        return [
            (question, {**response, **field(answers, question, dict, place)})
            for response, answers in by_user
            for question in checked(answers, dict, "'values'", place)
        ]
    found = [(q, answer) for q in given for answer in _objects(given, q, place)]
    for name in [name for name in values if name.endswith(RESPONSES)]:
        answers = checked(values[name] or [], list, f"'{name}'", place)
        users = checked(values.get(f"{name}.users") or [], list, "the users", place)
        found += [
            (name.removesuffix(RESPONSES), {"value": value, "user_id": user})
            for value, user in zip_longest(answers, users[: len(answers)])
        ]
    return found
