"""Read many .spacy files, one in memory at a time."""

import logging
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, List, Optional, Union

from spacy import registry
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.vocab import Vocab

from ...data.read import explained, find_files, read_docbin
from ...util.errors import UserError
from .base import DocsCorpus, begin_epoch

logger = logging.getLogger("spacy")
# A shard, and the number of its documents to read; None for all.
Shard = tuple[Path, int | None]


@registry.readers("spacy_ner_ext.Shards.v1")
def make_shards(
    path: Optional[Union[Path, List[Path]]],
    shuffle: bool = True,
    mixed_shards: int = 1,
    limit: int = 0,
    max_length: int = 0,
    gold_preproc: bool = False,
    augmenter: Optional[Callable[[Language, Example], Iterable[Example]]] = None,
    divide: bool = False,
) -> "Shards":
    """Registered as `spacy_ner_ext.Shards.v1`: read .spacy files one at a time, in a
    new order in each epoch.

    For `max_epochs = -1`; otherwise spaCy keeps all examples in memory.

    path: A folder of .spacy files, such as `convert --shard-size` writes, or a list of
        files and folders.
    shuffle: Whether each epoch shuffles the shards, and the documents of each; false
        for evaluation.
    mixed_shards: The number of shards that are in memory and shuffled together.
    limit: The maximum number of documents, the first in the order of the paths; 0 for
        all.
    max_length, gold_preproc, augmenter: As in `spacy.Corpus.v1`.
    divide: Whether each of several processes that train together reads other shards,
        and cuts its own batches; otherwise all read the same, and share the batches.
    RETURNS: The corpus.
    RAISES (UserError): If a setting cannot be used.
    """
    if not path:
        raise UserError("Shards.v1 has no path; set --paths.train, for instance")
    for name, value, least in (
        ("mixed_shards", mixed_shards, 1),
        ("limit", limit, 0),
        ("max_length", max_length, 0),
    ):
        if value < least:
            raise UserError(f"{name} = {value} of Shards.v1; set it to {least} or more")
    return Shards(
        [path] if isinstance(path, (str, Path)) else path,
        mixed_shards,
        shuffle=shuffle,
        limit=limit,
        max_length=max_length,
        gold_preproc=gold_preproc,
        augmenter=augmenter,
        divide=divide,
    )


class Shards(DocsCorpus):
    """A corpus of .spacy files; see `make_shards`.

    rank, n_ranks: Which share of the shards to read, of how many. Training sets them if
        `divide` is set.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        mixed_shards: int,
        divide: bool = False,
        **corpus: Any,
    ) -> None:
        super().__init__(paths[0], **corpus)
        self.divide = divide
        self.rank, self.n_ranks = 0, 1
        self.paths = paths
        self._where = ", ".join(map(str, paths))
        self.mixed_shards = mixed_shards
        self._limited: Optional[list[Shard]] = None
        self._is_begun = self._is_reported = False

    def find(self) -> list[Path]:
        """The shards, in the order of their paths in each folder."""
        return [file for path in self.paths for file in find_files(Path(path))]

    def read(self, nlp: Language) -> Iterator[Doc]:
        shards = self._choose()
        if len(shards) < self.n_ranks:
            raise UserError(
                f"{self._where} has {len(shards)} shard(s), which cannot be divided "
                f"over {self.n_ranks} processes: write smaller shards (convert "
                "--shard-size), or set divide = false of Shards.v1"
            )
        # An epoch may take days: its documents are counted at its end.
        if not self._is_begun:
            self._is_begun = True
            logger.info("%s: reading %d shard(s)", self._where, len(shards))
        n_docs = 0
        generator = begin_epoch() if self.shuffle else None
        if generator is not None:
            generator.shuffle(shards)
        shards = shards[self.rank :: self.n_ranks]
        for first in range(0, len(shards), self.mixed_shards):
            some = shards[first : first + self.mixed_shards]
            for doc in _read_together(some, nlp.vocab, generator):
                n_docs += 1
                yield doc
        level = logging.DEBUG if self._is_reported else logging.INFO
        self._is_reported = True
        what = "%s: read %d shard(s) with %d documents"
        logger.log(level, what, self._where, len(shards), n_docs)

    def _choose(self) -> list[Shard]:
        if not self.limit:
            return [(path, None) for path in self.find()]
        if self._limited is None:
            self._limited = list(_take(self.find(), self.limit))
        return list(self._limited)


def _take(paths: Sequence[Path], limit: int) -> Iterator[Shard]:
    for path in paths:
        n_docs = min(len(read_docbin(path)), limit)
        yield path, n_docs
        limit -= n_docs
        if not limit:
            break


def _read_together(
    shards: Sequence[Shard], vocab: Vocab, generator: Optional[random.Random]
) -> Iterator[Doc]:
    readers = []
    turns: list[int] = []
    for number, (path, n_docs) in enumerate(shards):
        stored = read_docbin(path)
        n_docs = len(stored) if n_docs is None else n_docs
        logger.debug("%s: %d documents", path, n_docs)
        with explained(path):
            _reorder(stored, n_docs, generator)
        readers.append(_make_docs(path, stored, vocab))
        turns += [number] * n_docs
    del stored
    if generator is not None:
        generator.shuffle(turns)
    for number in turns:
        yield next(readers[number])
    # Python 3.10 keeps a generator in memory that is left inside a `with` block.
    for reader in readers:
        next(reader, None)


def _reorder(stored: DocBin, n_docs: int, generator: Optional[random.Random]) -> None:
    """Keep the first documents, shuffled. The arrays are reordered, since a document
    takes several times their memory."""
    order = list(range(n_docs))
    if generator is not None:
        generator.shuffle(order)
    for name in ("tokens", "spaces", "cats", "span_groups", "flags", "user_data"):
        values = getattr(stored, name)
        setattr(stored, name, [values[i] for i in order])


def _make_docs(path: Path, stored: DocBin, vocab: Vocab) -> Iterator[Doc]:
    with explained(path):
        yield from islice(stored.get_docs(vocab), len(stored))
