"""Write .spacy files: one, a folder of several, or one for each part of a split."""

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from spacy.tokens import Doc, DocBin
from srsly.msgpack import Packer

from ..util.errors import UserError
from ..util.files import check_output, replacing
from .options import PARTS
from .read import SUFFIX
from .report import notes_path

PACK = Packer(use_bin_type=True).pack
SHARD = re.compile(r"\d{5,}\.spacy")
# One file holds up to this; a larger corpus becomes a folder of files of this size, so
# that neither writing nor reading needs more memory for more documents.
MAX_DOCS = 20_000
MAX_TOKENS = 250_000
# Everything that readers annotate. spaCy's default has NORM too, which they do not.
ATTRS = (
    *("ENT_IOB", "ENT_TYPE", "ENT_ID", "ENT_KB_ID", "SENT_START"),
    *("TAG", "POS", "MORPH", "LEMMA", "DEP", "HEAD"),
)


class _Writer:
    """Writes a part to a file, or to a folder of `n_files` numbered files."""

    def __init__(self, path: Path, shard_size: int) -> None:
        self.path = path
        self.shard_size = shard_size
        self.n_files = 0
        self._n_tokens = 0
        self._docs = DocBin(ATTRS)

    def add(self, doc: Doc) -> None:
        # With a shard size, tokens do not count.
        is_long = self._n_tokens >= MAX_TOKENS and not self.shard_size
        if is_long or len(self._docs) == (self.shard_size or MAX_DOCS):
            self._write_shard()
        self._docs.add(doc)
        # DocBin packs it with srsly, which searches all installed packages each time.
        self._docs.user_data.append(PACK(doc.user_data) if doc.user_data else None)
        self._n_tokens += len(doc)

    def _write_shard(self) -> None:
        self.path.mkdir(exist_ok=True)
        self._write(self.path / f"{self.n_files:05}{SUFFIX}")
        self.n_files += 1
        self._docs, self._n_tokens = DocBin(ATTRS), 0

    def _write(self, path: Path) -> None:
        self._docs.store_user_data = True
        self._docs.to_disk(path)

    def close(self) -> None:
        if self.shard_size or self.n_files:
            self.path.mkdir(exist_ok=True)
            if len(self._docs):
                self._write_shard()
        else:
            self._write(self.path)


def write_parts(
    docs: Iterable[tuple[str, Doc]],
    target: Path,
    parts: Sequence[str] = (),
    shard_size: int = 0,
) -> dict[str, int]:
    """Write documents, with the name of their part or "", all or none; return the
    number of files by path, for paths that became folders."""
    paths = _paths(target, parts, shard_size)
    with ExitStack() as replaced:
        writers = {
            part: _Writer(replaced.enter_context(replacing(path)), shard_size)
            for part, path in paths.items()
        }
        for part, doc in docs:
            writers[part].add(doc)
        for part, writer in writers.items():
            writer.close()
            _make_way(paths[part], writer.path)
    found = ((paths[part], writer.n_files) for part, writer in writers.items())
    return {str(path): n_files for path, n_files in found if n_files}


def _make_way(path: Path, written: Path) -> None:
    """Move a file that a folder replaces, or the reverse, to the temporary folder."""
    if path.exists() and path.is_dir() != written.is_dir():
        os.replace(path, written.with_name(f"{written.name}.old"))


def move_corpus(written: Path, path: Path) -> None:
    """Move a .spacy file, or a folder of them, to the place of an earlier one."""
    if path.exists() and (path.is_dir() or written.is_dir()):
        os.replace(path, written.with_name(f"{written.name}.old"))
    os.replace(written, path)


def _paths(target: Path, parts: Sequence[str], shard_size: int) -> dict[str, Path]:
    if not parts:
        return {"": target}
    suffix = "" if shard_size else SUFFIX
    return {part: target / f"{part}{suffix}" for part in parts}


def check_target(
    target: Path, source: Path, parts: Sequence[str] = (), shard_size: int = 0
) -> None:
    """Raise if the output cannot have this name, or something else is there."""
    if (parts or shard_size) and target.suffix == SUFFIX:
        option = "--split" if parts else "--shard-size"
        raise UserError(f"{option} writes a folder; give the name of one", target)
    for path in _paths(target, parts, shard_size).values():
        if shard_size:
            check_shards(path)
        else:
            check_corpus(path)
        if is_inside(source, path) or is_inside(path, source):
            raise UserError("is input and output; give the output another name", path)


def check_corpus(path: Path) -> None:
    """Raise if a .spacy file, or a folder of shards, cannot be written here."""
    if path.suffix == SUFFIX and path.is_dir():
        check_shards(path)
    else:
        check_output(path, SUFFIX)


def check_shards(path: Path) -> None:
    """Raise if a folder of shards would replace something else."""
    if path.exists() and not path.is_dir():
        raise UserError("is a file, but a folder is to be written; move it", path)
    others = (p for p in path.glob("*") if not SHARD.fullmatch(p.name) or p.is_dir())
    for other in others:
        what = f"contains {other.name}, and is replaced as a whole; give another folder"
        raise UserError(what, path)


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path is the same as a folder or inside it, with links resolved."""
    inner, outer = os.path.realpath(path), os.path.realpath(folder)
    return inner == outer or inner.startswith(os.path.join(outer, ""))


def check_report(path: Path | None, *others: Path) -> None:
    """Raise if a .json report cannot have this name, or is one of the other files."""
    if path is None:
        return
    check_output(path, ".json")
    for file in (path, notes_path(path)):
        for other in others:
            if is_inside(file, other):
                what = f"is in {other}, which is read or written; give another report"
                raise UserError(what, file)


def stale_parts(
    target: Path, parts: Sequence[str], shard_size: int, expected: Iterable[str]
) -> list[Path]:
    """List the parts of an earlier conversion that nothing replaces."""
    if not parts:
        return []
    written = set(_paths(target, [*parts, *expected], shard_size).values())
    known = (target / f"{part}{suffix}" for part in PARTS for suffix in ("", SUFFIX))
    return [path for path in known if path not in written and path.exists()]
