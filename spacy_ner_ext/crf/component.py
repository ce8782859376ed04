"""`crf_ner`: named entities by a linear-chain CRF, with exact probabilities."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model

from ..labels import MISSING, TagSet
from ..listeners import check_widths
from ..recognizer import Recognizer, ScoredSpan, warn_about_score_weights
from ..spans import ENTS
from .checks import report_lost_gold
from .decode import decode
from .gold import constrain, gold_tags
from .lattice import Lattice
from .model import reset_output
from .objectives import OBJECTIVES

default_model_config = """
[model]
@architectures = "spacy_ner_ext.CRF.v1"

[model.tok2vec]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 96
depth = 4
embed_size = 2000
window_size = 1
maxout_pieces = 3
subword_features = true
"""
DEFAULT_CRF_MODEL = Config().from_str(default_model_config)["model"]


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
    threshold: float,
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
        threshold=threshold,
        entity_bias=entity_bias,
        scorer=scorer,
    )


class CRFEntityRecognizer(Recognizer):
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
        threshold: float = 0.0,
        entity_bias: float = 0.0,
        scorer: Callable | None = None,
    ) -> None:
        """Initialize a CRF entity recognizer.

        vocab (Vocab): The shared vocabulary.
        model (Model[List[Doc], Lattice]): The model, see spacy_ner_ext.CRF.v1.
        name (str): The component instance name.
        scheme (str): Tag scheme, "biluo" or "iob2".
        structure (str): "flat" for one chain in which labels compete, "per_label"
            for one chain a label, so that entities of different labels may
            overlap.
        objective (str): Training objective: "joint" (likelihood of the sequence),
            "marginal" (product of the tags' marginals) or "independent"
            (cross-entropy of each tag, legal decoding).
        target (Union[str, Sequence[str]]): Where gold entities are: "ents", the
            name of a span group, or a list of these.
        annotate (Optional[Union[str, Sequence[str]]]): Where predictions go:
            "ents", the name of a span group, "*" for one group a label, or a
            list of these. If None, to `target`.
        overwrite (bool): Whether entities that are already there are replaced. If
            not, they are kept and decoding fits the others around them.
        threshold (float): Entities of a lower probability are dropped, 0 to 1.
        entity_bias (float): Added to the score of every tag that is part of an entity
            when the best tags are chosen: above 0 finds more entities (recall), below
            0 fewer (precision). Training and probabilities are without it.
        scorer (Optional[Callable]): The scoring method.
        RAISES (ValueError): If a setting has an unknown value, or the model is no CRF.
        """
        settings: dict[str, Any] = {
            "scheme": scheme,
            "structure": structure,
            "objective": objective,
            "target": target,
            "annotate": annotate,
            "overwrite": overwrite,
            "threshold": float(threshold),
            "entity_bias": float(entity_bias),
        }
        super().__init__(vocab, model, name, scorer, settings)
        self._check_settings()

    def _check_settings(self) -> None:
        TagSet((), self.cfg["scheme"], self.cfg["structure"])
        if self.cfg["objective"] not in OBJECTIVES:
            raise ValueError(
                f"Unknown objective '{self.cfg['objective']}' of '{self.name}': set "
                f"objective to one of {', '.join(OBJECTIVES)}."
            )
        if not self.model.has_ref("crf"):
            raise ValueError(
                f"The model '{self.model.name}' of '{self.name}' is no CRF: set its "
                '@architectures to "spacy_ner_ext.CRF.v1", with the token vectors as '
                "tok2vec."
            )

    @property
    def tags(self) -> TagSet:
        """RETURNS (TagSet): The tags of the labels."""
        return TagSet(self.labels, self.cfg["scheme"], self.cfg["structure"])

    # --- Prediction ---------------------------------------------------------

    def predict(self, docs: Iterable[Doc]) -> list[list[ScoredSpan]]:
        """Find the entities of some documents, without changing them.

        docs (Iterable[Doc]): The documents.
        RETURNS (List[List[Tuple[int, int, str, float]]]): For each document, first
            token, end (exclusive), label and probability of its entities.
        """
        docs = list(docs)
        if not any(len(doc) for doc in docs):
            return [[] for _ in docs]
        self._require_labels()
        lattice = self.model.predict(docs)
        self._warn_without_vectors(lattice)
        tags, allowed = self.tags, None
        if not self.cfg["overwrite"]:
            allowed = constrain(docs, tags, self.annotate)
        settings = self.cfg["threshold"], self.cfg["entity_bias"]
        return decode(lattice, tags, allowed, *settings)

    def _warn_without_vectors(self, lattice: Lattice) -> None:
        """Emissions that are the bias and nothing else: all vectors are zero."""
        bias = self.model.get_ref("output_layer").get_param("b")
        if bool((lattice.emissions[:20] == bias).all()):
            warnings.warn(
                f"'{self.name}' got only zeros as token vectors: the component it "
                f"listens to did not run. Enable it before '{self.name}'.",
                stacklevel=2,
            )

    # --- Training -----------------------------------------------------------

    def get_loss(
        self, examples: Iterable[Example], scores: Lattice
    ) -> tuple[float, Lattice]:
        """The loss of a batch and its gradient: means over the words with gold.

        examples (Iterable[Example]): The batch.
        scores (Lattice): What the model gave for it.
        RETURNS (Tuple[float, Lattice]): The loss and the gradient.
        RAISES (ValueError): If the loss is not a number.
        """
        validate_examples(examples, "CRFEntityRecognizer.get_loss")
        tags, keys = self.tags, self.target
        gold = [gold_tags(example, tags, keys) for example in examples]
        gold_of_words = numpy.concatenate(gold)
        compute = OBJECTIVES[self.cfg["objective"]]
        loss, gradient = compute(scores, gold_of_words, tags.legality)
        if not numpy.isfinite(loss):
            raise ValueError(
                f"The loss of '{self.name}' is {loss}: training has diverged. Lower "
                "the learning rate, or set training.optimizer.grad_clip."
            )
        n_words = max(1, int((gold_of_words != MISSING).any(axis=1).sum()))
        return loss / n_words, gradient.scaled(1 / n_words)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Infer labels and shapes from data, and set the weights.

        get_examples (Callable[[], Iterable[Example]]): Gives the training data.
        nlp (Optional[Language]): The pipeline.
        labels (Optional[Sequence[str]]): The labels, for instance from `spacy init
            labels`; if None, they are collected from the data and sorted.
        RAISES (ValueError): If there are no labels, no document has a token, or none
            has a span group that `target` names, or a listener in the pipeline expects
            vectors of another width than it will get.
        """
        validate_get_examples(get_examples, "CRFEntityRecognizer.initialize")
        check_widths(nlp)
        self.collect_labels(get_examples, labels)
        sample = report_lost_gold(self.name, self.tags, self.target, get_examples())
        if not sample:
            raise ValueError(
                f"'{self.name}' cannot be initialized: no training document has a "
                "token. Check the corpus of [initialize] or [training]."
            )
        warn_about_score_weights(self.name, self.annotate, nlp)
        reset_output(self.model, self.tags)
        self.model.initialize(X=sample)

    def resize_output(self) -> None:
        """Give the model the tags of labels that were added."""
        self.model.attrs["resize_output"](self.model, self.tags)
