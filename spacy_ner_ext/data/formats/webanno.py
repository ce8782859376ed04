"""WebAnno TSV 3, the export of INCEpTION and WebAnno: tokens with layers of spans."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ...util.errors import Place, UserError
from ..docs import reads_docs
from ..mentions import EXCERPT
from ..offsets import Span, find_quote
from ..record import Entity, Record
from ..report import ConversionReport
from ..text import check_input, read_lines

HEADER = "#FORMAT=WebAnno TSV 3"
# 1-2 is the second token of the first sentence, 1-2.1 a part of it.
UNIT = re.compile(
    r"(?P<sentence>[0-9]+)-[0-9]+(?P<part>\.[0-9]+)?\t"
    r"(?P<begin>[0-9]{1,18})-(?P<end>[0-9]{1,18})\t(?P<word>[^\t]+)(?P<values>.*)"
)
SEPARATOR = re.compile(r"(?<!\\)\|")
# A label, and a number that all tokens of the same span have.
VALUE = re.compile(r"(.*?)(?:\[([0-9]+)\])?", re.DOTALL)
ESCAPED = re.compile(r"\\(.)")
CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}
# Layers that do not mark entities, besides those with slots.
OTHERS = ("POS", "Lemma", "Stem", "MorphologicalFeatures", "Chunk", "SurfaceForm")
# Features that are labels.
LABELS = ("value", "label", "type", "category", "class", "tag", "entity")


@reads_docs
def read_webanno(
    path: Path, report: ConversionReport, *, entity_key: str = ""
) -> Iterator[Record]:
    """Read a file, or each .tsv file of a folder, as one document."""
    files = sorted(path.rglob("*.tsv")) if path.is_dir() else [path]
    names: dict[str, None] = {}
    has_labels = False
    for file in files:
        document = _Document(file, report, entity_key)
        yield document.read()
        names.update(dict.fromkeys(document.columns))
        has_labels = has_labels or bool(document.labels)
    if not has_labels:
        what = f"it is not certain which of {', '.join(names) or 'no layers'} has the "
        raise UserError(f"{what}labels; name it with --entity-key", path)


class _Document:
    """A file; its columns are named by layer and feature, as in NamedEntity.value."""

    def __init__(self, path: Path, report: ConversionReport, entity_key: str) -> None:
        self.path, self.report, self.entity_key = path, report, entity_key
        self.columns: list[str] = []
        # The layer of each column of labels.
        self.labels: dict[int, str] = {}
        self.counts: Counter[int] = Counter()
        self.words: list[str] = []
        self.spaces: list[bool] = []
        # The first token of each sentence.
        self.starts: dict[str, int] = {}
        self.spans: dict[tuple[int, str], Entity] = {}
        # Where the last token starts and ends in the document and by its offsets, the
        # rest of the text of the sentence, and the lines of that of the next.
        self.start = self.end = self.first = self.last = 0
        self.rest: str | None = None
        self.texts: list[str] = []

    def read(self) -> Record:
        check_input(self.path)
        for number, line in read_lines(self.path):
            place = Place(self.path, number)
            if number == 1 and not line.startswith(HEADER):
                what = f"{line[:EXCERPT]!r} is not {HEADER}; export as WebAnno TSV 3"
                raise place.error(what)
            if line.startswith("#Text="):
                self.texts.append(_unescaped(line.removeprefix("#Text=")))
            elif line.startswith("#T_"):
                self._add_layer(line)
            elif line.strip() and not line.startswith("#"):
                self._add_unit(line, place)
        place = Place(self.path, 1)
        for i, n in self.counts.items():
            if i not in self.labels:
                self.report.note("skipped", place, f"{n} values of {self.columns[i]}")
        found = self.spans.values()
        return Record(
            place,
            words=self.words,
            spaces=self.spaces,
            entities=[e for e in found if e.label] if self.labels else None,
            missing=[(e.start, e.end) for e in found if not e.label],
            starts=list(self.starts.values()),
            id=self.path.stem,
        )

    def _add_layer(self, line: str) -> None:
        layer, *features = line[len("#T_SP=") :].split("|")
        layer, features = layer.rpartition(".")[2], features or [""]
        names = [f"{layer}.{name}" if name else layer for name in features]
        # The feature after a slot is the layer of what fills it.
        is_slot = [False, *(name.startswith("ROLE_") for name in features)]
        spans = [i for i in range(len(features)) if not any(is_slot[i : i + 2])]
        is_other = layer in OTHERS or any(is_slot)
        if self.entity_key:
            wanted = [layer] if len(spans) == 1 else []
            spans = [i for i in spans if self.entity_key in (names[i], *wanted)]
        elif len(spans) > 1:
            spans = [i for i in spans if features[i].lower() in LABELS]
        is_certain = len(spans) == 1 and (self.entity_key or not is_other)
        if line.startswith("#T_SP=") and is_certain:
            self.labels[len(self.columns) + spans[0]] = layer
        self.columns += names

    def _add_unit(self, line: str, place: Place) -> None:
        match = UNIT.fullmatch(line)
        if match is None:
            what = f"{line[:EXCERPT]!r} is not a token"
            raise place.error(f"{what}; write 1-1<TAB>START-END<TAB>TOKEN")
        at = self._place(match, place)
        self.starts.setdefault(match["sentence"], len(self.words) - 1)
        values = match["values"].removesuffix("\t").split("\t")[1:]
        if len(values) != len(self.columns):
            what = f"has {len(values)} values, the header names {len(self.columns)}"
            raise place.error(f"{what}; correct the line or the header")
        for i, value in enumerate(values):
            if value not in ("_", ""):
                self.counts[i] += 1
                for item in SEPARATOR.split(value) if i in self.labels else ():
                    self._add_value(i, item, at, place)

    def _place(self, unit: re.Match[str], place: Place) -> Span:
        """Where a part of the last token is, or a token, which is added."""
        begin, end = int(unit["begin"]), int(unit["end"])
        word = _unescaped(unit["word"])
        if unit["part"]:
            bounds = (begin - self.first, end - self.first)
            part = find_quote(self.words[-1] if self.words else "", *bounds, word)
            if part is None:
                what = f"{word!r} is not a part of the token before it"
                raise place.error(f"{what}; correct its offsets")
            return self.start + part.start, self.start + part.end
        # The text of a sentence does not have the space before it.
        is_apart = begin > self.last and (self.texts or self.rest is None)
        gap = " " if is_apart and self.words else ""
        if self.texts:
            self.rest, self.texts = "\n".join(self.texts), []
        if self.rest is not None:
            between, found, self.rest = self.rest.partition(word)
            if not found:
                what = f"the token {word!r} is not in the rest of its #Text"
                raise place.error(f"{what}; correct one of them")
            gap += between
        if gap.startswith(" ") and self.words:
            self.spaces[-1], self.end, gap = True, self.end + 1, gap[1:]
        for piece in filter(None, (gap, word)):
            self.words.append(piece)
            self.spaces.append(False)
            self.start, self.end = self.end, self.end + len(piece)
        self.first, self.last = begin, end
        return self.start, self.end

    def _add_value(self, column: int, item: str, at: Span, place: Place) -> None:
        label, number = VALUE.fullmatch(item).groups()  # type: ignore[union-attr]
        key = (column, number or f"{at} {label}")
        if label == "*":
            label = "" if "." in self.columns[column] else self.labels[column]
        if key in self.spans:
            start, end, _, first, *_ = self.spans[key]
            at, place = (start, max(end, at[1])), first or place
        elif not label:
            what = f"{self.columns[column]} has no value"
            self.report.note("not_understood", place, what)
        self.spans[key] = Entity(*at, _unescaped(label), place, is_quoted=True)


def _unescaped(text: str) -> str:
    return ESCAPED.sub(lambda match: CONTROLS.get(match[1], match[1]), text)
