"""Command `calibrate`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Optional

import typer

from ...scorers.temperature import HIGHEST, LOWEST
from ...util.files import check_output
from ..device import GpuId, use_device
from ..loading import import_functions
from ..output import printer, progress
from ..pipeline import BatchSize, Code, Component, failure_told
from .calibrate import Calibration
from .calibrate import calibrate as run

# With fewer entities a temperature is unreliable.
FEW = 100


def calibrate(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="The folder of a trained pipeline.",
            exists=True,
            file_okay=False,
        ),
    ],
    dev: Annotated[
        Path,
        typer.Argument(
            metavar="DEV",
            help="Annotated documents that the pipeline was not trained on: a .spacy "
            "file, or a folder of them.",
            exists=True,
        ),
    ],
    output: Annotated[
        Optional[Path],
        typer.Option(
            *("--output", "-o"),
            metavar="DIR",
            help="Write a calibrated copy; by default MODEL itself is changed.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing --output.")
    ] = False,
    component: Component = None,
    precision: Annotated[
        Optional[float],
        typer.Option(
            help="Also set the threshold of each label to the lowest that reaches this "
            "precision on DEV.",
            min=0.0,
            max=1.0,
        ),
    ] = None,
    report: Annotated[
        Optional[Path],
        typer.Option(metavar="FILE", help="Also write the results as JSON."),
    ] = None,
    batch_size: BatchSize = None,
    gpu_id: GpuId = -1,
    code: Code = None,
) -> None:
    """Calibrate probabilities: of entities with score 0.9, 90 % should be right.

    Fits the temperature of crf_ner or span_marker_ner to documents that the pipeline
    was not trained on; the predicted entities do not change. With --precision it also
    sets a threshold for each label, below which entities are dropped. A label that
    cannot reach the precision keeps all of its entities, with a warning.

    The settings are written to the config.cfg of the pipeline and to the component's
    cfg; an interrupted run leaves the pipeline unchanged.

    \b
    Examples:
      python -m spacy_ner_ext calibrate training/model-best corpus/dev.spacy
      python -m spacy_ner_ext calibrate training/model-best corpus/dev.spacy
        --precision 0.9 --output training/model-precise
    """
    if report is not None:
        check_output(report, ".json")
    use_device(gpu_id)
    import_functions(code)
    with failure_told(model, "calibrated"):
        found = run(
            model,
            dev,
            output=output,
            overwrite=overwrite,
            component=component,
            precision=precision,
            batch_size=batch_size,
            progress=progress,
        )
    _print(found, precision)
    if report is not None:
        found.to_json(report)
    printer().good(
        f"Wrote temperature = {found.temperature:g}"
        f"{'' if precision is None else ' and threshold'} of '{found.component}' to "
        f"{output or model}"
    )


def _print(found: Calibration, precision: float | None) -> None:
    message = printer()
    before, after = found.before, found.after
    message.info(
        f"'{found.component}' finds {found.found} entities, {found.correct} of them "
        f"right, of {found.gold} gold entities"
    )
    rows = (
        ("temperature", "1", f"{found.temperature:g}"),
        ("ECE", f"{before.ece:.4f}", f"{after.ece:.4f}"),
        ("Brier score", f"{before.brier:.4f}", f"{after.brier:.4f}"),
        ("log loss", f"{before.log_loss:.4f}", f"{after.log_loss:.4f}"),
    )
    message.table(
        rows, header=("", "without", "fitted"), divider=True, aligns=("l", "r", "r")
    )
    if precision is not None:
        _print_thresholds(found)
    for warning in _warnings(found, precision):
        message.warn(warning)


def _print_thresholds(found: Calibration) -> None:
    rows = []
    for label, each in found.labels.items():
        kept, without = each.kept, each.without
        scores = kept.p, kept.r, kept.f, without.r, without.f
        percent = [f"{100 * score:.1f}" for score in scores]
        n_kept = f"{kept.kept} of {without.kept}"
        rows.append((label, f"{each.threshold:g}", *percent, n_kept))
    printer().table(
        rows,
        header=("label", "threshold", *"PRF", "R before", "F before", "kept"),
        divider=True,
        aligns=("l", *"rrrrrrr"),
    )


def _warnings(found: Calibration, precision: float | None) -> Iterator[str]:
    if found.old_temperature != 1:
        yield f"It replaces temperature = {found.old_temperature:g}"
    if found.found < FEW:
        yield (
            f"The temperature is fitted to {found.found} entities only: it is reliable "
            f"with {FEW} or more"
        )
    if found.temperature <= LOWEST * 1.01 or found.temperature >= HIGHEST * 0.99:
        yield (
            f"The temperature is at the end of its range, {LOWEST:g} to {HIGHEST:g}: "
            "use more documents"
        )
    if found.skipped or found.misaligned:
        yield (
            f"{found.skipped} predicted entities over tokens without annotation are "
            f"skipped; {found.misaligned} gold entities that do not fit the tokens "
            "count as missed"
        )
    had_threshold = found.old_threshold not in (0, {})
    if precision is not None:
        yield from _threshold_warnings(found, had_threshold)
    elif had_threshold and found.temperature != found.old_temperature:
        yield (
            f"threshold = {found.old_threshold} does not change, but was chosen for "
            "other probabilities: choose it again, for instance with --precision 0.9"
        )


def _threshold_warnings(found: Calibration, had_threshold: bool) -> Iterator[str]:
    if had_threshold:
        yield f"It replaces threshold = {found.old_threshold}"
    for label, each in found.labels.items():
        if not each.reached:
            yield (
                f"'{label}' reaches a precision of {100 * each.best.p:.1f} % at most "
                "and keeps all of its entities; set its threshold to 1 to drop them"
            )
    if found.unfound:
        yield f"Labels that are not found in DEV: {', '.join(found.unfound)}"
