"""What the components that write entities have in common."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import logger
from spacy.vocab import Vocab
from thinc.api import Model

from .confidence import (
    Predictions,
    ScoredSpan,
    check_temperature,
    check_threshold,
    check_thresholds,
    score_entities,
)
from .labels import LabelledPipe
from .spans import (
    ENTS,
    PER_LABEL,
    as_keys,
    read_spans,
    register_score_extension,
    write_spans,
)


class Recognizer(LabelledPipe):
    """Learns entities of the places in `target`, writes those it finds to the places
    in `annotate`, and stores their probabilities.

    vocab: The shared vocabulary.
    model: The model.
    name: The component instance name.
    scorer: The scoring method.
    settings: The settings: `target`, `annotate`, `overwrite`, `temperature`,
        `threshold` and those of the component.
    RAISES (ValueError): If a setting has an unknown value.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str,
        scorer: Callable | None,
        settings: dict[str, Any],
    ) -> None:
        super().__init__(vocab, model, name, scorer, settings)
        self._check_places()
        read = {"temperature": check_temperature, "threshold": check_threshold}
        for setting, check in read.items():
            self.cfg[setting] = check(name, self.cfg[setting])
        register_score_extension()

    def _check_places(self) -> None:
        if PER_LABEL in self.target:
            raise ValueError(
                f"'{PER_LABEL}' can be used for annotate, not for the target of "
                f"'{self.name}': list the span groups that hold gold entities."
            )
        self.annotate  # noqa: B018 - checked like target

    @property
    def target(self) -> list[str]:
        """Where gold entities are."""
        return as_keys(self.cfg["target"], "target")

    @property
    def annotate(self) -> list[str]:
        """Where predictions go."""
        setting = self.cfg["annotate"]
        return self.target if setting is None else as_keys(setting, "annotate")

    # --- Prediction ---------------------------------------------------------

    def find(self, docs: Sequence[Doc]) -> Predictions:
        """Find the entities of some documents, before any is dropped.

        docs: The documents, at least one with a token.
        RETURNS: The entities, with probabilities at any temperature.
        """
        raise NotImplementedError

    def predict(self, docs: Iterable[Doc]) -> list[list[ScoredSpan]]:
        """Find the entities of some documents, without changing them.

        docs: The documents.
        RETURNS: The entities of each document.
        """
        docs = list(docs)
        if not any(len(doc) for doc in docs):
            return [[] for _ in docs]
        settings = self.cfg["temperature"], self.cfg["threshold"]
        return score_entities(self.find(docs), len(docs), *settings)

    def set_annotations(
        self, docs: Iterable[Doc], scores: Sequence[Sequence[ScoredSpan]]
    ) -> None:
        """Write predicted entities and their probabilities to the documents.

        scores: What `predict` returned for them.
        """
        keys, labels = self.annotate, self.labels
        for doc, found in zip(docs, scores):
            write_spans(
                doc,
                [span[:4] for span in found],
                labels,
                keys,
                overwrite=self.cfg["overwrite"],
                rank_scores=[span.rank_score for span in found],
            )

    # --- Labels ---------------------------------------------------------------

    def collect_labels(
        self,
        get_examples: Callable[[], Iterable[Example]],
        labels: Sequence[str] | None,
    ) -> None:
        """Add the labels to learn.

        labels: The labels; if None, those of the data.
        RAISES (ValueError): If there are none, `labels` is no list, or no document has
            a span group that `target` names.
        """
        keys = self.target
        if labels is None and not self.labels:
            check_groups(self.name, keys, get_examples())
        if labels is None:
            spans = (s for eg in get_examples() for s in read_spans(eg.reference, keys))
            labels = sorted({span.label_ for span in spans})
        self.add_labels(labels)
        check_thresholds(self.name, self.cfg["threshold"], self.labels)

    def restore(self, settings: dict[str, Any]) -> None:
        """Put settings of the config back in the place of those that were saved.

        settings: The settings of the config.
        RAISES (ValueError): If one differs that cannot change, or does not fit the
            labels.
        """
        super().restore(settings)
        check_thresholds(self.name, self.cfg["threshold"], self.labels)

    def check_label(self, label: str) -> None:
        """Check that a label can be written to the places of `annotate`.

        RAISES (ValueError): If it names a span group that `annotate` uses for something
            else.
        """
        if PER_LABEL in self.annotate and label in (ENTS, *self.annotate):
            raise ValueError(
                f"The label '{label}' of '{self.name}' would have a span group that "
                f"annotate = {self.annotate} uses for something else: rename the "
                "label, or leave '*' out of annotate."
            )


def check_groups(name: str, keys: Sequence[str], examples: Iterable[Example]) -> None:
    """Check that the span groups to learn from exist.

    name: The name of the component.
    keys: Where gold is: "ents" and span groups.
    RAISES (ValueError): If no example has one of the groups.
    """
    absent = {key for key in keys if key != ENTS}
    groups: set[str] = set()
    for example in examples if absent else ():
        groups.update(example.reference.spans)
    absent -= groups
    if absent:
        names, known = ", ".join(sorted(absent)), ", ".join(sorted(groups))
        raise ValueError(
            f"'{name}' learns from the span group {names}, but no training document "
            "has it: set target to 'ents' or to one of the groups of the corpus "
            f"({known or 'it has none'})."
        )


def warn_about_score_weights(
    name: str, keys: Sequence[str], nlp: Language | None
) -> None:
    """Log if doc.ents is not written, but the best model would be chosen by it.

    name: The name of the component.
    """
    if nlp is None or ENTS in keys:
        return
    weights = nlp.config.get("training", {}).get("score_weights", {})
    if not any(key.startswith("spans_") and value for key, value in weights.items()):
        logger.warning(
            "%s writes to %s and not to doc.ents: choose the best model with "
            "[training.score_weights] spans_NAME_f = 1.0 in place of ents_f.",
            name,
            ", ".join(keys),
        )
