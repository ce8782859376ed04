"""Write datasets of tokens and tags, and Parquet tables of texts and spans."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy
import pyarrow
from pyarrow.parquet import ParquetWriter
from spacy.tokens import Doc, Span

from .dataset_source import without_progress_bars
from .spans import ExportedDoc, without_overlap, writes_docs

# Rows are written when there are this many tokens or rows.
MAX_TOKENS = 100_000
MAX_ROWS = 5_000

STRING, INT = pyarrow.string(), pyarrow.int64()
STRINGS = pyarrow.list_(STRING)
SPAN = pyarrow.struct([("start", INT), ("end", INT), ("label", STRING)])
COMMON = [
    ("spaces", pyarrow.list_(pyarrow.bool_())),
    ("sent_starts", pyarrow.list_(pyarrow.int32())),
    *((name, STRING) for name in ("id", "document", "lang", "cats", "meta")),
]
TABLE = [("text", STRING), ("spans", pyarrow.list_(SPAN)), ("words", STRINGS)]
TABLE_SCHEMA = pyarrow.schema([*TABLE, *COMMON])
DATASET = [("tokens", STRINGS), ("ner_tags", pyarrow.list_(INT))]
DATASET_SCHEMA = pyarrow.schema([*DATASET, *COMMON])


@writes_docs
def write_parquet(docs: Iterable[ExportedDoc], folder: Path, name: str) -> None:
    """Write documents as a table of texts and spans, NAME.parquet."""
    with ParquetWriter(folder / f"{name}.parquet", TABLE_SCHEMA) as file:
        for batch in _batches(docs, TABLE_SCHEMA, _table_row):
            file.write_batch(batch)


def _table_row(exported: ExportedDoc) -> dict[str, Any]:
    doc, spans = exported.doc, exported.spans_or_none()
    return {
        "text": doc.text,
        "spans": spans and [(s.start_char, s.end_char, s.label_) for s in spans],
        "words": [token.text for token in doc],
        **_common_values(doc),
    }


@writes_docs
def write_datasets(docs: Iterable[ExportedDoc], folder: Path, name: str) -> None:
    """Write documents as a dataset that `datasets.load_from_disk` reads."""
    from datasets import ClassLabel, Dataset, DatasetInfo, Features, Sequence

    tag_names = ["O"]
    numbers: dict[str, int] = {}

    def to_row(exported: ExportedDoc) -> dict[str, Any]:
        doc, spans = exported.doc, exported.spans_or_none()
        if spans is not None:
            spans = without_overlap(spans, exported.place)
        for label in [span.label_ for span in spans or ()]:
            if label not in numbers:
                numbers[label] = len(tag_names)
                tag_names.extend([f"B-{label}", f"I-{label}"])
        return {
            "tokens": [token.text for token in doc],
            "ner_tags": None if spans is None else _tags(len(doc), spans, numbers),
            **_common_values(doc),
        }

    # All names are known at the end only, so the rows are written to a file first.
    with TemporaryDirectory(dir=folder) as staged:
        path = Path(staged) / "rows.arrow"
        with pyarrow.ipc.new_stream(path, DATASET_SCHEMA) as file:
            for batch in _batches(docs, DATASET_SCHEMA, to_row):
                file.write_batch(batch)
        features = Features.from_arrow_schema(DATASET_SCHEMA)
        features["ner_tags"] = Sequence(ClassLabel(names=tag_names))
        dataset = Dataset.from_file(str(path), info=DatasetInfo(features=features))
        # Without rows it would write no file, and could not read that.
        n_files = None if len(dataset) else 1
        with without_progress_bars():
            dataset.save_to_disk(str(folder), num_shards=n_files)


def _tags(n_tokens: int, spans: list[Span], numbers: dict[str, int]) -> list[int]:
    tags = [0] * n_tokens
    for span in spans:
        begin = numbers[span.label_]
        tags[span.start : span.end] = [begin, *[begin + 1] * (len(span) - 1)]
    return tags


def _common_values(doc: Doc) -> dict[str, Any]:
    """The values of the columns that both have, without those that are unknown."""
    values: dict[str, Any] = {}
    if not doc.has_unknown_spaces:
        values["spaces"] = [bool(token.whitespace_) for token in doc]
    if doc.has_annotation("SENT_START"):
        starts = doc.to_array("SENT_START") == 1
        values["sent_starts"] = numpy.flatnonzero(starts).tolist()
    for key, value in {**doc.user_data, "cats": doc.cats}.items():
        if value and key in ("id", "document", "lang"):
            values[key] = str(value)
        elif value and key in ("cats", "meta"):
            values[key] = json.dumps(value, ensure_ascii=False, default=str)
    return values


def _batches(
    docs: Iterable[ExportedDoc],
    schema: pyarrow.Schema,
    to_row: Callable[[ExportedDoc], dict[str, Any]],
) -> Iterator[pyarrow.RecordBatch]:
    rows: list[dict[str, Any]] = []
    n_tokens, is_first = 0, True
    for exported in docs:
        rows.append(to_row(exported))
        n_tokens += len(exported.doc)
        if n_tokens > MAX_TOKENS or len(rows) == MAX_ROWS:
            yield pyarrow.RecordBatch.from_pylist(rows, schema=schema)
            rows, n_tokens, is_first = [], 0, False
    # Without documents too, so that the columns are written.
    if rows or is_first:
        yield pyarrow.RecordBatch.from_pylist(rows, schema=schema)
