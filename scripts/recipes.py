"""How the corpora of a project are read: `vars.corpora` of its project.yml."""

import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.assets import PROJECT_FILE, corpus_folder, read_project
from spacy_ner_ext.data.report import ConversionReport
from spacy_ner_ext.data.split.settings import PARTS, SplitOptions
from spacy_ner_ext.tools.convert.convert import Progress, convert_file
from spacy_ner_ext.util.errors import UserError
from spacy_ner_ext.util.files import check_output

SHAPING = tuple(
    setting.name
    for setting in fields(SplitOptions)
    if setting.name not in ("split", "seed")
)
# Settings of the conversion; all others have to be those of the format.
CONVERSION = ("format", "align", "spans_key", "labels", "map")
NOT_SETTINGS = tuple(
    set(inspect.signature(convert_file).parameters) - {*CONVERSION, "options"}
)


@dataclass(frozen=True)
class Recipe:
    """How one corpus is read.

    train, dev, test: The file or folder of each part, in assets/CORPUS; dev and test
        may be empty.
    split: If dev is empty: the shares of train and dev, or of train, dev and test, that
        the training file is divided in.
    hub: A dataset of the Hugging Face hub that `download` takes the files from.
    settings: Arguments of `convert_file`, of the format's reader and of `SplitOptions`.
    """

    train: str = "train.conll"
    dev: str = "dev.conll"
    test: str = "test.conll"
    split: tuple[float, ...] = ()
    hub: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def names(self) -> dict[str, str]:
        """The file or folder of each part that has one."""
        named = {part: getattr(self, part) for part in PARTS}
        return {part: name for part, name in named.items() if name}


def read_recipe(project_dir: Path, corpus: str) -> Recipe:
    """Look up how a corpus is read.

    project_dir: The folder with the project.yml.
    corpus: The name of the corpus.
    RETURNS: What vars.corpora says of it; if that is nothing, the three files in
        columns that a corpus has by default.
    RAISES (UserError): If there is no such project, or the entry is not one.
    """
    path = project_dir / PROJECT_FILE
    variables = read_project(path).get("vars") or {}
    corpora = variables.get("corpora") if isinstance(variables, dict) else None
    entry = (corpora or {}).get(corpus) if isinstance(corpora or {}, dict) else None
    if entry is None:
        return Recipe()
    where = f"vars.corpora.{corpus}"
    if not isinstance(entry, dict) or not isinstance(entry.get("train"), str):
        what = f"{where} must name the file or folder of 'train' in assets/{corpus}"
        raise UserError(what, path)
    entry = dict(entry)
    names = {part: entry.pop(part, "") for part in PARTS}
    for part, name in names.items():
        if not isinstance(name, str) or Path(name).is_absolute() or ".." in name:
            what = f"{where}.{part} = {name!r} is no name in assets/{corpus}"
            raise UserError(f"{what}; write that of a file or folder", path)
    split = entry.pop("split", ())
    if not isinstance(split, list | tuple) or bool(split) == bool(names["dev"]):
        what = f"{where} needs 'dev', a file, or 'split', such as [0.8, 0.1, 0.1]"
        raise UserError(what, path)
    if split and (len(split) == 3) == bool(names["test"]):
        what = f"{where} needs 'test', a file, or a third share of 'split', not both"
        raise UserError(what, path)
    hub = entry.pop("hub", "")
    for name in entry:
        if name in NOT_SETTINGS or name == "seed":
            known = ", ".join((*CONVERSION, *SHAPING))
            what = f"{where}.{name} is no setting of a corpus; there are {known}"
            raise UserError(f"{what}, and those of the format", path)
    return Recipe(**names, split=tuple(split), hub=hub, settings=entry)


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
    """Convert the parts of a project's corpus to train.spacy, dev.spacy, test.spacy.

    project_dir: The folder with the project.yml.
    corpus: The name of the corpus.
    target: The folder to write to.
    labels: The labels to keep, in place of those of the recipe; empty for all.
    progress: Wraps the documents as they pass, for a progress bar.
    RETURNS: What was read, changed and written.
    RAISES (UserError): If a file or a setting cannot be used.
    """
    recipe = read_recipe(project_dir, corpus)
    settings = dict(recipe.settings)
    if labels:
        settings["labels"] = labels
    shaping = {name: settings.pop(name) for name in SHAPING if name in settings}
    reports = []
    folder = corpus_folder(project_dir, corpus)
    paths = {part: target / f"{part}.spacy" for part in PARTS}
    for path in paths.values():
        check_output(path, ".spacy")
    # All parts or none: each is converted to a folder that takes the files at the end.
    with _folder_beside(target) as partial:
        for part, name in recipe.names().items():
            is_split = part == "train" and bool(recipe.split)
            report = convert_file(
                folder / name,
                partial if is_split else partial / f"{part}.spacy",
                lang=lang,
                shaping=_shaping(shaping, part, recipe.split if is_split else (), seed),
                progress=progress,
                **settings,
            )
            report.target = str(target if is_split else paths[part])
            reports.append(report)
        for path in sorted(partial.iterdir()):
            os.replace(path, paths[path.stem])
    return reports


def _shaping(
    settings: Mapping[str, Any], part: str, split: tuple[float, ...], seed: int
) -> SplitOptions:
    own = {**settings, "split": split, "seed": seed}
    if not split:
        own["stratify"] = False
    if part != "train":
        own["oversample"] = {}
    return SplitOptions(**own)


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    try:
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".prepare.", dir=target) as folder:
            yield Path(folder)
    except OSError as err:
        raise UserError(f"cannot be written ({err.strerror})", target) from err
    finally:
        if target.is_dir() and not any(target.iterdir()):
            target.rmdir()
