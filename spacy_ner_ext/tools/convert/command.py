"""The commands `convert` and `export`, and how their report is printed.

The options of `convert` are the fields of `ConvertOptions`, with its docstring as help.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from ...data.align import ALIGNMENTS
from ...data.formats.registry import READERS, WRITERS
from ...data.formats.tags import SCHEMES
from ...data.options import ConvertOptions
from ...data.report import HARMLESS, KINDS, ConversionReport, Counts
from ..options import names, numbers, renames, shares, whole_numbers
from ..output import printer, progress
from . import convert as conversion

SHOWN = 5
CHOICES = {"format": READERS, "align": ALIGNMENTS, "scheme": SCHEMES}
# How the values of some options are read from one string, and what they look like.
PARSERS: dict[str, tuple[Callable[[str, str | None], Any], str]] = {
    "labels": (names, "A,B"),
    "map": (renames, "A=B,C=D"),
    "split": (numbers, "A,B,C"),
    "oversample": (shares, "A,B=SHARE"),
    "categories": (names, "A,B"),
    "tag_column": (whole_numbers, "N,N"),
}
FLAGS = {
    "stratify": "--stratify",
    "skip_bad": "--skip-bad",
    "exclusive": "--exclusive/--multi-label",
}
Input = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="The file or folder to read, or the id of a dataset on the hub.",
    ),
]
Output = Annotated[
    Path,
    typer.Argument(
        metavar="OUTPUT",
        help="The .spacy file to write, or the folder with --shard-size or --split. It "
        "is replaced if it exists; missing folders are created.",
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.json",
        help="Also write the report as JSON, with the places that were changed.",
    ),
]


def convert(
    input_path: Input, output_path: Output, *, report: Report = None, **settings: Any
) -> None:
    """Convert a corpus to .spacy files for 'spacy train'.

    Documents pass one by one, so the input may be of any size. Everything that is
    repaired or dropped is reported with file and line. If the input is not valid, the
    command names file and line and writes nothing.

    \b
    Examples:
      python -m spacy_ner_ext convert train.conll corpus/train.spacy --docs-of 10
      python -m spacy_ner_ext convert brat/ corpus --split 0.8,0.1,0.1 --stratify
      python -m spacy_ner_ext convert train.jsonl corpus/train.spacy --align contract
    """
    for name, (parse, _) in PARSERS.items():
        value = parse(f"--{name.replace('_', '-')}", settings.pop(name))
        if value:
            settings[name] = value
    result = conversion.convert(
        input_path, output_path, report_path=report, progress=progress, **settings
    )
    print_report(result, report)


def _signature() -> inspect.Signature:
    """The arguments of `convert` with an option for each field of `ConvertOptions`."""
    given = [*inspect.signature(convert).parameters.values()][:-1]
    settings = [s for s in fields(ConvertOptions) if s.name != "more"]
    return inspect.Signature([*given[:2], *map(_parameter, settings), given[2]])


def _parameter(setting: "Field[Any]") -> inspect.Parameter:
    name = setting.name
    text, default = _HELP[name], setting.default
    kind: Any = _TYPES[name]
    if name in CHOICES:
        text += f" One of {', '.join(CHOICES[name])}."
    metavar = None
    if name in PARSERS:
        kind, default, (_, metavar) = str | None, None, PARSERS[name]
    flags = [FLAGS[name]] if name in FLAGS else []
    shown = True if default is not None else _default_of_reader(name)
    option = typer.Option(*flags, metavar=metavar, help=text, show_default=shown)
    annotation = Annotated[kind, option]
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=default, annotation=annotation)


def _default_of_reader(name: str) -> str | bool:
    """The default of the first format that has an option, to be shown in the help."""
    found = [inspect.signature(read).parameters.get(name) for read in READERS.values()]
    defaults = [parameter.default for parameter in found if parameter is not None]
    return str(defaults[0]) if defaults and defaults[0] else False


def _read_help() -> dict[str, str]:
    """The help of each option, from the docstring of `ConvertOptions`."""
    text = inspect.getdoc(ConvertOptions) or ""
    found = re.findall(r"^(\w+): (.*(?:\n    .*)*)", text, re.MULTILINE)
    helps = {name: " ".join(lines.split()) for name, lines in found}
    flag = re.compile(r"`(\w+)`")
    return {
        name: flag.sub(lambda match: "--" + match[1].replace("_", "-"), line)
        for name, line in helps.items()
    }


_HELP = _read_help()
_TYPES = get_type_hints(ConvertOptions)
convert.__signature__ = _signature()  # type: ignore[attr-defined]
convert.__annotations__ = {
    name: parameter.annotation
    for name, parameter in convert.__signature__.parameters.items()  # type: ignore[attr-defined]
}


def export(
    corpus: Annotated[
        Path,
        typer.Argument(
            metavar="CORPUS.spacy", help="The .spacy file, or a folder of them."
        ),
    ],
    output_dir: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="The folder to write; it must be empty."),
    ],
    format: Annotated[
        str, typer.Option(help=f"The output format: {', '.join(WRITERS)}.")
    ],
    lang: Annotated[str, typer.Option(help="The language of the vocabulary.")] = "xx",
    spans_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Write this span group in place of doc.ents."),
    ] = None,
    report: Report = None,
) -> None:
    """Write the documents of .spacy files in another format.

    'convert' reads what is written back to the same spans. What a format cannot
    express, such as overlapping spans in columns of tags, is reported.

    \b
    Example:
      python -m spacy_ner_ext export corpus/train.spacy brat --format standoff
    """
    result = conversion.export_corpus(
        corpus,
        output_dir,
        format=format,
        lang=lang,
        spans_key=spans_key,
        report_path=report,
        progress=progress,
    )
    print_report(result, report)


def print_report(report: ConversionReport, report_path: Path | None) -> None:
    """Print what was read, changed and written, also to `report_path` if given."""
    msg = printer()
    parts = list(report.parts)
    head = [("format", report.format)]
    if report.scheme:
        head.append(("tag scheme", report.scheme))
    noted = [(KINDS[kind], n.count) for kind, n in report.notes.items() if n.count]
    rows = [
        *((name, value, *[""] * len(parts)) for name, value in head),
        *_rows([report, *report.parts.values()]),
        *((name, str(n), *[""] * len(parts)) for name, n in noted),
    ]
    header = ("", "all", *parts) if parts else None
    aligns = ("l", *"r" * (1 + len(parts)))
    msg.table(rows, header=header, divider=bool(parts), aligns=aligns, max_col=60)
    _print_places(report)
    for warning in report.warnings:
        typer.echo(f"Warning: {warning}", err=True)
    msg.good(f"Wrote {report.target}")
    for path, n_files in report.folders.items():
        msg.info(f"{path} is a folder of {n_files} files")
    if report_path is not None:
        msg.good(f"Wrote {report_path}")


def _rows(counts: list[Counts]) -> list[tuple[str, ...]]:
    whole = counts[0]
    rows: list[tuple[str, list[int]]] = [
        ("documents", [c.documents for c in counts]),
        ("sentences", [c.sentences for c in counts]),
        ("tokens", [c.tokens for c in counts]),
        ("entities", [c.entities.total() for c in counts]),
    ]
    rows += [
        (f"  {label}", [c.entities[label] for c in counts])
        for label, _ in whole.entities.most_common()
    ]
    if whole.unannotated and (whole.entities or not whole.cats):
        rows.append(("not annotated", [c.unannotated for c in counts]))
    rows += [
        (f"category {name}", [c.cats[name] for c in counts])
        for name, _ in whole.cats.most_common()
    ]
    return [(name, *map(str, values)) for name, values in rows]


def _print_places(report: ConversionReport) -> None:
    for kind, what in KINDS.items():
        if kind in HARMLESS:
            continue
        notes = report.notes[kind]
        for place, found in notes.examples[:SHOWN]:
            typer.echo(f"{what}: {place}: {found}")
        if notes.count > SHOWN:
            typer.echo(f"{what}: {notes.count - SHOWN} more, see --report")
