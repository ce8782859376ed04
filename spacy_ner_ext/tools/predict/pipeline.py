"""The pipeline that predicts, as it is named on the command line."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from spacy import util
from spacy.language import Language

from ...util.errors import UserError
from ..loading import import_functions, load_pipeline

BLOCK = 2**20


@dataclass(frozen=True)
class PipelineSource:
    """A pipeline that any process can load.

    name: A folder, or the name of an installed package.
    overrides: Settings of its config by their full names, as JSON.
    code: A Python file with registered functions that it needs.
    """

    name: str
    overrides: str = "{}"
    code: Path | None = None

    @cache  # noqa: B019 - it lives as long as the process
    def load(self) -> Language:
        """Load it, once in a process.

        RAISES (UserError): If it, or the file that it needs, cannot be loaded.
        """
        import_functions(self.code)
        return load_pipeline(self.name, json.loads(self.overrides))

    def digest(self) -> str:
        """A digest of all its files.

        RAISES (UserError): If there is no such folder or package.
        """
        digest = hashlib.sha256()
        folder = self._folder()
        for path in _files(folder):
            digest.update(f"{path.relative_to(folder)}\0".encode())
            _add(digest, path)
        if self.code is not None:
            _add(digest, self.code)
        return digest.hexdigest()

    def _folder(self) -> Path:
        if util.is_package(self.name):
            return util.get_package_path(self.name)
        if not Path(self.name).is_dir():
            raise UserError(
                f"{self.name} is no pipeline: there is no such folder or package; give "
                "the folder that training wrote, such as training/model-best"
            )
        return Path(self.name)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _add(digest: "hashlib._Hash", path: Path) -> None:
    digest.update(f"{path.stat().st_size}\0".encode())
    with path.open("rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
