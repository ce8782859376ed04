"""Datasets of tokens and tags, as on the Hugging Face Hub."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from spacy.tokens import Doc

from ...util.errors import Place, UserError
from ..docs import make_docs
from ..lang import MakesDocs
from ..options import DEFAULT, ConvertOptions
from ..record import Record, check_docs_of, group_sentences
from ..report import ConversionReport
from ..text import check_input, read_lines
from .dataset_source import NAMES_FILE, Source, open_source
from .json_file import checked, excerpt, field, name_of, parse_json
from .json_words import TAGS, WORDS
from .table_file import missing_columns, read_data, read_tokens
from .tags import (
    DEFAULT_LABEL,
    MISSING,
    SchemeSurvey,
    Tag,
    check_clash,
    tagged_record,
    understand_tags,
)

# Tags by number or text.
TagNames = dict[int | str, Tag]

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
    feature = source.features.get(tags)
    names = find_tag_names(Path(path), feature, tag_names, default_label)
    if names is None and _has_numbers(source, tags):
        names = find_names_beside(Path(path), default_label)
    columns = _Columns(tokens, tags, names or {})
    if names is None:
        columns = columns._replace(names=columns.understand(source, default_label))
    report.scheme = _find_scheme(source, columns, Path(path))
    records: Iterator[Record] = (
        _record(place, row, columns, report)
        for place, row in source.rows()
        # First, so that nothing is noted about rows that are skipped.
        if not options.filter.skips(name_of(row, "lang", place), place, report)
    )
    if docs_of != 1:
        records = group_sentences(_joinable(records), docs_of)
    yield from make_docs(records, nlp, report, options)


class _Columns(NamedTuple):
    tokens: str
    tags: str
    names: TagNames

    def understand(self, source: Source, default_label: str) -> TagNames:
        """Find the tags of all strings in the column of tags."""
        lists = (row.get(self.tags) for _, row in source.rows())
        found = (tag for tags in lists if isinstance(tags, list) for tag in tags)
        texts = {tag for tag in found if isinstance(tag, str)}
        names: TagNames = {}
        for text, tag in understand_tags(texts, default_label=default_label).items():
            names[text] = tag
        return names

    def read_words(self, row: Mapping[str, Any], place: Place) -> list[str]:
        words = self._list(row, self.tokens, place)
        for word in words:
            checked(word, str, f"a token of '{self.tokens}'", place)
        return words

    def read_tags(self, row: Mapping[str, Any], place: Place) -> list[Tag] | None:
        if self.tags in row and row[self.tags] is None:
            return None
        return [self._tag(value, place) for value in self._list(row, self.tags, place)]

    def _list(self, row: Mapping[str, Any], column: str, place: Place) -> list[Any]:
        if column not in row:
            raise missing_columns([column], row, place)
        return field(row, column, list, place)

    def _tag(self, value: Any, place: Place) -> Tag:
        tag = self.names.get(value) if isinstance(value, str | int) else None
        if value is None:
            return MISSING
        if tag is None and type(value) is int:
            raise place.error(self._unnamed(value))
        if tag is None:
            what = f"'{self.tags}' holds {excerpt(value)}, not O or a prefix and a "
            raise place.error(f"{what}label such as B-PER; correct it")
        return tag

    def _unnamed(self, number: int) -> str:
        what = f"'{self.tags}' holds {number}, a number without a name"
        numbers = [name for name in self.names if isinstance(name, int)]
        if numbers:
            return f"{what}; names go up to {max(numbers)}, check --tag-names"
        advice = 'name the tags with --tag-names FILE, a list such as ["O", "B-PER"]'
        return f"{what}; {advice}, or in labels.json next to the dataset"


def _has_numbers(source: Source, tags_column: str) -> bool:
    found = (row.get(tags_column) for _, row in source.rows())
    first = next((tags[0] for tags in found if tags and isinstance(tags, list)), None)
    return type(first) is int


def _find_scheme(source: Source, columns: _Columns, path: Path) -> str:
    survey = SchemeSurvey()
    unit = "tag"
    named = {n: tag for n, tag in columns.names.items() if isinstance(n, int)}
    for number, tag in named.items():
        survey.add([tag], [number])
    if not named:
        for place, row in source.rows():
            tags = columns.read_tags(row, place) or []
            survey.add(tags, [place.number] * len(tags))
            unit = place.unit
    check_clash(survey, path, unit)
    return survey.scheme()


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
    record.starts = [0] if words else []
    if "sent_starts" in row:
        record.starts = found["starts"]
    record.document = record.document or name_of(row, "document_id", place)
    sentence = name_of(row, "sentence_id", place)
    if sentence and not record.id:
        record.id = ".".join(part for part in (record.document, sentence) if part)
    return record


def _joinable(records: Iterator[Record]) -> Iterator[Record]:
    for record in records:
        if record.entities is None and record.words:
            what = "the row is not annotated and cannot be joined with others"
            raise record.place.error(f"{what}; read with --docs-of 1")
        if record.spaces:
            record.spaces[-1] = True
        yield record


def find_tag_names(
    path: Path,
    feature: Any = None,
    names_path: Path | None = None,
    default_label: str = DEFAULT_LABEL,
) -> TagNames | None:
    """Find names that are given, in the column's description, or known, if any."""
    if names_path is not None:
        return _read_names(Path(names_path), default_label)
    names = class_names(feature)
    if names is None:
        names = KNOWN.get(path.as_posix())
    return None if names is None else _parsed(enumerate(names), path, default_label)


def find_names_beside(
    path: Path, default_label: str = DEFAULT_LABEL
) -> TagNames | None:
    """Read `labels.json` in the folder of a dataset, or next to its file, if any."""
    beside = (path if path.is_dir() else path.parent) / NAMES_FILE
    return _read_names(beside, default_label) if beside.is_file() else None


def class_names(feature: Any) -> list[str] | None:
    """Get the names of a `ClassLabel` from the description of a column, if any."""
    while feature:
        if isinstance(feature, list):
            feature = feature[0]
        elif not isinstance(feature, Mapping):
            break
        elif isinstance(feature.get("names"), list):
            return feature["names"]
        else:
            feature = feature.get("feature")
    return None


def _read_names(path: Path, default_label: str) -> TagNames:
    check_input(path)
    text = "\n".join(line for _, line in read_lines(path))
    values = parse_json(text, Place(path, 1), "the text from here")
    if isinstance(values, list):
        return _parsed(enumerate(values), path, default_label)
    if not isinstance(values, dict):
        what = f"holds {excerpt(values)}, not a list of tags"
        raise UserError(f'{what}; write one such as ["O", "B-PER"]', path)
    pairs = [_pair(key, value, path) for key, value in values.items()]
    numbers = [number for number, _ in pairs]
    for number in numbers:
        if numbers.count(number) > 1:
            raise UserError(f"number {number} has two names; keep one", path)
    return _parsed(pairs, path, default_label)


def _pair(key: str, value: Any, path: Path) -> tuple[int, Any]:
    if type(value) is int:
        return value, key
    if key.isdecimal():
        return int(key), value
    what = f"'{key}' has the value {excerpt(value)}, not the number of the tag"
    raise UserError(f"{what}; correct it", path)


def _parsed(
    names: Iterable[tuple[int, Any]], path: Path, default_label: str
) -> TagNames:
    named = dict(names)
    texts = {name for name in named.values() if isinstance(name, str)}
    known = understand_tags(texts, default_label=default_label)
    for number, name in named.items():
        if not isinstance(name, str) or name not in known:
            what = f"the name of tag {number}, {excerpt(name)}, is not O or a prefix"
            advice = "and a label such as B-PER; give the names with --tag-names"
            raise Place(path, number, "tag").error(f"{what} {advice}")
    return {number: known[name] for number, name in named.items()}
