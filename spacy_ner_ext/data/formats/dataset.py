"""Datasets of tokens and tags, as on the Hugging Face Hub."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ...util.errors import Place, UserError
from ..docs import make_docs
from ..lang import MakesDocs
from ..options import DEFAULT, ConvertOptions
from ..record import Record, check_docs_of, group_sentences
from ..report import ConversionReport
from ..text import check_input, read_lines
from .dataset_source import NAMES_FILE, Source, open_source
from .json_file import checked, excerpt, name_of, parse_json
from .json_words import TAGS, WORDS
from .table_file import missing_columns, read_data, read_tokens
from .tags import (
    DEFAULT_LABEL,
    MISSING,
    SchemeSurvey,
    Tag,
    find_scheme,
    tagged_record,
    understand_tags,
)

NUMBER = re.compile("[0-9]{1,9}")
MULTINERD = "PER ORG LOC ANIM BIO CEL DIS EVE FOOD INST MEDIA MYTH PLANT TIME VEHI"
KNOWN = {
    "Babelscape/multinerd": [
        "O",
        *(f"{prefix}-{label}" for label in MULTINERD.split() for prefix in "BI"),
    ],
}


def read_datasets(
    path: Path,
    nlp: MakesDocs,
    *,
    report: ConversionReport | None = None,
    options: ConvertOptions = DEFAULT,
    dataset_split: str | None = None,
    dataset_config: str | None = None,
    tokens_column: str | None = None,
    tags_column: str | None = None,
    tag_names: Path | None = None,
    default_label: str = DEFAULT_LABEL,
    docs_of: int = 1,
) -> Iterator[Doc]:
    """Read the rows of a dataset as documents with gold tokens and entities."""
    check_docs_of(docs_of)
    report = ConversionReport() if report is None else report
    source = open_source(Path(path), dataset_split, dataset_config)
    first = next((row for _, row in source.rows()), {})
    tokens = tokens_column or next(filter(first.__contains__, WORDS), WORDS[0])
    tags = tags_column or next(filter(first.__contains__, TAGS), TAGS[0])
    columns = _Columns(tokens, tags)
    columns.find_tags(source, Path(path), tag_names, default_label)
    report.scheme = columns.find_scheme(source, Path(path))
    records: Iterator[Record] = (
        _record(place, row, columns, report)
        for place, row in source.rows()
        # First, so that nothing is noted about rows that are skipped.
        if not options.filter.skips(name_of(row, "lang", place), place, report)
    )
    if docs_of != 1:
        records = group_sentences(_joinable(records), docs_of)
    yield from make_docs(records, nlp, report, options)


@dataclass
class _Columns:
    """The columns of tokens and tags.

    names: The names of tags that are numbers.
    known: Prefix and label of the tags, by number or text.
    """

    tokens: str
    tags: str
    names: Mapping[int, Any] = field(default_factory=dict)
    known: dict[Any, Tag] = field(default_factory=dict)

    def find_tags(
        self, source: Source, path: Path, names_path: Path | None, default_label: str
    ) -> None:
        """Find the names of all tags, and understand them."""
        beside = (path if path.is_dir() else path.parent) / NAMES_FILE
        given = class_names(source.features.get(self.tags)) or KNOWN.get(
            path.as_posix()
        )
        if names_path is None and not given and beside.is_file():
            are_numbers = type(next(self._values(source), None)) is int
            names_path = beside if are_numbers else None
        where = Path(names_path or path)
        self.names = _read_names(where) if names_path else dict(enumerate(given or ()))
        texts = self.names.values() if self.names else self._values(source)
        strings = {text for text in texts if isinstance(text, str)}
        known = understand_tags(strings, default_label=default_label)
        for number, name in self.names.items():
            if not isinstance(name, str) or name not in known:
                what = (
                    f"the name of tag {number}, {excerpt(name)}, is not O or a prefix"
                )
                advice = "and a label such as B-PER; give the names with --tag-names"
                raise Place(where, number, "tag").error(f"{what} {advice}")
        self.known = {n: known[name] for n, name in self.names.items()} or known

    def _values(self, source: Source) -> Iterator[Any]:
        lists = (row.get(self.tags) for _, row in source.rows())
        return chain.from_iterable(tags for tags in lists if isinstance(tags, list))

    def find_scheme(self, source: Source, path: Path) -> str:
        """Recognize the scheme from the names of tags, or else from all tags."""
        survey, unit = SchemeSurvey(), "tag"
        for number in self.names:
            survey.add([self.known[number]], [number])
        for place, row in () if self.names else source.rows():
            tags = self.read_tags(row, place) or []
            survey.add(tags, [place.number] * len(tags))
            unit = place.unit
        return find_scheme(survey, "auto", path, unit)

    def read_words(self, row: Mapping[str, Any], place: Place) -> list[str]:
        words = self._list(row, self.tokens, place)
        what = f"a token of '{self.tokens}'"
        return [checked(word, str, what, place) for word in words]

    def read_tags(self, row: Mapping[str, Any], place: Place) -> list[Tag] | None:
        if self.tags in row and row[self.tags] is None:
            return None
        return [self._tag(value, place) for value in self._list(row, self.tags, place)]

    def _list(self, row: Mapping[str, Any], column: str, place: Place) -> list[Any]:
        if column not in row:
            raise missing_columns([column], row, place)
        return checked(row[column], list, f"'{column}'", place)

    def _tag(self, value: Any, place: Place) -> Tag:
        if value is None:
            return MISSING
        # True is not 1.
        if type(value) in (int, str) and value in self.known:
            return self.known[value]
        what = f"'{self.tags}' holds {excerpt(value)}, "
        if type(value) is not int:
            what += "not O or a prefix and a label such as B-PER; correct it"
        elif self.names:
            what += f"a number without a name; names go up to {max(self.names)}, "
            what += "check --tag-names"
        else:
            what += "a number without a name; name the tags with --tag-names FILE, a "
            what += 'list such as ["O", "B-PER"], or in labels.json next to the dataset'
        raise place.error(what)


def _record(
    place: Place, row: Mapping[str, Any], columns: _Columns, report: ConversionReport
) -> Record:
    words = columns.read_words(row, place)
    tags = columns.read_tags(row, place)
    if tags is not None and len(tags) != len(words):
        what = f"{len(words)} tokens have {len(tags)} tags; give each token one"
        raise place.error(what)
    if words and tags is not None:
        record = tagged_record(words, [tags], [place] * len(words), report)
    else:
        record = Record(place, words=words, in_words=True)
        record.entities = None if tags is None else []
    for key, value in read_data(row, place).items():
        setattr(record, key, value)
    found = read_tokens(row, len(words), place)
    record.spaces = found["spaces"]
    record.starts = found["starts"] if "sent_starts" in row else [0][: len(words)]
    record.document = record.document or name_of(row, "document_id", place)
    sentence = name_of(row, "sentence_id", place)
    if sentence and not record.id:
        record.id = ".".join(filter(None, (record.document, sentence)))
    return record


def _joinable(records: Iterator[Record]) -> Iterator[Record]:
    for record in records:
        if record.entities is None and record.words:
            what = "the row is not annotated and cannot be joined with others"
            raise record.place.error(f"{what}; read with --docs-of 1")
        if record.spaces:
            record.spaces[-1] = True
        yield record


def class_names(feature: Any) -> list[str] | None:
    """Get the names of a `ClassLabel` from the description of a column, if any."""
    while isinstance(feature, list) and feature:
        feature = feature[0]
    if not isinstance(feature, Mapping):
        return None
    names = feature.get("names")
    return names if isinstance(names, list) else class_names(feature.get("feature"))


def _read_names(path: Path) -> dict[int, Any]:
    check_input(path)
    text = "\n".join(line for _, line in read_lines(path))
    values = parse_json(text, Place(path, 1), "the text from here")
    if isinstance(values, list):
        return dict(enumerate(values))
    if not isinstance(values, dict):
        what = f"holds {excerpt(values)}, not a list of tags"
        raise UserError(f'{what}; write one such as ["O", "B-PER"]', path)
    names: dict[int, Any] = {}
    for key, value in values.items():
        number, name = (value, key) if type(value) is int else (key, value)
        if not NUMBER.fullmatch(str(number)):
            what = f"'{key}' has the value {excerpt(value)}, not the number of the tag"
            raise UserError(f"{what}; correct it", path)
        if int(number) in names:
            raise UserError(f"number {int(number)} has two names; keep one", path)
        names[int(number)] = name
    return names
