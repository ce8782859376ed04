"""Draw documents, and repeat those with rare labels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy
from spacy.tokens import Doc

from ..errors import DataError, Place
from ..report import ConversionReport

# Shares hold in every block of so many, so that no more have to wait.
BLOCK = 100
ROUNDS = 200
MOST = 10_000
CLOSE = 1 + 1e-9


def downsample(
    docs: Iterable[tuple[Place, Doc]], share: float, seed: int, report: ConversionReport
) -> Iterator[tuple[Place, Doc]]:
    """Keep a share of the documents, drawn at random, in their order.

    docs (Iterable[Tuple[Place, Doc]]): The documents, and where they are.
    share (float): The share; kept exactly, up to one document.
    seed (int): The seed.
    report (ConversionReport): Gets the documents that were left out.
    YIELDS (Tuple[Place, Doc]): The documents that are kept.
    """
    draw = numpy.random.default_rng([seed, 1])
    stream, n_seen, n_kept = iter(docs), 0, 0
    while block := list(islice(stream, BLOCK)):
        n_seen += len(block)
        size = round(share * n_seen) - n_kept
        n_kept += size
        chosen = set(draw.permutation(len(block))[:size].tolist())
        for i, (place, doc) in enumerate(block):
            if i in chosen:
                yield place, doc
            else:
                report.note("unsampled", place, "not drawn")


def take(
    docs: Iterable[tuple[Place, Doc]], limit: int, report: ConversionReport
) -> Iterator[tuple[Place, Doc]]:
    """Take the first documents and leave the rest unread.

    docs (Iterable[Tuple[Place, Doc]]): The documents, and where they are.
    limit (int): How many.
    report (ConversionReport): Is told if there were more.
    YIELDS (Tuple[Place, Doc]): The documents.
    """
    stream = iter(docs)
    yield from islice(stream, limit)
    for place, _ in islice(stream, 1):
        report.note("unused", place, "this one and all behind it, which were not read")


def repeats(
    labels: Sequence[frozenset[str]], shares: Mapping[str, float], seed: int
) -> list[int]:
    """How often each document has to be there for labels to be in a share of all.

    labels (Sequence[FrozenSet[str]]): The labels of each document.
    shares (Mapping[str, float]): The share of documents by label.
    seed (int): Seed of the draw where a document is wanted 2.5 times, say.
    RETURNS (List[int]): The number of each document, 1 or more.
    RAISES (DataError): If a label is in no document, or no numbers give the shares.
    """
    wanted = list(shares)
    has = numpy.array([[name in own for name in wanted] for own in labels], dtype=bool)
    has = has.reshape(len(labels), len(wanted))
    for name, n in zip(wanted, has.sum(0)):
        if not n:
            raise DataError(f"oversample: no document has the label {name}; leave it")
    share = numpy.array([shares[name] for name in wanted])
    factors = numpy.ones(len(wanted))
    for _ in range(ROUNDS):
        often = numpy.where(has, factors, 1.0).max(axis=1, initial=1.0)
        lack = share * often.sum() / (often[:, None] * has).sum(0)
        if (lack <= CLOSE).all():
            break
        factors *= numpy.maximum(lack, 1)
    if factors.max(initial=1.0) > MOST or (lack > 1.01).any():
        shown = ", ".join(f"{name}={shares[name]}" for name in wanted)
        raise DataError(
            f"oversample = {shown}: no numbers of documents give these "
            "shares; ask for less"
        )
    draw = numpy.random.default_rng([seed, 2])
    whole = numpy.floor(often + draw.random(len(often)))
    return numpy.maximum(whole, 1).astype(int).tolist()
