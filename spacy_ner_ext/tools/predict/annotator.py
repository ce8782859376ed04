"""The class with which every engine predicts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import compute
from spacy.util import minibatch
from thinc.api import get_current_ops

from ..device import use_device
from .chunks import CHUNK, ID, RESULT, Columns
from .items import TEXT
from .predict import BATCH_SIZE
from .worker import PipelineSource, Text, annotate


class TextRow(NamedTuple):
    """A text, where it was read, and why it cannot be read; see Text."""

    place: str
    content: str
    error: str


@dataclass(frozen=True)
class Annotator:
    """Predicts chunks of texts with a pipeline that it loads once in a process.

    columns: The columns of the input that are kept.
    gpu_id: The GPU, -1 for the CPU.
    """

    pipeline: PipelineSource
    columns: Columns = field(default_factory=lambda: Columns({}))
    batch_size: int = BATCH_SIZE
    max_length: int | None = None
    gpu_id: int = -1

    def annotate(self, texts: Sequence[Text]) -> Iterator[dict[str, Any]]:
        """Predict texts, in batches; see worker.annotate for the results."""
        # thinc's device is a variable of the thread, and engines have their own.
        if self.gpu_id >= 0 and get_current_ops().device_type == "cpu":
            use_device(self.gpu_id)
        nlp = self.pipeline.load()
        for batch in minibatch(texts, self.batch_size):
            yield from annotate(nlp, batch, self.max_length)

    def __call__(self, chunks: pa.Table) -> pa.Table:
        """Predict chunks of texts; returns chunks of rows."""
        texts = chunks["texts"].combine_chunks()
        flat = texts.flatten()
        offsets = compute.subtract(texts.offsets, texts.offsets[0])
        rows, words = [], []
        for chunk in texts.to_pylist():
            found = list(self.annotate([_text_row(row) for row in chunk]))
            words.append(sum(len((row.get(TEXT) or "").split()) for row in found))
            rows += found
        kept = [
            flat.field(ID),
            *(flat.field(f"column {n}") for n in self.columns.types),
        ]
        results = [
            pa.array([row.get(name) for row in rows], kind)
            for name, kind in RESULT.items()
        ]
        fields = list(self.columns.row_type())
        all_rows = pa.StructArray.from_arrays([*kept, *results], fields=fields)
        return pa.table(
            {
                CHUNK: chunks[CHUNK],
                "words": pa.array(words, pa.int64()),
                "rows": pa.ListArray.from_arrays(offsets, all_rows),
            }
        )


def _text_row(row: dict[str, Any]) -> TextRow:
    return TextRow(row["place"], row["text"], row["error"] or "")
