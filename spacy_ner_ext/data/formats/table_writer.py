"""Write a Parquet table of texts and spans, see `table`.

Kept are texts, spans with their labels, tokens, sentence starts, categories and other
data of documents; categories and other data as JSON.
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow.parquet import ParquetWriter
from spacy.tokens import Doc

from ...util.errors import Place
from ..report import ConversionReport
from .arrow import (
    DATA_COLUMNS,
    TOKEN_COLUMNS,
    data_values,
    row_batches,
    spans_or_none,
    token_values,
)

SPAN = [
    ("start", pyarrow.int64()),
    ("end", pyarrow.int64()),
    ("label", pyarrow.string()),
]
SCHEMA = pyarrow.schema(
    [
        ("text", pyarrow.string()),
        ("spans", pyarrow.list_(pyarrow.struct(SPAN))),
        ("words", pyarrow.list_(pyarrow.string())),
        *TOKEN_COLUMNS,
        *DATA_COLUMNS,
    ]
)


def write_parquet(
    docs: Iterable[Doc],
    folder: Path,
    name: str,
    *,
    report: ConversionReport,
    spans_key: str | None = None,
) -> None:
    """Write documents as the rows of a Parquet file, `name`.parquet.

    docs: The documents, taken as they come.
    folder: The folder to write it to.
    name: The name of the file without its ending.
    report: Gets what the format cannot hold.
    spans_key: A span group to write in place of `doc.ents`.
    """
    to_row = partial(_row, spans_key=spans_key, report=report)
    with ParquetWriter(folder / f"{name}.parquet", SCHEMA) as file:
        for batch in row_batches(docs, name, SCHEMA, to_row, report):
            file.write_batch(batch)


def _row(
    doc: Doc, place: Place, spans_key: str | None, report: ConversionReport
) -> dict[str, Any]:
    spans = spans_or_none(doc, spans_key, place, report)
    return {
        "text": doc.text,
        "spans": spans
        and [
            {"start": span.start_char, "end": span.end_char, "label": span.label_}
            for span in spans
        ],
        "words": [token.text for token in doc],
        **token_values(doc),
        **data_values(doc),
    }
