"""Tags of tokens: gold tags, existing tags as constraints, and predicted tags."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy
from spacy.parts_of_speech import IDS
from spacy.strings import StringStore
from spacy.tokens import Doc, Token
from spacy.training import Example
from spacy.util import logger

from ..pipes.gold import describe_counts, have_same_tokens
from .objectives import allowed_tags
from .tags import MISSING

# For token.tag_ and token.pos_.
TARGETS = ("tag", "pos")
PARTS_OF_SPEECH = frozenset(IDS) - {""}


def index_keys(
    labels: Sequence[str], target: str, strings: StringStore
) -> dict[int, int]:
    """Map the key of each label, as in `token.tag` or `token.pos`, to its tag."""
    if target == "pos":
        return {int(IDS[label]): i for i, label in enumerate(labels)}
    return {strings.add(label): i for i, label in enumerate(labels)}


def _read_keys(doc: Doc, target: str) -> numpy.ndarray:
    return doc.to_array(target.upper()).reshape(len(doc))


def gold_tags(example: Example, target: str, index: Mapping[int, int]) -> numpy.ndarray:
    """Encode the gold tags of an example on its predicted tokens, shape (n_words, 1);
    MISSING without gold, without an aligned token, or if `index` lacks the label."""
    if have_same_tokens(example.reference, example.predicted):
        keys = _read_keys(example.reference, target).tolist()
    else:
        keys = example.get_aligned(target.upper())
    return _as_tags(keys, index)


def _as_tags(keys: Sequence[Any], index: Mapping[int, int]) -> numpy.ndarray:
    tags = [index.get(key, MISSING) for key in keys]
    return numpy.array(tags, dtype="int32").reshape(-1, 1)


def constrain(
    docs: Sequence[Doc], target: str, index: Mapping[int, int]
) -> numpy.ndarray | None:
    """The tags that are allowed if existing tags are kept, bools, shape (n_words,
    n_tags); None without existing tags. If `index` lacks a label, any tag is
    allowed."""
    existing = numpy.concatenate([_read_keys(doc, target) for doc in docs])
    if not existing.any():
        return None
    return allowed_tags(_as_tags(existing.tolist(), index), len(index))


def write_tags(
    doc: Doc,
    target: str,
    keys: numpy.ndarray,
    probabilities: numpy.ndarray | None,
    *,
    overwrite: bool,
) -> None:
    """Write predicted tags and their probabilities, if given, to a document; `keys` are
    the values to store in each token, uint64."""
    before = _read_keys(doc, target)
    chosen = numpy.full(len(doc), True) if overwrite else before == 0
    array: Any = numpy.where(chosen, keys, before)
    doc.from_array([target.upper()], array)
    if probabilities is not None:
        for i in numpy.flatnonzero(chosen).tolist():
            doc[i]._.set(f"{target}_score", float(probabilities[i]))


def register_token_score(target: str) -> None:
    """Define `token._.tag_score` or `token._.pos_score`."""
    name = f"{target}_score"
    if not Token.has_extension(name):
        Token.set_extension(name, default=None)
    elif any(value is not None for value in Token.get_extension(name)):
        raise ValueError(
            f"The extension Token._.{name} is already defined elsewhere: remove it "
            f"with Token.remove_extension('{name}') before creating the pipeline, or "
            "set scores = false."
        )


def count_tags(examples: Iterable[Example], target: str) -> Counter[str]:
    tags = (getattr(token, f"{target}_") for eg in examples for token in eg.y)
    return Counter(tag for tag in tags if tag)


def report_skipped_tags(name: str, labels: Sequence[str], counts: Counter[str]) -> None:
    """Log the gold tags that are not among the labels of the component `name`."""
    skipped = Counter({tag: n for tag, n in counts.items() if tag not in labels})
    if skipped:
        logger.warning(
            "%s: %d gold tags are skipped in training (%s): their labels are not among "
            "those given to initialize, so their tokens count as unannotated; add them "
            "to [initialize.components] to keep them.",
            *(name, skipped.total(), describe_counts(skipped)),
        )
