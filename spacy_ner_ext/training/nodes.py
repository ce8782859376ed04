"""The layers of a pipeline, and how thinc calls their weights."""

from __future__ import annotations

from collections.abc import Iterator

from spacy.language import Language
from thinc.api import Model

# The id of a layer or of a shim, and the name of a weight there.
Key = tuple[int, str]


def find_nodes(nlp: Language) -> Iterator[Model]:
    """Find all layers of a pipeline."""
    seen: set[int] = set()
    for _, component in nlp.pipeline:
        model = getattr(component, "model", None)
        for node in model.walk() if isinstance(model, Model) else ():
            if node.id not in seen:
                seen.add(node.id)
                yield node
