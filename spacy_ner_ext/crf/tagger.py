"""`crf_tagger`: part-of-speech and other tags of tokens by a linear-chain CRF."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model, get_array_module

from ..pipes.labels import GetExamples, warn_without_weight
from ..pipes.temperature import check_temperature
from .device import put_indices, to_host
from .lattice import Lattice
from .marginals import tag_marginals
from .pipe import DEFAULT_CRF_MODEL, CRFPipe
from .tags import TokenTags
from .token_tags import (
    PARTS_OF_SPEECH,
    TARGETS,
    constrain,
    count_tags,
    gold_tags,
    index_keys,
    register_token_score,
    report_skipped_tags,
    write_tags,
)
from .viterbi import best_paths


class Tagging(NamedTuple):
    """The predicted tags of one document, as indices of labels, and their
    probabilities, if `scores` is set."""

    tags: numpy.ndarray
    probabilities: numpy.ndarray | None


@Language.factory(
    "crf_tagger",
    assigns=["token.tag", "token.pos"],
    default_config={
        "model": DEFAULT_CRF_MODEL,
        "target": "tag",
        "objective": "joint",
        "overwrite": False,
        "scores": False,
        "temperature": 1.0,
        "scorer": {"@scorers": "spacy_ner_ext.tagger_scorer.v1"},
    },
    default_score_weights={"tag_acc": 1.0},
)
def make_crf_tagger(
    nlp: Language,
    name: str,
    model: Model,
    target: str,
    objective: str,
    overwrite: bool,
    scores: bool,
    temperature: float,
    scorer: Callable | None,
) -> "CRFTagger":
    """Create a `crf_tagger` component.

    model: A spacy_ner_ext.CRF.v1 model.
    target: Where gold tags are read from and predictions are written to: "tag" for
        token.tag_, "pos" for token.pos_.
    objective: Training objective: "joint" (likelihood of the tag sequence), "marginal"
        (product of the tags' marginals) or "independent" (cross-entropy of each tag by
        itself).
    overwrite: Whether existing tags are replaced. Otherwise they are kept, and decoding
        is constrained by them.
    scores: Whether to store the exact probability of each predicted tag as
        `token._.tag_score` or `token._.pos_score`.
    temperature: All scores are divided by it before probabilities are computed:
        probabilities are less extreme above 1 and more extreme below. The predicted
        tags do not change.
    scorer: The scoring method.
    RETURNS: The component.
    RAISES (ValueError): If a setting has an invalid value, or the model is not a CRF.
    """
    return CRFTagger.create(**locals())


class CRFTagger(CRFPipe):
    """Tag tokens, for instance with parts of speech, by a linear-chain conditional
    random field (Lafferty et al. 2001) over any token-to-vector layer."""

    structural = ("target",)

    def check_settings(self) -> None:
        super().check_settings()
        temperature = check_temperature(self.name, self.cfg["temperature"])
        self.cfg["temperature"] = temperature
        if self.target not in TARGETS:
            raise ValueError(
                f"Unknown target '{self.target}' of '{self.name}': set target to one "
                f"of {', '.join(TARGETS)}."
            )
        if self.cfg["scores"]:
            register_token_score(self.target)

    @property
    def tags(self) -> TokenTags:
        return TokenTags(self.labels)

    @property
    def target(self) -> str:
        """Which tags are learned and written, "tag" or "pos"."""
        return self.cfg["target"]

    def _index(self) -> dict[int, int]:
        return index_keys(self.labels, self.target, self.vocab.strings)

    def predict(self, docs: Iterable[Doc]) -> list[Tagging]:
        """Predict the best tag sequences of some documents without modifying them."""
        return self.predict_in_memory(self._predict, docs)

    def _predict(self, docs: list[Doc]) -> list[Tagging]:
        if not any(len(doc) for doc in docs):
            return [Tagging(numpy.zeros(0, dtype="int32"), None) for _ in docs]
        lattice = self.predict_lattice(docs)
        allowed = None
        if not self.cfg["overwrite"]:
            allowed = constrain(docs, self.target, self._index())
        tags = best_paths(lattice, self.tags.allowed_transitions, allowed)[:, 0]
        ends = numpy.cumsum(lattice.lengths)[:-1]
        parts = numpy.split(tags, ends)
        if not self.cfg["scores"]:
            return [Tagging(part, None) for part in parts]
        probabilities = self._probabilities(lattice, tags, allowed)
        return list(map(Tagging, parts, numpy.split(probabilities, ends)))

    def _probabilities(
        self, lattice: Lattice, tags: numpy.ndarray, allowed: Any
    ) -> numpy.ndarray:
        """The marginal probability of the predicted tag of each word."""
        xp = get_array_module(lattice.emissions)
        if self.cfg["temperature"] != 1:
            lattice = lattice.scaled(1 / self.cfg["temperature"])
        mask = None if allowed is None else xp.asarray(allowed)
        marginals = tag_marginals(lattice, self.tags.allowed_transitions, mask)[:, 0]
        cells = numpy.arange(len(tags)) * marginals.shape[1] + tags
        return to_host(marginals.ravel()[put_indices(marginals, [cells])[0]])

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[Tagging]) -> None:
        """Write the tags that `predict` returned to the documents."""
        keys = numpy.array(list(self._index()), dtype="uint64")
        overwrite = self.cfg["overwrite"]
        for doc, (tags, probabilities) in zip(docs, scores):
            if len(doc):
                write_tags(
                    doc, self.target, keys[tags], probabilities, overwrite=overwrite
                )

    def encode_gold(self, examples: Iterable[Example]) -> numpy.ndarray:
        index = self._index()
        return numpy.concatenate([gold_tags(eg, self.target, index) for eg in examples])

    def collect_labels(
        self, get_examples: GetExamples, labels: Sequence[str] | None
    ) -> None:
        """Add the given labels, or those of the gold tags if `labels` is None, and log
        the gold tags that are not among the labels."""
        counts = count_tags(get_examples(), self.target)
        if labels is None and not counts and not self.labels:
            raise ValueError(
                f"'{self.name}' finds no labels: it learns from token.{self.target}_, "
                "which is not annotated in any training document. Annotate it, or set "
                f"target to '{TARGETS[1 - TARGETS.index(self.target)]}'."
            )
        self.add_labels(sorted(counts) if labels is None else labels)
        report_skipped_tags(self.name, self.labels, counts)

    def report_data(self, get_examples: GetExamples, nlp: Language | None) -> None:
        """Log a warning if token.pos_ is written, but not scored to select the best."""
        if self.target == "pos":
            advice = "pos_acc = 1.0 and tag_acc = null"
            warn_without_weight(self.name, nlp, "token.pos_", "pos_acc", advice)

    def check_label(self, label: str) -> None:
        """Raise a ValueError if a label cannot be written to the target."""
        if self.target == "pos" and label not in PARTS_OF_SPEECH:
            raise ValueError(
                f"'{self.name}' cannot write the label '{label}' to token.pos_, which "
                f"takes one of {', '.join(sorted(PARTS_OF_SPEECH))}: rename the "
                'label, or set target = "tag".'
            )
