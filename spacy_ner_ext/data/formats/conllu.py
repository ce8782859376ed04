"""CoNLL-U and CoNLL-U Plus: words with syntax, and entities as tags."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...util.errors import Place, UserError
from ..docs import reads_docs
from ..record import Record, check_docs_of, group_sentences
from ..report import ConversionReport
from ..text import check_input
from .conllu_sentences import (
    EXCERPT,
    LAYERS,
    Sentence,
    Word,
    cell_value,
    check_layers,
    has_parse,
    make_layers,
    read_sentences,
)
from .tags import (
    OUTSIDE,
    SchemeSurvey,
    Tag,
    find_scheme,
    parse_tag,
    resolve_scheme,
    tagged_record,
)

# Columns and keys of MISC that may have the tags; the first that does is used.
ENTITY_KEYS = ("NER", "NE", "name", "ner", "ne", "Name", "Entity", "entity")
UNTAGGED = ("", "_", "*")
MAX_LISTED = 10


@reads_docs
def read_conllu(
    path: Path,
    report: ConversionReport,
    *,
    entity_key: str | None = None,
    scheme: str = "auto",
    docs_of: int = 1,
) -> Iterator[Record]:
    """Read a CoNLL-U file as documents with gold tokens, entities and syntax."""
    check_docs_of(docs_of)
    scheme = resolve_scheme(scheme)
    check_input(path)
    survey = _Survey(path, ENTITY_KEYS if entity_key is None else (entity_key,))
    # The file is read twice, first to check every line and find the tags.
    for sentence in read_sentences(path, ConversionReport()):
        survey.add(sentence)
    key = survey.key()
    report.scheme = find_scheme(survey.tags[key], scheme, path)
    if survey.has_heads and survey.unparsed is not None:
        what = "a word without HEAD or DEPREL, so the parses of the file are skipped"
        report.note("skipped", survey.unparsed, what)
    yield from group_sentences(_records(survey, key, report), docs_of)


@dataclass
class _Survey:
    """The annotation that a whole file has.

    faults: The first value of each key that is not a tag.
    filled: Columns of `LAYERS` that some word has.
    """

    path: Path
    keys: tuple[str, ...]
    tags: dict[str, SchemeSurvey] = field(default_factory=dict)
    faults: dict[str, tuple[str, Place]] = field(default_factory=dict)
    misc: dict[str, None] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)
    unparsed: Place | None = None
    has_words: bool = False
    has_heads: bool = False
    has_spaces: bool = False

    def add(self, sentence: Sentence) -> None:
        check_layers(sentence)
        self.has_words = True
        self.has_spaces |= sentence.has_text
        for word in sentence.words:
            self.misc.update(dict.fromkeys(word.misc))
            self.filled.update(c for c in LAYERS if cell_value(word, c))
            self.has_heads |= bool(cell_value(word, "HEAD"))
            if self.unparsed is None and not has_parse(word):
                self.unparsed = word.place
        lines = [*sentence.words, *(token.word for token in sentence.multiwords)]
        self.has_spaces |= any("SpaceAfter" in line.misc for line in lines)
        self._add_columns(sentence)
        for key in self.keys:
            self._add_tags(key, sentence)

    def _add_columns(self, sentence: Sentence) -> None:
        # CoNLL-U Plus prescribes a prefix for columns of projects: PARSEME:NE.
        for name in sentence.words[0].cells if sentence.words else ():
            prefix, _, plain = name.rpartition(":")
            if prefix and plain in self.keys and name not in self.keys:
                self.keys += (name,)

    def _add_tags(self, key: str, sentence: Sentence) -> None:
        if not any(key in word.cells or key in word.misc for word in sentence.words):
            return
        survey = self.tags.setdefault(key, SchemeSurvey())
        tags = []
        for word in sentence.words:
            tag = _tag(word, key)
            if tag is None:
                fault = (_value(word, key), word.place)
                self.faults.setdefault(key, fault)
            tags.append(tag or OUTSIDE)
        survey.add(tags, [word.place.number for word in sentence.words])

    def key(self) -> str:
        """The first key whose values are tags."""
        for key in self.keys:
            if key in self.tags and key not in self.faults:
                return key
        advice = "choose a column or a key of MISC with --entity-key"
        for value, place in self.faults.values():
            what = f"'{value[:EXCERPT]}' is not O or a prefix and a label such as B-PER"
            raise place.error(f"{what}; correct it or {advice}")
        if not self.has_words:
            raise UserError("the file holds no word; check how it was made", self.path)
        listed = ", ".join(list(self.misc)[:MAX_LISTED]) or "none"
        what = f"no entities under {', '.join(self.keys)}; keys of MISC are: {listed}"
        raise UserError(f"{what}; {advice}", self.path)


def _value(word: Word, key: str) -> str:
    return word.cells.get(key, word.misc.get(key, "_"))


def _tag(word: Word, key: str) -> Tag | None:
    value = _value(word, key)
    return OUTSIDE if value in UNTAGGED else parse_tag(value)


def _records(survey: _Survey, key: str, report: ConversionReport) -> Iterator[Record]:
    is_parsed = survey.unparsed is None
    for sentence in read_sentences(survey.path, report):
        for token in sentence.multiwords:
            if _value(token.word, key) not in (*UNTAGGED, "O"):
                what = f"tag of the token {token.word.cells['ID']}, not of a word"
                report.note("skipped", token.word.place, what)
        record = tagged_record(
            [word.cells["FORM"] for word in sentence.words],
            [[_tag(word, key) or OUTSIDE for word in sentence.words]],
            [word.place for word in sentence.words],
            report,
        )
        record.spaces = _spaces(sentence) if survey.has_spaces else None
        record.layers = make_layers(sentence, survey.filled, is_parsed)
        record.id, record.document = sentence.id, sentence.document
        yield record


def _spaces(sentence: Sentence) -> list[bool]:
    spaces = [_has_space(word) for word in sentence.words]
    for token in sentence.multiwords:
        forms = [word.cells["FORM"] for word in sentence.words[token.start : token.end]]
        is_split = "".join(forms) == token.word.cells["FORM"]
        spaces[token.start : token.end] = [not is_split] * len(forms)
        spaces[token.end - 1] = _has_space(token.word)
    return spaces


def _has_space(word: Word) -> bool:
    return word.misc.get("SpaceAfter") != "No"
