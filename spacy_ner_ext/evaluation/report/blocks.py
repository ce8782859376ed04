"""What a page is made of: sections of tiles, tables, charts, bars and examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from markupsafe import Markup


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    text (str): What is read.
    value (Optional[float]): What the column is sorted by; None for the text.
    kind (str): Classes of the style sheet.
    style (str): Custom properties of CSS, numbers only.
    """

    text: str
    value: float | None = None
    kind: str = ""
    style: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row is its header.

    title (str): What it shows.
    header (Sequence[str]): The names of the columns; "" for a column of bars.
    rows (Sequence[Sequence[Cell]]): The rows.
    total (Sequence[Sequence[Cell]]): Rows below, which are not sorted.
    note (str): What is to be known to read it.
    is_matrix (bool): Whether columns are labels as rows are.
    can_be_sorted (bool): Whether another order of the rows makes sense.
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
        """RETURNS (bool): Whether there is something to sort."""
        return self.can_be_sorted and not self.is_matrix and len(self.rows) > 1


@dataclass(frozen=True)
class Tile:
    """A headline figure.

    name (str): What it is.
    value (str): The figure.
    note (str): Its interval, or what it means.
    style (str): Custom properties of its bar; "" for none.
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

    name (str): What it is.
    count (int): How many.
    share (float): Its share of the bar.
    kind (str): Its class in the style sheet.
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

    title (str): What they show.
    images (Sequence[Tuple[str, Markup]]): A description and the SVG of each.
    note (str): How to read them.
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

    name (str): Where it is from.
    reason (str): Why it is shown.
    rows (Sequence[Tuple[str, Markup]]): The name of each annotation, and the drawing.
    kinds (Sequence[str]): Kinds of errors in it.
    labels (Sequence[str]): Labels of what differs.
    confidence (Optional[float]): The highest probability of a wrong prediction.
    order (int): Its place in the corpus.
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

    name (str): What tells its controls from others'.
    drawn (Sequence[Drawn]): The examples.
    title (str): What they are, if not only the section's.
    """

    block: ClassVar[str] = "examples"
    name: str
    drawn: Sequence[Drawn]
    title: str = ""

    @property
    def kinds(self) -> list[str]:
        """RETURNS (List[str]): All kinds of errors."""
        return sorted({kind for each in self.drawn for kind in each.kinds})

    @property
    def labels(self) -> list[str]:
        """RETURNS (List[str]): All labels."""
        return sorted({label for each in self.drawn for label in each.labels})

    @property
    def have_confidence(self) -> bool:
        """RETURNS (bool): Whether any has a probability."""
        return any(each.confidence is not None for each in self.drawn)


Block = Table | Tiles | Bar | Charts | Sentences | Examples


@dataclass(frozen=True)
class Section:
    """A part of the page with its own entry in the table of contents.

    key (str): Its anchor.
    title (str): Its title.
    lead (str): What it shows, or why it is empty.
    blocks (Sequence[Block]): Its content.
    """

    key: str
    title: str
    lead: str = ""
    blocks: Sequence[Block] = field(default_factory=list)
