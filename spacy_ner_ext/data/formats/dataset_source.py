"""Read the rows of a dataset from the Hugging Face Hub, a folder, or a file."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

from ...util.errors import Place, UserError, one_line
from ..text import check_input
from .table_file import SUFFIXES, Row, read_rows

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
# Tokens and tags are lists, which fields of text cannot hold.
FILE_SUFFIXES = tuple(s for s in SUFFIXES if s not in (".csv", ".tsv"))
# Files of a folder that `save_to_disk` wrote.
SAVED_DATASET = ("dataset_info.json", "dataset_dict.json", "state.json")
# Names of tags, in the same folder.
NAMES_FILE = "labels.json"
BATCH = 256


class Source(NamedTuple):
    """A dataset: the description of its columns, which may be empty, and its rows."""

    features: Mapping[str, Any]
    rows: Callable[[], Iterator[Row]]


def open_source(path: Path, split: str | None, config: str | None) -> Source:
    """Open a file or a folder of them, a folder of `save_to_disk`, or a hub dataset."""
    is_hub_id = HUB_ID.fullmatch(path.as_posix()) and path.suffix not in SUFFIXES
    is_hub = is_hub_id and not path.exists()
    if config is not None and not is_hub:
        what = "is a local path and has no configurations; leave out --dataset-config"
        raise UserError(what, path)
    files = data_files(path) if path.is_dir() else [path]
    if is_hub or not files:
        return _load(path, split, config)
    if not path.is_dir():
        check_input(path)
    suffix = files[0].suffix.lower()
    if suffix not in FILE_SUFFIXES:
        what = "is not a folder of save_to_disk, nor a file that ends in "
        raise UserError(f"{what}{', '.join(FILE_SUFFIXES)}; convert it to one", path)
    if split is not None:
        raise UserError("has only one split; leave out --dataset-split", path)
    features = _features(files[0]) if suffix == ".parquet" else {}
    return Source(features, lambda: (row for file in files for row in read_rows(file)))


def data_files(folder: Path) -> list[Path]:
    """List the files of rows in a folder that `save_to_disk` did not write."""
    files = sorted(path for path in folder.iterdir() if path.name != NAMES_FILE)
    is_saved = any(path.name in SAVED_DATASET for path in files)
    return [f for f in files if f.suffix.lower() in FILE_SUFFIXES and not is_saved]


def _features(path: Path) -> Mapping[str, Any]:
    from pyarrow import ArrowException
    from pyarrow.parquet import read_schema

    with suppress(ArrowException, OSError, ValueError, KeyError, TypeError):
        metadata = read_schema(path).metadata or {}
        return dict(json.loads(metadata[b"huggingface"])["info"]["features"])
    # Without a description, or damaged, which reading the rows reports.
    return {}


def _load(path: Path, split: str | None, config: str | None) -> Source:
    from datasets import load_dataset, load_from_disk

    # Older versions can run code of datasets; newer ones do not take the argument.
    name = "trust_remote_code"
    refusal = {name: False} if name in signature(load_dataset).parameters else {}
    try:
        with without_progress_bars():
            if path.is_dir():
                found: Any = load_from_disk(str(path))
            else:
                hub_id = path.as_posix()
                found = load_dataset(hub_id, config, streaming=True, **refusal)
    # The errors of datasets, pyarrow, fsspec and the HTTP client share no class.
    except Exception as err:
        raise UserError(_reason(err, path.is_dir()), path) from err
    splits = found if isinstance(found, dict) else {str(found.split or "train"): found}
    if split is None and len(splits) == 1:
        (split,) = splits
    if split not in splits:
        names = ", ".join(splits) or "nothing"
        what = f"has no split '{split}', only {names}"
        if split is None:
            what = f"has the splits {names}"
        raise UserError(f"{what}; choose one with --dataset-split", path)
    dataset = splits[split]
    described = {} if dataset.features is None else dataset.features.to_dict()
    return Source(described, lambda: _dataset_rows(dataset, path))


def _reason(err: Exception, is_local: bool) -> str:
    advice = "check the name and the network, --dataset-config, and HF_TOKEN if the "
    advice += "dataset is private or gated; or give a folder of save_to_disk"
    if is_local:
        advice = "give a complete folder of save_to_disk, or one of the files in it"
    return f"cannot be loaded ({type(err).__name__}: {one_line(err)}); {advice}"


def _dataset_rows(dataset: Any, path: Path) -> Iterator[Row]:
    number = 0
    try:
        for table in dataset.with_format("arrow").iter(BATCH):
            for row in table.to_pylist():
                number += 1
                yield Place(path, number, "row"), row
    # As above. Errors in what is done with the rows do not come here.
    except Exception as err:
        what = f"cannot be read further ({type(err).__name__}: {one_line(err)})"
        place = Place(path, number + 1, "row")
        raise place.error(f"{what}; download the dataset again") from err
    if not number:
        raise UserError("the dataset has no row; check how it was made", path)


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Disable the progress bars of the datasets library in a block."""
    from datasets import utils

    are_shown = not utils.are_progress_bars_disabled()
    utils.disable_progress_bars()
    try:
        yield
    finally:
        if are_shown:
            utils.enable_progress_bars()
