"""Find and read the pairs of files that standoff consists of."""

import os
from pathlib import Path

from ...util.errors import Place, UserError
from ..report import ConversionReport
from ..text import MAX_LINE

TEXT, ANNOTATIONS = ".txt", ".ann"


def find_documents(path: Path, report: ConversionReport) -> list[tuple[str, Path]]:
    """List the texts of a folder, or the one that a file belongs to.

    path: A folder of any depth, or a .txt or .ann file.
    report: Gets links to folders, which are not followed.
    RETURNS: Name and .txt file of each, by name.
    RAISES (UserError): If there is none, or a text or its annotations are missing.
    """
    try:
        return _documents(path, report)
    except OSError as err:
        where = Path(err.filename or path)
        raise UserError(f"cannot be read ({err.strerror})", where) from err


def _documents(path: Path, report: ConversionReport) -> list[tuple[str, Path]]:
    if not path.is_dir():
        _check_single(path)
        _check_pair(path.with_suffix(TEXT))
        return [(path.stem, path.with_suffix(TEXT))]
    names = sorted(_names(path, report))
    documents = [(name, path / f"{name}{TEXT}") for name in names]
    for _, text_path in documents:
        _check_pair(text_path)
    if not documents:
        raise UserError("the folder holds no .txt file; check the path", path)
    return documents


def _check_single(path: Path) -> None:
    if not path.exists():
        raise UserError("there is no such file or folder; check the path", path)
    if path.suffix not in (TEXT, ANNOTATIONS):
        what = "is neither a folder nor a .txt or .ann file; give one of these"
        raise UserError(what, path)


def _check_pair(text_path: Path) -> None:
    annotations_path = text_path.with_suffix(ANNOTATIONS)
    if not annotations_path.exists():
        what = (
            f"its annotations {annotations_path.name} are missing; add the file, empty "
            "if the text has no entity, or move the text elsewhere"
        )
        raise UserError(what, text_path)
    if not text_path.exists():
        what = f"its text {text_path.name} is missing; add it or remove this file"
        raise UserError(what, annotations_path)
    for path in (text_path, annotations_path):
        if not path.is_file():
            raise UserError("is not a regular file; save its content to a file", path)


def _names(root: Path, report: ConversionReport) -> set[str]:
    names = set()
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for link in (name for name in folders if Path(folder, name).is_symlink()):
            what = f"the folder '{link}' is a link and is not followed"
            report.note("skipped", Place(Path(folder), 1, "folder"), what)
        for name in files:
            path = Path(folder, name)
            if path.suffix in (TEXT, ANNOTATIONS) and not name.startswith("."):
                names.add(_name(path.relative_to(root)))
    return names


def _name(path: Path) -> str:
    name = path.with_suffix("").as_posix()
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as err:
        what = f"the name of the file {name!a} is not UTF-8; rename it"
        raise UserError(what) from err
    return name


def _raise(error: OSError) -> None:
    raise error


def read_text(path: Path) -> str:
    """Read a text as it is, with its line ends and byte order mark.

    Offsets count both, as in BRAT.

    RAISES (UserError): If it cannot be read, is not UTF-8 or too long.
    """
    try:
        size = path.stat().st_size
        if size > MAX_LINE:
            what = f"is longer than {MAX_LINE // 2**20} MiB; cut the text into several"
            raise UserError(what, path)
        raw = path.read_bytes()
    except OSError as err:
        raise UserError(f"cannot be read ({err.strerror})", path) from err
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as err:
        line = raw.count(b"\n", 0, err.start) + 1
        what = f"byte 0x{raw[err.start]:02x} is not UTF-8; convert the file to UTF-8"
        raise UserError(what, path, line) from err
