"""`ConvertOptions`: the settings of a conversion, validated in one place."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from types import UnionType
from typing import Any

from ..util.errors import UserError, check_choice
from .align import ALIGNMENTS
from .filter import LabelFilter

PARTS = ("train", "dev", "test")
WHOLE_NUMBERS = ("max_length", "limit", "seed", "shard_size")
TYPES: dict[str, tuple[type | UnionType, str]] = {
    "lang": (str, "not a language code"),
    "labels": (list | tuple, "not a list"),
    "map": (Mapping, "not a mapping from old to new labels"),
    **dict.fromkeys(WHOLE_NUMBERS, (int, "not a whole number")),
    "downsample": (int | float, "not a number"),
    "split_regex": (str, "not a regular expression"),
    "split": (list | tuple, "not a list of shares"),
    "oversample": (Mapping, "not a mapping from labels to shares"),
}


@dataclass(frozen=True, kw_only=True)
class ConvertOptions:
    """Settings of a conversion: of the command `convert`, of
    `spacy_ner_ext.convert`, of `Reader.v1` and of the corpora in a project.yml.

    Settings of a format are None where its reader's default applies.

    format: Input format; by default it is recognized if it is certain.
    lang: Language of the tokenizer. Texts marked with another language are skipped;
        several languages are written en,de, and xx keeps all texts.
    encoding: Encoding of text files, such as latin-1, cp1252 or utf-16; by default
        UTF-8.
    align: What to do with entities whose boundaries are inside a token: strict drops
        them and leaves their tokens without annotation; contract keeps the tokens that
        are completely inside; expand takes all tokens that the entity touches; split
        cuts the tokens there, so the corpus has tokens that the tokenizer does not
        produce.
    spans_key: Write all entities, including nested ones, to this span group as well;
        doc.ents has only those that do not overlap, the longest first.
    labels: Keep entities with these labels. The tokens of other entities become O.
    map: Rename labels. This is done before `labels` are selected.
    max_length: Cut documents of more than N tokens, at `split_regex` or else at
        sentence starts, and if that is not enough between any two tokens. Entities
        are never cut. 0 cuts only at `split_regex`.
    split_regex: Documents may be cut after each match, such as \\n\\n+. Without
        `max_length`, they are cut at every match.
    split: Shares of train, dev and optionally test, such as 0.8,0.1,0.1. Texts of the
        same document stay together.
    stratify: Split so that every label and category has the shares of `split`.
    downsample: Keep this share of the documents of each part, drawn at random.
    limit: Keep at most N documents of each part; 0 keeps all.
    oversample: Repeat documents with rare labels until this share of the documents
        has each label, as in BIO,DIS=0.05,MYTH=0.02. After a split, only train.
    seed: Seed of everything that is random.
    shard_size: Write a folder of .spacy files of N documents each. 0 writes one file
        up to 20,000 documents or 250,000 tokens, and a folder beyond that.
    docs_of: conll, conllu, datasets: sentences per document; 0 joins all sentences of
        a document of the input.
    token_column: conll: column of the token, from 0, negative from the end; by default
        the first of words.
    tag_column: conll: column of the tag, from 0, negative from the end; by default the
        column that has tags. Several columns, such as 2,3, are read together.
    default_label: conll, conllu, datasets: label of tags without one (B, I, O).
    delimiter: conll: what separates columns: tab; space (runs of spaces and tabs);
        comma; semicolon; pipe or slash, also of the tokens of a sentence on one line;
        or auto, which tries them all.
    scheme: conll, conllu: tag scheme; auto recognizes it from all tags of the file.
    entity_key: conllu: key in MISC, or column, of the tags; by default the first that
        has tags. webanno: layer, or feature such as NamedEntity.value, of the labels.
    fragments: standoff, pubtator, bioc: turn an entity of several fragments into one
        entity from its start to its end (merge) or one entity per fragment (parts).
    skip_bad: standoff: leave out documents that cannot be read, and report them; by
        default they are an error that names all of them.
    dataset_split: datasets: split to read, such as train.
    dataset_config: datasets: configuration of a dataset on the hub.
    tokens_column: datasets: column of the tokens, by default tokens or words.
    tags_column: datasets: column of the tags, by default ner_tags, tags or the like.
    tag_names: datasets: JSON file with the names of tags that are numbers; by default
        labels.json next to the file.
    text_column: table, textcat: column of the texts.
    spans_column: table: column of the spans.
    label_column: textcat: column of the categories.
    annotator: jsonl, table: read only what this annotator did, by name or id. By
        default, the first annotation of a text in Label Studio and Argilla, and all
        records of other tools.
    exclusive: textcat: whether every text must have exactly one category.
    categories: textcat: all categories. If not given, those of the file.
    more: Options of a reader that is not part of this package.
    """

    format: str | None = None
    lang: str = "en"
    encoding: str | None = None
    align: str = "expand"
    spans_key: str | None = None
    labels: Sequence[str] = ()
    map: Mapping[str, str] = field(default_factory=dict)
    max_length: int = 0
    split_regex: str = ""
    split: Sequence[float] = ()
    stratify: bool = False
    downsample: float = 1.0
    limit: int = 0
    oversample: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    shard_size: int = 0
    docs_of: int | None = None
    token_column: int | None = None
    tag_column: int | Sequence[int] | None = None
    default_label: str | None = None
    delimiter: str | None = None
    scheme: str | None = None
    entity_key: str | None = None
    fragments: str | None = None
    skip_bad: bool | None = None
    dataset_split: str | None = None
    dataset_config: str | None = None
    tokens_column: str | None = None
    tags_column: str | None = None
    tag_names: Path | None = None
    text_column: str | None = None
    spans_column: str | None = None
    label_column: str | None = None
    annotator: str | None = None
    exclusive: bool | None = None
    categories: Sequence[str] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, (kind, what) in TYPES.items():
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise UserError(f"{name} = {value!r} is {what}; correct it")
        check_choice("align", self.align, ALIGNMENTS)
        for name in WHOLE_NUMBERS:
            if getattr(self, name) < 0:
                what = f"{name} = {getattr(self, name)} is negative"
                raise UserError(f"{what}; set it to 0 or more")
        if not 0 < self.downsample <= 1:
            what = f"downsample = {self.downsample} is not a share above 0 and up to 1"
            raise UserError(f"{what}; write 0.1, for example")
        self._check_regex()
        self._check_split()
        for label, share in self.oversample.items():
            if not 0 < share < 1:
                what = f"oversample = {label}={share} is not a share between 0 and 1"
                raise UserError(f"{what}; write {label}=0.1, for example")

    def _check_regex(self) -> None:
        try:
            re.compile(self.split_regex)
        except re.error as err:
            what = f"split_regex = '{self.split_regex}' is not a regular expression"
            raise UserError(f"{what} ({err}); correct it") from err

    def _check_split(self) -> None:
        if not self.split:
            if self.stratify:
                raise UserError("stratify needs a split; set one, such as 0.8,0.1,0.1")
            return
        shown = ",".join(map(str, self.split))
        is_share = all(share > 0 for share in self.split)
        if not is_share or not math.isclose(sum(self.split), 1, abs_tol=1e-6):
            what = f"split = {shown} must be shares above 0 that sum to 1"
            raise UserError(f"{what}, such as 0.8,0.1,0.1")
        if len(self.split) not in (2, 3):
            what = f"split = {shown} has {len(self.split)} shares"
            raise UserError(f"{what}; give two (train, dev) or three (and test)")

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts; empty without a split."""
        return PARTS[: len(self.split)]

    @property
    def needs_plan(self) -> bool:
        """Whether all documents must be read before the first is written."""
        return self.stratify or bool(self.oversample)

    @cached_property
    def filter(self) -> LabelFilter:
        """The selection of languages and labels."""
        langs = tuple(code.strip() for code in self.lang.split(","))
        return LabelFilter(langs, self.map, self.labels)

    @property
    def of_format(self) -> dict[str, Any]:
        """The options for the format's reader that are given."""
        given = {name: getattr(self, name) for name in FORMAT_OPTIONS}
        given = {name: value for name, value in given.items() if value is not None}
        return {**given, **self.more}


_NAMES = [setting.name for setting in fields(ConvertOptions) if setting.name != "more"]
# Options that only some readers take.
FORMAT_OPTIONS = _NAMES[_NAMES.index("docs_of") :]
# Readers that are called without options keep texts of all languages.
DEFAULT = ConvertOptions(lang="xx")


def make_options(settings: Mapping[str, Any]) -> ConvertOptions:
    """Create options from settings by name; unknown names are options of the reader."""
    known = {name: value for name, value in settings.items() if name in _NAMES}
    more = {name: value for name, value in settings.items() if name not in _NAMES}
    return ConvertOptions(**known, more=more)
