"""Word pieces of documents, cut into windows and batches. numpy only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy
from numpy.typing import NDArray

Ints = NDArray[numpy.int64]
# The encodings of documents, by their words.
PieceCache = Mapping[tuple[str, ...], Any]


@dataclass(frozen=True)
class Pieces:
    """The word pieces of some documents, one document after another."""

    ids: Ints  # shape (n_pieces,)
    tokens: Ints  # of each piece, counted over all documents
    lengths: Ints  # the number of pieces of each document
    n_tokens: int  # including those without pieces

    def counts(self) -> Ints:
        """The number of pieces of each token, shape (n_tokens,)."""
        return numpy.bincount(self.tokens, minlength=self.n_tokens).astype("int64")

    def chosen(self, pooling: str) -> NDArray[numpy.bool_]:
        """Whether each piece contributes to the vector of its token."""
        chosen = numpy.ones(len(self.tokens), dtype=bool)
        changes = self.tokens[1:] != self.tokens[:-1]
        if pooling == "first":
            chosen[1:] = changes
        elif pooling == "last":
            chosen[:-1] = changes
        return chosen


def encode_words(tokenizer: Any, docs: Sequence[Sequence[str]]) -> list[Any]:
    return tokenizer.encode_batch(
        [list(words) for words in docs], is_pretokenized=True, add_special_tokens=False
    )


def cut_words(
    tokenizer: Any, docs: Sequence[Sequence[str]], piece_cache: PieceCache | None = None
) -> Pieces:
    cache = piece_cache or {}
    kept = [cache.get(tuple(words)) for words in docs]
    missing = [words for words, found in zip(docs, kept) if found is None]
    others = iter(encode_words(tokenizer, missing) if missing else [])
    cut = [next(others) if found is None else found for found in kept]
    lengths = numpy.fromiter((len(doc) for doc in cut), "int64", len(cut))
    n_pieces = int(lengths.sum())
    ids = chain.from_iterable(doc.ids for doc in cut)
    words = chain.from_iterable(doc.word_ids for doc in cut)
    n_words = numpy.fromiter((len(doc) for doc in docs), "int64", len(docs))
    first_words = numpy.cumsum(n_words) - n_words
    return Pieces(
        numpy.fromiter(ids, "int64", n_pieces),
        numpy.fromiter(words, "int64", n_pieces) + numpy.repeat(first_words, lengths),
        lengths,
        int(n_words.sum()),
    )


@dataclass(frozen=True)
class Windows:
    """Overlapping windows over the pieces of documents, as first pieces and ends.

    A piece is kept only from the window in which it is most central: each of two
    neighbors keeps its half of their overlap (the rule of EDS-NLP).
    """

    starts: Ints
    ends: Ints
    keep_from: Ints
    keep_to: Ints


def cut_windows(lengths: Ints, window: int, stride: int) -> Windows:
    """Cut documents of some lengths into windows; one without pieces has none."""
    overlap = window - stride
    after_first = numpy.maximum(lengths - window, 0)
    n_windows = numpy.where(lengths > 0, 1 + -(-after_first // stride), 0)
    total = int(n_windows.sum())
    # The index of each window within its document, and the boundaries of that.
    nth = numpy.arange(total) - numpy.repeat(
        numpy.cumsum(n_windows) - n_windows, n_windows
    )
    doc_ends = numpy.repeat(numpy.cumsum(lengths), n_windows)
    doc_starts = doc_ends - numpy.repeat(lengths, n_windows)
    is_last = nth + 1 == numpy.repeat(n_windows, n_windows)
    starts = doc_starts + nth * stride
    ends = numpy.minimum(starts + window, doc_ends)
    half = overlap // 2
    return Windows(
        starts,
        ends,
        numpy.where(nth == 0, doc_starts, starts + half),
        numpy.where(is_last, doc_ends, starts + stride + half),
    )


@dataclass(frozen=True)
class Batch:
    """Windows that pass through the encoder together."""

    ids: Ints  # with special and padding pieces, shape (n_windows, width)
    mask: NDArray[numpy.bool_] | None  # None without padding
    places: Ints  # the indices of kept pieces in the flattened `ids`, (n_kept,)
    tokens: Ints  # the tokens of these


@dataclass(frozen=True)
class Specials:
    """The special pieces around a window, and the padding piece."""

    before: Sequence[int]
    after: Sequence[int]
    padding: int

    def __len__(self) -> int:
        return len(self.before) + len(self.after)


def make_batches(
    pieces: Pieces,
    windows: Windows,
    specials: Specials,
    chosen: NDArray[numpy.bool_],
    max_pieces: int,
) -> Iterator[Batch]:
    """Batch windows of similar length, the longest first, with the `chosen` pieces."""
    for rows in group_by_length(windows.ends - windows.starts, specials, max_pieces):
        yield _fill(pieces, windows, specials, chosen, rows)


def group_by_length(
    lengths: Ints, specials: Specials, max_pieces: int
) -> Iterator[Ints]:
    """Group texts of similar length: yields their indices, the longest texts first. A
    batch has at most `max_pieces`, padding and special pieces included, or one text."""
    order = numpy.argsort(-lengths, kind="stable")
    first = 0
    # The longest first, so that a batch that is too big for memory fails at once.
    while first < len(order):
        width = int(lengths[order[first]]) + len(specials)
        rows = order[first : first + max(1, max_pieces // width)]
        yield rows
        first += len(rows)


def pad(
    ids: Ints, starts: Ints, ends: Ints, specials: Specials
) -> tuple[Ints, NDArray[numpy.bool_], Ints]:
    """Write texts as rows, with special pieces around them and padding at the end.

    RETURNS: The pieces, the mask, which is False for padding, and the indices of the
        pieces in `ids`, each of shape (n_texts, width).
    """
    n_before, lengths = len(specials.before), (ends - starts)[:, None]
    columns = numpy.arange(int(lengths.max()) + len(specials))[None]
    flat = starts[:, None] + columns - n_before
    padded = numpy.full(flat.shape, specials.padding, dtype="int64")
    padded[:, :n_before] = specials.before
    text = (flat >= starts[:, None]) & (flat < ends[:, None])
    padded[text] = ids[flat[text]]
    for i, special in enumerate(specials.after):
        padded[numpy.arange(len(starts)), n_before + lengths[:, 0] + i] = special
    return padded, columns < lengths + len(specials), flat


def _fill(
    pieces: Pieces,
    windows: Windows,
    specials: Specials,
    chosen: NDArray[numpy.bool_],
    rows: Ints,
) -> Batch:
    starts, ends = windows.starts[rows], windows.ends[rows]
    ids, mask, flat = pad(pieces.ids, starts, ends, specials)
    kept = (flat >= windows.keep_from[rows, None]) & (
        flat < windows.keep_to[rows, None]
    )
    kept[kept] = chosen[flat[kept]]
    places, tokens = numpy.flatnonzero(kept), pieces.tokens[flat[kept]]
    return Batch(ids, None if mask.all() else mask, places, tokens)
