"""spaCy's own files: one .spacy file, or a folder of several.

A folder is read as spaCy reads it: all files in it and in its folders that end in
.spacy, in the order of their paths, hidden ones left out. Each file is held in memory
while it is read, so a large corpus is better kept in several.

Documents stay as they are: tokens, entities, tags, span groups and user data.
"""

from collections.abc import Iterator
from pathlib import Path

from spacy.tokens import Doc

from ...util.errors import Place, UserError
from ..docs import DEFAULT, AlignOptions, MakesDocs
from ..read import read_docs
from ..report import ConversionReport
from .spans import NAMES

SUFFIX = ".spacy"


def read_docbin(
    path: Path,
    nlp: MakesDocs,
    *,
    report: ConversionReport | None = None,
    making: AlignOptions = DEFAULT,
) -> Iterator[Doc]:
    """Read the documents of .spacy files.

    path: The file, or a folder of such files.
    nlp: A pipeline, for its vocabulary.
    report: Gets what was left out; complete after the last document.
    making: The languages, by `doc.user_data["lang"]`, and labels to take, and a span
        group that gets the entities of documents that do not have this group. Tokens
        stay, so that nothing is aligned.
    RAISES (UserError): If a file is missing, damaged or no .spacy file.
    """
    report = ConversionReport() if report is None else report
    for file in find_files(Path(path)):
        for number, doc in enumerate(read_docs(file, nlp.vocab), start=1):
            place = Place(file, number, "document")
            _check_names(doc, place)
            if making.selection.leaves_out(
                doc.user_data.get("lang", ""), place, report
            ):
                continue
            if not len(doc):
                report.note("empty", place, "a text without a token")
                continue
            _check(doc, place)
            _fill_group(doc, making.spans_key)
            making.selection.apply(doc, place, report)
            yield doc
    making.selection.warn_about_unseen(report)


def find_files(path: Path) -> list[Path]:
    """Find the files of a corpus.

    path: A .spacy file, or a folder of such files.
    RETURNS: The file itself, or those of the folder in their order.
    RAISES (UserError): If the folder has none.
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
        raise UserError(f"no file in this folder ends in {SUFFIX}; check it", path)
    return files


def _check_names(doc: Doc, place: Place) -> None:
    for key in NAMES:
        value = doc.user_data.get(key)
        kind, what = (dict, "a dictionary") if key == "meta" else (str, "a text")
        if type(value) is int and kind is str:
            doc.user_data[key] = str(value)
        elif value is not None and not isinstance(value, kind):
            found = f"user data '{key}' is of type {type(value).__name__}, not {what}"
            raise UserError.at(place, f"{found}; store it under another name")


def _check(doc: Doc, place: Place) -> None:
    for name, value in doc.cats.items():
        if not isinstance(name, str) or not isinstance(value, int | float):
            what = f"category {name!r} is {value!r}, not a number from 0 to 1"
            raise UserError.at(place, f"{what}; correct doc.cats")
    try:
        for group in (doc.ents, *doc.spans.values()):
            for span in group:
                assert span.label_ is not None
    except (KeyError, ValueError) as err:
        what = "a label is not among the strings of the file"
        raise UserError.at(place, f"{what}; write the file anew") from err


def _fill_group(doc: Doc, key: str | None) -> None:
    if key is not None and key not in doc.spans:
        doc.spans[key] = list(doc.ents)
