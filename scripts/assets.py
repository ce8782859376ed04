"""Download the corpora that a project.yml names: files, or folders of git."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import SubprocessError
from textwrap import shorten
from typing import Any

import srsly
from urllib3.exceptions import HTTPError
from weasel.util import download_file, get_checksum, git_checkout

from spacy_ner_ext.data.output import is_inside
from spacy_ner_ext.util.errors import UserError
from spacy_ner_ext.util.files import replacing

PROJECT_FILE = "project.yml"
# What downloading raises: errors of the network stack and of the library for URLs,
# which ends in HTTPError where a connection breaks off, and in the last two where it
# does not know what a URL starts with.
DOWNLOAD_ERRORS = (OSError, ValueError, HTTPError, NotImplementedError, ImportError)


# The same of git: that it is not installed, and that it fails.
GIT_ERRORS = (OSError, RuntimeError, SubprocessError)


@dataclass(frozen=True)
class Asset:
    """A file or a folder that a project needs.

    path: Where it belongs.
    url: Where it comes from; empty if the user has to provide it.
    checksum: Its MD5; empty if any content will do.
    git_path: If the URL is that of a git repository: the file or folder in it.
    branch: The branch of the repository.
    """

    path: Path
    url: str
    checksum: str
    git_path: str | None = None
    branch: str = "master"

    def is_here(self) -> bool:
        return self.problem() == ""

    def problem(self) -> str:
        """What is wrong with it, in a clause; empty if nothing is."""
        is_empty_folder = self.path.is_dir() and not any(self.path.iterdir())
        if not self.path.exists() or is_empty_folder:
            return "is missing"
        found = get_checksum(self.path)
        if self.checksum and found != self.checksum:
            return f"has the MD5 {found} in place of {self.checksum}"
        return ""


def corpus_assets(project_dir: Path, corpus: str) -> Iterator[Asset]:
    """The assets of a project that belong to one corpus: in assets/CORPUS/.

    project_dir: The folder with the project.yml.
    corpus: The name of the corpus.
    YIELDS: The assets; none for a corpus that ships with the project.
    RAISES (UserError): If there is no such project or corpus.
    """
    project_file = project_dir / PROJECT_FILE
    folder = corpus_folder(project_dir, corpus)
    listed = False
    for asset in _read_assets(project_file):
        path = project_dir / asset["dest"]
        if folder in (path, *path.parents):
            listed = True
            if not is_inside(path, folder):
                what = f"'{asset['dest']}' leads out of {folder}; correct its 'dest'"
                raise UserError(what, project_file)
            yield _make_asset(path, asset)
    if not listed and not folder.is_dir():
        raise UserError(
            f"there is no corpus '{corpus}': neither a folder assets/{corpus} nor an "
            "asset in it; put your files there, or set vars.corpus to another one",
            project_file,
        )


def corpus_folder(project_dir: Path, corpus: str) -> Path:
    """Name the folder of a corpus.

    project_dir: The folder with the project.yml.
    corpus: The name of the corpus.
    RAISES (UserError): If the name is not that of a folder in assets.
    """
    if corpus in ("", ".", "..") or set(corpus) & set("/\\\0"):
        raise UserError(f"{corpus!r} is no name of a corpus; give one such as wnut17")
    return project_dir / "assets" / corpus


def _make_asset(path: Path, asset: dict[str, Any]) -> Asset:
    checksum, git = asset.get("checksum", ""), asset.get("git")
    if not isinstance(git, dict):
        return Asset(path, asset.get("url", ""), checksum)
    branch = git.get("branch") or "master"
    return Asset(path, git.get("repo", ""), checksum, git.get("path", ""), branch)


def read_project(project_file: Path) -> dict[str, Any]:
    """Read a project file.

    RAISES (UserError): If there is none, or it is not a mapping in YAML.
    """
    if not project_file.is_file():
        raise UserError("there is no such file; run this in a project", project_file)
    try:
        project = srsly.read_yaml(project_file)
    except ValueError as err:
        what = " ".join(str(err).split())
        raise UserError(f"is not a project file ({what})", project_file) from err
    if not isinstance(project, dict):
        what = "is not a project file, which has 'assets', 'workflows' and 'commands'"
        raise UserError(what, project_file)
    return project


def _read_assets(project_file: Path) -> list[dict[str, Any]]:
    assets = read_project(project_file).get("assets") or []
    if not isinstance(assets, list) or not all(map(_has_dest, assets)):
        raise UserError("'assets' must be a list of files with 'dest'", project_file)
    return assets


def _has_dest(asset: Any) -> bool:
    return isinstance(asset, dict) and isinstance(asset.get("dest"), str)


def fetch(asset: Asset) -> None:
    """Download an asset; nothing is left behind if that fails.

    RAISES (UserError): If it cannot be downloaded, or is not the expected file.
    """
    advice = f"get {asset.url or 'it'} in another way and put it at {asset.path}"
    if asset.checksum:
        advice += f" (MD5 {asset.checksum})"
    problem = asset.problem()
    if not asset.url:
        raise UserError(f"{problem}; {advice}", asset.path)
    with replacing(asset.path) as partial:
        if asset.git_path is not None:
            _check_out(asset, partial, advice)
            return
        try:
            download_file(asset.url, partial)
        except DOWNLOAD_ERRORS as err:
            what = f"{problem} and cannot be downloaded ({_reason(err)}); {advice}"
            raise UserError(what, asset.path) from err
        problem = Asset(partial, asset.url, asset.checksum).problem()
        if problem:
            raise UserError(f"what was downloaded {problem}; {advice}", asset.path)


def _check_out(asset: Asset, partial: Path, advice: str) -> None:
    try:
        git_checkout(asset.url, asset.git_path or "", partial, branch=asset.branch)
    # The library for projects ends the process where the repository lacks the path.
    except (*GIT_ERRORS, SystemExit) as err:
        what = f"is missing and git cannot get it from {asset.url} ({_reason(err)})"
        raise UserError(f"{what}; {advice}", asset.path) from err
    problem = Asset(partial, asset.url, asset.checksum).problem()
    if problem:
        raise UserError(f"what git got {problem}; {advice}", asset.path)


def _reason(err: BaseException) -> str:
    return shorten(str(err) or type(err).__name__, 120, placeholder=" ...")


def check_files(folder: Path, names: Iterable[str]) -> None:
    """Check a corpus that project.yml names no address for, so the user provides it.

    folder: The folder of the corpus.
    names: The files or folders that the project converts.
    RAISES (UserError): If one of them is missing.
    """
    names = list(names)
    absent = [name for name in names if not (folder / name).exists()]
    if absent:
        raise UserError(
            f"{', '.join(absent)} missing, and project.yml names no address for them; "
            f"put the corpus there as {', '.join(names)}",
            folder,
        )
