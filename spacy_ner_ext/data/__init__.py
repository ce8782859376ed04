"""Corpora on disk: one reader a format, their registry, and checks of .spacy files."""
