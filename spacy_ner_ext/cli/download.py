"""Download a corpus of the project."""

from pathlib import Path
from typing import Annotated

import typer

from ..data.assets import check_files, corpus_assets, fetch
from .output import printer, progress


def download(
    corpus: Annotated[
        str, typer.Argument(help="The corpus: the name of a folder under assets/.")
    ],
    project_dir: Annotated[
        Path, typer.Option("--project", help="The folder with the project.yml.")
    ] = Path(),
) -> None:
    """Download the files of a corpus that project.yml lists as assets.

    Files that are there with the right checksum are kept, so they can also be put
    into assets/CORPUS/ by hand. A corpus that ships with the project needs nothing.

    \b
    Example:
      python -m spacy_ner_ext download wnut17
    """
    msg = printer()
    assets = list(corpus_assets(project_dir, corpus))
    wanted = [asset for asset in assets if not asset.is_here()]
    for asset in progress(wanted, unit="file"):
        fetch(asset)
        msg.good(f"Wrote {asset.path}")
    if not assets:
        check_files(project_dir, corpus)
        msg.good(f"assets/{corpus} is all here: nothing to download")
    elif not wanted:
        msg.good(f"assets/{corpus} has all {len(assets)} files")
