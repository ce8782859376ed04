"""Entities of texts in bulk: a stream of texts in, a stream of plain values out."""
