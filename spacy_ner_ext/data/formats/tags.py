"""Tags: recognize the style and the scheme of a file, and turn tags into spans.

| scheme | tags of "A B" and "C" (PER), adjacent | also called |
|---|---|---|
| iob1  | I I B: B- only where an entity follows one with the same label | iob, io |
| iob2  | B I B: B- starts every entity | bio |
| bioes | B E S: E- ends an entity, S- is one token; M- is I-, W- is S- | iobes, bmes |
| biluo | B L U: L- ends an entity, U- is one token | biluo |

A file that may be iob1 or iob2 has the same spans in both. Styles are how prefix and
label are written: B-PER, B_PER, PER-B, PER_B, b-per, a prefix or a label alone.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

from ...util.errors import Place, check_choice
from ..record import Entity, Record
from ..report import ConversionReport
from .json_file import excerpt

Tag = tuple[str, str]
# Finds the tags among texts.
Understand = Callable[[Collection[str]], dict[str, Tag]]
Span = tuple[int, int, str]
Repair = tuple[int, str]

OUTSIDE: Tag = ("O", "")
# Of a token without annotation.
MISSING: Tag = ("-", "")
UNLABELED = {"O": OUTSIDE, "o": OUTSIDE, "": MISSING, "-": MISSING, "_": MISSING}
DEFAULT_LABEL = "ENTITY"
SCHEMES = {"iob1": "OIB", "iob2": "OBI", "bioes": "OBIES", "biluo": "OBILU"}
ALIASES = {"iob": "iob1", "io": "iob1", "bio": "iob2"}
ALIASES |= dict.fromkeys(("iobes", "bmes", "bmeow"), "bioes")
LAST, ONE_TOKEN = "EL", "SU"
SAME_PREFIX = {"M": "I", "W": "S"}
PREFIX, LABEL = "(?P<prefix>[BIESLUMW])", r"(?P<label>.*[^\W\d_].*)"
WRITTEN = (f"{PREFIX}-(?P<label>.+)", f"{PREFIX}[_:.]{LABEL}", f"{LABEL}[-_:.]{PREFIX}")
# The first that most tags of a file have counts.
STYLES = [re.compile(flags + style) for flags in ("", "(?i)") for style in WRITTEN]
BARE = re.compile("[BIESLUMW]", re.IGNORECASE)
# Several tags, which are not a label with spaces.
SEVERAL = re.compile(r"[\s|,;+][BIESLUMW]-|\sO\b")
# The rest of an error after a text that is not a tag.
NOT_A_TAG = "is not O or a prefix and a label such as B-PER"
# Labels without prefix in a file; more are not labels.
MAX_LABELS = 500


def understand_tags(
    texts: Collection[str],
    *,
    default_label: str = DEFAULT_LABEL,
    scheme: str = "auto",
    alone: bool = True,
) -> dict[str, Tag]:
    """Find the style of all tags of a file, and prefix and label of each of them.

    alone: Whether prefixes or labels may be alone.
    RETURNS: Tags by text, without those that cannot be understood; empty if that is
        most of them.
    """
    found = {text: UNLABELED[text] for text in texts if text in UNLABELED}
    rest = [text for text in texts if text not in UNLABELED]
    styled = [_styled(rest, pattern) for pattern in STYLES]
    best = max(styled, key=len)
    if alone and all(map(BARE.fullmatch, rest)):
        best = {text: _tag(text, default_label) for text in rest}
    if 2 * len(best) >= len(rest):
        return found | best
    # Labels alone are not mixed with tags that have prefixes.
    is_mixed = bool(styled[0]) or any(map(SEVERAL.search, rest))
    is_outside = OUTSIDE in found.values() and scheme in ("auto", "iob1")
    if alone and is_outside and not is_mixed and len(rest) <= MAX_LABELS:
        return found | {t: ("I", t) for t in rest if any(map(str.isalpha, t))}
    return {}


def _styled(texts: Collection[str], pattern: re.Pattern[str]) -> dict[str, Tag]:
    matches = ((text, pattern.fullmatch(text)) for text in texts)
    return {
        text: _tag(m["prefix"], m["label"])
        for text, m in matches
        if m and not SEVERAL.search(text)
    }


def _tag(prefix: str, label: str) -> Tag:
    return SAME_PREFIX.get(prefix.upper(), prefix.upper()), label


def parse_tag(text: str) -> Tag | None:
    """Split a tag such as "B-person" into prefix and label; None if it is not a tag."""
    return understand_tags([text], alone=False).get(text)


def resolve_scheme(name: str) -> str:
    """Look up "auto" or a key of `SCHEMES` by its name or alias."""
    check_choice("tag scheme", name, ["auto", *SCHEMES, *ALIASES])
    return ALIASES.get(name, name)


class Column:
    """The texts of a column or of lists, such as tags: the first line of each, and
    which follow which in a sentence; up to `limit` different texts."""

    def __init__(self, limit: float = inf) -> None:
        self.limit = limit
        self.lines: dict[str, int] = {}
        self.pairs: set[tuple[str, str]] = set()
        self.n_blank = 0
        self._previous = ""

    def add(self, text: str, line: int) -> None:
        """Add the next text of a sentence."""
        self.n_blank += not text
        if len(self.lines) <= self.limit:
            self.lines.setdefault(text, line)
            self.pairs.add((self._previous, text))
            self._previous = text

    def end_sentence(self) -> None:
        """Start a sentence with the next text."""
        self._previous = ""

    @property
    def repeats(self) -> bool:
        """Whether a text follows itself."""
        return any(a == b for a, b in self.pairs)


def find_scheme(
    columns: Iterable[tuple[Column, Mapping[str, Tag]]],
    scheme: str,
    path: Path | str,
    unit: str = "line",
) -> str:
    """Recognize the scheme of some columns of tags if it is "auto", or check the one
    that is given."""
    lines: dict[str, int] = {}
    # The prefixes with which another label starts.
    starts: set[str] = set()
    for column, known in columns:
        for text, line in column.lines.items():
            prefix, _ = known.get(text, OUTSIDE)
            lines[prefix] = min(line, lines.get(prefix, line))
        tags = ((known.get(a, OUTSIDE), known.get(b, OUTSIDE)) for a, b in column.pairs)
        starts |= {prefix for (_, last), (prefix, label) in tags if label != last}
    why = ""
    if scheme == "auto":
        scheme = "iob1" if "I" in starts and "B" not in starts else "iob2"
        ends = sorted(
            (line, prefix)
            for prefix, line in lines.items()
            if prefix in LAST + ONE_TOKEN
        )
        if ends:
            scheme = "bioes" if ends[0][1] in "ES" else "biluo"
            why = f", which has {ends[0][1]}- as on {unit} {ends[0][0]}"
    for prefix, line in lines.items():
        if prefix not in SCHEMES[scheme] + MISSING[0]:
            what = f"a tag with {prefix}- does not belong to the scheme {scheme}{why}; "
            advice = "correct it or choose another --scheme"
            raise Place(path, line, unit).error(what + advice)
    return scheme


def tags_to_spans(tags: Sequence[Tag], scheme: str) -> tuple[list[Span], list[Repair]]:
    """Turn the tags of a sentence into spans. Where a tag breaks the scheme, the entity
    starts or ends there, and this is a repair: a token and what was wrong."""
    spans: list[Span] = []
    repairs: list[Repair] = []
    start, current = 0, ""
    for i, (prefix, label) in enumerate([*tags, OUTSIDE]):
        if current and (label != current or prefix not in ("I", *LAST)):
            spans.append((start, i, current))
            if scheme in ("bioes", "biluo"):
                repairs.append((i - 1, f"entity {current} ends without an end tag"))
            current = ""
        if label and not current:
            start, current = i, label
            touches = i > 0 and tags[i - 1][1] == label
            if scheme == "iob1" and prefix == "B" and not touches:
                fault = f"B-{label} where no {label} entity comes before it"
                repairs.append((i, fault))
            elif scheme != "iob1" and prefix in ("I", *LAST):
                repairs.append((i, f"{prefix}-{label} starts an entity"))
        if label and prefix in LAST + ONE_TOKEN:
            spans.append((start, i + 1, label))
            current = ""
    return spans, repairs


def tags_of(values: Sequence[Any], known: Mapping[Any, Tag], place: Place) -> list[Tag]:
    """Look up tags by text or number; None is missing annotation."""
    for value in values:
        if type(value) is int and value not in known:
            what = f"tag {value} is a number without a name; name the tags with "
            what += (
                '--format datasets and --tag-names, in a list such as ["O", "B-PER"]'
            )
            raise place.error(what)
        # True is not 1.
        if value is not None and (type(value) not in (int, str) or value not in known):
            raise place.error(f"tag {excerpt(value)} {NOT_A_TAG}; correct it")
    return [MISSING if value is None else known[value] for value in values]


def tagged_record(
    words: list[str],
    layers: Sequence[Sequence[Tag]],
    places: Sequence[Place],
    report: ConversionReport,
    scheme: str = "",
) -> Record:
    """Make a record of the words of a sentence, or of none, and layers of their tags,
    by default in the report's scheme."""
    entities: list[Entity] = []
    for word, place in zip(words, places):
        if not word.strip():
            report.note("blank", place, f"token {word!r} has no visible character")
    for tags in layers:
        if len(tags) != len(words):
            what = f"{len(words)} tokens have {len(tags)} tags; give each token one"
            raise places[0].error(what)
        spans, repairs = tags_to_spans(tags, scheme or report.scheme)
        for i, what in repairs:
            report.note("repaired", places[i], what)
        entities += [Entity(*span, places[span[0]]) for span in spans]
    return Record(
        places[0],
        words=words,
        entities=entities if layers else None,
        in_words=True,
        missing=[
            (i, i + 1) for i, tags in enumerate(zip(*layers)) if {*tags} == {MISSING}
        ],
        starts=[0][: len(words)],
    )
