"""What all commands print with."""

import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm
from wasabi import Printer

T = TypeVar("T")


def printer() -> Printer:
    """Make a printer that colours its output on terminals alone.

    RETURNS (Printer): The printer, for stdout.
    """
    msg = Printer()
    msg.show_color = msg.show_color and sys.stdout.isatty()
    return msg


def progress(items: Iterable[T], unit: str = "doc") -> Iterable[T]:
    """Show a progress bar on stderr while items pass, if it is a terminal.

    items (Iterable): The items.
    unit (str): What one of them is called.
    RETURNS (Iterable): The same items.
    """
    return tqdm(items, unit=unit, leave=False, disable=None)
