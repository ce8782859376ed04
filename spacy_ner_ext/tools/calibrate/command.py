"""Fit the probabilities of a pipeline to how often its entities are right."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Optional

import typer

from ...data.examples import read_examples
from ...util.files import check_output, write_json
from ..output import printer, progress
from ..pipeline import BatchSize, Code, GpuId, failure_told, open_pipeline
from .fit import Calibration, find_entity_pipe
from .fit import calibrate as fit
from .store import check_copy, check_labels, store, store_copy
from .temperature import HIGHEST, LOWEST

# Fewer entities than these say little.
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
            help="Annotated documents that it was not trained on, a .spacy file or a "
            "folder of them.",
            exists=True,
        ),
    ],
    output: Annotated[
        Optional[Path],
        typer.Option(
            metavar="DIR", help="Write a copy; if not given, MODEL itself is changed."
        ),
    ] = None,
    component: Annotated[
        Optional[str],
        typer.Option(help="The name of the component, if there are several."),
    ] = None,
    precision: Annotated[
        Optional[float],
        typer.Option(
            help="Also choose for each label the lowest threshold that reaches this "
            "precision on DEV.",
            min=0.0,
            max=1.0,
        ),
    ] = None,
    report: Annotated[
        Optional[Path],
        typer.Option(metavar="FILE", help="Also write what is printed, as JSON."),
    ] = None,
    batch_size: BatchSize = None,
    gpu_id: GpuId = -1,
    code: Code = None,
) -> None:
    """Make probabilities tell how often entities are right.

    Fits the setting temperature of crf_ner or span_marker_ner on documents that it was
    not trained on; the entities that are found stay the same. With --precision it also
    sets a threshold for each label, below which entities are dropped; a label that
    cannot reach the precision keeps all of its entities, and is named.

    The settings are written to config.cfg of the pipeline and to the component's own
    file; a run that is interrupted leaves the pipeline as it was.

    \b
    Example:
      python -m spacy_ner_ext calibrate training/model-best corpus/dev.spacy
      python -m spacy_ner_ext calibrate training/model-best corpus/dev.spacy
        --precision 0.9 --output training/model-precise
    """
    if output is not None:
        check_copy(model, output)
    if report is not None:
        check_output(report, ".json")
    nlp = open_pipeline(model, gpu_id=gpu_id, code=code)
    name = find_entity_pipe(nlp, component).name
    with failure_told(model, "calibrated"):
        found = fit(
            nlp,
            progress(read_examples(dev, nlp)),
            component=name,
            precision=precision,
            batch_size=batch_size,
        )
    check_labels(found.threshold)
    _print(found, precision)
    if report is not None:
        write_json(found.to_dict(), report)
    if output is None:
        store(model, name, found.settings)
    else:
        store_copy(model, output, name, found.settings)
    written = output or model
    printer().good(
        f"Wrote temperature = {found.temperature:g}"
        f"{'' if precision is None else ' and threshold'} of '{name}' to {written}"
    )


def _print(found: Calibration, precision: float | None) -> None:
    message = printer()
    before, after = found.before, found.after
    message.info(
        f"'{found.component}' finds {found.found} entities, {found.correct} of them "
        f"right, of {found.gold}"
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
    rows = [
        (
            label,
            f"{each.threshold:g}",
            f"{100 * each.kept.p:.1f}",
            f"{100 * each.kept.r:.1f}",
            f"{100 * each.kept.f:.1f}",
            f"{100 * each.without.r:.1f}",
            f"{100 * each.without.f:.1f}",
            f"{each.kept.kept} of {each.without.kept}",
        )
        for label, each in found.labels.items()
    ]
    printer().table(
        rows,
        header=("label", "threshold", *"PRF", "R before", "F before", "kept"),
        divider=True,
        aligns=("l", *"rrrrrrr"),
    )


def _warnings(found: Calibration, precision: float | None) -> Iterator[str]:
    if found.old_temperature != 1:
        yield (
            f"It had temperature = {found.old_temperature:g}: this one is fitted "
            "afresh, and takes its place"
        )
    if found.found < FEW:
        yield (
            f"{found.found} entities say little about probabilities: the temperature "
            f"can be trusted with {FEW} or more"
        )
    if found.temperature <= LOWEST * 1.01 or found.temperature >= HIGHEST * 0.99:
        yield (
            f"The temperature is at the end of what is tried, {LOWEST:g} to "
            f"{HIGHEST:g}: more documents may help"
        )
    if found.skipped or found.misaligned:
        yield (
            f"{found.skipped} found entities over words without annotation are left "
            f"out; {found.misaligned} gold entities that do not fit the tokens are "
            "missed"
        )
    yield from _threshold_warnings(found, precision)


def _threshold_warnings(found: Calibration, precision: float | None) -> Iterator[str]:
    had_threshold = found.old_threshold not in (0, {})
    if precision is None:
        if had_threshold and found.temperature != found.old_temperature:
            yield (
                f"threshold = {found.old_threshold} stays, but was chosen for other "
                "probabilities: choose it again, for instance with --precision 0.9"
            )
        return
    if had_threshold:
        yield f"It had threshold = {found.old_threshold}, which is replaced"
    for label, each in found.labels.items():
        if not each.reached:
            yield (
                f"'{label}' reaches a precision of {100 * each.best.p:.1f} % at most, "
                "and keeps all of its entities; a threshold of 1 would drop them"
            )
    if found.unfound:
        yield f"Not found in DEV, and without a threshold: {', '.join(found.unfound)}"
