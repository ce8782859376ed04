"""Convert a corpus to spaCy's binary format."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ...data.align import ALIGNMENTS
from ...data.formats.registry import READERS
from ...data.formats.tags import SCHEMES
from ...data.report import HARMLESS, KINDS, ConversionReport, Counts
from ...data.split.settings import SplitOptions
from ..options import names, numbers, renames, shares
from ..output import printer, progress
from .convert import convert_file

SHOWN = 5


def convert(
    input_path: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="The file or folder to read, or the hub id of a dataset.",
        ),
    ],
    output_path: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT",
            help="The .spacy file to write, or the folder with --shard-size or "
            "--split. It is replaced if it exists; missing folders are created.",
        ),
    ],
    format: Annotated[
        str | None,
        typer.Option(
            help=f"The input format: {', '.join(READERS)}.",
            show_default="recognised if it is certain",
        ),
    ] = None,
    lang: Annotated[
        str,
        typer.Option(
            help="The language of the tokenizer; texts that tell another are left out. "
            "Several as en,de; xx takes all."
        ),
    ] = "en",
    align: Annotated[
        str,
        typer.Option(
            help=f"Entities that are not of whole tokens: {', '.join(ALIGNMENTS)}. "
            "strict drops them, and their tokens have no annotation then; contract "
            "takes the tokens inside; expand all that they touch."
        ),
    ] = "expand",
    spans_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Write all entities, nested ones too, to this span group beside "
            "doc.ents, which holds those without overlap, the longest first.",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="Keep these labels; entities of others become none."
        ),
    ] = None,
    map: Annotated[
        str | None,
        typer.Option(metavar="A=B,C=D", help="Give labels another name; done first."),
    ] = None,
    max_length: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Cut documents of more than N tokens, but no entity: at --split-regex "
            "or sentence starts, and where that is not enough at any token.",
        ),
    ] = 0,
    split_regex: Annotated[
        str,
        typer.Option(
            metavar="REGEX",
            help="Documents may be cut behind what this matches, such as '\\n\\n+'; "
            "without --max-length they are cut at each match.",
        ),
    ] = "",
    downsample: Annotated[
        float, typer.Option(metavar="SHARE", help="Draw this share of the documents.")
    ] = 1.0,
    limit: Annotated[
        int, typer.Option(metavar="N", help="Take the first N documents; 0 for all.")
    ] = 0,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C",
            help="Write train.spacy, dev.spacy and, of three, test.spacy, as in "
            "0.8,0.1,0.1. What is of one document stays together.",
        ),
    ] = None,
    stratify: Annotated[
        bool,
        typer.Option(
            "--stratify", help="Split so that each label has the shares of --split."
        ),
    ] = False,
    oversample: Annotated[
        str | None,
        typer.Option(
            metavar="A,B=SHARE",
            help="Repeat documents with rare labels until this share of documents has "
            "each, as in BIO,DIS=0.05,MYTH=0.02; after a split in train alone.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all that is drawn.")] = 0,
    shard_size: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Write a folder of .spacy files of N documents each, which spaCy's "
            "Corpus reads as one; 0 for one file.",
        ),
    ] = 0,
    docs_of: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="conll, conllu, datasets: group N sentences into a document; 0 takes "
            "all of one document of the input.",
            show_default="1",
        ),
    ] = None,
    token_column: Annotated[
        int | None,
        typer.Option(
            help="conll: the column of the token, from 0; negative from the end.",
            show_default="0",
        ),
    ] = None,
    tag_column: Annotated[
        int | None,
        typer.Option(
            help="conll: the column of the tag, from 0; negative from the end.",
            show_default="-1",
        ),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(
            help="conll: what separates columns: tab, space (any number of spaces "
            "and tabs), or auto: tab on lines that have one, else space.",
            show_default="auto",
        ),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(
            help=f"conll, conllu: the tag scheme: {', '.join(SCHEMES)}, or auto to "
            "recognise it from all tags of the file.",
            show_default="auto",
        ),
    ] = None,
    entity_key: Annotated[
        str | None,
        typer.Option(
            help="conllu: the key in MISC, or the column, that has the tags.",
            show_default="the first that fits",
        ),
    ] = None,
    fragments: Annotated[
        str | None,
        typer.Option(
            help="standoff: an entity of several fragments is one from its start to "
            "its end (merge), or one a fragment (parts).",
            show_default="merge",
        ),
    ] = None,
    dataset_split: Annotated[
        str | None,
        typer.Option(help="datasets: the split to read, such as train."),
    ] = None,
    dataset_config: Annotated[
        str | None,
        typer.Option(help="datasets: the configuration of a dataset on the hub."),
    ] = None,
    tokens_column: Annotated[
        str | None,
        typer.Option(help="datasets: the column of tokens.", show_default="tokens"),
    ] = None,
    tags_column: Annotated[
        str | None,
        typer.Option(help="datasets: the column of tags.", show_default="ner_tags"),
    ] = None,
    tag_names: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="datasets: the names of tags that are numbers.",
            show_default="labels.json beside the file",
        ),
    ] = None,
    text_column: Annotated[
        str | None,
        typer.Option(help="table, textcat: the column of texts.", show_default="text"),
    ] = None,
    spans_column: Annotated[
        str | None,
        typer.Option(help="table: the column of spans.", show_default="spans"),
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(
            help="textcat: the column of categories.", show_default="label, or cats"
        ),
    ] = None,
    exclusive: Annotated[
        bool | None,
        typer.Option(
            "--exclusive/--multi-label",
            help="textcat: whether each text must have exactly one category.",
            show_default="multi-label",
        ),
    ] = None,
    categories: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="textcat: all categories; those of the file if not given.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Also write the counts, and the places that were repaired, as JSON.",
        ),
    ] = None,
) -> None:
    """Convert a corpus to .spacy files for 'spacy train'.

    Documents pass one by one, so that the input may be of any size. What is repaired
    or dropped is reported with file and line; if anything is wrong with the input, the
    command names file and line, and nothing is written.

    \b
    Examples:
      python -m spacy_ner_ext convert train.conll corpus/train.spacy --docs-of 10
      python -m spacy_ner_ext convert brat/ corpus --split 0.8,0.1,0.1 --stratify
      python -m spacy_ner_ext convert train.jsonl corpus/train.spacy --align contract
    """
    options: dict[str, Any] = {
        "docs_of": docs_of,
        "token_column": token_column,
        "tag_column": tag_column,
        "delimiter": delimiter,
        "scheme": scheme,
        "entity_key": entity_key,
        "fragments": fragments,
        "dataset_split": dataset_split,
        "dataset_config": dataset_config,
        "tokens_column": tokens_column,
        "tags_column": tags_column,
        "tag_names": tag_names,
        "text_column": text_column,
        "spans_column": spans_column,
        "label_column": label_column,
        "exclusive": exclusive,
        "categories": names("--categories", categories) or None,
    }
    shaping = SplitOptions(
        split_regex=split_regex,
        max_length=max_length,
        downsample=downsample,
        limit=limit,
        split=numbers("--split", split),
        stratify=stratify,
        oversample=shares("--oversample", oversample),
        seed=seed,
    )
    result = convert_file(
        input_path,
        output_path,
        format=format,
        lang=lang,
        align=align,
        spans_key=spans_key,
        labels=names("--labels", labels),
        map=renames("--map", map),
        shaping=shaping,
        shard_size=shard_size,
        report_path=report,
        progress=progress,
        **{name: value for name, value in options.items() if value is not None},
    )
    print_report(result, report)


def print_report(report: ConversionReport, report_path: Path | None) -> None:
    """Print what was read, changed and written.

    report_path: The file that has it too, if any.
    """
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
