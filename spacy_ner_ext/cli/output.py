"""What all commands print with."""

import sys
from collections.abc import Iterable

from spacy.tokens import Doc
from tqdm import tqdm
from wasabi import Printer


def printer() -> Printer:
    """Make a printer that colours its output on terminals alone.

    RETURNS (Printer): The printer, for stdout.
    """
    msg = Printer()
    msg.show_color = msg.show_color and sys.stdout.isatty()
    return msg


def progress(docs: Iterable[Doc]) -> Iterable[Doc]:
    """Show a progress bar on stderr while documents pass, if it is a terminal.

    docs (Iterable[Doc]): The documents.
    RETURNS (Iterable[Doc]): The same documents.
    """
    return tqdm(docs, unit="doc", leave=False, disable=None)
