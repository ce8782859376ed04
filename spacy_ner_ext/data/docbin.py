"""Write .spacy files document by document, in memory that does not grow with them.

spaCy's `DocBin` holds all documents until it is written. Here their parts lie in
temporary files, and the file is put together of these at the end; its content is what
`DocBin.to_bytes` gives.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy
from spacy.attrs import IDS
from spacy.tokens import Doc, DocBin
from srsly.msgpack import Packer

from ..util.errors import UserError

# Always kept. Others would be columns of zeros where no document has them.
ATTRS = ("ENT_IOB", "ENT_TYPE", "ENT_ID", "ENT_KB_ID", "SENT_START")
# Kept if documents have them: the annotation, and the attributes it is stored in.
MORE_ATTRS = {
    "TAG": ("TAG",),
    "POS": ("POS",),
    "MORPH": ("MORPH",),
    "LEMMA": ("LEMMA",),
    "DEP": ("DEP", "HEAD"),
}
# What is stored as the hash of a string, with NORM, whose string spaCy keeps too.
STRING_ATTRS: list[int | str] = [
    *("ORTH", "NORM", "TAG", "LEMMA", "MORPH", "DEP"),
    *("ENT_TYPE", "ENT_KB_ID", "ENT_ID"),
]
IDS_TO_NAMES = {number: name for name, number in IDS.items()}
# So many documents, or documents of so many tokens, are in memory at a time.
CHUNK = 500
CHUNK_TOKENS = 50_000
BLOCK = 2**20
BLOCK_ROWS = 2**16
# Lengths in msgpack are of 32 bits.
MAX_BYTES = 2**32 - 1
ARRAYS = ("tokens", "spaces", "lengths")
LISTS = ("cats", "flags", "span_groups", "user_data")


class DocBinWriter:
    """Writes documents to a .spacy file.

    Kept are words, entities, sentence starts, categories, span groups and user data,
    and tags, parts of speech, morphology, lemmas and parses where there are any.

    path: The file; written when the writer is closed without an error.
    name: What errors call it, if it is a temporary one.
    n_docs: How many documents it has got.
    """

    def __init__(self, path: Path, name: Path | None = None) -> None:
        self.path = path
        self.name = name or path
        self.n_docs = 0
        self._n_waiting_tokens = 0
        self._waiting: list[Doc] = []
        self._found: list[str] = []
        self._strings: set[str] = set()
        # srsly.msgpack_dumps would look for plug-ins of the format at every call.
        self._pack = Packer(use_bin_type=True).pack
        self._parts: dict[str, IO[bytes]] = {
            name: TemporaryFile(dir=path.parent)  # noqa: SIM115
            for name in ARRAYS + LISTS
        }

    def __enter__(self) -> "DocBinWriter":
        return self

    def __exit__(self, error: object, *_: object) -> None:
        try:
            if error is None:
                self._store()
                self._write()
        finally:
            for part in self._parts.values():
                part.close()

    def add(self, doc: Doc) -> None:
        """Add a document.

        RAISES (UserError): If there are too many for one file.
        """
        if self._waiting and self._waiting[0].vocab is not doc.vocab:
            self._store()
        self._waiting.append(doc)
        self.n_docs += 1
        self._n_waiting_tokens += len(doc)
        if len(self._waiting) == CHUNK or self._n_waiting_tokens >= CHUNK_TOKENS:
            self._store()

    def _attrs(self, docs: list[Doc]) -> list[int | str]:
        # Doc.has_annotation loops over tokens in Python.
        filled = [doc.to_array(list(MORE_ATTRS)).any(axis=0) for doc in docs]
        found = [
            name for name, is_there in zip(MORE_ATTRS, zip(*filled)) if any(is_there)
        ]
        before, after = self._found, sorted({*self._found, *found})
        if after != before:
            self._found = after
            self._add_columns(_columns(before), _columns(after))
        return _columns(after)

    def _add_columns(self, before: list[int | str], after: list[int | str]) -> None:
        """Give the tokens that are stored already the columns of later ones."""
        old = self._parts["tokens"]
        new = TemporaryFile(dir=self.path.parent)  # noqa: SIM115
        old.seek(0)
        row = 8 * len(before)
        for block in iter(lambda: old.read(row * BLOCK_ROWS), b""):
            values = numpy.frombuffer(block, dtype="uint64").reshape(-1, len(before))
            wider = numpy.zeros((len(values), len(after)), dtype="uint64")
            wider[:, [after.index(attr) for attr in before]] = values
            new.write(wider.tobytes("C"))
        old.close()
        self._parts["tokens"] = new

    def _store(self) -> None:
        docs, self._waiting, self._n_waiting_tokens = self._waiting, [], 0
        attrs = self._attrs(docs)
        for doc in docs:
            self._parts["tokens"].write(doc.to_array(attrs).tobytes("C"))
            self._parts["spaces"].write(doc.to_array("SPACY").astype(bool).tobytes())
            self._parts["lengths"].write(numpy.int32(len(doc)).tobytes())
            values = (
                doc.cats,
                {"has_unknown_spaces": doc.has_unknown_spaces},
                doc.spans.to_bytes(),
                self._pack(doc.user_data) if doc.user_data else None,
            )
            for name, value in zip(LISTS, values, strict=True):
                self._parts[name].write(self._pack(value))
        self._add_strings(docs)
        for name in ARRAYS:
            if self._parts[name].tell() > MAX_BYTES:
                what = f"{self.n_docs} documents are too many for one .spacy file"
                advice = "write several with --shard-size, or cut them"
                raise UserError(f"{what}; {advice}", self.name)

    def _add_strings(self, docs: list[Doc]) -> None:
        if not docs:
            return
        strings = docs[0].vocab.strings
        columns = numpy.vstack([doc.to_array(STRING_ATTRS) for doc in docs]).T
        hashes = {key for column in columns for key in numpy.unique(column).tolist()}
        for group in (group for doc in docs for group in doc.spans.values()):
            hashes.update(key for span in group for key in (span.label, span.kb_id))
            hashes.update(span.id for span in group if span.id in strings)
        self._strings.update(strings[key] for key in hashes if key in strings)

    def _write(self) -> None:
        compress = zlib.compressobj()
        with self.path.open("wb") as file:
            for block in self._message():
                file.write(compress.compress(block))
            file.write(compress.flush())

    def _message(self) -> Iterator[bytes]:
        attrs = [IDS[attr] for attr in self._attrs([])]
        head: dict[str, Any] = {"version": DocBin().version, "attrs": attrs}
        head["strings"] = sorted(self._strings)
        yield bytes([0x80 | len((*head, *ARRAYS, *LISTS))])
        for key, value in head.items():
            yield self._pack(key) + self._pack(value)
        for name in ARRAYS:
            size = self._parts[name].tell()
            yield self._pack(name) + b"\xc6" + size.to_bytes(4, "big")
            yield from _blocks(self._parts[name])
        for name in LISTS:
            yield self._pack(name) + b"\xdd" + self.n_docs.to_bytes(4, "big")
            yield from _blocks(self._parts[name])


def _columns(found: list[str]) -> list[int | str]:
    more = (attr for name in found for attr in MORE_ATTRS[name])
    # Sorted by spaCy's numbers of them, as in a DocBin.
    return [IDS_TO_NAMES[i] for i in DocBin([*ATTRS, *more]).attrs]


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0, os.SEEK_SET)
    yield from iter(lambda: file.read(BLOCK), b"")
