"""What all commands print with."""

import sys
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from tqdm import tqdm
from wasabi import Printer

T = TypeVar("T")


class Counted(Protocol):
    """A batch of texts."""

    @property
    def texts(self) -> int:
        """How many they are."""

    @property
    def words(self) -> int:
        """How many words they have."""


Batch = TypeVar("Batch", bound=Counted)


def printer() -> Printer:
    """Make a printer that colours its output on terminals alone."""
    msg = Printer()
    msg.show_color = msg.show_color and sys.stdout.isatty()
    return msg


def progress(items: Iterable[T], unit: str = "doc") -> Iterable[T]:
    """Show a progress bar on stderr while items pass, if it is a terminal.

    unit: What one of them is called.
    """
    return tqdm(items, unit=unit, leave=False, disable=None)


def batch_progress(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Show a progress bar of texts and words a second on stderr, if it is a terminal.

    batches: What is counted, batch by batch.
    """
    words = 0
    with tqdm(unit="text", leave=False, disable=None) as bar:
        for batch in batches:
            yield batch
            words += batch.words
            bar.update(batch.texts)
            speed = words / max(bar.format_dict["elapsed"], 1e-9)
            bar.set_postfix_str(f"{speed:,.0f} words/s", refresh=False)
