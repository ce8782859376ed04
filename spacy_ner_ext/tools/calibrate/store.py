"""Write settings of a component into a saved pipeline, and leave all else as it is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import srsly
from thinc.api import Config

from ...util.errors import UserError
from ...util.files import replacing

CONFIG, SETTINGS = "config.cfg", "cfg"


def check_labels(threshold: Any) -> None:
    """Check that a table of thresholds can be written to a config.

    RAISES (UserError): If a label has a character that a config reads otherwise.
    """
    for label in threshold if isinstance(threshold, Mapping) else ():
        config = Config({"threshold": {label: 0.5}})
        if Config().from_str(config.to_str()) != config:
            raise UserError(
                f"the label '{label}' cannot be a name in a config.cfg: rename it, or "
                "calibrate without --precision"
            )


def check_copy(model: Path, output: Path) -> None:
    """Check that a copy of a pipeline can be written.

    model: The folder of the pipeline.
    output: The folder of the copy.
    RAISES (UserError): If something is there, a file is in the way, or it is inside of
        the pipeline.
    """
    if output.exists():
        raise UserError(f"{output} is there already: remove it, or name another")
    if model.resolve() in output.resolve().parents:
        raise UserError(f"{output} is inside of {model}: name a folder beside it")
    files = [path for path in output.parents if path.exists() and not path.is_dir()]
    if files:
        raise UserError(f"{output} cannot be written: {files[0]} is a file")


def store(model: Path, component: str, settings: Mapping[str, Any]) -> None:
    """Change the settings of a component in the folder of a pipeline.

    Two small files change, each at once. The last is config.cfg, whose settings are
    those that hold when a pipeline is loaded: until then it is the pipeline it was.

    component: The name of the component.
    RAISES (UserError): If a file cannot be written.
    """
    path = model / component / SETTINGS
    saved = srsly.read_json(path)
    with replacing(path) as temporary:
        srsly.write_json(temporary, {**saved, **settings})
    config = Config().from_disk(model / CONFIG, interpolate=False)
    # A table of thresholds would be merged with the one that is there.
    config["components"][component] = {**config["components"][component], **settings}
    with replacing(model / CONFIG) as temporary:
        config.to_disk(temporary, interpolate=False)


def store_copy(
    model: Path, output: Path, component: str, settings: Mapping[str, Any]
) -> None:
    """Copy the folder of a pipeline and change the settings of a component in it.

    model: The folder, which stays as it is.
    output: The folder of the copy, which must not be there.
    component: The name of the component.
    RAISES (UserError): As `check_copy`, or if it cannot be written.
    """
    check_copy(model, output)
    with replacing(output) as temporary:
        shutil.copytree(model, temporary)
        store(temporary, component, settings)
