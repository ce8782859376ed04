"""Download a corpus of the project."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import SubprocessError
from textwrap import shorten
from typing import Annotated, Any

import typer
from urllib3.exceptions import HTTPError
from weasel.util import download_file, get_checksum, git_checkout

from scripts.corpora import PROJECT_FILE, corpus_folder, read_project, read_recipe
from spacy_ner_ext.tools.errors import run_command
from spacy_ner_ext.tools.output import printer, progress
from spacy_ner_ext.util.errors import UserError
from spacy_ner_ext.util.files import replacing, write_json

# Errors of the network stack and of the library for URLs: HTTPError where a connection
# breaks off, and the last two for an unknown scheme.
DOWNLOAD_ERRORS = (OSError, ValueError, HTTPError, NotImplementedError, ImportError)
# Git is not installed, or fails. weasel ends the process where the repository lacks the
# path.
GIT_ERRORS = (OSError, RuntimeError, SubprocessError, SystemExit)


def download(
    corpus: Annotated[
        str, typer.Argument(help="The corpus: the name of a folder under assets/.")
    ],
    project_dir: Annotated[
        Path, typer.Option("--project", help="The folder with the project.yml.")
    ] = Path(),
) -> None:
    """Download the files of a corpus that project.yml lists as assets.

    They come from a URL, a git repository, or the Hugging Face hub. Existing files with
    the right checksum are kept, so they can also be put into assets/CORPUS/ by hand. A
    corpus that ships with the project needs no download.

    \b
    Example:
      python -m scripts.download wnut17
    """
    recipe = read_recipe(project_dir, corpus)
    folder = project_dir / "assets" / corpus
    names = list(recipe.names().values())
    if recipe.hub:
        n_written = _download_dataset(recipe.hub, [folder / name for name in names])
    else:
        n_written = _download_assets(project_dir, corpus, names)
    if not n_written:
        printer().good(f"assets/{corpus} is complete: nothing to download")


@dataclass(frozen=True)
class Asset:
    """A file or a folder that a project needs.

    path: Where it belongs.
    url: Where it comes from; empty if the user has to provide it.
    checksum: Its MD5; empty to accept any content.
    git_path: If the URL is that of a git repository: the file or folder in it.
    branch: The branch of the repository.
    """

    path: Path
    url: str
    checksum: str
    git_path: str | None = None
    branch: str = "master"

    def problem(self) -> str:
        """The problem of the file as a clause; empty if it is fine."""
        is_empty_folder = self.path.is_dir() and not any(self.path.iterdir())
        if not self.path.exists() or is_empty_folder:
            return "is missing"
        found = get_checksum(self.path)
        if self.checksum and found != self.checksum:
            return f"has the MD5 {found} in place of {self.checksum}"
        return ""


def corpus_assets(project_dir: Path, corpus: str) -> Iterator[Asset]:
    """The assets in assets/CORPUS; none for a corpus that ships with the project.

    RAISES (UserError): If the project or the corpus does not exist.
    """
    project_file = project_dir / PROJECT_FILE
    folder = corpus_folder(project_dir, corpus)
    listed = False
    for asset in _read_assets(project_file):
        path = project_dir / asset["dest"]
        if folder in (path, *path.parents):
            listed = True
            if not Path(os.path.realpath(path)).is_relative_to(folder.resolve()):
                what = f"'{asset['dest']}' is outside of {folder}; correct its 'dest'"
                raise UserError(what, project_file)
            yield _make_asset(path, asset)
    if not listed and not folder.is_dir():
        raise UserError(
            f"has no corpus '{corpus}': neither a folder assets/{corpus} nor an asset "
            "in it; put your files there, or set vars.corpus to another one",
            project_file,
        )


def _make_asset(path: Path, asset: dict[str, Any]) -> Asset:
    checksum, git = asset.get("checksum", ""), asset.get("git")
    if not isinstance(git, dict):
        return Asset(path, asset.get("url", ""), checksum)
    branch = git.get("branch") or "master"
    return Asset(path, git.get("repo", ""), checksum, git.get("path", ""), branch)


def _read_assets(project_file: Path) -> list[dict[str, Any]]:
    assets = read_project(project_file).get("assets") or []
    if not isinstance(assets, list) or not all(map(_has_dest, assets)):
        raise UserError("'assets' must be a list of files with 'dest'", project_file)
    return assets


def _has_dest(asset: Any) -> bool:
    return isinstance(asset, dict) and isinstance(asset.get("dest"), str)


def fetch(asset: Asset) -> None:
    """Download an asset; on failure nothing is left of it.

    RAISES (UserError): If it cannot be downloaded, or is not the expected file.
    """
    advice = f"get {asset.url or 'it'} in another way and put it at {asset.path}"
    if asset.checksum:
        advice += f" (MD5 {asset.checksum})"
    problem = asset.problem()
    if not asset.url:
        raise UserError(f"{problem}; {advice}", asset.path)
    with replacing(asset.path) as partial:
        try:
            if asset.git_path is None:
                download_file(asset.url, partial)
            else:
                git_checkout(asset.url, asset.git_path, partial, branch=asset.branch)
        except (*DOWNLOAD_ERRORS, *GIT_ERRORS) as err:
            reason = shorten(str(err) or type(err).__name__, 120, placeholder=" ...")
            how = "downloaded" if asset.git_path is None else "checked out with git"
            what = f"{problem} and cannot be {how} ({reason}); {advice}"
            raise UserError(what, asset.path) from err
        problem = Asset(partial, asset.url, asset.checksum).problem()
        if problem:
            raise UserError(f"the download {problem}; {advice}", asset.path)


def _download_assets(project_dir: Path, corpus: str, names: list[str]) -> int:
    assets = list(corpus_assets(project_dir, corpus))
    wanted = [asset for asset in assets if asset.problem()]
    for asset in progress(wanted, unit="file"):
        fetch(asset)
        printer().good(f"Wrote {asset.path}")
    if not assets:
        _check_files(project_dir / "assets" / corpus, names)
    return len(wanted)


def _check_files(folder: Path, names: list[str]) -> None:
    absent = [name for name in names if not (folder / name).exists()]
    if absent:
        raise UserError(
            f"{', '.join(absent)} missing, and project.yml names no address for them; "
            f"put the corpus there as {', '.join(names)}",
            folder,
        )


def _download_dataset(hub: str, paths: list[Path]) -> int:
    wanted = [path for path in paths if not path.is_file()]
    for path in wanted:
        download_split(hub, path)
        printer().good(f"Wrote {path}")
    return len(wanted)


def download_split(hub: str, path: Path, tags_column: str = "ner_tags") -> None:
    """Write a split of a dataset as a .jsonl file, next to the names of its tags.

    hub: The id of the dataset, "owner/name".
    path: The file; its name without suffix is that of the split.
    tags_column: The column of tags; where they are numbers with names, the names are
        written to labels.json.
    RAISES (UserError): If the dataset or the split cannot be read.
    """
    # Imports spaCy and torch, which downloads of other corpora do not need.
    from spacy_ner_ext.data.formats.dataset import KNOWN, class_names
    from spacy_ner_ext.data.formats.dataset_source import NAMES_FILE, open_source

    source = open_source(Path(hub), path.stem, None)
    rows: Iterable[Any] = progress(source.rows(), unit="row")
    with replacing(path) as partial, partial.open("w", encoding="utf-8") as file:
        for place, row in rows:
            try:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            except TypeError as err:
                what = f"has a value that JSON cannot hold ({err}); export it yourself"
                raise place.error(what) from err
    names = class_names(source.features.get(tags_column)) or KNOWN.get(hub)
    if names:
        write_json(list(names), path.parent / NAMES_FILE)


if __name__ == "__main__":
    run_command(download, "python -m scripts.download")
