"""The layout of column files, recognized by content: what separates the columns, and
which of them have the tokens, the tags and the sentences."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ...util.errors import UserError
from ..report import ConversionReport
from ..text import read_lines
from . import tags as tagging
from .brackets import are_brackets
from .columns import COMMENTS, DOCUMENT, ITEMS, NUMBER, Rows, Tags

# Delimiters that "auto" tries; the first is tabs in lines that have one, else space.
TRIED = ("", "comma", "semicolon", "pipe", "slash")
# Columns of the words and names of CoNLL-2012, which has more than these.
ONTONOTES, WORDS, NAMES = "#begin document", 3, 10
WORD_NAMES = ("word", "words", "token", "tokens", "form")
TAG_NAME = re.compile(r"(.*[\W_])?(ner?|tags?|labels?|iob2?|bio|entity)\b")
SENTENCE_NAME = re.compile(r"sent(?!i)")
# Labels of chunks, in a column of their own next to the entities.
CHUNKS = {
    *("NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP"),
    *("NC", "PC", "VC", "AC", "NX", "VX", "PX", "AVX"),
}
LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]+)?:")
DIGITS = re.compile(r"\d+")
HEAD = 2000
# A column with more different values does not have tags.
MAX_TEXTS = 5000


@dataclass
class Layout(Rows):
    """A column file whose layout is found by `measure`.

    n_unfit: The number of lines that do not have all columns.
    """

    understand: tagging.Understand = tagging.understand_tags
    names: list[str] = field(default_factory=list)
    language: str = ""
    n_rows: int = 0
    n_sentences: int = 0
    n_unfit: int = 0

    def measure(
        self,
        token_column: int | None = None,
        tag_column: int | Sequence[int] | None = None,
        n_lines: int | None = None,
    ) -> None:
        """Find delimiter, width and columns of the file, or of its first lines only to
        recognize it."""
        lines = self._sample()
        tried = TRIED if self.delimiter == "auto" else (self.delimiter,)
        for self.delimiter in (*tried, tried[0]):
            self._measure_width(lines)
            if self.width > 1:
                self._add_columns(n_lines)
                self.tags = self._find_tags()
            if self.tags:
                break
        if self.width < 2:
            what = "has 1 column, a token and a tag need 2; check --delimiter"
            raise UserError(what, self.path, self.first)
        self._choose_columns(token_column, tag_column)
        if tag_column is None and len(self.tags) > 1 and n_lines is None:
            self._check_layers()

    def _sample(self) -> list[tuple[int, str]]:
        lines = list(islice(read_lines(self.path), HEAD))
        self.is_ontonotes = any(line.startswith(ONTONOTES) for _, line in lines[:9])
        rows = [row for row in lines if row[1].strip() and not DOCUMENT.match(row[1])]
        if not rows:
            what = f"the file holds no token in its first {HEAD} lines"
            raise UserError(f"{what}; check how it was made", self.path)
        # A line that may be a comment only counts if there is no other.
        return [row for row in rows if not row[1].startswith("#")] or rows

    def _measure_width(self, lines: list[tuple[int, str]]) -> None:
        self.width = self.header = 0
        self.has_items = self.delimiter in ITEMS and any(
            len(line.split()) > 1 for _, line in lines
        )
        split = [(n, cells) for n, line in lines for cells in self.split(line)]
        widths = Counter(len(cells) for _, cells in split)
        self.width = min(widths) if self.is_ontonotes else widths.most_common(1)[0][0]
        fitting = [row for row in split if len(row[1]) == self.width]
        while self.width > 2 and not any(c[self.width - 1] for _, c in fitting):
            self.width -= 1
        self.first, cells = fitting[0]
        names = [name.strip().lower() for name in cells[: self.width]]
        is_named = {*WORD_NAMES} & {*names} and any(map(TAG_NAME.match, names))
        is_header = is_named and split[0] is fitting[0]
        self.header = self.first if is_header else 0
        self.names = names if is_header else [""] * self.width

    def _add_columns(self, n_lines: int | None) -> None:
        self.columns = [tagging.Column(MAX_TEXTS) for _ in range(self.width)]
        self.n_rows = self.n_sentences = self.n_unfit = 0
        is_new = True
        for number, line, cells in islice(self.rows(), n_lines):
            if not cells:
                is_new = True
                for column in self.columns:
                    column.end_sentence()
            elif not self.fits(cells):
                self.n_unfit += not line.startswith("#")
            else:
                # Lines that may be comments are tokens if they have tags.
                is_token = not line.startswith(COMMENTS)
                self.n_sentences += is_new and is_token
                self.n_rows += is_token
                is_new = is_new and not is_token
                for column, cell in zip(self.columns, map(str.strip, cells)):
                    if is_token or tagging.parse_tag(cell) is not None:
                        column.add(cell, number)

    def _find_tags(self) -> Tags:
        """The columns that certainly have tags."""
        if self.is_ontonotes and self.width > NAMES:
            return self._understand([NAMES])
        found = {i: self._styled(i) for i in range(self.width)}
        labeled = {i: tags for i, tags in found.items() if _labels(tags)}
        entities = {i: t for i, t in labeled.items() if not _labels(t) <= CHUNKS}
        if len(entities) == self.width:
            # One column has the words.
            del entities[0]
        if entities:
            return entities
        outside = [i for i in found if i and "O" in found[i] and i not in labeled]
        if outside or labeled:
            return {i: found[i] for i in outside[-1:]} or labeled
        tags = self._understand([self.width - 1])
        last = tags[self.width - 1]
        return tags if last is None or tagging.OUTSIDE in last.values() else {}

    def _styled(self, i: int) -> dict[str, tagging.Tag]:
        texts = self.columns[i].lines
        if len(texts) > MAX_TEXTS:
            return {}
        tags = tagging.understand_tags(texts, alone=False)
        # Words may be like tags, such as B-52, also next to a column that is all O.
        others, unlabeled = self.columns[1:], tagging.UNLABELED.keys()
        are_outside = any({"O"} <= other.lines.keys() <= unlabeled for other in others)
        return tags if i or (len(tags) == len(texts) and not are_outside) else {}

    def _understand(self, columns: Iterable[int]) -> Tags:
        """The tags of some columns, whatever their style."""
        lines = {i: self.columns[i].lines for i in columns}
        return {
            i: None if are_brackets(texts) else self.understand(texts)
            for i, texts in lines.items()
        }

    def _choose_columns(
        self, token_column: int | None, tag_column: int | Sequence[int] | None
    ) -> None:
        if tag_column is not None:
            given = [tag_column] if isinstance(tag_column, int) else tag_column
            self.tags = self._understand(self._index(i, "tag") for i in given)
        elif not self.tags:
            self.tags = self._understand([self.width - 1])
        self.token_column = self._find_tokens()
        if token_column is not None:
            self.token_column = self._index(token_column, "token")
        if self.token_column in self.tags:
            what = f"column {self.token_column} is both token and tag; leave one out of"
            raise UserError(f"{what} --tag-column", self.path, self.first)
        self._choose_sentence_column()
        # A language code before every token, as in WikiANN (en:Oslo).
        words = self.columns[self.token_column].lines
        match = LANGUAGE.match(next(iter(words), ""))
        if match and len(words) > 1 and all(w.startswith(match[0]) for w in words):
            self.language = match[0]

    def _index(self, column: int, name: str) -> int:
        if type(column) is not int or not -self.width <= column < self.width:
            what = f"has {self.width} columns, so --{name}-column {column!r} is out of "
            what += f"range; choose one from {-self.width} to {self.width - 1}"
            raise UserError(what, self.path, self.first)
        return column % self.width

    def _find_tokens(self) -> int:
        """The first column that has neither tags nor numbers nor names of sentences."""
        others = [i for i in range(self.width) if i not in self.tags]
        named = [i for i in others if self.names[i] in WORD_NAMES]
        words = [WORDS] if self.is_ontonotes and WORDS in others else others
        return [*named, *filter(self._has_words, words), *words, 0][0]

    def _has_words(self, i: int) -> bool:
        column = self.columns[i]
        if _is_code(column) or 2 * column.n_blank > self.n_rows:
            return False
        n_texts = len(column.lines)
        is_name = n_texts <= self.n_sentences and self.n_rows > 2 * self.n_sentences
        others = self.columns[i + 1 :]
        return not (is_name and any(len(o.lines) > n_texts for o in others))

    def _choose_sentence_column(self) -> None:
        """A column that names or counts sentences, if no blank line ends them."""
        others = sorted({*range(self.width)} - {self.token_column, *self.tags})
        named = [i for i in others if SENTENCE_NAME.match(self.names[i])]
        skipped = [i for i in others if i < self.token_column]
        # A column without repetition counts or names the lines.
        skipped = [i for i in skipped if len(self.columns[i].lines) < self.n_rows]
        repeat = [i for i in skipped if self.columns[i].repeats]
        found = [*repeat, *skipped] if self.n_sentences == 1 else []
        self.sentence_column = next(iter([*named, *found]), None)
        if self.sentence_column is not None:
            column = self.columns[self.sentence_column]
            are_numbers = all(map(NUMBER.fullmatch, column.lines))
            self.counts_tokens = are_numbers and not column.repeats

    def _check_layers(self) -> None:
        """Several columns are layers of the same entities if they share labels but no
        entities, and one covers the others; otherwise one must be chosen."""
        n_entities = n_same = n_tagged = 0
        n_covered: Counter[int] = Counter()
        for _, rows in self.sentences(ConversionReport()):
            layers = [tagging.tags_to_spans(tags, "")[0] for tags in self.layers(rows)]
            spans = [span for layer in layers for span in layer]
            n_entities += len(spans)
            n_same += len(spans) - len({*spans})
            n_tagged += len({i for start, end, _ in spans for i in range(start, end)})
            for i, layer in enumerate(layers):
                n_covered[i] += sum(end - start for start, end, _ in layer)
        n_outer = max(n_covered.values(), default=0)
        is_nested = n_same <= 0.05 * n_entities and n_outer >= 0.9 * n_tagged
        labels = [_labels(tags) for tags in self.tags.values()]
        if is_nested and all(names & labels[0] for names in labels):
            return
        shown = [f"{i} ({max(tags or (), key=len)})" for i, tags in self.tags.items()]
        what = f"columns {', '.join(shown)} all hold tags; choose one with --tag-column"
        which = ",".join(map(str, self.tags))
        raise UserError(f"{what}, or read all with --tag-column {which}", self.path)

    def find_doubt(self) -> str:
        """Say why a file may be something else than columns with tags; empty if it can
        hardly be."""
        if self.n_unfit * 10 > self.n_rows:
            return "lines have different numbers of columns"
        if self.n_rows > 1 and _is_code(self.columns[self.token_column]):
            return "no column has words"
        # In a table without header, a date or code may be as often repeated.
        column = self.sentence_column
        is_named = column is not None and bool(self.names[column])
        has_sentences = self.n_sentences > 1 or is_named
        for i, tags in self.tags.items():
            texts = self.columns[i].lines
            if self.is_ontonotes and tags is None:
                return ""
            unknown = [text for text in texts if text not in (tags or {})]
            if len(unknown) > 0.1 * len(texts):
                return f"'{unknown[0]}' is not a tag such as B-PER"
            if not {"O", "o"} & texts.keys():
                return "no token has the tag O"
            labels = [label for _, label in self._styled(i).values() if label]
            # B-1 and I-1 are tags, B-6 and B-12 may be vitamins.
            if any(map(str.isalpha, "".join(labels))) or len({*labels}) < len(labels):
                continue
            is_short = any(len(label) < 2 for label in _labels(tags))
            if is_short or not has_sentences or self.delimiter == "slash":
                return "labels alone may be no tags; read them with --format conll"
        return ""


def _labels(tags: Mapping[str, tagging.Tag] | None) -> set[str]:
    return {label for _, label in (tags or {}).values() if label}


def _is_code(column: tagging.Column) -> bool:
    """Whether texts have no letters or differ in numbers alone: 1-1, 0:3, s1.2."""
    has_letters = any(map(str.isalpha, "".join(column.lines)))
    return not has_letters or len({DIGITS.sub("", t) for t in column.lines}) == 1
