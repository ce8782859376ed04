"""Read the spans, answers and gold tokens of a JSON record, as many tools name them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...util.errors import Place, UserError
from ..offsets import find_quote
from ..record import Entity, Record
from ..report import ConversionReport, NotedPlace
from .json_file import array, checked, excerpt, field, name_of
from .table_file import read_tokens

Values = Mapping[str, Any]
STARTS = ("start", "start_offset", "startOffset", "start_idx", "begin")
ENDS = ("end", "end_offset", "endOffset", "end_idx")
LABELS = ("label", "labels", "type", "tag_name", "tag", "entity_type", "displayName")
# These are labels where none of the others is, and quotes otherwise.
OTHER_LABELS = ("obj", "entity_group", "entity", "name", "label_id", "category_id")
QUOTES = ("text", "quote", "surface", "word", "mention", *OTHER_LABELS)
ANSWERS = ("accept", "reject", "ignore")
MAX_CATEGORY = 64
# JSON, tags of tokens, numbers that are not of categories, dates, addresses, sentences.
NOT_PLAIN = re.compile(
    r"^\s*[\[{]|\n|^[BIESLU]-\S|^-?\d*[.,]\d+$|^\d+[-/:.]\d[-\d/:.TZ ]*$|://|[.?!。？！]\s*$"
)
# Zeros after a point, as in a column with empty cells; no text needs more digits.
WHOLE = re.compile(r"([0-9]{1,18})[0-9]*(\.0*)?")


class ValuePlace(NotedPlace):
    """The place of a JSON value or row.

    annotator: The annotator whose work is wanted; None for all.
    is_certain: Whether its shape can be nothing else.
    is_part: Whether the record is about one span or category of its text.
    answer: The answer about these; it is that of all spans without one.
    """

    annotator: str | None
    is_certain = False
    is_part = False
    answer = ""

    def skips(self, annotator: Any) -> bool:
        """Whether what an annotator made is to be left out; it is noted then."""
        if annotator is None:
            return self.annotator is not None
        keys = annotator.values() if isinstance(annotator, dict) else [annotator]
        names = [str(key) for key in keys if isinstance(key, str | int) and key != ""]
        self.report.annotators.update(dict.fromkeys(names, *names[:1]))
        if self.annotator is None or self.annotator in names:
            return False
        self.note("skipped", f"annotation of {', '.join(names)}")
        return True


def check_annotators(wanted: str | None, path: Path, report: ConversionReport) -> None:
    """Raise if nothing is by the annotator who is wanted; warn of several else."""
    names = list(dict.fromkeys(report.annotators.values()))
    if wanted is None and len(names) > 1:
        what = f"{path}: annotated by {', '.join(names)}; choose one with --annotator"
        report.more_warnings.append(what)
    elif wanted is not None and wanted not in report.annotators:
        what = f"--annotator {wanted}: no annotation names that annotator"
        advice = f"choose one of {', '.join(names)}" if names else "leave it out"
        raise UserError(f"{what}; {advice}", path)


def read_answer(values: Values, place: Place) -> str:
    """Read the answer about an example, a span or an option; empty if there is none."""
    answer = name_of(values, "answer", place)
    if answer and answer not in ANSWERS:
        raise place.error(f"the answer is '{answer}'; use one of {', '.join(ANSWERS)}")
    return answer


def first(values: Values, names: Iterable[str]) -> str:
    """The first of some names that has a value; empty if none has."""
    return next((name for name in names if values.get(name) is not None), "")


def is_plain_label(value: Any) -> bool:
    """Whether a value can only be the name of a category."""
    if not isinstance(value, str):
        return type(value) is int
    return 0 < len(value.strip()) <= MAX_CATEGORY and not NOT_PLAIN.search(value)


def has_offsets(value: Any) -> bool:
    """Whether a value is an object with a start and an end."""
    return isinstance(value, dict) and bool(first(value, (*STARTS, "span", "index")))


def add_spans(
    record: Record, items: Iterable[Any], place: ValuePlace, *, inclusive: bool = False
) -> None:
    """Add spans to a record; those that were not accepted are missing.

    inclusive: Whether the end is the last character or word, not the one after it.
    """
    record.entities = record.entities or []
    size = len(record.words or ()) if record.in_words else len(record.text)
    for item in items:
        span = _as_object(item, place)
        start, end = _bounds(span, place)
        # Tables of spans have a number there.
        end += inclusive or isinstance(span.get("index", 0), list | None)
        name, labels = _labels(span, place)
        others = () if record.in_words else (other for other in QUOTES if other != name)
        quote = span.get(first(span, others))
        if is_quoted := isinstance(quote, str):
            start, end = _located(start, end, quote, record.text, place)
        answer, where = read_answer(span, place), f"from {start} to {end}"
        answer = answer or place.answer
        if labels and answer in ("", "accept"):
            values = span.get("values")
            more = (None, values if isinstance(values, dict) else {}, is_quoted)
            record.entities += [Entity(start, end, label, *more) for label in labels]
            continue
        if not 0 <= start < end <= size:
            what = f"the span {where} is not in the text of {size}"
            raise place.error(f"{what}; correct its start and end")
        record.missing.append((start, end))
        if labels:
            place.note("rejected", f"{', '.join(labels)} {where}, answer {answer}")
        else:
            place.note("not_understood", f"the span {where} has no label")


def _as_object(item: Any, place: Place) -> dict[str, Any]:
    if not isinstance(item, list):
        return checked(item, dict, "a span", place)
    if len(item) == 4 and item[3] in (None, "", 0):
        item = item[:3]  # spaCy's id in a knowledge base
    if len(item) != 3:
        what = f"span {excerpt(item)} is not a start, an end and a label"
        raise place.error(f'{what}; write each span as [0, 3, "PER"]')
    if isinstance(item[0], str) and type(item[1]) is type(item[2]) is int:
        return dict(zip(("label", "start", "end"), item))
    return dict(zip(("start", "end", "label"), item))


def _bounds(span: Values, place: Place) -> tuple[int, int]:
    inner = span.get("globalOffsets") or span
    if inner is span and not first(span, STARTS):
        inner = span.get(first(span, ("span", "index")), span)
    if isinstance(inner, list) and len(inner) > 1 - ("index" in span):
        inner = {"start": inner[0], "end": inner[-1]}
    checked(inner, dict, "the place of a span", place)
    names = (first(inner, STARTS) or STARTS[0], first(inner, ENDS) or ENDS[0])
    return _offset(inner, names[0], place), _offset(inner, names[1], place)


def _offset(span: Values, name: str, place: Place) -> int:
    value = span.get(name)
    is_number = isinstance(value, str | float)
    whole = WHOLE.fullmatch(str(value)) if is_number else None
    return int(whole[1]) if whole else field(span, name, int, place)


def _labels(span: Values, place: Place) -> tuple[str, list[str]]:
    name = first(span, LABELS) or next((n for n in LABELS if n in span), "")
    name = name or first(span, OTHER_LABELS) or LABELS[0]
    if name not in span:
        field(span, name, str, place)
    value = span[name] if isinstance(span[name], list) else [span[name]]
    if name == "entity" and re.match("[BIESLU]-", str(span[name])):
        what = f"'entity' is '{span[name]}', the tag of a word"
        raise place.error(f"{what}; join words to spans (aggregation_strategy)")
    return name, [read_label(label, f"'{name}'", place) for label in value]


def read_label(value: Any, name: str, place: Place) -> str:
    """Check a label, which must have a name."""
    if type(value) is int:
        what = f"the label {value} is a number without its name"
        raise place.error(f"{what}; export the names of labels, or replace it")
    return checked(value, str, name, place)


def _located(
    start: int, end: int, quote: str, text: str, place: NotedPlace
) -> tuple[int, int]:
    if not quote.strip() or (0 <= start == end <= len(text)):
        return start, end
    found = find_quote(text, start, end, quote)
    if found is None:
        what = f"the span from {start} to {end} is {excerpt(text[max(start, 0) : end])}"
        advice = f"but its text is {excerpt(quote)}; correct its start and end"
        raise place.error(f"{what}, {advice}")
    if found.how:
        what = f"{excerpt(quote)} is at {found.start} to {found.end}: {found.how}"
        place.note("relocated", what)
    return found.start, found.end


def add_tokens(record: Record, values: Values, place: NotedPlace) -> None:
    """Take the gold tokens, if they spell the text, and the starts of sentences."""
    name = first(values, ("tokens", "words"))
    tokens = array(values, name, place)
    words = [_word(token, record.text, place) for token in tokens]
    given = read_tokens(values, len(words), place)
    record.starts, spaces = given["starts"], given["spaces"]
    are_joined = (
        name == "words" and not spaces and record.text == " ".join([*words, ""])
    )
    spaces = spaces or [type(t) is str or bool(t.get("ws")) for t in tokens]
    if not _spell(record, words, spaces, place):
        record.starts = None
    elif are_joined or values.get("unknown_spaces") is True:
        record.spaces = None


def _word(token: Any, text: str, place: Place) -> str:
    if isinstance(token, str):
        return token
    if "text" in checked(token, dict, "a token", place) or "start" not in token:
        return field(token, "text", str, place)
    return text[slice(*_bounds(token, place))]


def add_words(record: Record, text: str, place: NotedPlace) -> None:
    """Take the white space between the words of a record from its text."""
    record.text = text
    words = record.words or []
    numbers = _spell(record, words, [True] * len(words), place)
    if numbers:
        record.missing = [(numbers[s], numbers[e - 1] + 1) for s, e in record.missing]
        record.entities = [
            e._replace(start=numbers[e.start], end=numbers[e.end - 1] + 1)
            for e in record.entities or ()
        ]


def _spell(
    record: Record, tokens: Sequence[str], spaces: Iterable[bool], place: NotedPlace
) -> list[int]:
    """Take the words of a record from tokens, and more of white space between them.

    spaces: Whether a space follows each token, if its text has one there.
    RETURNS: The number of each token; none if they do not spell the text.
    """
    text, position, skips = record.text, 0, False
    words: list[str] = []
    after: list[bool] = []
    numbers: list[int] = []
    for word, space in [*zip(tokens, spaces), ("", False)]:
        start = text.find(word, position) if word else len(text)
        if skips and word and text.startswith(word, position + 1):
            start = position + 1
        gap = text[position:start]
        if start < 0 or gap.strip() or not all(tokens):
            place.note("skipped", "tokens that do not spell the text")
            return []
        if words and gap.startswith(" "):
            after[-1], gap = True, gap[1:]
        parts = [part for part in (gap, word) if part]
        words += parts
        after += [False] * len(parts)
        numbers.append(len(words) - 1)
        position = start + len(word)
        skips = space and text.startswith(" ", position)
    record.words, record.spaces = words, after
    record.starts = record.starts and [numbers[start] for start in record.starts]
    return numbers[:-1]
