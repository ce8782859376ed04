"""Placeholder until the real one is here."""


def prefetch(batches, nlp, num_workers):
    yield from batches
