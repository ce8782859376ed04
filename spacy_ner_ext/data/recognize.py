"""Recognize the format of a file by its content, and name those that are not read."""

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NoReturn

from ..util.errors import UserError
from .formats.conllu_sentences import ID, PLUS
from .formats.dataset_source import SAVED_DATASET, data_files
from .formats.json_file import read_json_values
from .formats.jsonl import guess_of_values
from .formats.layout import HEAD, Layout
from .formats.registry import READERS
from .formats.standoff import ANNOTATIONS
from .formats.table_file import DELIMITERS, JSON_SUFFIXES, read_rows
from .text import check_input, read_chunks, read_first_line, read_lines

SUFFIXES = {
    ".spacy": "docbin",
    **dict.fromkeys((".conllu", ".conllup"), "conllu"),
    **dict.fromkeys((".conll", ".iob", ".iob2", ".bio"), "conll"),
}
Guess = Callable[[Path], str | None]
# The format, what was tried and why it is not that, and the error.
Tried = tuple[str | None, str, UserError | None]
# A path does not keep the second slash.
ADDRESS = re.compile(r"(https?|s3|hf):/+")
EXCERPT = 60
# Comments at the start that may name the columns.
HEADERS = 20
JSON = "write its texts and spans as JSON lines"
UNPACK = "unpack it and give the file in it"
# The start of files that are not texts, what they are, and the way out.
BINARY = {
    b"\x89HDF": ("HDF5, such as AnnData's .h5ad", JSON),
    b"PK\x03\x04": ("a zip archive, such as .xlsx or .docx", UNPACK),
    b"\x1f\x8b": ("compressed with gzip", UNPACK),
    b"BZh": ("compressed with bzip2", UNPACK),
    b"\xfd7zXZ": ("compressed with xz", UNPACK),
    b"7z\xbc\xaf": ("a 7z archive", UNPACK),
    b"%PDF": ("a PDF", "extract its text, and annotate that"),
    b"SQLite format 3": ("an SQLite database", "export its rows as JSON lines"),
    b"PAR1": ("a Parquet file", "rename it so that it ends in .parquet"),
    b"ARROW1": ("an Arrow file", "write it as .parquet"),
    b"\x80\x03": ("a Python pickle", JSON),
    b"\x80\x04": ("a Python pickle", JSON),
    b"\x80\x05": ("a Python pickle", JSON),
    b"\xd0\xcf\x11\xe0": ("an old Office file", "save it as .csv or .txt"),
}
BRAT = "export it as BRAT or as JSON lines"
# The same for texts; a format in place of the way out is read.
TEXTS = {
    r"#\s?FORMAT=WebAnno TSV 3": ("WebAnno or INCEpTION TSV 3", "webanno"),
    r"#\s?FORMAT=WebAnno|# webanno\.custom": (
        "an old TSV of WebAnno",
        "export it as WebAnno TSV 3",
    ),
    r"[^|\s]+\|[ta]\|[^|\n]*(\n|$)|([^|\s]+)\|t\|.*\n\2\|a\|": (
        "PubTator",
        "pubtator",
    ),
    r'[{\[](?s:.){,4000}"passages"\s*:\s*\[(?s:.){,999}"offset"': ("BioC JSON", "bioc"),
    r'\{(?s:.){,4000}"entities"\s*:\s*\{(?s:.){,999}"indices"': ("JSON of GATE", BRAT),
    r'\{\s*"(%TYPES|_context|%FEATURE_STRUCTURES)"': ("JSON of a UIMA CAS", BRAT),
    r"(?s:.){,500}<GateDocument": ("XML of GATE", BRAT),
    r"(?s:.){,500}(<xmi:XMI|<CAS\b)": ("XMI of UIMA or INCEpTION", BRAT),
    r"(?s:.){,500}(BioC\.dtd|<collection>)": ("BioC XML", "bioc"),
    r"(?s:.){,500}<TEI\b": ("TEI XML", BRAT),
    r"(?i:<!doctype html|<html)": ("an HTML page", "download the file itself"),
    r"<\?xml|<!DOCTYPE|<\w[\w:]*( [^<>]*)?>\s*<": ("XML", BRAT),
    r"version https://git-lfs": ("a pointer of Git LFS", "run 'git lfs pull'"),
    r"https?://\S+\s*$": ("an address in place of a text", "download what is there"),
    r'c="[^"\n]*" \d+:\d+ \d+:\d+\|\|t=': ("concepts of i2b2", BRAT),
    r"\((TOP|ROOT|S)?\s*\((S|NP|TOP)\b": ("trees in brackets", JSON),
    r"__label__\S+\s": (
        "a file of fastText",
        "write them as CSV with the columns text and label for --format textcat",
    ),
    r"(?!\{)[^\n]*\[[A-Z]{2,} [^\[\]\n]+\]": (
        "bracket notation such as [PER Ada]",
        "write it as [Ada](PER) and read it with --format inline",
    ),
    r"(?!\{)[^\n]*\[[^\[\]\n]+\]\([A-Za-z][\w.-]*\)": (
        "text with marks such as [Ada](PER)",
        "read it with --format inline",
    ),
    r"[^\n]*<START(:[^<>\s]+)?> ": (
        "text with marks of OpenNLP",
        "write <START:PER> Ada <END> as [Ada](PER) and read it with --format inline",
    ),
    r"(?i)[^\n]*<(b_)?enamex\b": (
        "text with marks of MUC such as <ENAMEX TYPE='PER'>Ada</ENAMEX>",
        "write it as [Ada](PER) and read it with --format inline",
    ),
    r"(?!\{)[^\n]*<(\w+)( [^<>]*)?>[^<>\n]+</\1>": (
        "text with elements such as <PER>Ada</PER>",
        "write it as [Ada](PER) and read it with --format inline",
    ),
}  # fmt: skip


def guess_format(path: Path) -> str:
    """Recognize a format.

    RAISES (UserError): If it is not certain, with what was tried.
    """
    if path.is_dir():
        return _of_folder(path)
    if ADDRESS.match(str(path)):
        address = ADDRESS.sub(r"\1://", str(path))
        raise UserError(f"{address} is an address; download the file and give its name")
    if not path.exists() and not path.suffix and len(path.parts) == 2:
        what = "there is no such file; for a dataset on the hub give --format datasets"
        raise UserError(what, path)
    return _of_file(path)


def _of_folder(path: Path) -> str:
    if any((path / name).is_file() for name in SAVED_DATASET):
        return "datasets"
    files = data_files(path)
    if files and _of_file(files[0]) == "datasets":
        return "datasets"
    kinds = {".spacy": "docbin", **dict.fromkeys(ANNOTATIONS, "standoff")}
    found = {kinds[file.suffix] for file in path.rglob("*") if file.suffix in kinds}
    if len(found) == 1 and not files:
        return found.pop()
    tables = sorted(path.rglob("*.tsv"))
    if tables and not found and _of_file(tables[0]) == "webanno":
        return "webanno"
    endings = ", ".join(sorted({file.suffix or file.name for file in path.iterdir()}))
    what = f"the format of the folder is not recognized: it has {endings or 'nothing'}"
    raise UserError(f"{what}; give one file, or name the format with --format", path)


def _of_file(path: Path) -> str:
    check_input(path)
    suffix = path.suffix.lower()
    pairs = map(path.with_suffix, ANNOTATIONS)
    if suffix in ANNOTATIONS or (suffix == ".txt" and any(p.is_file() for p in pairs)):
        return "standoff"
    if suffix == ".spacy":
        return "docbin"
    if suffix == ".parquet":
        format, why, _ = _try(_of_rows, path)
        known = ", ".join(READERS)
        if format is None:
            raise UserError(f"not {why}; give --format, one of {known}", path)
        return format
    with path.open("rb") as file:
        start = file.read(16)
    for signature, (what, advice) in BINARY.items():
        if start.startswith(signature):
            raise UserError(f"this is {what}; {advice}", path)
    if start.startswith(b"\x78\x9c"):
        return "docbin"
    head = next(read_chunks(path), "").lstrip()
    is_json = suffix in JSON_SUFFIXES or head.startswith(("{", "[{"))
    found, advice = _named(head, is_json)
    if advice in READERS:
        return advice
    if found and is_json:
        raise UserError(f"this is {found}; {advice}", path)
    if suffix in JSON_SUFFIXES:
        # The place of an error says more than a list of what was tried.
        tried: list[Tried] = [(_of_json(path), WHAT[_of_json], None)]
    else:
        tried = [_try(guess, path) for guess in _guesses(suffix, head)]
    for format, _, _ in tried:
        if format:
            return format
    error = tried[-1][2]
    has_text = "text" in re.findall(r"\w+", head.partition("\n")[0].lower())
    if error and suffix in DELIMITERS and has_text:
        raise error
    if found:
        raise UserError(f"this is {found}; {advice}", path)
    return SUFFIXES.get(suffix) or _fail(path, [why for _, why, _ in tried])


def _named(head: str, is_json: bool) -> tuple[str, str]:
    for pattern, named in TEXTS.items():
        # Texts in JSON may have marks of any kind.
        if (not is_json or "{" in pattern[:3]) and re.match(pattern, head):
            return named
    return "", ""


def _guesses(suffix: str, head: str) -> list[Guess]:
    others = [_of_rows] if suffix in DELIMITERS else []
    return [_of_columns, *([_of_lines_of_json] if head[:1] in "{[" else []), *others]


def _try(guess: Guess, path: Path) -> Tried:
    """The format, what was tried and why the file does not have it, and the error."""
    try:
        return guess(path), WHAT[guess], None
    except UserError as err:
        why = str(err).replace(str(path), "").strip(", :")
        return None, f"{WHAT[guess]}: {why}", err


def _of_columns(path: Path) -> str | None:
    lines = [line for _, line in islice(read_lines(path), HEAD) if line.strip()]
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    is_plus = any(map(PLUS.match, lines[:HEADERS]))
    if is_plus or (rows and sum(map(_is_conllu, rows)) > 0.9 * len(rows)):
        return "conllu"
    layout = Layout(path)
    layout.measure(n_lines=HEAD)
    doubt = layout.find_doubt()
    if doubt:
        raise UserError(doubt)
    return "conll"


def _is_conllu(cells: list[str]) -> bool:
    if len(cells) not in (10, 11) or ID.fullmatch(cells[0]) is None:
        return False
    is_misc = cells[9].strip() in ("_", "") or "=" in cells[9]
    return (is_misc or len(cells) == 11) and (cells[6] == "_" or cells[6].isdecimal())


def _of_json(path: Path) -> str | None:
    return guess_of_values(value for _, value in read_json_values(path))


def _of_lines_of_json(path: Path) -> str | None:
    # The readers of other formats want the name of the file to say that it is JSON.
    return "jsonl" if _of_json(path) == "jsonl" else None


def _of_rows(path: Path) -> str | None:
    found = guess_of_values(row for _, row in read_rows(path, text="text"))
    is_text = path.suffix.lower() in DELIMITERS
    return (
        "table"
        if found == "jsonl" or (found and is_text and found != "textcat")
        else found
    )


WHAT: dict[Guess, str] = {
    _of_columns: "columns with tags",
    _of_json: "JSON of a known tool",
    _of_lines_of_json: "JSON of a known tool",
    _of_rows: "a table with known columns",
}


def _fail(path: Path, tried: list[str]) -> NoReturn:
    first, _ = read_first_line(path)
    what = f"the format is not recognized; the first line is {first[:EXCERPT]!r}"
    if path.suffix.lower() == ".txt":
        tried = [*tried, f"BRAT: no {path.with_suffix('.ann').name} next to it"]
    listed = "; ".join(f"not {one}" for one in tried)
    advice = f"name the format with --format, one of {', '.join(READERS)}"
    raise UserError(f"{what} ({listed}); {advice}", path)
