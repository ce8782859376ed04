"""Download the corpora that a project.yml names, file by file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import srsly
from urllib3.exceptions import HTTPError
from weasel.util import download_file, get_checksum

from .errors import DataError
from .write import replacing

PROJECT_FILE = "project.yml"
CORPUS_FILES = ("train.conll", "dev.conll", "test.conll")
# What downloading raises: errors of the network stack and of the library for URLs,
# which ends in HTTPError where a connection breaks off, and in the last two where it
# does not know what a URL starts with.
DOWNLOAD_ERRORS = (OSError, ValueError, HTTPError, NotImplementedError, ImportError)


@dataclass(frozen=True)
class Asset:
    """A file that a project needs.

    path (Path): Where it belongs.
    url (str): Where it comes from; empty if the user has to provide it.
    checksum (str): Its MD5; empty if any content will do.
    """

    path: Path
    url: str
    checksum: str

    def is_here(self) -> bool:
        return self.path.is_file() and self.problem() == ""

    def problem(self) -> str:
        """What is wrong with the file, in a clause; empty if nothing is."""
        if not self.path.is_file():
            return "is missing"
        found = get_checksum(self.path)
        if self.checksum and found != self.checksum:
            return f"has the MD5 {found} in place of {self.checksum}"
        return ""


def corpus_assets(project_dir: Path, corpus: str) -> Iterator[Asset]:
    """The assets of a project that belong to one corpus: in assets/CORPUS/.

    project_dir (Path): The folder with the project.yml.
    corpus (str): The name of the corpus.
    YIELDS (Asset): The assets; none for a corpus that ships with the project.
    RAISES (DataError): If there is no such project or corpus.
    """
    project_file = project_dir / PROJECT_FILE
    folder = project_dir / "assets" / corpus
    listed = False
    for asset in _read_assets(project_file):
        path = project_dir / asset["dest"]
        if path.parent == folder:
            listed = True
            yield Asset(path, asset.get("url", ""), asset.get("checksum", ""))
    if not listed and not folder.is_dir():
        raise DataError(
            f"there is no corpus '{corpus}': neither a folder assets/{corpus} nor an "
            "asset in it; put your files there, or set vars.corpus to another one",
            project_file,
        )


def _read_assets(project_file: Path) -> list[dict[str, Any]]:
    if not project_file.is_file():
        raise DataError("there is no such file; run this in a project", project_file)
    try:
        project = srsly.read_yaml(project_file)
    except ValueError as err:
        what = " ".join(str(err).split())
        raise DataError(f"is not a project file ({what})", project_file) from err
    assets = (project.get("assets") or []) if isinstance(project, dict) else None
    if not isinstance(assets, list) or not all(map(_has_dest, assets)):
        raise DataError("'assets' must be a list of files with 'dest'", project_file)
    return assets


def _has_dest(asset: Any) -> bool:
    return isinstance(asset, dict) and isinstance(asset.get("dest"), str)


def fetch(asset: Asset) -> None:
    """Download an asset; nothing is left behind if that fails.

    RAISES (DataError): If it cannot be downloaded, or is not the expected file.
    """
    advice = f"get {asset.url or 'it'} in another way and put it at {asset.path}"
    if asset.checksum:
        advice += f" (MD5 {asset.checksum})"
    problem = asset.problem()
    if not asset.url:
        raise DataError(f"{problem}; {advice}", asset.path)
    with replacing(asset.path) as partial:
        try:
            download_file(asset.url, partial)
        except DOWNLOAD_ERRORS as err:
            what = f"{problem} and cannot be downloaded ({_reason(err)}); {advice}"
            raise DataError(what, asset.path) from err
        problem = Asset(partial, asset.url, asset.checksum).problem()
        if problem:
            raise DataError(f"what was downloaded {problem}; {advice}", asset.path)


def _reason(err: Exception) -> str:
    return shorten(str(err) or type(err).__name__, 120, placeholder=" ...")


def check_files(project_dir: Path, corpus: str) -> None:
    """Check a corpus that project.yml does not list, and the user has to provide.

    RAISES (DataError): If it lacks one of the files that the project converts.
    """
    folder = project_dir / "assets" / corpus
    absent = [name for name in CORPUS_FILES if not (folder / name).is_file()]
    if absent:
        raise DataError(
            f"{', '.join(absent)} missing, and project.yml names no address for them; "
            f"put the corpus there as {', '.join(CORPUS_FILES)}",
            folder,
        )
