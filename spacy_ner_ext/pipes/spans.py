"""Span keys: doc.ents and the span groups that entities are read from or written to."""

from collections.abc import Iterable, Sequence

import numpy
from spacy.attrs import ENT_IOB, ENT_TYPE
from spacy.tokens import Doc, Span

ENTS = "ents"
# One span group per label.
PER_LABEL = "*"


def as_keys(setting: str | Sequence[str], name: str) -> list[str]:
    """Check a `target` or `annotate` setting and return it as a list."""
    keys = [setting] if isinstance(setting, str) else list(setting)
    if not keys or not all(isinstance(key, str) and key for key in keys):
        raise ValueError(
            f"The setting {name} = {setting!r} is not a span key: use '{ENTS}', the "
            "name of a span group, or a list of these."
        )
    return keys


def expand(keys: Iterable[str], labels: Iterable[str]) -> list[str]:
    """Replace "*" by the span groups of all labels."""
    named = [key for key in keys if key != PER_LABEL]
    return [*named, *labels] if PER_LABEL in keys else named


def read_spans(doc: Doc, keys: Iterable[str]) -> list[Span]:
    """The spans of doc.ents and of the span groups in `keys`."""
    spans: list[Span] = []
    for key in keys:
        if key == ENTS:
            spans.extend(doc.ents)
        elif key in doc.spans:
            spans.extend(doc.spans[key])
    return spans


def blocked_tokens(doc: Doc) -> list[int]:
    """Tokens that `Doc.set_ents` marked as blocked: not part of any entity."""
    iob, label = doc.to_array([ENT_IOB, ENT_TYPE]).reshape(-1, 2).T
    return numpy.flatnonzero((iob == 3) & (label == 0)).tolist()
