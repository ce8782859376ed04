"""Gold tags of tokens, existing tags as constraints, and predicted tags in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
from spacy.parts_of_speech import IDS
from spacy.strings import StringStore
from spacy.tokens import Doc, Token
from spacy.training import Example

from ..pipes.gold import have_same_tokens
from .objectives import allowed_tags
from .tags import MISSING

# Where tags can be, as spaCy calls them: token.tag_ and token.pos_.
TARGETS = ("tag", "pos")
PARTS_OF_SPEECH = frozenset(IDS) - {""}


def key_of(label: str, target: str, strings: StringStore) -> int:
    """What a token holds as `tag` or `pos` for a label."""
    return int(IDS[label]) if target == "pos" else strings.add(label)


def index_keys(
    labels: Sequence[str], target: str, strings: StringStore
) -> dict[int, int]:
    """The tag of each label by what a token holds for it."""
    return {key_of(label, target, strings): i for i, label in enumerate(labels)}


def read_keys(doc: Doc, target: str) -> numpy.ndarray:
    """What the tokens hold as `tag` or `pos`; 0 for nothing."""
    return doc.to_array(target.upper()).reshape(len(doc))


def gold_tags(example: Example, target: str, index: Mapping[int, int]) -> numpy.ndarray:
    """Read the gold tags of an example, on the tokens of its predicted document.

    target: Where gold is, "tag" or "pos".
    index: The tag of each label, see `index_keys`.
    RETURNS: Tags, (n_words, 1); MISSING where there is no gold, no aligned token, or a
        label that is not in `index`.
    """
    if have_same_tokens(example.reference, example.predicted):
        keys = read_keys(example.reference, target).tolist()
    else:
        keys = example.get_aligned(target.upper())
    return _as_tags(keys, index)


def _as_tags(keys: Sequence[Any], index: Mapping[int, int]) -> numpy.ndarray:
    tags = [index.get(key, MISSING) for key in keys]
    return numpy.array(tags, dtype="int32").reshape(-1, 1)


def constrain(
    docs: Sequence[Doc], target: str, index: Mapping[int, int]
) -> numpy.ndarray | None:
    """The tags that are open if existing ones are kept. A token with a label that is
    not in `index` may have any, as the component does not know what it stands for.

    target: Where tags are, "tag" or "pos".
    index: The tag of each label, see `index_keys`.
    RETURNS: Bools, (n_words, n_tags); None if there is nothing to keep.
    """
    existing = numpy.concatenate([read_keys(doc, target) for doc in docs])
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
    """Write predicted tags, with their probabilities, to a document.

    target: Where to, "tag" or "pos".
    keys: What each token shall hold, uint64.
    probabilities: If given, become `token._.tag_score` or `token._.pos_score` of the
        tokens that are written.
    overwrite: Whether tags that are there are replaced.
    """
    before = read_keys(doc, target)
    chosen = numpy.full(len(doc), True) if overwrite else before == 0
    array: Any = numpy.where(chosen, keys, before)
    doc.from_array([target.upper()], array)
    if probabilities is not None:
        for i in numpy.flatnonzero(chosen).tolist():
            doc[i]._.set(score_name(target), float(probabilities[i]))


def score_name(target: str) -> str:
    """The extension of tokens that holds the probability of a tag."""
    return f"{target}_score"


def register_token_score(target: str) -> None:
    """Make `token._.tag_score` or `token._.pos_score` available.

    RAISES (ValueError): If another package has already defined the extension.
    """
    name = score_name(target)
    if not Token.has_extension(name):
        Token.set_extension(name, default=None)
    elif any(value is not None for value in Token.get_extension(name)):
        raise ValueError(
            f"Something else already defines the extension Token._.{name}: remove it "
            f"with Token.remove_extension('{name}') before the pipeline is made, or "
            "set scores = false."
        )
