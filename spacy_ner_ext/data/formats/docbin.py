"""spaCy's own format: one .spacy file, or a folder of them."""

from collections.abc import Iterator
from pathlib import Path

from spacy.tokens import Doc

from ...util.errors import Place
from ..lang import MakesDocs
from ..options import DEFAULT, ConvertOptions
from ..read import find_files, read_docs
from ..report import ConversionReport
from .spans import NAMES


def read_docbin(
    path: Path,
    nlp: MakesDocs,
    *,
    report: ConversionReport | None = None,
    options: ConvertOptions = DEFAULT,
) -> Iterator[Doc]:
    """Read the documents of .spacy files; nothing is aligned."""
    report = ConversionReport() if report is None else report
    for file in find_files(Path(path)):
        for number, doc in enumerate(read_docs(file, nlp.vocab), start=1):
            place = Place(file, number, "document")
            _check(doc, place)
            if options.filter.skips(doc.user_data.get("lang", ""), place, report):
                continue
            if not len(doc):
                report.note("empty", place, "a text without tokens")
                continue
            key = options.spans_key
            if key is not None and key not in doc.spans:
                doc.spans[key] = list(doc.ents)
            options.filter.apply(doc, place, report)
            yield doc
    options.filter.warn_about_unseen(report)


def _check(doc: Doc, place: Place) -> None:
    for key in NAMES:
        value = doc.user_data.get(key)
        kind, what = (dict, "a dictionary") if key == "meta" else (str, "a text")
        if type(value) is int and kind is str:
            doc.user_data[key] = str(value)
        elif value is not None and not isinstance(value, kind):
            found = f"user data '{key}' is of type {type(value).__name__}, not {what}"
            raise place.error(f"{found}; store it under another name")
    for name, value in doc.cats.items():
        if not isinstance(name, str) or not isinstance(value, int | float):
            what = f"category {name!r} is {value!r}, not a number from 0 to 1"
            raise place.error(f"{what}; correct doc.cats")
    try:
        for group in (doc.ents, *doc.spans.values()):
            for span in group:
                assert span.label_ is not None
    except (KeyError, ValueError) as err:
        what = "a label is not among the strings of the file"
        raise place.error(f"{what}; write the file again") from err
