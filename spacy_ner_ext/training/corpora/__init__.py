"""Corpora that are too large for memory, mixed, or sampled."""
