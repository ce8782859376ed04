"""Download datasets of the Hugging Face hub as files."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from spacy_ner_ext.data.formats.dataset_source import NAMES_FILE, open_source
from spacy_ner_ext.data.formats.tag_names import KNOWN, class_names
from spacy_ner_ext.util.errors import UserError
from spacy_ner_ext.util.files import replacing, write_json


def download_split(
    hub: str,
    path: Path,
    *,
    tags_column: str = "ner_tags",
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> None:
    """Write one split of a dataset as a .jsonl file, with the names of its tags beside.

    hub: The id of the dataset, "owner/name".
    path: The file; its name without ending is that of the split.
    tags_column: The column of tags; where they are numbers with names, the names are
        written to labels.json.
    progress: Wraps the rows as they pass, for a progress bar.
    RAISES (UserError): If there is no such dataset or split, or no network.
    """
    source = open_source(Path(hub), path.stem, None)
    with replacing(path) as partial, partial.open("w", encoding="utf-8") as file:
        for place, row in progress(source.rows()):
            try:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            except TypeError as err:
                what = f"holds something that JSON cannot ({err}); export it yourself"
                raise UserError.at(place, what) from err
    names = class_names(source.features.get(tags_column)) or KNOWN.get(hub)
    if names:
        write_json(list(names), path.parent / NAMES_FILE)
