"""Write files and folders whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import srsly

from .errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# In the names of temporary folders, and the name of what is replaced in them.
WRITING, OLD = ".writing-", "old"


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
    """Yield a temporary file to write, and move it to its place if all went well.

    A folder may be created instead; it replaces an old one as a whole. The temporary
    file lies next to the target, since only a rename within a file system is atomic.
    After an exception it is removed, with the folders created for it, and the target
    is unchanged.

    path: The target; missing parent folders are created.
    RAISES (UserError): If the target cannot be written.
    """
    new_folders = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.name}{WRITING}"
        with TemporaryDirectory(prefix=prefix, dir=path.parent) as folder:
            temporary = Path(folder) / path.name
            yield temporary
            if temporary.is_dir() and path.is_dir():
                # A rename replaces empty folders only.
                os.replace(path, Path(folder) / OLD)
            os.replace(temporary, path)
    except OSError as err:
        raise UserError(f"cannot be written ({err.strerror or err})", path) from err
    finally:
        for created in new_folders:
            if created.is_dir() and not any(created.iterdir()):
                created.rmdir()


def lock(file: IO[Any]) -> bool:
    """Lock an open file until it is closed. Returns False if another process has locked
    it. On Windows nothing is locked.

    RAISES (OSError): If the file system has no locks.
    """
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left of `replacing` in a folder. A folder that was
    moved away, but not replaced yet, is moved back."""
    for left in folder.glob(f".*{WRITING}*"):
        name = left.name[1:].rpartition(WRITING)[0]
        if (left / OLD).exists() and not (folder / name).exists():
            (left / OLD).rename(folder / name)
        shutil.rmtree(left)
