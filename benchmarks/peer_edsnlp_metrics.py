"""Scores of EDS-NLP's own metrics, as one line of JSON.

    edsnlp/bin/python benchmarks/peer_edsnlp_metrics.py spans.json

It is run by the Python of a separate environment without this package. The file holds
a list of {"words": [..], "gold": [[start, end, label], ..], "predicted": [..]}, on
tokens.
"""

import json
import sys
from pathlib import Path
from typing import Any

import spacy
from edsnlp.metrics.ner import (
    ner_exact_metric,
    ner_overlap_metric,
    ner_token_metric,
)
from spacy.tokens import Doc, Span

METRICS = {
    "exact": ner_exact_metric,
    "overlap": ner_overlap_metric,
    "token": ner_token_metric,
}


def make_doc(words: list[str], spans: list[Any]) -> Doc:
    doc = Doc(VOCAB, words=words)
    doc.spans["entities"] = [Span(doc, *span) for span in spans]
    return doc


VOCAB = spacy.blank("en").vocab
records = json.loads(Path(sys.argv[1]).read_text())
gold = [make_doc(each["words"], each["gold"]) for each in records]
predicted = [make_doc(each["words"], each["predicted"]) for each in records]
scores = {
    name: metric((gold, predicted), span_getter={"entities": True})
    for name, metric in METRICS.items()
}
print(json.dumps(scores))
