"""Read JSON records of words: tags, or entities that count words."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import Any

from ..record import Record
from .json_file import checked, field, name_of, objects
from .json_spans import ValuePlace, Values, add_spans, add_words, first
from .tags import Column, find_scheme, tagged_record, tags_of, understand_tags

WORDS = ("tokens", "words", "tokenized_text", "sentences", "sentence")
TAGS = ("ner_tags", "tags", "ner", "bio_tags", "iob_tags", "labels", "label")
ENTITIES = ("ner", "entities", "spans")
TAG = re.compile(r"O|[BIESLU]-\S.*")
NO_TAG = ("-", "", None)


def find_tags(value: Values) -> tuple[list[str], list[Any]] | None:
    """Find the words and tags of a record, under any names; None if it has no tags."""
    words: Any = value.get(first(value, (*WORDS, "text")))
    has_words = isinstance(words, list)
    words = words.split() if isinstance(words, str) else words
    if not _all_strings(words):
        return None
    for name in TAGS:
        tags: Any = value.get(name)
        if isinstance(tags, str) and len(tags.split()) == len(words) > 1:
            tags = tags.split()
        given = [t for t in tags if t not in NO_TAG] if isinstance(tags, list) else []
        are_tags = all(isinstance(t, str) and TAG.fullmatch(t) for t in given)
        # Next to a text that is not cut into words, other labels are categories.
        if given and (are_tags or (has_words and _are_tags(given, tags, words))):
            return words, tags
    return None


def _are_tags(given: list[Any], tags: list[Any], words: list[str]) -> bool:
    """Whether numbers, or labels of another style or without prefix, are tags."""
    is_known = len(tags) == len(words) and "O" in given and _all_strings(given)
    are_all = is_known and understand_tags({*given}).keys() == {*given}
    return are_all or all(type(tag) is int for tag in given)


def _all_strings(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(v, str) for v in values)


def read_tags(values: Values, place: ValuePlace) -> Iterator[Record]:
    """Read words and tags."""
    found = find_tags(values)
    if found is None:
        raise place.error("the tags cannot be read; try --format datasets")
    record = _tagged(*found, place)
    record.id = name_of(values, "id", place)
    text = values.get("text", values.get("sentence"))
    if isinstance(text, str):
        add_words(record, text, place)
    yield record


def _tagged(words: list[str], tags: Sequence[Any], place: ValuePlace) -> Record:
    column = Column()
    for tag in tags:
        column.add(str(tag or ""), place.number)
    known = understand_tags(column.lines)
    layers = [tags_of(tags, known, place)]
    scheme = find_scheme([(column, known)], "auto", place.path, place.unit)
    places = [place] * (len(words) or 1)
    record = tagged_record(words, layers, places, place.report, scheme)
    record.starts = None
    return record


def read_spacy_json(values: Values, place: ValuePlace) -> Iterator[Record]:
    """Read the JSON format of spaCy's training data, each paragraph as a document."""
    for paragraph in objects(values, "paragraphs", place):
        sentences = objects(paragraph, "sentences", place)
        lists = [objects(sentence, "tokens", place) for sentence in sentences]
        tokens = list(chain(*lists))
        words = [field(token, "orth", str, place) for token in tokens]
        record = _tagged(words, [token.get("ner") for token in tokens], place)
        record.starts = _starts(lists)
        if isinstance(paragraph.get("raw"), str):
            add_words(record, paragraph["raw"], place)
        for cat in objects(paragraph, "cats", place):
            value = field(cat, "value", float, place)
            record.cats[field(cat, "label", str, place)] = float(value)
        yield record


def _starts(lists: Sequence[Sequence[Any]]) -> list[int]:
    sizes = [len(words) for words in lists if words]
    return list(accumulate(sizes, initial=0))[: len(sizes)]


def counts_words(value: Values) -> bool:
    """Whether an object has entities that count its words, as GLiNER has them."""
    words = value.get(first(value, WORDS))
    is_nested = isinstance(words, list) and all(map(_all_strings, words))
    has_entities = isinstance(value.get(first(value, ENTITIES)), list)
    has_text = isinstance(value.get("text"), str)
    return has_entities and not has_text and (is_nested or _all_strings(words))


def read_word_spans(values: Values, place: ValuePlace) -> Iterator[Record]:
    """Read the entities of words, whose end in "ner" is inclusive."""
    words, key = values[first(values, WORDS)], first(values, ENTITIES)
    spans = values[key]
    record = Record(place, in_words=True)
    record.id = name_of(values, "doc_key", place) or name_of(values, "id", place)
    if words and isinstance(words[0], list):
        record.starts = _starts(words)
        words = list(chain(*words))
        lists = [checked(sentence, list, f"'{key}'", place) for sentence in spans]
        spans = list(chain(*lists))
    record.words = words
    add_spans(record, spans, place, inclusive=key == "ner")
    for key in ("relations", "clusters"):
        if values.get(key):
            place.note("skipped", key)
    yield record
