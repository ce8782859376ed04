"""The layout of column files, recognized by content: what separates the columns, and
which of them have the tokens, the tags and the sentences."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from ...util.errors import UserError
from ..text import read_lines
from .brackets import are_brackets
from .columns import COMMENTS, DOCUMENT, ITEMS, MAX_TEXTS, Column, Rows, Tags
from .tags import OUTSIDE, UNLABELED, Tag, parse_tag, understand_tags

# Delimiters that "auto" tries; the first is tabs in lines that have one, else space.
TRIED = ("", "comma", "semicolon", "pipe", "slash")
# Columns of the words and names of CoNLL-2012, which has more than these.
ONTONOTES, WORDS, NAMES = "#begin document", 3, 10
WORD_NAMES = ("word", "words", "token", "tokens", "form")
TAG_NAME = re.compile(r"(ner?|tags?|labels?|iob2?|bio|entity)\b", re.IGNORECASE)
SENTENCE_NAME = re.compile(r"sent(?!i)", re.IGNORECASE)
# Labels of chunks, in a column of their own next to the entities.
CHUNKS = {
    *("NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP"),
    *("NC", "PC", "VC", "AC", "NX", "VX", "PX", "AVX"),
}
LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]+)?:")
HEAD = 2000


class Layout(Rows):
    """A column file whose layout is found by `measure`."""

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
        for delimiter in (*tried, tried[0]):
            self.delimiter = delimiter
            self._measure_width(lines)
            if self.width < 2:
                continue
            self._add_columns(n_lines)
            self.tags = self._find_tags()
            if self.tags:
                self.is_found = True
                break
        if self.width < 2:
            what = "has 1 column, a token and a tag need 2; check --delimiter"
            raise UserError(what, self.path, self.first)
        if tag_column is None and len(self.tags) > 1 and n_lines is None:
            self._check_layers({i: tags or {} for i, tags in self.tags.items()})
        self._choose_columns(token_column, tag_column)

    def _choose_columns(
        self, token_column: int | None, tag_column: int | Sequence[int] | None
    ) -> None:
        if tag_column is not None:
            given = [tag_column] if isinstance(tag_column, int) else tag_column
            self.tags = self.understand([self._index(i, "tag") for i in given])
        elif not self.tags:
            self.tags = self.understand([self.width - 1])
        if len(self.tags) == self.width:
            what = f"all {self.width} columns are tags, and none has the tokens; "
            raise UserError(f"{what}leave one out of --tag-column", self.path)
        self.choose_token_column()
        if token_column is not None:
            self.token_column = self._index(token_column, "token")
        if self.token_column in self.tags:
            column = self.token_column
            what = f"column {column} is both token and tag; choose two columns"
            raise UserError(what, self.path, self.first)
        self.choose_sentence_column()
        self.find_language()

    def _index(self, column: int, name: str) -> int:
        if type(column) is not int:
            what = f"{name}_column = {column!r} is not a whole number; correct it"
            raise UserError(what)
        if not -self.width <= column < self.width:
            what = f"has {self.width} columns, so --{name}-column {column} is out of "
            what += f"range; choose one from {-self.width} to {self.width - 1}"
            raise UserError(what, self.path, self.first)
        return column % self.width

    def _sample(self) -> list[tuple[int, str]]:
        lines = list(islice(read_lines(self.path), HEAD))
        self.is_ontonotes = any(line.startswith(ONTONOTES) for _, line in lines[:9])
        rows = [row for row in lines if row[1].strip() and not DOCUMENT.match(row[1])]
        # A line that may be a comment only counts if there is no other.
        found = [row for row in rows if not row[1].startswith("#")] or rows
        if not found:
            where = f" in its first {HEAD} lines" * (len(lines) == HEAD)
            what = f"the file holds no token{where}; check how it was made"
            raise UserError(what, self.path)
        return found

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
        self.columns = [Column() for _ in range(self.width)]
        self.n_rows = self.n_sentences = self.n_unfit = 0
        is_new = True
        for _, line, cells in islice(self.rows(), n_lines):
            if not cells:
                is_new = True
            elif not self.fits(cells):
                self.n_unfit += not line.startswith("#")
            elif line.startswith(COMMENTS):
                # It is a token if it has tags.
                for column, cell in zip(self.columns, cells):
                    if parse_tag(cell.strip()) is not None:
                        column.texts[cell.strip()] = None
            else:
                self.n_sentences += is_new
                is_new = False
                self.n_rows += 1
                for column, cell in zip(self.columns, cells):
                    column.add(cell.strip())

    def _find_tags(self) -> Tags:
        """The columns that certainly have tags."""
        if self.is_ontonotes and self.width > NAMES:
            return self.understand([NAMES])
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
        tags = self.understand([self.width - 1])
        found_any = any(t is None or OUTSIDE in t.values() for t in tags.values())
        return tags if found_any else {}

    def _styled(self, i: int) -> dict[str, Tag]:
        texts = self.columns[i].texts
        if len(texts) > MAX_TEXTS:
            return {}
        tags = understand_tags(texts, alone=False)
        # Words may be like tags, such as B-52, also next to a column that is all O.
        others = [column.texts.keys() for column in self.columns[1:]]
        are_outside = any({"O"} <= other <= UNLABELED.keys() for other in others)
        return tags if i or (len(tags) == len(texts) and not are_outside) else {}

    def _check_layers(self, found: Mapping[int, Mapping[str, Tag]]) -> None:
        """Several columns are layers of the same entities if they share labels, but
        not tags; otherwise one must be chosen."""
        labels = [_labels(tags) for tags in found.values()]
        n_tagged = n_same = 0
        for _, _, cells in self.rows():
            if cells and self.fits(cells):
                tags = [t.get(cells[i].strip(), OUTSIDE) for i, t in found.items()]
                n_tagged += any(label for _, label in tags)
                n_same += len(set(tags)) == 1 and bool(tags[0][1])
        if all(names & labels[0] for names in labels) and n_same * 4 <= n_tagged:
            return
        shown = ", ".join(f"{i} ({max(tags, key=len)})" for i, tags in found.items())
        which = ",".join(map(str, found))
        what = f"columns {shown} all hold tags; choose one with --tag-column, or read "
        raise UserError(f"{what}all with --tag-column {which}", self.path)

    def find_doubt(self) -> str:
        """Say why a file may be something else than columns with tags; empty if it can
        hardly be."""
        if self.n_unfit * 10 > self.n_rows:
            return "lines have different numbers of columns"
        if self.n_rows > 1 and self.columns[self.token_column].is_code:
            return "no column has words"
        tags = {} if self.delimiter == "slash" else self.tags
        # In a table without header, a date or code may be as often repeated.
        column = self.sentence_column
        is_named = column is not None and bool(self.names[column])
        has_sentences = self.n_sentences > 1 or is_named
        for i, known in self.tags.items():
            texts = self.columns[i].texts
            if self.is_ontonotes and known is None:
                return ""
            unknown = [text for text in texts if text not in (known or {})]
            if not self.is_found or len(unknown) > 0.1 * len(texts):
                return f"'{unknown[0] if unknown else ''}' is not a tag such as B-PER"
            if not {"O", "o"} & texts.keys():
                return "no token has the tag O"
            is_styled = any(map(str.isalpha, "".join(_labels(self._styled(i)))))
            is_short = any(len(label) < 2 for label in _labels(tags.get(i)))
            if not is_styled and (is_short or not tags or not has_sentences):
                return "labels alone may be no tags; read them with --format conll"
        return ""

    def understand(self, columns: Iterable[int]) -> Tags:
        """The tags of some columns, whatever their style."""
        found: dict[int, dict[str, Tag] | None] = {}
        for i in columns:
            texts = list(self.columns[i].texts)
            tags = understand_tags(
                texts, default_label=self.default_label, scheme=self.scheme
            )
            found[i] = None if are_brackets(texts) else tags
        return found

    def choose_token_column(self) -> None:
        """The first column that has neither tags nor numbers nor names of sentences."""
        others = [i for i in range(self.width) if i not in self.tags]
        named = [i for i in others if self.names[i] in WORD_NAMES]
        words = [WORDS] if self.is_ontonotes and WORDS in others else others
        found = [*named, *filter(self._has_words, words), words[0]]
        self.token_column = found[0]

    def _has_words(self, i: int) -> bool:
        column = self.columns[i]
        if column.is_code or 2 * column.n_blank > self.n_rows:
            return False
        n_texts = len(column.texts)
        is_name = n_texts <= self.n_sentences and self.n_rows > 2 * self.n_sentences
        others = self.columns[i + 1 :]
        return not (is_name and any(len(o.texts) > n_texts for o in others))

    def choose_sentence_column(self) -> None:
        """A column that names or counts sentences, if no blank line ends them."""
        others = sorted({*range(self.width)} - {self.token_column, *self.tags})
        named = [i for i in others if SENTENCE_NAME.match(self.names[i])]
        # A column without repetition counts or names the lines.
        skipped = [
            i
            for i in others
            if i < self.token_column and len(self.columns[i].texts) < self.n_rows
        ]
        repeats = [i for i in skipped if self.columns[i].n_same]
        found = [*repeats, *skipped] if self.n_sentences == 1 else []
        self.sentence_column = next(iter([*named, *found]), None)

    def find_language(self) -> None:
        """Find a language code before every token, as in WikiANN (en:Oslo)."""
        texts = self.columns[self.token_column].texts
        match = LANGUAGE.match(next(iter(texts), ""))
        if match and len(texts) > 1 and all(t.startswith(match[0]) for t in texts):
            self.language = match[0]


def _labels(tags: Mapping[str, Tag] | None) -> set[str]:
    return {label for _, label in (tags or {}).values() if label}
