"""Datasets of tokens and tags, as on the Hugging Face Hub."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ...util.errors import Place, UserError
from ..docs import make_docs
from ..lang import MakesDocs
from ..options import DEFAULT, ConvertOptions
from ..record import Record, group_sentences
from ..report import ConversionReport
from . import tags as tagging
from .dataset_source import NAMES_FILE, Source, open_source
from .json_file import checked, excerpt, name_of, read_json_values
from .json_words import TAGS, WORDS
from .table_file import missing_columns, read_data, read_tokens

NUMBER = re.compile("[0-9]{1,9}")
MULTINERD = "PER ORG LOC ANIM BIO CEL DIS EVE FOOD INST MEDIA MYTH PLANT TIME VEHI"
MULTINERD_TAGS = [f"{prefix}-{label}" for label in MULTINERD.split() for prefix in "BI"]
KNOWN = {"Babelscape/multinerd": ["O", *MULTINERD_TAGS]}


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
    default_label: str = tagging.DEFAULT_LABEL,
    docs_of: int = 1,
) -> Iterator[Doc]:
    """Read the rows of a dataset as documents with gold tokens and entities."""
    report = ConversionReport() if report is None else report
    source = open_source(Path(path), dataset_split, dataset_config)
    first = next((row for _, row in source.rows()), {})
    tokens = tokens_column or next(filter(first.__contains__, WORDS), WORDS[0])
    tags = tags_column or next(filter(first.__contains__, TAGS), TAGS[0])
    columns = _Columns(source, tokens, tags)
    report.scheme = columns.find_tags(Path(path), tag_names, default_label)
    records: Iterator[Record] = (
        columns.read(place, row, report)
        for place, row in source.rows()
        # First, so that nothing is noted about rows that are skipped.
        if not options.filter.skips(name_of(row, "lang", place), place, report)
    )
    if docs_of != 1:
        records = group_sentences(_joinable(records), docs_of)
    yield from make_docs(records, nlp, report, options)


@dataclass
class _Columns:
    """The columns of tokens and tags of a dataset.

    names: The names of tags that are numbers.
    known: Prefix and label of the tags, by number or text.
    """

    source: Source
    tokens: str
    tags: str
    names: Mapping[int, Any] = field(default_factory=dict)
    known: Mapping[Any, tagging.Tag] = field(default_factory=dict)

    def find_tags(self, path: Path, names_path: Path | None, default_label: str) -> str:
        """Find the names of all tags, understand them, and recognize their scheme."""
        beside = (path if path.is_dir() else path.parent) / NAMES_FILE
        given = class_names(self.source.features.get(self.tags))
        given = given or KNOWN.get(path.as_posix())
        if names_path is None and not given and beside.is_file():
            first = next((tag for _, tags in self._lists() for tag in tags), None)
            names_path = beside if type(first) is int else None
        where = names_path or path
        self.names = _read_names(where) if names_path else dict(enumerate(given or ()))
        named = ((Place(where, n, "tag"), [name]) for n, name in self.names.items())
        column, unit = tagging.Column(), "tag"
        for place, tags in named if self.names else self._lists():
            unit = place.unit
            for tag in tags:
                if isinstance(tag, str):
                    column.add(tag, place.number)
            column.end_sentence()
        known = tagging.understand_tags(column.lines, default_label=default_label)
        for number, name in self.names.items():
            if not isinstance(name, str) or name not in known:
                what = f"the name of tag {number}, {excerpt(name)}, {tagging.NOT_A_TAG}"
                place = Place(where, number, "tag")
                raise place.error(f"{what}; give the names with --tag-names")
        self.known = {n: known[name] for n, name in self.names.items()} or known
        return tagging.find_scheme([(column, known)], "auto", where, unit)

    def _lists(self) -> Iterator[tuple[Place, list[Any]]]:
        for place, row in self.source.rows():
            if isinstance(row.get(self.tags), list):
                yield place, row[self.tags]

    def read(
        self, place: Place, row: Mapping[str, Any], report: ConversionReport
    ) -> Record:
        """Read a row."""
        missing = [name for name in (self.tokens, self.tags) if name not in row]
        if missing:
            raise missing_columns(missing, row, place)
        words = checked(row[self.tokens], list, f"'{self.tokens}'", place)
        for word in words:
            checked(word, str, f"a token of '{self.tokens}'", place)
        layers = []
        if row[self.tags] is not None:
            tags = checked(row[self.tags], list, f"'{self.tags}'", place)
            layers = [tagging.tags_of(tags, self.known, place)]
        record = tagging.tagged_record(
            words, layers, [place] * (len(words) or 1), report
        )
        found = read_data(row, place) | read_tokens(row, len(words), place)
        if "sent_starts" not in row:
            del found["starts"]
        for key, value in found.items():
            setattr(record, key, value)
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
    values: Any = [value for _, value in read_json_values(path)]
    if len(values) == 1 and isinstance(values[0], list | dict):
        (values,) = values
    if isinstance(values, list):
        return dict(enumerate(values))
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
