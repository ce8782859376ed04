"""Calibrate a component: fit its temperature and thresholds to annotated documents."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training import Example

from ...data.read import read_examples
from ...pipes.entities import EntityPipe
from ...pipes.find import find_component
from ...pipes.temperature import check_temperature
from ...pipes.thresholds import Threshold, check_threshold
from ...scorers.temperature import fit_temperature
from ...util.errors import UserError
from ...util.files import replacing, write_json
from ..loading import load_pipeline
from .evidence import Evidence, collect
from .fit import LabelThreshold, Quality, fit_thresholds, measure
from .store import check_copy, check_labels, store


@dataclass(frozen=True)
class Calibration:
    """The fitted settings of a component, and the quality of its probabilities."""

    component: str
    temperature: float
    threshold: Threshold  # one for all labels, or by label
    old_temperature: float
    old_threshold: Threshold
    found: int  # predicted entities, without a threshold
    correct: int  # of these
    gold: int  # gold entities
    skipped: int  # predictions over tokens without annotation
    misaligned: int  # gold entities that do not fit the tokens
    before: Quality  # at temperature 1
    after: Quality  # at the fitted temperature, on the same documents
    labels: dict[str, LabelThreshold]  # of predicted labels; empty without a precision
    unfound: list[str]  # never predicted, without a threshold

    @property
    def settings(self) -> dict[str, Any]:
        return {"temperature": self.temperature, "threshold": self.threshold}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def to_json(self, path: str | Path) -> None:
        write_json(self.to_dict(), Path(path))


def calibrate(
    nlp: Language | str | Path,
    corpus: str | Path | Iterable[Example],
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    component: str | None = None,
    precision: float | None = None,
    batch_size: int | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Calibration:
    """Fit the temperature of `crf_ner` or `span_marker_ner`, and optionally thresholds.

    The temperature minimizes the log loss of the predicted entities on a corpus that
    the pipeline was not trained on (Guo et al. 2017); an earlier temperature has no
    effect on it. Without `precision` the threshold does not change, and if it is 0, the
    predicted entities do not change either.

    nlp: A pipeline, or its folder. The settings of a pipeline in memory are changed in
        place, those of a folder in its config.cfg.
    corpus: A .spacy file with gold annotation, a folder of them, or examples.
    output: A folder to write the calibrated pipeline to; a pipeline that was given as a
        folder does not change then.
    overwrite: Whether `output` may exist and is replaced.
    component: The name of the component; needed if several predict probabilities of
        entities.
    precision: If given, a threshold is fitted for each label, the lowest that reaches
        this precision on the corpus, 0 to 1. A label that cannot reach it gets 0.
    batch_size: Documents in a batch; by default that of the pipeline.
    progress: A function that passes an iterable on, such as `tqdm`, called once with
        the examples.
    RETURNS: The fitted settings, and the quality of the probabilities before and after.
    RAISES (UserError): If the pipeline or the corpus cannot be read, it is unclear
        which component to calibrate, the predicted entities are none, all right or all
        wrong, or the output cannot be written.
    """
    folder = None if isinstance(nlp, Language) else Path(nlp)
    target = None if output is None else Path(output)
    if target is not None:
        check_copy(target, folder, overwrite=overwrite)
    if precision is not None and not 0 <= precision <= 1:
        raise UserError(f"precision is {precision}: use a value from 0 to 1")
    nlp = nlp if isinstance(nlp, Language) else load_pipeline(nlp)
    pipe = find_component(
        nlp, EntityPipe, component, "predicts probabilities of entities"
    )
    if isinstance(corpus, (str, Path)):
        corpus = read_examples(Path(corpus), nlp)
    evidence = collect(nlp, pipe, progress(corpus), batch_size or nlp.batch_size)
    check_evidence(pipe.name, evidence)
    result = _fit(pipe, evidence, precision)
    check_labels(result.threshold)
    pipe.cfg.update(result.settings)
    nlp.get_pipe_config(pipe.name).update(result.settings)
    if folder is not None:
        store(folder, pipe.name, result.settings, target)
    elif target is not None:
        with replacing(target) as temporary:
            nlp.to_disk(temporary)
    return result


def check_evidence(name: str, evidence: Evidence) -> None:
    """Check that the predictions of a component determine a temperature."""
    correct = evidence.correct
    if not evidence.gold:
        raise UserError(
            f"the documents have no gold entity to compare the entities of '{name}' "
            "with: use annotated documents"
        )
    if not len(correct):
        raise UserError(
            f"'{name}' finds no entity in the documents: train it first, or use other "
            "documents"
        )
    if correct.all() or not correct.any():
        what = "right" if correct.all() else "wrong"
        raise UserError(
            f"all {len(correct)} entities that '{name}' finds in the documents are "
            f"{what}, so no temperature fits: use more documents that it was not "
            "trained on"
        )


def _fit(
    component: EntityPipe, evidence: Evidence, precision: float | None
) -> Calibration:
    old = {key: component.cfg[key] for key in ("temperature", "threshold")}
    temperature = round(fit_temperature(evidence.scores, evidence.correct), 4)
    threshold, labels, unfound = old["threshold"], {}, []
    if precision is not None:
        labels = fit_thresholds(evidence, temperature, precision)
        threshold = {label: each.threshold for label, each in labels.items()}
        unfound = [label for label in component.labels if label not in labels]
    return Calibration(
        component=component.name,
        temperature=check_temperature(component.name, temperature),
        threshold=check_threshold(component.name, threshold),
        old_temperature=old["temperature"],
        old_threshold=old["threshold"],
        found=len(evidence.correct),
        correct=int(evidence.correct.sum()),
        gold=sum(evidence.gold.values()),
        skipped=evidence.skipped,
        misaligned=evidence.misaligned,
        before=measure(evidence, 1.0),
        after=measure(evidence, temperature),
        labels=labels,
        unfound=unfound,
    )
