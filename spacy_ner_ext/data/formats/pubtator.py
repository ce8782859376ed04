"""PubTator: titles and abstracts, each with its mentions by offset."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...util.errors import Place
from ..docs import reads_docs
from ..mentions import EXCERPT, Mention, check_fragments, locate
from ..offsets import Quote
from ..record import Record
from ..report import ConversionReport
from ..text import check_input, read_lines

TEXT = re.compile(r"([^|\t]+)\|([A-Za-z]+)\|(.*)")
# Several fragments have several starts and ends.
NUMBERS = r"([0-9]{1,18}(?:[,;|] ?[0-9]{1,18})*)"
MENTION = re.compile(rf"[^\t]+\t{NUMBERS}\t{NUMBERS}\t([^\t]*)\t([^\t]+)(\t.*)?")
SEPARATOR = re.compile("[,;|]")


class _Document(NamedTuple):
    """A document; offsets count its texts and a character between them."""

    place: Place
    id: str
    texts: list[str]
    mentions: list[Mention]


@reads_docs
def read_pubtator(
    path: Path, report: ConversionReport, *, fragments: str = "merge"
) -> Iterator[Record]:
    """Read documents of a title and an abstract, with a line feed between them."""
    check_fragments(fragments)
    check_input(path)
    for place, name, texts, mentions in _read_documents(path, report):
        text = "\n".join(texts).rstrip("\n")
        entities = list(locate(text, mentions, fragments, report))
        yield Record(place, text=text, entities=entities, id=name)


def _read_documents(path: Path, report: ConversionReport) -> Iterator[_Document]:
    document: _Document | None = None
    for number, line in read_lines(path):
        place, match = Place(path, number), TEXT.fullmatch(line)
        if match is None:
            if line.strip():
                _add_line(line, document, place, report)
            continue
        if document is None or document.id != match[1] or match[2] == "t":
            if document is not None:
                yield document
            document = _Document(place, match[1], [], [])
        document.texts.append(match[3])
    if document is not None:
        yield document


def _add_line(
    line: str, document: _Document | None, place: Place, report: ConversionReport
) -> None:
    name, *fields = line.split("\t")
    if document is None or name != document.id:
        what = f"{line[:EXCERPT]!r} does not follow the text of its document"
        raise place.error(f"{what}; write ID|t|TITLE and ID|a|ABSTRACT before it")
    match = MENTION.fullmatch(line)
    if match is not None:
        starts, ends = (map(int, SEPARATOR.split(match[n])) for n in (1, 2))
        quote = Quote(list(zip(starts, ends)), match[3])
        shown = f"{match[4]} from {match[1]} to {match[2]}"
        document.mentions.append(Mention(place, shown, match[4], quote))
    elif fields and not fields[0][:1].isdigit():
        report.note("skipped", place, f"relation {fields[0]}")
    else:
        what = f"{line[:EXCERPT]!r} is not a mention"
        raise place.error(f"{what}; write ID<TAB>START<TAB>END<TAB>TEXT<TAB>LABEL")
