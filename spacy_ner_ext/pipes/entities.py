"""`EntityPipe`, the base class of `crf_ner` and `span_marker_ner`."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from .annotations import register_score_extension, write_spans
from .labels import GetExamples, LabelledPipe, warn_without_weight
from .predictions import DocSpan, Predictions, ScoredSpan, score_entities
from .spans import ENTS, PER_LABEL, as_keys, read_spans
from .temperature import check_temperature
from .thresholds import check_threshold, check_thresholds

# Arguments of the factories that are the same, and the settings that they share.
FACTORY: dict[str, Any] = {
    "assigns": ["doc.ents", "token.ent_iob", "token.ent_type"],
    "default_score_weights": {
        "ents_f": 1.0,
        "ents_p": 0.0,
        "ents_r": 0.0,
        "ents_per_type": None,
    },
}
DEFAULTS: dict[str, Any] = {
    "target": ENTS,
    "annotate": None,
    "overwrite": False,
    "temperature": 1.0,
    "threshold": 0.0,
    "entity_bias": 0.0,
    "scorer": {"@scorers": "spacy_ner_ext.ner_scorer.v1"},
}


class EntityPipe(LabelledPipe):
    """Base class of components that predict entities with probabilities.

    Their settings include:

    - `target`: Where gold entities are read from: "ents" for doc.ents, the name of a
      span group, or a list of these.
    - `annotate`: Where predictions are written to: "ents", the name of a span group,
      "*" for one group per label, or a list of these. By default `target`.
    - `overwrite`: Whether existing entities are replaced. Otherwise they are kept, and
      no other is predicted in their place.
    - `temperature`: All scores are divided by it before probabilities are computed:
      probabilities are less extreme above 1 and more extreme below. The predicted
      entities do not change, unless `threshold` is set.
    - `threshold`: Entities with a lower probability are dropped, 0 to 1: one value for
      all labels, or a table by label (0 for labels that are not listed).
    - `entity_bias`: Added to the scores of entities in decoding: values above 0
      increase recall, values below 0 precision. It does not affect training and
      probabilities.
    """

    def check_settings(self) -> None:
        """Check and normalize the settings that all such components have."""
        cfg = self.cfg
        if PER_LABEL in self.target:
            raise ValueError(
                f"'{PER_LABEL}' can be used for annotate, not for the target of "
                f"'{self.name}': list the span groups that hold gold entities."
            )
        self.annotate  # noqa: B018 - checked like target
        cfg["temperature"] = check_temperature(self.name, cfg["temperature"])
        cfg["threshold"] = check_threshold(self.name, cfg["threshold"])
        cfg["entity_bias"] = float(cfg["entity_bias"])
        register_score_extension()

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
        """Find the entities of documents with at least one token, before
        thresholding."""
        raise NotImplementedError

    def find_likely(
        self, docs: Sequence[Doc], minimum: float, given: Sequence[DocSpan] = ()
    ) -> Predictions:
        """Find all spans that are entities with at least a probability, whether they
        are predicted or not, in documents with at least one token. They may overlap.

        minimum: The lowest probability, at the temperature of the component.
        given: Further spans, found whatever their probability: index of the document,
            first token, end and label. Those that can never be predicted are left out.
        """
        raise NotImplementedError

    def text_vectors(self, docs: Sequence[Doc]) -> numpy.ndarray:
        """Compute a vector for each document with at least one token: the mean of what
        the encoder of the component outputs."""
        raise NotImplementedError

    def predict(self, docs: Iterable[Doc]) -> list[list[ScoredSpan]]:
        """Predict the entities of some documents without modifying them."""
        return self.predict_in_memory(self._predict, docs)

    def _predict(self, docs: list[Doc]) -> list[list[ScoredSpan]]:
        if not any(len(doc) for doc in docs):
            return [[] for _ in docs]
        settings = self.cfg["temperature"], self.cfg["threshold"]
        return score_entities(self.find(docs), len(docs), *settings)

    def set_annotations(
        self, docs: Iterable[Doc], scores: Sequence[Sequence[ScoredSpan]]
    ) -> None:
        """Write the entities that `predict` returned to the documents."""
        # Another package may have been imported since.
        register_score_extension()
        overwrite = self.cfg["overwrite"]
        for doc, found in zip(docs, scores):
            write_spans(doc, found, self.labels, self.annotate, overwrite=overwrite)

    def collect_labels(
        self, get_examples: GetExamples, labels: Sequence[str] | None
    ) -> None:
        keys = self.target
        if labels is None and not self.labels:
            _check_groups(self.name, keys, get_examples())
        if labels is None:
            spans = (s for eg in get_examples() for s in read_spans(eg.reference, keys))
            labels = sorted({span.label_ for span in spans})
        self.add_labels(labels)
        check_thresholds(self.name, self.cfg["threshold"], self.labels)

    def report_data(self, get_examples: GetExamples, nlp: Language | None) -> None:
        """Log a warning if doc.ents is not written, but selects the best model."""
        if ENTS not in self.annotate:
            written = f"{', '.join(self.annotate)} and not to doc.ents"
            advice = "spans_NAME_f = 1.0 instead of ents_f"
            warn_without_weight(self.name, nlp, written, "spans_", advice)

    def restore(self, settings: dict[str, Any]) -> None:
        super().restore(settings)
        check_thresholds(self.name, self.cfg["threshold"], self.labels)

    def check_label(self, label: str) -> None:
        """Raise a ValueError if the span group of a label has another use."""
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
