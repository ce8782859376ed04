"""Messages and progress bars of the commands."""

import sys
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from tqdm import tqdm
from wasabi import Printer

T = TypeVar("T")


class Counted(Protocol):
    """A batch with its numbers of texts and words."""

    @property
    def texts(self) -> int: ...

    @property
    def words(self) -> int: ...


Batch = TypeVar("Batch", bound=Counted)


def printer() -> Printer:
    """Create a printer whose output is colored on terminals only."""
    msg = Printer()
    msg.show_color = msg.show_color and sys.stdout.isatty()
    return msg


def progress(items: Iterable[T], unit: str = "doc") -> Iterable[T]:
    """Show a progress bar on stderr, if it is a terminal."""
    return tqdm(items, unit=unit, leave=False, disable=None)


def batch_progress(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Show a progress bar with words per second on stderr, if it is a terminal."""
    words = 0
    with tqdm(unit="text", leave=False, disable=None) as bar:
        for batch in batches:
            yield batch
            words += batch.words
            bar.update(batch.texts)
            speed = words / max(bar.format_dict["elapsed"], 1e-9)
            bar.set_postfix_str(f"{speed:,.0f} words/s", refresh=False)
