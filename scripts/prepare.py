"""Convert the corpus of a project."""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from scripts.corpora import PROJECT_FILE, corpus_folder, read_recipe
from spacy_ner_ext.data.options import PARTS, ConvertOptions
from spacy_ner_ext.data.output import check_corpus, move_corpus
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.tools.convert.command import print_report
from spacy_ner_ext.tools.convert.convert import Progress, convert
from spacy_ner_ext.tools.errors import run_command
from spacy_ner_ext.tools.options import names
from spacy_ner_ext.tools.output import printer, progress
from spacy_ner_ext.util.errors import UserError
from spacy_ner_ext.util.files import check_output, write_json

# Given for all corpora of a project, or not a setting of a corpus.
NOT_SETTINGS = {"lang", "seed", "shard_size", "more"}
NOT_SETTINGS |= set(inspect.signature(convert).parameters)
SETTINGS = [s.name for s in fields(ConvertOptions) if s.name not in NOT_SETTINGS]


def prepare(
    corpus: Annotated[
        str, typer.Argument(help="The corpus: the name of a folder under assets/.")
    ],
    output_dir: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="The folder to write train.spacy, dev.spacy and test.spacy to.",
        ),
    ],
    lang: Annotated[
        str,
        typer.Option(
            help="The language of the tokenizer; documents marked with another "
            "language are skipped."
        ),
    ] = "en",
    labels: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Keep these labels and drop all others."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Also write the counts, and the places that were repaired, as JSON.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of a split.")] = 0,
    project_dir: Annotated[
        Path, typer.Option("--project", help="The folder with the project.yml.")
    ] = Path(),
) -> None:
    """Convert the parts of a corpus as vars.corpora of project.yml describes it.

    A corpus that is not listed there has the files train.conll, dev.conll and
    test.conll. To convert a single file of any format, use the command 'convert' of
    spacy_ner_ext.

    \b
    Example:
      python -m scripts.prepare wnut17 corpus/wnut17
    """
    if report is not None:
        check_output(report, ".json")
    found = prepare_corpus(
        project_dir,
        corpus,
        output_dir,
        lang=lang,
        labels=names("--labels", labels),
        seed=seed,
        progress=progress,
    )
    for part in found:
        print_report(part, None)
    if report is not None:
        write_json([part.to_dict() for part in found], report)
        printer().good(f"Wrote {report}")


def prepare_corpus(
    project_dir: Path,
    corpus: str,
    target: Path,
    *,
    lang: str = "en",
    labels: tuple[str, ...] = (),
    seed: int = 0,
    progress: Progress = iter,
) -> list[ConversionReport]:
    """Convert the parts of a corpus to train.spacy, dev.spacy and test.spacy.

    target: The folder to write to.
    labels: The labels to keep, in place of those of the recipe; empty for all.
    progress: Wraps the documents as they pass, for a progress bar.
    RETURNS: What was read, changed and written.
    RAISES (UserError): If a file or a setting cannot be used.
    """
    recipe = read_recipe(project_dir, corpus)
    settings = _check_settings(recipe.settings, project_dir, corpus)
    if labels:
        settings["labels"] = labels
    reports = []
    folder = corpus_folder(project_dir, corpus)
    paths = {part: target / f"{part}.spacy" for part in PARTS}
    for path in paths.values():
        check_corpus(path)
    # All parts or none: they are converted in a temporary folder and moved at the end.
    with _folder_in(target) as partial:
        for part, name in recipe.names().items():
            is_split = part == "train" and bool(recipe.split)
            report = convert(
                folder / name,
                partial if is_split else partial / f"{part}.spacy",
                lang=lang,
                seed=seed,
                progress=progress,
                **_own(settings, part, recipe.split if is_split else ()),
            )
            report.target = str(target if is_split else paths[part])
            report.folders = {
                str(target / Path(path).name): n for path, n in report.folders.items()
            }
            reports.append(report)
        for path in sorted(partial.iterdir()):
            move_corpus(path, paths[path.stem])
    return reports


def _check_settings(
    settings: Mapping[str, Any], project_dir: Path, corpus: str
) -> dict[str, Any]:
    for name in NOT_SETTINGS & settings.keys():
        what = f"vars.corpora.{corpus}.{name} is not a setting of a corpus"
        advice = f"use {', '.join(SETTINGS)}"
        raise UserError(f"{what}; {advice}", project_dir / PROJECT_FILE)
    return dict(settings)


def _own(
    settings: Mapping[str, Any], part: str, split: tuple[float, ...]
) -> dict[str, Any]:
    """The settings of a part: only what is split is stratified, and only train is
    oversampled."""
    own = {**settings, "split": split}
    if not split:
        own["stratify"] = False
    if part != "train":
        own["oversample"] = {}
    return own


@contextmanager
def _folder_in(target: Path) -> Iterator[Path]:
    try:
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".prepare.", dir=target) as folder:
            yield Path(folder)
    except OSError as err:
        raise UserError(f"cannot be written ({err.strerror})", target) from err
    finally:
        if target.is_dir() and not any(target.iterdir()):
            target.rmdir()


if __name__ == "__main__":
    run_command(prepare, "python -m scripts.prepare")
