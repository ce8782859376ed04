"""Find the names of tags that are numbers."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...util.errors import Place, UserError
from ..text import check_input, read_lines
from .dataset_source import NAMES_FILE
from .json_value import excerpt, parse_json
from .tags import Tag, parse_tag

TagNames = dict[int, Tag]

MULTINERD = "PER ORG LOC ANIM BIO CEL DIS EVE FOOD INST MEDIA MYTH PLANT TIME VEHI"
KNOWN = {
    "Babelscape/multinerd": [
        "O",
        *(f"{prefix}-{label}" for label in MULTINERD.split() for prefix in "BI"),
    ],
}


def find_tag_names(
    path: Path, feature: Any = None, names_path: Path | None = None
) -> TagNames | None:
    """Find names that are given, in the dataset, or known; None if none are.

    path: The file or folder of the dataset, or its id on the hub.
    feature: The description of the column, as JSON values.
    """
    if names_path is not None:
        return _read_names(Path(names_path))
    names = class_names(feature)
    if names is None:
        names = KNOWN.get(path.as_posix())
    return None if names is None else _parsed(enumerate(names), path)


def find_names_beside(path: Path) -> TagNames | None:
    """Read `labels.json` in the folder of a dataset, or next to its file; None if it
    does not exist."""
    beside = (path if path.is_dir() else path.parent) / NAMES_FILE
    return _read_names(beside) if beside.is_file() else None


def class_names(feature: Any) -> list[str] | None:
    """Get the names of a `ClassLabel` from the description of a column, if any."""
    while feature:
        if isinstance(feature, list):
            feature = feature[0]
        elif not isinstance(feature, Mapping):
            break
        elif isinstance(feature.get("names"), list):
            return feature["names"]
        else:
            feature = feature.get("feature")
    return None


def _read_names(path: Path) -> TagNames:
    check_input(path)
    text = "\n".join(line for _, line in read_lines(path))
    values = parse_json(text, Place(path, 1), "the text from here")
    if isinstance(values, list):
        return _parsed(enumerate(values), path)
    if not isinstance(values, dict):
        what = f"holds {excerpt(values)}, not a list of tags"
        raise UserError(f'{what}; write one such as ["O", "B-PER"]', path)
    pairs = [_pair(key, value, path) for key, value in values.items()]
    numbers = [number for number, _ in pairs]
    for number in numbers:
        if numbers.count(number) > 1:
            raise UserError(f"number {number} has two names; keep one", path)
    return _parsed(pairs, path)


def _pair(key: str, value: Any, path: Path) -> tuple[int, Any]:
    if type(value) is int:
        return value, key
    if key.isdecimal():
        return int(key), value
    what = f"'{key}' has the value {excerpt(value)}, not the number of the tag"
    raise UserError(f"{what}; correct it", path)


def _parsed(names: Iterable[tuple[int, Any]], path: Path) -> TagNames:
    tags = {}
    for number, name in names:
        tag = parse_tag(name) if isinstance(name, str) else None
        if tag is None:
            what = f"the name of tag {number}, {excerpt(name)}, is not O or a prefix"
            advice = "and a label such as B-PER; give the names with --tag-names"
            raise UserError.at(Place(path, number, "tag"), f"{what} {advice}")
        tags[number] = tag
    return tags
