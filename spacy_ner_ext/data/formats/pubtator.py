"""PubTator: titles and abstracts, each with its mentions by offset."""

import re
from collections.abc import Iterator
from pathlib import Path

from ...util.errors import Place
from ..docs import reads_docs
from ..mentions import EXCERPT, Mention, locate
from ..offsets import Quote
from ..record import Record
from ..report import ConversionReport, NotedPlace
from ..text import check_input, read_lines

TEXT = re.compile(r"([^|\t]+)\|([A-Za-z]+)\|(.*)")
# Several fragments have several starts and ends.
NUMBERS = r"([0-9]{1,18}(?:[,;|] ?[0-9]{1,18})*)"
MENTION = re.compile(rf"[^\t]+\t{NUMBERS}\t{NUMBERS}\t([^\t]*)\t([^\t]+)(\t.*)?")
SEPARATOR = re.compile("[,;|]")


@reads_docs
def read_pubtator(
    path: Path, report: ConversionReport, *, fragments: str = "merge"
) -> Iterator[Record]:
    """Read documents of a title and an abstract, with a line feed between them."""
    check_input(path)
    for record, mentions in _read_documents(path, report):
        # Offsets count a character between the texts.
        record.text = record.text.rstrip("\n")
        record.entities = list(locate(record.text, mentions, fragments, report))
        yield record


def _read_documents(
    path: Path, report: ConversionReport
) -> Iterator[tuple[Record, list[Mention]]]:
    record, mentions = Record(Place(path, 1)), list[Mention]()
    for number, line in read_lines(path):
        place = NotedPlace.of(Place(path, number), report)
        match = TEXT.fullmatch(line)
        if match is not None:
            if record.id != match[1] or match[2] == "t":
                if record.id:
                    yield record, mentions
                record, mentions = Record(place, id=match[1]), []
            record.text += f"{match[3]}\n"
        elif record.id and line.startswith(f"{record.id}\t"):
            mentions += _read_mentions(line, place)
        elif line.strip():
            what = f"{line[:EXCERPT]!r} does not follow the text of its document"
            raise place.error(f"{what}; write ID|t|TITLE and ID|a|ABSTRACT before it")
    if record.id:
        yield record, mentions


def _read_mentions(line: str, place: NotedPlace) -> Iterator[Mention]:
    """Read a mention; nothing if the line is a relation."""
    match, name = MENTION.fullmatch(line), line.split("\t")[1]
    if match is not None:
        starts, ends = (map(int, SEPARATOR.split(match[n])) for n in (1, 2))
        quote = Quote(list(zip(starts, ends)), match[3])
        shown = f"{match[4]} from {match[1]} to {match[2]}"
        yield Mention(place, shown, match[4], quote)
    elif name[:1].isdigit():
        what = f"{line[:EXCERPT]!r} is not a mention"
        raise place.error(f"{what}; write ID<TAB>START<TAB>END<TAB>TEXT<TAB>LABEL")
    else:
        place.note("skipped", f"relation {name}")
