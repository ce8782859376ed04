"""Download a corpus of the project."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from scripts.assets import check_files, corpus_assets, fetch
from scripts.recipes import read_recipe
from spacy_ner_ext.tools.output import printer, progress


def download(
    corpus: Annotated[
        str, typer.Argument(help="The corpus: the name of a folder under assets/.")
    ],
    project_dir: Annotated[
        Path, typer.Option("--project", help="The folder with the project.yml.")
    ] = Path(),
) -> None:
    """Download the files of a corpus that project.yml lists as assets.

    They come from a URL, a git repository, or the Hugging Face hub. Files that are
    there with the right checksum are kept, so they can also be put into assets/CORPUS/
    by hand. A corpus that ships with the project needs nothing.

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
        printer().good(f"assets/{corpus} is all here: nothing to download")


def _download_assets(project_dir: Path, corpus: str, names: list[str]) -> int:
    assets = list(corpus_assets(project_dir, corpus))
    wanted = [asset for asset in assets if not asset.is_here()]
    for asset in progress(wanted, unit="file"):
        fetch(asset)
        printer().good(f"Wrote {asset.path}")
    if not assets:
        check_files(project_dir / "assets" / corpus, names)
    return len(wanted)


def _download_dataset(hub: str, paths: list[Path]) -> int:
    from scripts.hub import download_split

    wanted = [path for path in paths if not path.is_file()]
    for path in wanted:
        download_split(hub, path, progress=partial(progress, unit="row"))
        printer().good(f"Wrote {path}")
    return len(wanted)
