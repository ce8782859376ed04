"""Tag schemes: recognize the scheme of a file, and turn tags into spans.

| scheme | tags of "A B" and "C" (PER), adjacent | also called |
|---|---|---|
| iob1  | I I B: B- only where an entity follows one with the same label | iob |
| iob2  | B I B: B- starts every entity | bio |
| bioes | B E S: E- ends an entity, S- is one token | iobes |
| biluo | B L U: L- ends an entity, U- is one token | biluo |

A file that may be iob1 or iob2 has the same spans in both.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from ...util.errors import Place, UserError
from ..record import Entity, Record
from ..report import ConversionReport

Tag = tuple[str, str]
Span = tuple[int, int, str]
Repair = tuple[int, str]

OUTSIDE: Tag = ("O", "")
SCHEMES = {"iob1": "OIB", "iob2": "OBI", "bioes": "OBIES", "biluo": "OBILU"}
ALIASES = {"iob": "iob1", "bio": "iob2", "iobes": "bioes", "biluo": "biluo"}
ONE_TOKEN = "SU"
LAST = "EL"


@lru_cache(maxsize=4096)
def parse_tag(text: str) -> Tag | None:
    """Split a tag such as "B-person" into prefix and label; None if it is not a tag."""
    if text == "O":
        return OUTSIDE
    prefix, _, label = text.partition("-")
    if prefix in tuple("BIESLU") and label:
        return prefix, label
    return None


def resolve_scheme(name: str) -> str:
    """Look up "auto" or a key of `SCHEMES` by its name or alias."""
    scheme = ALIASES.get(name, name)
    if scheme != "auto" and scheme not in SCHEMES:
        known = ", ".join(["auto", *SCHEMES, *ALIASES])
        raise UserError(f"unknown tag scheme '{name}'; choose one of {known}")
    return scheme


class SchemeSurvey:
    """Recognizes the scheme of a file from the tags of its sentences."""

    def __init__(self) -> None:
        self.first_line: dict[str, int] = {}
        self._starts_with_inside = False
        self._begin_after_other = False

    def add(self, tags: Sequence[Tag], lines: Sequence[int]) -> None:
        """Add the tags of a sentence, with the line of each."""
        previous = ""
        for (prefix, label), line in zip(tags, lines, strict=True):
            self.first_line.setdefault(prefix, line)
            if label != previous:
                self._starts_with_inside |= prefix == "I"
                self._begin_after_other |= prefix == "B"
            previous = label

    def scheme(self) -> str:
        """The key of `SCHEMES` that the tags follow."""
        if self.first_line.keys() & {"L", "U"}:
            return "biluo"
        if self.first_line.keys() & {"E", "S"}:
            return "bioes"
        if self._starts_with_inside and not self._begin_after_other:
            return "iob1"
        return "iob2"


def tags_to_spans(tags: Sequence[Tag], scheme: str) -> tuple[list[Span], list[Repair]]:
    """Turn the tags of a sentence into spans. Where a tag breaks the scheme, the entity
    starts or ends there, and this is a repair: a token and what was wrong."""
    spans: list[Span] = []
    repairs: list[Repair] = []
    start, current = 0, ""
    for i, (prefix, label) in enumerate([*tags, OUTSIDE]):
        continues = label == current and prefix in ("I", *LAST)
        if current and not continues:
            spans.append((start, i, current))
            if scheme in ("bioes", "biluo"):
                repairs.append((i - 1, f"entity {current} ends without an end tag"))
            current = ""
        if not label:
            continue
        if not current:
            start, current = i, label
            fault = _start_fault(tags, i, scheme)
            if fault:
                repairs.append((i, fault))
        if prefix in (*LAST, *ONE_TOKEN):
            spans.append((start, i + 1, label))
            current = ""
    return spans, repairs


def _start_fault(tags: Sequence[Tag], i: int, scheme: str) -> str:
    prefix, label = tags[i]
    if scheme == "iob1":
        touches = i > 0 and tags[i - 1][1] == label
        if prefix == "B" and not touches:
            return f"B-{label} where no {label} entity comes before it"
    elif prefix in ("I", *LAST):
        return f"{prefix}-{label} starts an entity"
    return ""


def check_clash(survey: SchemeSurvey, path: Path, unit: str = "line") -> None:
    """Raise if no scheme has all the prefixes that were found."""
    biluo = [prefix for prefix in "LU" if prefix in survey.first_line]
    bioes = [prefix for prefix in "ES" if prefix in survey.first_line]
    if biluo and bioes:
        clash = biluo[0], bioes[0]
        first, second = sorted(clash, key=lambda prefix: survey.first_line[prefix])
        where = f"{unit} {survey.first_line[first]}"
        what = f"a tag with {second}-, but {first}- on {where}: no scheme has both "
        what += "(E and S are bioes, L and U biluo); correct the tags"
        raise UserError(what, path, survey.first_line[second], unit)


def find_scheme(survey: SchemeSurvey, scheme: str, path: Path) -> str:
    """Recognize the scheme if it is "auto", or check the one that is given."""
    if scheme == "auto":
        check_clash(survey, path)
        return survey.scheme()
    for prefix, line in survey.first_line.items():
        if prefix not in SCHEMES[scheme]:
            what = f"a tag with {prefix}- does not belong to the scheme {scheme}"
            raise UserError(f"{what}; choose another --scheme", path, line)
    return scheme


def tagged_record(
    words: list[str],
    tags: Sequence[Tag],
    places: Sequence[Place],
    report: ConversionReport,
) -> Record:
    """Make a record of the words and tags of a sentence, by the report's scheme."""
    for word, place in zip(words, places, strict=True):
        if not word.strip():
            report.note("blank", place, f"token {word!r} has no visible character")
    spans, repairs = tags_to_spans(tags, report.scheme)
    for i, what in repairs:
        report.note("repaired", places[i], what)
    return Record(
        places[0],
        words=words,
        entities=[Entity(*span, places[span[0]]) for span in spans],
        in_words=True,
        starts=[0],
    )
