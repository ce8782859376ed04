"""spaCy's own files: one .spacy file, or a folder of several.

A folder is read as spaCy reads it: all files in it and in its folders that end in
.spacy, in the order of their paths, hidden ones left out. Each file is held in memory
while it is read, so a large corpus is better kept in several.

Documents stay as they are: tokens, entities, tags, span groups and user data.
"""

from collections.abc import Iterator
from pathlib import Path

from spacy.tokens import Doc

from ..errors import DataError, Place
from ..make import DEFAULT, MakesDocs, Making
from ..read import read_docs
from ..report import ConversionReport

SUFFIX = ".spacy"


def read_docbin(
    path: Path,
    nlp: MakesDocs,
    *,
    report: ConversionReport | None = None,
    making: Making = DEFAULT,
) -> Iterator[Doc]:
    """Read the documents of .spacy files.

    path (Path): The file, or a folder of such files.
    nlp (MakesDocs): A pipeline, for its vocabulary.
    report (Optional[ConversionReport]): Gets what was left out; complete after the
        last document.
    making (Making): The languages to read, by `doc.user_data["lang"]`, and a span
        group that gets the entities of documents that do not have this group yet.
    YIELDS (Doc): The documents.
    RAISES (DataError): If a file is missing, damaged or no .spacy file.
    """
    report = ConversionReport() if report is None else report
    for file in find_files(Path(path)):
        for number, doc in enumerate(read_docs(file, nlp.vocab), start=1):
            place = Place(file, number, "document")
            if _is_wanted(doc, place, report, making.langs):
                _fill_group(doc, making.spans_key)
                yield doc


def find_files(path: Path) -> list[Path]:
    """Find the files of a corpus.

    path (Path): A .spacy file, or a folder of such files.
    RETURNS (List[Path]): The file itself, or those of the folder in their order.
    RAISES (DataError): If the folder has none.
    """
    if not path.is_dir():
        return [path]
    files = sorted(
        file
        for file in path.rglob(f"*{SUFFIX}")
        if not any(part.startswith(".") for part in file.relative_to(path).parts)
        and not file.is_dir()
    )
    if not files:
        raise DataError(f"no file in this folder ends in {SUFFIX}; check it", path)
    return files


def _is_wanted(
    doc: Doc, place: Place, report: ConversionReport, langs: tuple[str, ...]
) -> bool:
    lang = doc.user_data.get("lang")
    if langs and lang and lang not in langs:
        report.note("other_language", place, f"language {lang}")
        return False
    if not len(doc):
        report.note("empty", place, "a text without a token")
    return bool(len(doc))


def _fill_group(doc: Doc, key: str | None) -> None:
    if key is not None and key not in doc.spans:
        doc.spans[key] = list(doc.ents)
