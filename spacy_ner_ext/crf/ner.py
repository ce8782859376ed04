"""`crf_ner`: named entities by a linear-chain CRF, with exact probabilities."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model

from ..pipes.entities import EntityPipe, warn_about_score_weights
from ..pipes.listeners import check_widths
from ..pipes.predictions import Predictions
from ..pipes.spans import ENTS
from ..pipes.thresholds import Threshold
from .base import DEFAULT_CRF_MODEL, CRFPipe
from .checks import report_lost_gold
from .decode import decode
from .gold import constrain, gold_tags
from .lattice import Lattice
from .tags import TagSet


@Language.factory(
    "crf_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_config={
        "model": DEFAULT_CRF_MODEL,
        "scheme": "biluo",
        "structure": "flat",
        "objective": "joint",
        "target": ENTS,
        "annotate": None,
        "overwrite": False,
        "temperature": 1.0,
        "threshold": 0.0,
        "entity_bias": 0.0,
        "scorer": {"@scorers": "spacy_ner_ext.ner_scorer.v1"},
    },
    default_score_weights={
        "ents_f": 1.0,
        "ents_p": 0.0,
        "ents_r": 0.0,
        "ents_per_type": None,
    },
)
def make_crf_ner(
    nlp: Language,
    name: str,
    model: Model,
    scheme: str,
    structure: str,
    objective: str,
    target: str | list[str],
    annotate: str | list[str] | None,
    overwrite: bool,
    temperature: float,
    threshold: Threshold,
    entity_bias: float,
    scorer: Callable | None,
) -> "CRFEntityRecognizer":
    """Make a `crf_ner` component; for the settings see CRFEntityRecognizer."""
    return CRFEntityRecognizer(
        nlp.vocab,
        model,
        name,
        scheme=scheme,
        structure=structure,
        objective=objective,
        target=target,
        annotate=annotate,
        overwrite=overwrite,
        temperature=temperature,
        threshold=threshold,
        entity_bias=entity_bias,
        scorer=scorer,
    )


class CRFEntityRecognizer(CRFPipe, EntityPipe):
    """Recognize named entities with a linear-chain conditional random field
    (Lafferty et al. 2001) over any token-to-vector layer.

    Sequences that are no entities are impossible in training and in decoding, and
    every entity comes with its exact probability, as `ent._.score` and in the
    "scores" attribute of a span group.
    """

    structural = ("scheme", "structure")

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Doc], Lattice],
        name: str = "crf_ner",
        *,
        scheme: str = "biluo",
        structure: str = "flat",
        objective: str = "joint",
        target: str | Sequence[str] = ENTS,
        annotate: str | Sequence[str] | None = None,
        overwrite: bool = False,
        temperature: float = 1.0,
        threshold: Threshold = 0.0,
        entity_bias: float = 0.0,
        scorer: Callable | None = None,
    ) -> None:
        """Initialize a CRF entity recognizer.

        scheme: Tag scheme, "biluo" or "iob2".
        structure: "flat" for one chain in which labels compete, "per_label" for one
            chain a label, so that entities of different labels may overlap.
        objective: Training objective: "joint" (likelihood of the sequence), "marginal"
            (product of the tags' marginals) or "independent" (cross-entropy of each
            tag, legal decoding).
        target: Where gold entities are: "ents", the name of a span group, or a list of
            these.
        annotate: Where predictions go: "ents", the name of a span group, "*" for one
            group a label, or a list of these. If None, to `target`.
        overwrite: Whether entities that are already there are replaced. If not, they
            are kept and decoding fits the others around them.
        temperature: All scores are divided by it before probabilities are computed:
            above 1 they are less extreme, below 1 more. The same entities are found.
        threshold: Entities of a lower probability are dropped, 0 to 1; one for all
            labels, or by label, 0 for labels that are not listed.
        entity_bias: Added to the score of every tag that is part of an entity when the
            best tags are chosen: above 0 finds more entities (recall), below 0 fewer
            (precision). Training and probabilities are without it.
        RAISES (ValueError): If a setting has an unknown value, or the model is no CRF.
        """
        settings: dict[str, Any] = {
            "scheme": scheme,
            "structure": structure,
            "objective": objective,
            "target": target,
            "annotate": annotate,
            "overwrite": overwrite,
            "temperature": temperature,
            "threshold": threshold,
            "entity_bias": float(entity_bias),
        }
        super().__init__(vocab, model, name, scorer, settings)
        TagSet((), scheme, structure)
        self.check_crf()

    @property
    def tags(self) -> TagSet:
        """The tags of the labels."""
        return TagSet(self.labels, self.cfg["scheme"], self.cfg["structure"])

    # --- Prediction ---------------------------------------------------------

    def find(self, docs: Sequence[Doc]) -> Predictions:
        """Find the entities of some documents, before any is dropped.

        docs: The documents, at least one with a token.
        RETURNS: The entities, with probabilities at any temperature.
        """
        lattice = self.predict_lattice(docs)
        tags, allowed = self.tags, None
        if not self.cfg["overwrite"]:
            allowed = constrain(docs, tags, self.annotate)
        decoded = decode(lattice, tags, allowed, self.cfg["entity_bias"])
        overlap = self.cfg["structure"] == "per_label"
        return Predictions(decoded.entities, decoded.probabilities, overlap)

    # --- Training -----------------------------------------------------------

    def encode_gold(self, examples: Iterable[Example]) -> numpy.ndarray:
        """Write the gold entities of examples as tags of their predicted tokens.

        examples: The examples, at least one.
        RETURNS: Tags, (n_words, n_chains); MISSING where unknown.
        """
        tags, keys = self.tags, self.target
        return numpy.concatenate([gold_tags(eg, tags, keys) for eg in examples])

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Infer labels and shapes from data, and set the weights.

        labels: The labels, for instance from `spacy init labels`; if None, they are
            collected from the data and sorted.
        RAISES (ValueError): If there are no labels, no document has a token, or none
            has a span group that `target` names, or a listener in the pipeline expects
            vectors of another width than it will get.
        """
        validate_get_examples(get_examples, "CRFEntityRecognizer.initialize")
        check_widths(nlp)
        self.collect_labels(get_examples, labels)
        sample = report_lost_gold(self.name, self.tags, self.target, get_examples())
        warn_about_score_weights(self.name, self.annotate, nlp)
        self.initialize_model(sample)
