"""Corpora on disk."""

from spacy.tokens import DocBin


def write_docs(docs, path):
    """Write documents as a .spacy file; returns its path."""
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path
