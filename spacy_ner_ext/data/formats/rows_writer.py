"""Write datasets of tokens and tags, see `rows`.

Kept are tokens with the spaces between them, entities as IOB2 tags, sentence starts,
categories and other data of documents; of entities that overlap the longest.
"""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow
from spacy.tokens import Doc, Span

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
from .dataset_source import without_progress_bars
from .spans import without_overlap

SCHEMA = pyarrow.schema(
    [
        ("tokens", pyarrow.list_(pyarrow.string())),
        ("ner_tags", pyarrow.list_(pyarrow.int64())),
        *TOKEN_COLUMNS,
        *DATA_COLUMNS,
    ]
)


def write_datasets(
    docs: Iterable[Doc],
    folder: Path,
    name: str,
    *,
    report: ConversionReport,
    spans_key: str | None = None,
) -> None:
    """Write documents as a dataset that `datasets.load_from_disk` reads.

    docs: The documents, taken as they come.
    folder: An empty folder, which becomes the dataset.
    name: How the documents are called in the report.
    report: Gets what the format cannot hold.
    spans_key: A span group to write in place of `doc.ents`.
    """
    from datasets import Dataset, DatasetInfo

    tag_names = ["O"]
    numbers: dict[str, int] = {}

    def to_row(doc: Doc, place: Place) -> dict[str, Any]:
        spans = spans_or_none(doc, spans_key, place, report)
        if spans is not None:
            spans = without_overlap(spans, place, report)
        for label in [span.label_ for span in spans or ()]:
            if label not in numbers:
                numbers[label] = len(tag_names)
                tag_names.extend([f"B-{label}", f"I-{label}"])
        return {
            "tokens": [token.text for token in doc],
            "ner_tags": None if spans is None else _tags(len(doc), spans, numbers),
            **token_values(doc),
            **data_values(doc),
        }

    # The names are known at the end, so the rows wait in a file.
    with TemporaryDirectory(dir=folder) as staged:
        path = Path(staged) / "rows.arrow"
        with pyarrow.ipc.new_stream(path, SCHEMA) as file:
            for batch in row_batches(docs, name, SCHEMA, to_row, report):
                file.write_batch(batch)
        info = DatasetInfo(features=_features(tag_names))
        dataset = Dataset.from_file(str(path), info=info)
        # Of no rows it would write no file, and not read that.
        n_files = None if len(dataset) else 1
        with without_progress_bars():
            dataset.save_to_disk(folder, num_shards=n_files)


def _features(tag_names: list[str]) -> Any:
    from datasets import ClassLabel, Features, Sequence

    features = Features.from_arrow_schema(SCHEMA)
    features["ner_tags"] = Sequence(ClassLabel(names=tag_names))
    return features


def _tags(n_tokens: int, spans: list[Span], numbers: dict[str, int]) -> list[int]:
    tags = [0] * n_tokens
    for span in spans:
        begin = numbers[span.label_]
        tags[span.start : span.end] = [begin, *[begin + 1] * (len(span) - 1)]
    return tags
