"""What CoNLL-U says of words besides entities, as arguments of spaCy's `Doc`."""

from spacy.parts_of_speech import IDS

from ...util.errors import UserError
from .conllu_sentences import EXCERPT, Sentence, Word

MISSING = ("_", "")
LAYERS = {"XPOS": "tags", "UPOS": "pos", "LEMMA": "lemmas", "FEATS": "morphs"}
# spaCy calls the relation of a root this, in capitals.
ROOT = "ROOT"


def cell_value(word: Word, column: str) -> str:
    """The content of a column; empty for none."""
    value = word.cells.get(column, "")
    if column == "LEMMA" and value == word.cells["FORM"]:
        return value
    return "" if value in MISSING else value


def check_layers(sentence: Sentence) -> None:
    """Raise if spaCy could not take the annotation of a sentence.

    RAISES (UserError): If a part of speech, features or heads are not valid.
    """
    for word in sentence.words:
        part_of_speech = cell_value(word, "UPOS")
        if part_of_speech not in IDS:
            what = f"UPOS '{part_of_speech[:EXCERPT]}' is no universal part of speech"
            raise UserError.at(sentence.place(word), f"{what}; correct it or write _")
        features = cell_value(word, "FEATS")
        if features and not all(map(_is_feature, features.split("|"))):
            what = f"FEATS '{features[:EXCERPT]}' is not like Case=Nom|Number=Sing"
            raise UserError.at(sentence.place(word), f"{what}; correct it or write _")
    heads = [_head(sentence, word) for word in sentence.words]
    if None not in heads:
        _check_tree(sentence, [head for head in heads if head is not None])


def has_parse(word: Word) -> bool:
    """Whether a word has a head and a relation to it."""
    return bool(cell_value(word, "HEAD") and cell_value(word, "DEPREL"))


def make_layers(
    sentence: Sentence, columns: set[str], is_parsed: bool
) -> dict[str, list]:
    """Make the arguments of `Doc`.

    sentence: A sentence that was checked.
    columns: The columns to take, keys of `LAYERS`.
    is_parsed: Whether to take heads and relations.
    RETURNS: The arguments; heads are words of the sentence, and a root is its own.
    """
    layers: dict[str, list] = {
        layer: [cell_value(word, column) for word in sentence.words]
        for column, layer in LAYERS.items()
        if column in columns
    }
    if is_parsed:
        heads = [_head(sentence, word) or 0 for word in sentence.words]
        layers["heads"] = [head - 1 if head else i for i, head in enumerate(heads)]
        layers["deps"] = [
            cell_value(word, "DEPREL") if head else ROOT
            for word, head in zip(sentence.words, heads, strict=True)
        ]
    return layers


def _is_feature(text: str) -> bool:
    name, _, value = text.partition("=")
    return bool(name and value) and "=" not in value


def _head(sentence: Sentence, word: Word) -> int | None:
    text = cell_value(word, "HEAD")
    if not text:
        return None
    n_words = len(sentence.words)
    is_number = text.isascii() and text.isdecimal() and len(text) < 10
    if not is_number or int(text) > n_words:
        what = f"HEAD '{text[:EXCERPT]}' is not from 0 to {n_words}; correct it"
        raise UserError.at(sentence.place(word), what)
    return int(text)


def _check_tree(sentence: Sentence, heads: list[int]) -> None:
    roots = [i for i, head in enumerate(heads) if not head]
    if len(roots) > 1:
        what = "is a second word with HEAD 0; give each sentence one root"
        raise UserError.at(sentence.place(sentence.words[roots[1]]), what)
    reaches_root = [head == 0 for head in heads]
    for first in range(len(heads)):
        path: list[int] = []
        i = first
        while not reaches_root[i]:
            if len(path) > len(heads):
                what = f"the heads of word {first + 1} form a circle; correct HEAD"
                raise UserError.at(sentence.place(sentence.words[first]), what)
            path.append(i)
            i = heads[i] - 1
        for i in path:
            reaches_root[i] = True
