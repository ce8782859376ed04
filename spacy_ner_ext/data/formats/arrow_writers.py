"""Write datasets of tokens and tags, and Parquet tables of texts and spans."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow
from pyarrow.parquet import ParquetWriter
from spacy.tokens import Doc, Span

from .dataset_source import without_progress_bars
from .spans import ExportedDoc, without_overlap, writes_docs

# Rows are written when they have this many tokens.
MAX_TOKENS = 100_000

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
        _write_rows(docs, file.write_batch, TABLE_SCHEMA, _table_row)


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

    def to_row(exported: ExportedDoc) -> dict[str, Any]:
        doc, spans = exported.doc, exported.spans_or_none()
        if spans is not None:
            spans = without_overlap(spans, exported.place)
        return {
            "tokens": [token.text for token in doc],
            "ner_tags": None if spans is None else _tags(len(doc), spans, tag_names),
            **_common_values(doc),
        }

    # All names are known at the end only, so the rows are written to a file first.
    with TemporaryDirectory(dir=folder) as staged:
        path = Path(staged) / "rows.arrow"
        with pyarrow.ipc.new_stream(path, DATASET_SCHEMA) as file:
            _write_rows(docs, file.write_batch, DATASET_SCHEMA, to_row)
        features = Features.from_arrow_schema(DATASET_SCHEMA)
        features["ner_tags"] = Sequence(ClassLabel(names=tag_names))
        dataset = Dataset.from_file(str(path), info=DatasetInfo(features=features))
        # Without rows it would write no file, and could not read that.
        n_files = None if len(dataset) else 1
        with without_progress_bars():
            dataset.save_to_disk(str(folder), num_shards=n_files)


def _tags(n_tokens: int, spans: list[Span], names: list[str]) -> list[int]:
    """The numbers of the tags of a document; new names are added."""
    tags = [0] * n_tokens
    for span in spans:
        if f"B-{span.label_}" not in names:
            names += [f"B-{span.label_}", f"I-{span.label_}"]
        begin = names.index(f"B-{span.label_}")
        tags[span.start : span.end] = [begin, *[begin + 1] * (len(span) - 1)]
    return tags


def _common_values(doc: Doc) -> dict[str, Any]:
    """The values of the columns that both have, without those that are unknown."""
    values: dict[str, Any] = {}
    if not doc.has_unknown_spaces:
        values["spaces"] = [bool(token.whitespace_) for token in doc]
    if doc.has_annotation("SENT_START"):
        values["sent_starts"] = [token.i for token in doc if token.is_sent_start]
    for key, value in {**doc.user_data, "cats": doc.cats}.items():
        if value and key in ("id", "document", "lang"):
            values[key] = str(value)
        elif value and key in ("cats", "meta"):
            values[key] = json.dumps(value, ensure_ascii=False, default=str)
    return values


def _write_rows(
    docs: Iterable[ExportedDoc],
    write: Callable[[pyarrow.RecordBatch], None],
    schema: pyarrow.Schema,
    to_row: Callable[[ExportedDoc], dict[str, Any]],
) -> None:
    rows: list[dict[str, Any]] = []
    n_tokens = 0
    for exported in docs:
        rows.append(to_row(exported))
        n_tokens += 1 + len(exported.doc)
        if n_tokens > MAX_TOKENS:
            write(pyarrow.RecordBatch.from_pylist(rows, schema=schema))
            rows, n_tokens = [], 0
    # Without rows too, so that the columns are written.
    write(pyarrow.RecordBatch.from_pylist(rows, schema=schema))
