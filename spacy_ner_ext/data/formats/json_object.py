"""Read an object of a text and its annotation, as of Prodigy and Doccano."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from ..record import Record
from . import json_spans as spans
from .json_file import array, as_name, checked, field, objects
from .json_spans import ENDS, STARTS, ValuePlace, Values, first, read_answer, read_label
from .table_file import read_data
from .tasks import MARK

TEXTS = ("text", "data", "content", "sentence", "document", "textContent")
LABELS = ("label", "labels", "annotation")
SPANS = (
    *("entities", "ents", "spans", *LABELS, "annotations", "denotations"),
    "textSegmentAnnotations",
)
# Marks of an annotated text, even if it has no span and no category.
MARKS = ("answer", "accept", "tokens", "annotation")
OTHERS = ("cats", "options", "meta", "words", "spaces", "sent_starts")
# Prodigy's views: whose answer is about one suggestion, or about all entities, and
# whose spans are not entities.
BINARY_VIEWS = ("ner", "spans", "classification")
MANUAL_VIEWS = ("ner_manual", "spans_manual", None)
OTHER_VIEWS = ("classification", "choice", "pos", "pos_manual", "dep")


def is_annotated(value: Values) -> bool:
    """Whether an object is a text with annotation that is not a plain category."""
    given = [value.get(key) for key in SPANS]
    items = chain(*(v if isinstance(v, list) else [v] for v in given))
    has_spans = any(isinstance(i, list | dict) and not _are_truths(i) for i in items)
    has_key = not value.keys().isdisjoint((*MARKS, "spans", "entities"))
    return bool(first(value, TEXTS)) and (has_spans or has_key)


def has_category(value: Values) -> bool:
    """Whether an object is a text with categories."""
    labels = value.get("label", value.get("labels"))
    items = labels if isinstance(labels, list) else [labels]
    is_plain = bool(items) and all(map(spans.is_plain_label, items))
    has_cats = isinstance(value.get("cats"), dict | list)
    is_text = isinstance(value.get("text"), str) and not first(value, STARTS)
    return is_text and (is_plain or has_cats or _are_truths(value.get("label")))


def _are_truths(value: Any) -> bool:
    """Whether a value says which categories are true."""
    return isinstance(value, dict) and all(v in (0, 1, None) for v in value.values())


def is_span_row(value: Values) -> bool:
    """Whether an object is one span of a text, with the text in each row."""
    has_bounds = value.keys() & {*STARTS} and value.keys() & {*ENDS}
    return bool(has_bounds and _row_text(value))


def _row_text(row: Values) -> str:
    """The name of the text: "text" may be that of the span, next to the whole."""
    texts = [name for name in TEXTS if isinstance(row.get(name), str)]
    return max(texts, key=lambda name: len(row[name]), default="")


def read_span_row(values: Values, place: ValuePlace) -> Iterator[Record]:
    """Read one span of a text; without a start, the text has no entity."""
    text = _row_text(values)
    record = Record(place, text=values[text])
    span = {name: value for name, value in values.items() if name != text}
    spans.add_spans(record, [span] if first(span, STARTS) else [], place)
    place.is_part = True
    yield record


def _is_binary(values: Values) -> bool:
    """Whether the answer is about a suggestion, not about all of a text."""
    if values.get("answer") not in ("accept", "reject"):
        return False
    view, found = values.get("_view_id"), values.get("spans")
    if view is not None:
        return view in BINARY_VIEWS
    if isinstance(values.get("label"), str):
        return not found and not values.get("options")
    # Without a view, as in older versions: suggestions have a score.
    is_one = isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict)
    return is_one and "score" in (found or [{}])[0]


def read_object(values: Values, place: ValuePlace) -> Iterator[Record]:
    """Read a text with spans and categories, in the sense of its answer."""
    answer = read_answer(values, place)
    if values.get(MARK) is True and not answer:
        place.note("rejected", "a task without an answer")
        return
    given = values.get("annotations")
    if isinstance(given, list) and any(map(_user_of, given)):
        wanted = [one for one in given if not place.skips(_user_of(one))]
        values = {**values, "annotations": wanted}
    elif place.skips(values.get("_annotator_id", values.get("_session_id"))):
        return
    place.is_part = _is_binary(values)
    place.answer = answer if place.is_part else ""
    is_discarded = values.get("status") in ("Discarded", "discarded")
    is_rejected = answer == "reject" and not place.is_part
    if is_discarded or is_rejected or answer == "ignore":
        place.note("rejected", f"the answer is {answer or values['status']}")
        return
    record = _read_annotation(values, place)
    if place.is_part:
        # Nothing is known about all else.
        record.is_complete = record.entities is None
        record.cats = dict.fromkeys(record.cats, float(answer == "accept"))
    elif answer == "accept" and record.entities is None and not record.cats:
        view = values.get("_view_id")
        is_manual = view in MANUAL_VIEWS and (view is not None or "tokens" in values)
        record.entities = [] if is_manual else None
    is_empty = record.entities is None and not record.cats
    unknown = values.keys() - {*TEXTS, *SPANS, *MARKS, *OTHERS} if is_empty else ()
    for key in sorted(unknown):
        if isinstance(values[key], list | dict) and values[key]:
            place.note("not_understood", f"'{key}'")
    yield record


def _user_of(annotation: Any) -> Any:
    """The annotator of one annotation, as in Doccano."""
    return annotation.get("user") if isinstance(annotation, dict) else None


def _read_annotation(values: Values, place: ValuePlace) -> Record:
    """Read a text with spans, categories, gold tokens and other data."""
    name = first(values, TEXTS)
    others = {key: value for key, value in values.items() if key != name}
    if isinstance(values.get("cats"), list):
        names = [read_label(cat, "a category", place) for cat in values["cats"]]
        others["cats"] = dict.fromkeys(names, 1.0)
    text = field(values, name, str, place)
    record = Record(place, text=text, **read_data(others, place))
    if values.get("_view_id") in OTHER_VIEWS and others.pop("spans", None):
        place.note("skipped", f"spans of the view {values['_view_id']}")
    for key in SPANS:
        if others.get(key) is not None:
            _add_annotation(record, key, others[key], place)
    record.cats = {**_read_options(values, place), **record.cats}
    if isinstance(values.get("tokens", values.get("words")), list):
        spans.add_tokens(record, values, place)
    for _ in array(values, "relations", place):
        place.note("skipped", "relation")
    return record


def _add_annotation(record: Record, key: str, value: Any, place: ValuePlace) -> None:
    if isinstance(value, dict):
        value = _from_dict(value, key, record, place)
    given = [value] if key in LABELS and isinstance(value, str) else value
    items = checked(given, list, f"'{key}'", place)
    if items and all(_is_category(item, key) for item in items):
        labels = [item["label"] if isinstance(item, dict) else item for item in items]
        names = [read_label(label, "'label'", place) for label in labels]
        record.cats.update(dict.fromkeys(names, 1.0))
    else:
        found = chain(*(_points(item, place) for item in items))
        spans.add_spans(record, found, place)


def _is_category(item: Any, key: str) -> bool:
    """Whether an item is about the whole text, in Doccano with its annotator."""
    if not isinstance(item, dict) or key != "annotations":
        return isinstance(item, str) and key in LABELS
    return item.keys() >= {"label", "user"} and not spans.has_offsets(item)


def _points(item: Any, place: ValuePlace) -> list[Any]:
    """The spans of an item; Dataturks has several, with inclusive ends."""
    if not isinstance(item, dict) or not isinstance(item.get("points"), list):
        return [item]
    points, label = objects(item, "points", place), item.get("label")
    return [{"label": label, "index": None, **point} for point in points]


def _from_dict(
    value: dict[str, Any], key: str, record: Record, place: ValuePlace
) -> list[Any]:
    """The spans in columns, by group, by label and quote, or the labels of a text."""
    lists = [v for v in value.values() if isinstance(v, list)]
    if first(value, STARTS):
        if len(lists) < len(value) or len({len(v) for v in lists}) > 1:
            what = f"'{key}' holds lists of unequal length"
            raise place.error(f"{what}; give each span all its values")
        return [dict(zip(value, row)) for row in zip(*lists)]
    if key == "annotation" and isinstance(value.get("labels"), list):
        return list(value["labels"])
    if key == "spans" and len(lists) == len(value):
        groups = [name for name, group in value.items() if group]
        used = groups[:1] if not record.entities else []
        for name in groups[len(used) :]:
            place.note("skipped", f"span group '{name}'")
        return list(value[used[0]]) if used else []
    if all(isinstance(quotes, dict) for quotes in value.values()):
        return [
            {"index": span, "label": label, "text": quote}
            for label, quotes in value.items()
            for quote, found in quotes.items()
            for span in checked(found, list, f"'{label}'", place)
        ]
    return checked(value, list, f"'{key}'", place)


def _read_options(values: Values, place: ValuePlace) -> dict[str, float]:
    answers = {
        as_name(option.get("id"), "'id' of an option", place): read_answer(
            option, place
        )
        for option in objects(values, "options", place)
    }
    for name in array(values, "accept", place):
        answers[as_name(name, "an accepted option", place)] = "accept"
    return {n: float(a == "accept") for n, a in answers.items() if a != "ignore"}
