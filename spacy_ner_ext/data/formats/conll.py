"""CoNLL column files: one token a line, its tags in one or more of the columns."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from ...util.errors import Place, UserError, check_choice
from ..docs import reads_docs
from ..record import Record, group_sentences
from ..report import ConversionReport
from ..text import check_input
from . import tags as tagging
from .brackets import read_brackets
from .columns import DELIMITERS
from .layout import Layout
from .spans import ExportedDoc, without_overlap, writes_docs, written

DOCSTART = "-DOCSTART-"
FIRST = re.compile("^.")
BREAKS = re.compile(r"[\t\n\r]")
# The reader strips tags, so that a label cannot end in white space either.
LABEL_BREAKS = re.compile(r"[\t\n\r]|\s(?=\s*$)")


@reads_docs
def read_conll(
    path: Path,
    report: ConversionReport,
    *,
    token_column: int | None = None,
    tag_column: int | Sequence[int] | None = None,
    delimiter: str = "auto",
    scheme: str = "auto",
    default_label: str = tagging.DEFAULT_LABEL,
    docs_of: int = 1,
) -> Iterator[Record]:
    """Read a column file as documents with gold tokens, sentences and entities."""
    scheme = tagging.resolve_scheme(scheme)
    check_choice("delimiter", delimiter, DELIMITERS)
    check_input(path)
    options = {"default_label": default_label, "scheme": scheme}
    layout = Layout(
        path, delimiter, understand=partial(tagging.understand_tags, **options)
    )
    layout.measure(token_column, tag_column)
    found = [(layout.columns[i], tags or {}) for i, tags in layout.tags.items()]
    if None not in layout.tags.values():
        _check_annotated(layout, report)
    report.scheme = tagging.find_scheme(found, scheme, path)
    yield from group_sentences(_records(layout, report), docs_of)


def _check_annotated(layout: Layout, report: ConversionReport) -> None:
    texts = {text for i in layout.tags for text in layout.columns[i].lines}
    tags = {tagging.UNLABELED.get(text) for text in texts}
    if tags <= {tagging.MISSING}:
        what = "no token has a tag, but '-', '_' or nothing, so nothing is annotated"
        raise UserError(f"{what}; choose the column with --tag-column", layout.path)
    if tagging.MISSING in tags and tagging.OUTSIDE not in tags:
        what = "no token has the tag O, and those with '-' or no tag have no annotation"
        report.more_warnings.append(f"{layout.path}: {what}")


def _records(layout: Layout, report: ConversionReport) -> Iterator[Record]:
    n_documents = 0
    for starts_document, rows in layout.sentences(report):
        n_documents += starts_document
        places = [Place(layout.path, line) for line, _ in rows]
        words = [cells[layout.token_column] for _, cells in rows]
        words = [word.removeprefix(layout.language) for word in words]
        record = tagging.tagged_record(words, layout.layers(rows), places, report)
        for i, tags in layout.tags.items():
            if tags is None:
                brackets = [cells[i] for _, cells in rows]
                found = read_brackets(brackets, places, report)
                record.entities = [*(record.entities or ()), *found]
        record.document = str(n_documents or "")
        yield record


@writes_docs
def write_conll(docs: Iterable[ExportedDoc], folder: Path, name: str) -> None:
    """Write documents as one column file, NAME.conll."""
    path = folder / f"{name}.conll"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for exported in docs:
            file.writelines(_lines(exported))


def _lines(exported: ExportedDoc) -> Iterator[str]:
    doc, place, _ = exported
    if not len(doc):
        place.note("empty", "a text without tokens")
        return
    spans, tags = exported.spans(), ["O"] * len(doc)
    exported.note_lost(spans)
    for span in without_overlap(spans, place):
        label = written(span.label_, LABEL_BREAKS, "_", place)
        inside = [f"I-{label}"] * (len(span) - 1)
        tags[span.start : span.end] = [f"B-{label}", *inside]
    yield f"{DOCSTART}\tO\n\n"
    for token, tag in zip(doc, tags, strict=True):
        if token.i and token.is_sent_start:
            if tag.startswith("I-"):
                what = f"a sentence starts inside an entity, at {token.text!r}"
                place.note("uncut", what)
            else:
                yield "\n"
        text = written(token.text, BREAKS, " ", place)
        if text.startswith(DOCSTART):
            text = written(text, FIRST, "_", place)
        yield f"{text}\t{tag}\n"
    yield "\n"
