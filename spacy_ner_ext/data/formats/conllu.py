"""CoNLL-U and CoNLL-U Plus: words with syntax, and entities as tags."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ...util.errors import Place, UserError
from ..docs import reads_docs
from ..mentions import EXCERPT
from ..record import Record, group_sentences
from ..report import ConversionReport
from ..text import check_input
from . import tags as tagging
from .brackets import are_brackets, read_brackets
from .conllu_sentences import COLUMNS, Sentence, Word, make_layers, read_sentences

# Columns and keys of MISC that may have the tags; the first that does is used.
ENTITY_KEYS = ("NER", "NE", "name", "ner", "ne", "Name", "Entity", "entity")
UNTAGGED = ("", "_", "*")
MAX_LISTED = 10
# The prefix of the last word of a token, by that of the token.
AT_END = {"S": "E", "E": "E", "U": "L", "L": "L"}


@reads_docs
def read_conllu(
    path: Path,
    report: ConversionReport,
    *,
    entity_key: str | None = None,
    scheme: str = "auto",
    default_label: str = tagging.DEFAULT_LABEL,
    docs_of: int = 1,
) -> Iterator[Record]:
    """Read a CoNLL-U file as documents with gold tokens, entities and syntax."""
    scheme = tagging.resolve_scheme(scheme)
    check_input(path)
    keys = ENTITY_KEYS if entity_key is None else (entity_key,)
    options = {"default_label": default_label, "scheme": scheme}
    survey = _Survey(path, keys, partial(tagging.understand_tags, **options))
    # The file is read twice, first to check every line and find the tags.
    for sentence in read_sentences(path, ConversionReport()):
        survey.add(sentence)
    survey.choose_key()
    if survey.tags is not None:
        column = survey.columns[survey.key]
        report.scheme = tagging.find_scheme([(column, survey.tags)], scheme, path)
    sentences = read_sentences(path, report)
    records = (_record(s, survey, default_label, report) for s in sentences)
    for record in group_sentences(records, docs_of):
        if not any(record.layers["deps"]):
            # Heads alone would leave the sentences unknown.
            del record.layers["heads"], record.layers["deps"]
        yield record


@dataclass
class _Survey:
    """The annotation that a whole file has.

    columns: The values of each of the keys.
    tags: The tags under `key` by their text; None for brackets.
    names: All columns and keys of MISC that have a value.
    """

    path: Path
    keys: tuple[str, ...]
    understand: tagging.Understand
    columns: dict[str, tagging.Column] = field(default_factory=dict)
    key: str = ""
    tags: dict[str, tagging.Tag] | None = None
    names: dict[str, None] = field(default_factory=dict)
    has_spaces: bool = False

    def add(self, sentence: Sentence) -> None:
        # CoNLL-U Plus prescribes a prefix for columns of projects: PARSEME:NE.
        for name in sentence.words[0].cells:
            if name not in self.keys and name.rpartition(":")[2] in self.keys:
                self.keys += (name,)
        for i, word in enumerate(sentence.words):
            token = sentence.tokens.get(i)
            for unit in (token, word) if token else (word,):
                self.names.update(dict.fromkeys(filter(unit.value, unit.cells)))
                for key in self.keys:
                    text = unit.cells.get(key, "")
                    is_given = text or key in self.columns
                    if is_given and (unit is word or text not in UNTAGGED):
                        column = self.columns.setdefault(key, tagging.Column())
                        column.add(text, unit.place.number)
        for column in self.columns.values():
            column.end_sentence()
        self.has_spaces |= sentence.has_text or "SpaceAfter" in self.names

    def choose_key(self) -> None:
        """Choose the first key whose values are tags."""
        advice = "choose a column or a key of MISC with --entity-key"
        faults = []
        for key in filter(self.columns.__contains__, self.keys):
            column = self.columns[key]
            texts = [text for text in column.lines if text not in UNTAGGED]
            tags = self.understand(texts)
            unknown = [text for text in texts if text not in tags]
            if are_brackets(texts) or not unknown:
                self.key, self.tags = key, None if unknown else tags
                return
            what = f"'{unknown[0][:EXCERPT]}' {tagging.NOT_A_TAG}, in {key}"
            place = Place(self.path, column.lines[unknown[0]])
            faults.append(place.error(f"{what}; correct it or {advice}"))
        if faults:
            raise faults[0]
        if not self.names:
            raise UserError("the file holds no word; check how it was made", self.path)
        others = [name for name in self.names if name not in COLUMNS]
        what = f"no entities under {', '.join(self.keys)}; other columns and keys of "
        what += f"MISC are: {', '.join(others[:MAX_LISTED]) or 'none'}"
        raise UserError(f"{what}; {advice}", self.path)

    def read_tags(self, sentence: Sentence) -> list[tagging.Tag]:
        """The tags of the words; those of a token of several words are spread."""
        tags = [self._tag(word) for word in sentence.words]
        for start, token in sentence.tokens.items():
            prefix, label = self._tag(token)
            labels = {label for _, label in tags[start : token.end]}
            if label and not any(labels):
                first, last = "B" if prefix in "BSU" else "I", AT_END.get(prefix, "I")
                prefixes = [first, *"I" * (token.end - start - 2), last]
                tags[start : token.end] = [(prefix, label) for prefix in prefixes]
            elif label and labels != {label}:
                what = f"tag of the token {token.cells['ID']}, not of a word"
                token.place.note("skipped", what)
        return tags

    def _tag(self, word: Word) -> tagging.Tag:
        return (self.tags or {}).get(word.cells.get(self.key, ""), tagging.OUTSIDE)


def _record(
    sentence: Sentence, survey: _Survey, default_label: str, report: ConversionReport
) -> Record:
    places = [word.place for word in sentence.words]
    words = [word.cells["FORM"] for word in sentence.words]
    record = tagging.tagged_record(words, [survey.read_tags(sentence)], places, report)
    if survey.tags is None:
        cells = [word.cells.get(survey.key, "_") for word in sentence.words]
        fields = sentence.fields
        record.entities = read_brackets(cells, places, report, fields, default_label)
    record.spaces = _spaces(sentence) if survey.has_spaces else None
    record.layers = make_layers(sentence.words, survey.names)
    record.id, record.document = sentence.id, sentence.document
    return record


def _spaces(sentence: Sentence) -> list[bool]:
    def has_space(word: Word) -> bool:
        return word.cells.get("SpaceAfter") != "No"

    spaces = [has_space(word) for word in sentence.words]
    for start, token in sentence.tokens.items():
        forms = [word.cells["FORM"] for word in sentence.words[start : token.end]]
        is_apart = "".join(forms) != token.cells["FORM"]
        spaces[start : token.end] = [is_apart] * len(forms)
        spaces[token.end - 1] = has_space(token)
    return spaces
