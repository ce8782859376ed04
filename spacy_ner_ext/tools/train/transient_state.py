"""What some of spaCy's components have learnt and do not save."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spacy.language import Language
from spacy.pipeline._edit_tree_internals.edit_trees import EditTrees
from spacy.pipeline.edit_tree_lemmatizer import EditTreeLemmatizer

# The actions of a parser that were in no example yet.
UNSEEN = "unseen_classes"


def collect_unsaved(nlp: Language) -> dict[str, list[int]]:
    """The actions that parsers have not seen, by
    component.
    """
    return {name: sorted(attrs[UNSEEN]) for name, attrs in _parsers(nlp)}


def restore_unsaved(nlp: Language, unsaved: Mapping[str, list[int]]) -> None:
    """Give parsers what they had not seen."""
    for name, attrs in _parsers(nlp):
        attrs[UNSEEN] = set(unsaved.get(name, attrs[UNSEEN]))


def empty(component: Any, nlp: Language) -> None:
    """Take from a component that is loaded next what loading would only add to."""
    if isinstance(component, EditTreeLemmatizer):
        component.trees = EditTrees(nlp.vocab.strings)


def _parsers(nlp: Language) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, component in nlp.pipeline:
        attrs = getattr(getattr(component, "model", None), "attrs", {})
        if UNSEEN in attrs:
            yield name, attrs
