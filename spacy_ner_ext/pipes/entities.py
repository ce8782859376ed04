"""`EntityPipe`, the base class of `crf_ner` and `span_marker_ner`."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from .annotations import register_score_extension, write_spans
from .labels import LabelledPipe, warn_without_weight
from .predictions import Predictions, ScoredSpan, score_entities
from .spans import ENTS, PER_LABEL, as_keys, read_spans
from .temperature import check_temperature
from .thresholds import check_threshold, check_thresholds


class EntityPipe(LabelledPipe):
    """Base class of components that predict entities with probabilities.

    Gold entities are read from the span keys in `target`, predictions are written to
    those in `annotate`: "ents" for doc.ents, any other name for a span group.

    vocab: The shared vocabulary.
    model: The model.
    name: The component instance name.
    scorer: The scoring method.
    settings: The settings: `target`, `annotate`, `overwrite`, `temperature`,
        `threshold` and those of the component.
    RAISES (ValueError): If a setting has an invalid value.
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
        self._check_keys()
        self.cfg["temperature"] = check_temperature(name, self.cfg["temperature"])
        self.cfg["threshold"] = check_threshold(name, self.cfg["threshold"])
        register_score_extension()

    def _check_keys(self) -> None:
        if PER_LABEL in self.target:
            raise ValueError(
                f"'{PER_LABEL}' can be used for annotate, not for the target of "
                f"'{self.name}': list the span groups that hold gold entities."
            )
        self.annotate  # noqa: B018 - checked like target

    @property
    def target(self) -> list[str]:
        """Span keys of the gold entities."""
        return as_keys(self.cfg["target"], "target")

    @property
    def annotate(self) -> list[str]:
        """Span keys that predictions are written to."""
        setting = self.cfg["annotate"]
        return self.target if setting is None else as_keys(setting, "annotate")

    def find(self, docs: Sequence[Doc]) -> Predictions:
        """Find the entities of some documents, before thresholding.

        docs: The documents, at least one with a token.
        RETURNS: The entities, with probabilities at any temperature.
        """
        raise NotImplementedError

    def predict(self, docs: Iterable[Doc]) -> list[list[ScoredSpan]]:
        """Predict the entities of some documents without modifying them.

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

        docs: The documents.
        scores: The entities of each document, as returned by `predict`.
        """
        overwrite = self.cfg["overwrite"]
        for doc, found in zip(docs, scores):
            write_spans(doc, found, self.labels, self.annotate, overwrite=overwrite)

    def collect_labels(
        self,
        get_examples: Callable[[], Iterable[Example]],
        labels: Sequence[str] | None,
    ) -> None:
        """Add the given labels, or those of the data if `labels` is None.

        RAISES (ValueError): If there are no labels, `labels` is a string, or no
            document has a span group of `target`.
        """
        keys = self.target
        if labels is None and not self.labels:
            _check_groups(self.name, keys, get_examples())
        if labels is None:
            spans = (s for eg in get_examples() for s in read_spans(eg.reference, keys))
            labels = sorted({span.label_ for span in spans})
        self.add_labels(labels)
        check_thresholds(self.name, self.cfg["threshold"], self.labels)

    def restore(self, settings: dict[str, Any]) -> None:
        """Apply the settings of the config after loading.

        RAISES (ValueError): If a setting that cannot change differs, or the thresholds
            do not fit the labels.
        """
        super().restore(settings)
        check_thresholds(self.name, self.cfg["threshold"], self.labels)

    def check_label(self, label: str) -> None:
        """Check that the span group of a label is not used for anything else.

        RAISES (ValueError): If `annotate` has "*" and lists the label as a span key.
        """
        if PER_LABEL in self.annotate and label in (ENTS, *self.annotate):
            raise ValueError(
                f"The label '{label}' of '{self.name}' would have a span group that "
                f"annotate = {self.annotate} uses for something else: rename the "
                "label, or remove '*' from annotate."
            )


def _check_groups(name: str, keys: Sequence[str], examples: Iterable[Example]) -> None:
    """Raise a ValueError if no example has one of the span groups in `keys`."""
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
    """Log a warning if doc.ents is not written, but selects the best model."""
    if ENTS not in keys:
        written = f"{', '.join(keys)} and not to doc.ents"
        advice = "spans_NAME_f = 1.0 instead of ents_f"
        warn_without_weight(name, nlp, written, "spans_", advice)
