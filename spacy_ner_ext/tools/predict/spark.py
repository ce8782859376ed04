"""Annotate a DataFrame of PySpark with the class that the command uses."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ...util.extras import require
from .annotator import Annotator, TextRow
from .chunks import ID, RESULT, Columns
from .predict import BATCH_SIZE
from .worker import PipelineSource

if TYPE_CHECKING:
    import pandas
    from pyspark.sql import DataFrame


def annotate(
    texts: "DataFrame",
    model: str | Path,
    *,
    id_column: str = ID,
    text_column: str = "text",
    columns: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
    max_length: int | None = None,
    gpu_id: int = -1,
) -> "DataFrame":
    """Add the entities to texts; returns the rows that `predict` writes into a folder.

    model: The pipeline: a folder that all machines reach, or an installed package.
    id_column: The column that identifies a text.
    columns: Columns to keep, besides the ids.
    batch_size: The number of texts that are predicted together.
    max_length: Texts of more characters are not predicted, and have an error.
    gpu_id: The GPU of each worker, -1 for the CPU.
    """
    types = require("pyspark.sql.pandas.types", "spark")
    pipeline = PipelineSource(str(model)).shared()
    annotator = Annotator(pipeline, Columns({}), batch_size, max_length, gpu_id)
    row_type = pa.schema(list(RESULT.items()))
    results = types.from_arrow_schema(row_type)
    wanted = texts.select(id_column, text_column, *columns)
    schema = texts.select(texts[id_column].cast("string").alias(ID), *columns).schema
    for each in results:
        schema = schema.add(each)

    def predict(frames: "Iterator[pandas.DataFrame]") -> "Iterator[pandas.DataFrame]":
        for frame in frames:
            ids = frame[id_column].astype(str)
            rows = map(_text_row, ids, frame[text_column])
            found = list(annotator.annotate(list(rows)))
            kept: dict[str, Any] = {name: frame[name] for name in columns}
            yield type(frame)(
                {
                    ID: ids,
                    **kept,
                    **{name: [row.get(name) for row in found] for name in RESULT},
                }
            )

    return wanted.mapInPandas(predict, schema)


def _text_row(place: str, text: Any) -> TextRow:
    if not isinstance(text, str):
        return TextRow(place, "", f"{place}: has no text; remove the row")
    return TextRow(place, text, "")
