"""What a page is made of: sections of tiles, tables, charts, bars and examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from markupsafe import Markup


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    text: What is read.
    value: What the column is sorted by; None for the text.
    kind: Classes of the style sheet.
    style: Custom properties of CSS, numbers only.
    """

    text: str
    value: float | None = None
    kind: str = ""
    style: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row is its header.

    title: What it shows.
    header: The names of the columns; "" for a column of bars.
    rows: The rows.
    total: Rows below, which are not sorted.
    note: What is to be known to read it.
    is_matrix: Whether columns are labels as rows are.
    can_be_sorted: Whether another order of the rows makes sense.
    """

    block: ClassVar[str] = "table"
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    total: Sequence[Sequence[Cell]] = ()
    note: str = ""
    is_matrix: bool = False
    can_be_sorted: bool = True

    @property
    def is_sortable(self) -> bool:
        """Whether there is something to sort."""
        return self.can_be_sorted and not self.is_matrix and len(self.rows) > 1


@dataclass(frozen=True)
class Tile:
    """A headline figure.

    name: What it is.
    value: The figure.
    note: Its interval, or what it means.
    style: Custom properties of its bar; "" for none.
    """

    name: str
    value: str
    note: str = ""
    style: str = ""


@dataclass(frozen=True)
class Tiles:
    """Headline figures beside each other."""

    block: ClassVar[str] = "tiles"
    tiles: Sequence[Tile]
    title: str = ""


@dataclass(frozen=True)
class Share:
    """A part of a bar.

    name: What it is.
    count: How many.
    share: Its share of the bar.
    kind: Its class in the style sheet.
    """

    name: str
    count: int
    share: float
    kind: str


@dataclass(frozen=True)
class Bar:
    """A whole in its parts."""

    block: ClassVar[str] = "bar"
    title: str
    shares: Sequence[Share]
    note: str = ""


@dataclass(frozen=True)
class Charts:
    """Drawings beside each other.

    title: What they show.
    images: A description and the SVG of each.
    note: How to read them.
    """

    block: ClassVar[str] = "charts"
    title: str
    images: Sequence[tuple[str, Markup]]
    note: str = ""


@dataclass(frozen=True)
class Sentences:
    """Findings, or notes, one sentence each."""

    block: ClassVar[str] = "sentences"
    sentences: Sequence[str]
    kind: str = ""


@dataclass(frozen=True)
class Drawn:
    """An example as it is shown.

    name: Where it is from.
    reason: Why it is shown.
    rows: The name of each annotation, and the drawing.
    kinds: Kinds of errors in it.
    labels: Labels of what differs.
    confidence: The highest probability of a wrong prediction.
    order: Its place in the corpus.
    """

    name: str
    reason: str
    rows: Sequence[tuple[str, Markup]]
    kinds: Sequence[str]
    labels: Sequence[str]
    confidence: float | None
    order: int


@dataclass(frozen=True)
class Examples:
    """Examples that can be sorted and filtered.

    name: What tells its controls from others'.
    drawn: The examples.
    title: What they are, if not only the section's.
    """

    block: ClassVar[str] = "examples"
    name: str
    drawn: Sequence[Drawn]
    title: str = ""

    @property
    def kinds(self) -> list[str]:
        """All kinds of errors."""
        return sorted({kind for each in self.drawn for kind in each.kinds})

    @property
    def labels(self) -> list[str]:
        """All labels."""
        return sorted({label for each in self.drawn for label in each.labels})

    @property
    def have_confidence(self) -> bool:
        """Whether any has a probability."""
        return any(each.confidence is not None for each in self.drawn)


Block = Table | Tiles | Bar | Charts | Sentences | Examples


@dataclass(frozen=True)
class Section:
    """A part of the page with its own entry in the table of contents.

    key: Its anchor.
    title: Its title.
    lead: What it shows, or why it is empty.
    blocks: Its content.
    """

    key: str
    title: str
    lead: str = ""
    blocks: Sequence[Block] = field(default_factory=list)
