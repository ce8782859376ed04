"""The corpora of a project: `vars.corpora` of its project.yml."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import srsly

from spacy_ner_ext.data.options import PARTS
from spacy_ner_ext.util.errors import UserError, one_line

PROJECT_FILE = "project.yml"


@dataclass(frozen=True)
class Recipe:
    """How one corpus is read.

    train, dev, test: The file or folder of each part, in assets/CORPUS; dev and test
        may be empty.
    split: If dev is empty: the shares of train and dev, or of train, dev and test, that
        the training file is split into.
    hub: A dataset of the Hugging Face hub that `download` takes the files from.
    settings: Options of the conversion.
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
    """Look up a corpus in vars.corpora; by default it has three files in columns.

    RAISES (UserError): If the project does not exist, or the entry is not a recipe.
    """
    path = project_dir / PROJECT_FILE
    variables = read_project(path).get("vars") or {}
    corpora = variables.get("corpora") if isinstance(variables, dict) else None
    entry = (corpora or {}).get(corpus) if isinstance(corpora or {}, dict) else None
    if entry is None:
        return Recipe()
    try:
        return _make_recipe(entry, corpus)
    except UserError as err:
        raise UserError(f"vars.corpora.{corpus}{err}", path) from err


def _make_recipe(entry: Any, corpus: str) -> Recipe:
    if not isinstance(entry, dict) or not isinstance(entry.get("train"), str):
        raise UserError(f" must name the file or folder of 'train' in assets/{corpus}")
    settings = dict(entry)
    names = {part: settings.pop(part, "") for part in PARTS}
    for part, name in names.items():
        if not isinstance(name, str) or Path(name).is_absolute() or ".." in name:
            where = f"the name of a file or folder in assets/{corpus}"
            raise UserError(f".{part} = {name!r} is not {where}; write a relative path")
    split = settings.pop("split", ())
    if not isinstance(split, list | tuple) or bool(split) == bool(names["dev"]):
        raise UserError(" needs 'dev', a file, or 'split', such as [0.8, 0.1, 0.1]")
    if split and (len(split) == 3) == bool(names["test"]):
        raise UserError(" needs 'test', a file, or a third share of 'split', not both")
    hub = settings.pop("hub", "")
    return Recipe(**names, split=tuple(split), hub=hub, settings=settings)


def corpus_folder(project_dir: Path, corpus: str) -> Path:
    """The folder of a corpus.

    RAISES (UserError): If the name is not that of a folder in assets.
    """
    if corpus in ("", ".", "..") or set(corpus) & set("/\\\0"):
        what = f"{corpus!r} is not the name of a corpus; give one such as wnut17"
        raise UserError(what)
    return project_dir / "assets" / corpus


def read_project(project_file: Path) -> dict[str, Any]:
    """Read a project file.

    RAISES (UserError): If it does not exist, or is not a mapping in YAML.
    """
    if not project_file.is_file():
        raise UserError("does not exist; run this in a project", project_file)
    try:
        project = srsly.read_yaml(project_file)
    except ValueError as err:
        what = f"is not a project file ({one_line(err)}); correct it"
        raise UserError(what, project_file) from err
    if not isinstance(project, dict):
        what = "is not a project file, which has 'assets', 'workflows' and 'commands'"
        raise UserError(what, project_file)
    return project
