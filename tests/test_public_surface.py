"""Names, settings, defaults, options and keys of metrics.json stay as they are."""

import difflib
from pathlib import Path

from tests.helpers.public_surface import lines

SNAPSHOT = Path(__file__).with_name("public_surface.txt")


def test_the_public_surface_is_that_of_the_snapshot():
    known = SNAPSHOT.read_text(encoding="utf8").rstrip().splitlines()
    found = "\n".join(lines()).rstrip().splitlines()
    changes = difflib.unified_diff(known, found, "snapshot", "code", lineterm="", n=2)
    assert known == found, (
        "the public surface changed; if that is meant, run\n"
        "python -m tests.helpers.public_surface > tests/public_surface.txt\n"
        + "\n".join(changes)
    )
