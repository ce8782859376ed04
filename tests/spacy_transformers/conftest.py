"""Tests over spacy-transformers, which needs transformers 4: they are collected where
it is installed (`python scripts/matrix.py 3.11-transformers4`)."""

from importlib.util import find_spec

if find_spec("spacy_transformers") is None:
    collect_ignore_glob = ["test_*.py"]
