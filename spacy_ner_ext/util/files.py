"""Write files and folders whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import srsly

from .errors import UserError


def check_output(path: Path, suffix: str) -> None:
    """Raise if a file cannot be written under this name.

    path: The file to be written; missing parent folders are fine.
    suffix: The ending that the name must have, such as ".spacy".
    RAISES (UserError): If the ending differs, or a folder or file is in the way.
    """
    try:
        is_folder = path.is_dir()
        files = [p for p in path.parents if p.exists() and not p.is_dir()]
    except OSError as err:
        raise UserError(f"cannot be written ({err.strerror})", path) from err
    if is_folder:
        raise UserError("is a folder; give the name of a file", path)
    if path.suffix != suffix:
        raise UserError(f"the name of the output must end in {suffix}", path)
    if files:
        raise UserError(f"{files[0]} is a file, not a folder", path)


def write_json(data: dict[str, Any] | list[Any], path: Path) -> None:
    """Write a dictionary or a list as indented JSON.

    RAISES (UserError): If the file cannot be written.
    """
    with replacing(path) as temporary:
        srsly.write_json(temporary, data)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file to write to, and put it in place if all went well.

    A folder may be made in its place; it takes the place of the whole old one.

    It lies in a folder beside the target, since only a rename inside one file system
    is atomic. After an exception it is removed, with the folders made for it, and the
    target is as before.

    path: The target; missing parent folders are created.
    RAISES (UserError): If the target cannot be written.
    """
    new_folders = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            temporary = Path(folder) / path.name
            yield temporary
            if temporary.is_dir() and path.is_dir():
                # A folder takes the place of an empty one only.
                os.replace(path, Path(folder) / "old")
            os.replace(temporary, path)
    except OSError as err:
        raise UserError(f"cannot be written ({err.strerror})", path) from err
    finally:
        for created in new_folders:
            if created.is_dir() and not any(created.iterdir()):
                created.rmdir()
