"""Tests against SpanMarker, which needs transformers 4: they are collected where it is
installed in the environment's folder `peers` (`python scripts/matrix.py
3.11-transformers4`)."""

import sys
from pathlib import Path

if not (Path(sys.prefix) / "peers").is_dir():
    collect_ignore_glob = ["test_*.py"]
