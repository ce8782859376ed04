"""Predict over a batch of what was read, in this process or in others."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from spacy.language import Language

from ...util.errors import UserError
from .inputs import Item
from .predict import predict
from .results import to_json


class Lines(NamedTuple):
    """The results of a batch.

    data: The lines, in UTF-8.
    texts: How many they are.
    words: The words of the texts, as white space separates them.
    entities: The entities of the texts.
    replaced: Fields of the input that a prediction of this name replaced.
    """

    data: bytes = b""
    texts: int = 0
    words: int = 0
    entities: int = 0
    replaced: int = 0

    def counted_with(self, other: "Lines") -> "Lines":
        """The counts of both, without the lines."""
        return Lines(b"", *map(sum, zip(self[1:], other[1:])))


def annotate(nlp: Language, items: Sequence[Item]) -> Lines:
    """Predict over a batch.

    RETURNS: A line for each of them.
    RAISES (UserError): If a text is too long, or a component fails.
    """
    for item in items:
        _check_length(nlp, item)
    contents = [item.content for item in items]
    try:
        found = list(predict(nlp, contents, batch_size=len(items)))
    # What components of other packages, or a GPU without memory, raise has no common
    # class.
    except Exception as err:
        what = " ".join(str(err).split())
        raise UserError(
            f"the pipeline fails between {items[0].place} and {items[-1].place} "
            f"({type(err).__name__}: {what}); if memory ran out, lower --batch-size"
        ) from err
    return _written(items, found)


def _written(items: Sequence[Item], found: Sequence[dict[str, Any]]) -> Lines:
    lines, words, entities = [], 0, 0
    for item, result in zip(items, found, strict=True):
        words += len(result.pop("text").split())
        entities += len(result["entities"])
        lines.append(f"{item.head}, {to_json(result)[1:]}\n")
    data = "".join(lines).encode("utf-8")
    replaced = sum(item.replaced for item in items)
    return Lines(data, len(lines), words, entities, replaced)


def line_start(item: Item) -> str:
    """What the line of a text begins with, whatever is predicted."""
    return f'{item.head}, "entities": '


def _check_length(nlp: Language, item: Item) -> None:
    if isinstance(item.content, str) and len(item.content) > nlp.max_length:
        raise UserError.at(
            item.place,
            f"the text has {len(item.content):,} characters, and the pipeline takes "
            f"{nlp.max_length:,} (max_length); cut it",
        )
