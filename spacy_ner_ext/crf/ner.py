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
from ..pipes.labels import sample_docs
from ..pipes.listeners import check_widths
from ..pipes.predictions import Predictions
from ..pipes.spans import ENTS
from ..pipes.thresholds import Threshold
from .gold import constrain, gold_tags, report_skipped_gold
from .lattice import Lattice
from .marginals import entity_probabilities
from .pipe import DEFAULT_CRF_MODEL, CRFPipe
from .tags import TagSet
from .viterbi import best_paths


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
    """Create a `crf_ner` component; CRFEntityRecognizer documents the settings."""
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

    Invalid tag sequences are ruled out in training and in decoding. Each entity has its
    exact probability as `ent._.score` and in the "scores" attribute of a span group.
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

        vocab: The shared vocabulary.
        model: A spacy_ner_ext.CRF.v1 model.
        name: The component instance name.
        scheme: Tag scheme, "biluo" or "iob2".
        structure: "flat" for one chain in which labels compete, "per_label" for one
            chain per label, so that entities of different labels may overlap.
        objective: Training objective: "joint" (likelihood of the tag sequence),
            "marginal" (product of the tags' marginals) or "independent" (cross-entropy
            of each tag by itself, with constrained decoding).
        target: Where gold entities are read from: "ents", the name of a span group, or
            a list of these.
        annotate: Where predictions are written to: "ents", the name of a span group,
            "*" for one group per label, or a list of these. By default `target`.
        overwrite: Whether existing entities are replaced. Otherwise they are kept, and
            decoding is constrained by them.
        temperature: All scores are divided by it before probabilities are computed:
            probabilities are less extreme above 1 and more extreme below. The
            predicted entities do not change.
        threshold: Entities with a lower probability are dropped, 0 to 1: one value for
            all labels, or a table by label (0 for labels that are not listed).
        entity_bias: Added to the score of all tags except O in decoding: values above 0
            increase recall, values below 0 precision. It does not affect training and
            probabilities.
        scorer: The scoring method.
        RAISES (ValueError): If a setting has an invalid value, or the model is not a
            CRF.
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

    def find(self, docs: Sequence[Doc]) -> Predictions:
        """Find the entities of some documents, before thresholding."""
        lattice = self.predict_lattice(docs)
        tags, allowed = self.tags, None
        if not self.cfg["overwrite"]:
            allowed = constrain(docs, tags, self.annotate)
        return decode(lattice, tags, allowed, self.cfg["entity_bias"])

    def encode_gold(self, examples: Iterable[Example]) -> numpy.ndarray:
        """Encode gold entities as tags of the predicted tokens; -1 where unknown."""
        tags, keys = self.tags, self.target
        return numpy.concatenate([gold_tags(eg, tags, keys) for eg in examples])

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Initialize the component for training: labels, shapes and weights.

        get_examples: Returns the training examples.
        nlp: The pipeline.
        labels: The labels, for instance from `spacy init labels`; by default those of
            the examples, sorted.
        RAISES (ValueError): If there are no labels, no document has a token or none has
            a span group of `target`, or a listener of the pipeline expects vectors of
            another width than it gets.
        """
        validate_get_examples(get_examples, "CRFEntityRecognizer.initialize")
        check_widths(nlp)
        self.collect_labels(get_examples, labels)
        report_skipped_gold(self.name, self.tags, self.target, get_examples())
        warn_about_score_weights(self.name, self.annotate, nlp)
        self.initialize_model(sample_docs(self.name, get_examples()))


def decode(
    lattice: Lattice,
    tags: TagSet,
    allowed: numpy.ndarray | None = None,
    entity_bias: float = 0.0,
) -> Predictions:
    """Decode the entities of the best tag sequence of each document.

    allowed: Whether a word may have a tag, bool, shape (n_words, n_chains * n_tags).
    entity_bias: Added to the scores of all tags except O in decoding, not in
        probabilities.
    """
    biased = lattice.favor_entities(entity_bias) if entity_bias else lattice
    spans = tags.find_spans(best_paths(biased, tags.allowed_transitions, allowed))
    document, first = lattice.document_of(spans[:, 1])
    columns = (
        document,
        spans[:, 1] - first,
        spans[:, 2] - first,
        spans[:, 0],
        spans[:, 3],
    )
    entities = [
        (doc, start, end, tags.label_of(chain, tag))
        for doc, start, end, chain, tag in numpy.stack(columns, axis=1).tolist()
    ]

    def probabilities(temperature: float) -> numpy.ndarray:
        scaled = lattice if temperature == 1 else lattice.scaled(1 / temperature)
        return entity_probabilities(scaled, tags, spans, allowed)

    return Predictions(entities, probabilities, tags.structure == "per_label")
