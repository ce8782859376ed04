"""Change settings of a component in the folder of a saved pipeline."""

import configparser
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import srsly
from thinc.api import Config

from ...util.errors import UserError
from ...util.files import replacing

CONFIG, SETTINGS = "config.cfg", "cfg"


def check_copy(output: Path, model: Path | None, *, overwrite: bool = False) -> None:
    """Check that a copy of the pipeline in the folder `model` can be written."""
    if output.exists() and not overwrite:
        raise UserError(f"{output} exists: choose another folder, or use --overwrite")
    place = output.resolve()
    if model is not None and model.resolve() in (place, *place.parents):
        raise UserError(f"{output} is inside of {model}: choose another folder")
    files = [path for path in output.parents if path.exists() and not path.is_dir()]
    if files:
        raise UserError(f"{output} cannot be written: {files[0]} is a file")


def check_labels(threshold: Any) -> None:
    """Check that a config can hold the labels of a table of thresholds as names."""
    for label in threshold if isinstance(threshold, Mapping) else ():
        if not _is_name(label):
            raise UserError(
                f"the label '{label}' cannot be a name in a config.cfg: rename it, or "
                "calibrate without a precision"
            )


def _is_name(label: str) -> bool:
    """Whether a config is read back as it was written with this name."""
    config = Config({"threshold": {label: 0.5}})
    try:
        return Config().from_str(config.to_str()) == config
    # Python 3.14 refuses to write some.
    except configparser.Error:
        return False


def store(
    model: Path,
    component: str,
    settings: Mapping[str, Any],
    output: Path | None = None,
) -> None:
    """Change settings of a component in a saved pipeline, or in a copy of it."""
    if output is None:
        _change(model, component, settings)
        return
    with replacing(output) as temporary:
        shutil.copytree(model, temporary)
        _change(temporary, component, settings)


def _change(model: Path, component: str, settings: Mapping[str, Any]) -> None:
    path = model / component / SETTINGS
    saved = srsly.read_json(path)
    with replacing(path) as temporary:
        srsly.write_json(temporary, {**saved, **settings})
    config = Config().from_disk(model / CONFIG, interpolate=False)
    # A new table, since one of thresholds would be merged with the existing table.
    config["components"][component] = {**config["components"][component], **settings}
    # The settings of config.cfg are those of the loaded pipeline. It is written last,
    # so that an interruption leaves the pipeline unchanged.
    with replacing(model / CONFIG) as temporary:
        config.to_disk(temporary, interpolate=False)
