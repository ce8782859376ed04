"""What `crf_ner` and `crf_tagger` have in common: the model, objective and loss."""

import warnings
from collections.abc import Iterable, Sequence

import numpy
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from thinc.api import Config, Model

from ..pipes.labels import LabelledPipe
from .lattice import Lattice
from .model import reset_output
from .objectives import OBJECTIVES
from .tags import MISSING
from .token_tags import Tags

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


class CRFPipe(LabelledPipe):
    """Learns sequences of tags from the gold of `encode_gold`.

    The loss is a mean over the words with gold: of the batch, or, between
    `begin_batch` and `end_batch`, of all the batches in between together.
    """

    _n_words_of_batch: int | None = None

    @property
    def tags(self) -> Tags:
        """The tags of the labels."""
        raise NotImplementedError

    def encode_gold(self, examples: Iterable[Example]) -> numpy.ndarray:
        """Write the gold of some examples as tags of their predicted tokens.

        examples: The examples, at least one.
        RETURNS: Tags, (n_words, n_chains); MISSING where unknown.
        """
        raise NotImplementedError

    def check_crf(self) -> None:
        """Check the objective and the model.

        RAISES (ValueError): If the objective is unknown, or the model is no CRF.
        """
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

    def predict_lattice(self, docs: Sequence[Doc]) -> Lattice:
        """The scores of some documents.

        docs: The documents, at least one with a token.
        RAISES (ValueError): If the component has no labels.
        """
        self._require_labels()
        lattice = self.model.predict(docs)
        self._warn_without_vectors(lattice)
        return lattice

    def _warn_without_vectors(self, lattice: Lattice) -> None:
        """Emissions that are the bias and nothing else: all vectors are zero."""
        output: Model = self.model.get_ref("output_layer")
        same = bool((lattice.emissions[:20] == output.get_param("b")).all())
        if same and output.get_param("W").any():
            warnings.warn(
                f"'{self.name}' got only zeros as token vectors: the component it "
                f"listens to did not run. Enable it before '{self.name}'.",
                stacklevel=3,
            )

    # --- Training -----------------------------------------------------------

    def begin_batch(self, examples: Iterable[Example]) -> None:
        """Make the batches that follow parts of one: their losses and gradients then
        add up to those of the whole.

        examples: The examples of all parts.
        """
        self._n_words_of_batch = _count_known(self.encode_gold(examples))

    def end_batch(self) -> None:
        """Make each batch one by itself again."""
        self._n_words_of_batch = None

    def get_loss(
        self, examples: Iterable[Example], scores: Lattice
    ) -> tuple[float, Lattice]:
        """The loss of a batch and its gradient: means over the words with gold.

        scores: What the model gave for it.
        RAISES (ValueError): If the loss is not a number.
        """
        validate_examples(examples, f"{type(self).__name__}.get_loss")
        gold = self.encode_gold(examples)
        compute = OBJECTIVES[self.cfg["objective"]]
        loss, gradient = compute(scores, gold, self.tags.legality)
        if not numpy.isfinite(loss):
            raise ValueError(
                f"The loss of '{self.name}' is {loss}: training has diverged. Lower "
                "the learning rate, or set training.optimizer.grad_clip."
            )
        n_words = self._n_words_of_batch
        n_words = max(1, _count_known(gold) if n_words is None else n_words)
        return loss / n_words, gradient.scaled(1 / n_words)

    def initialize_model(self, sample: Sequence[Doc]) -> None:
        """Set the weights, for the labels that there are.

        RAISES (ValueError): If there are none.
        """
        if not sample:
            raise ValueError(
                f"'{self.name}' cannot be initialized: no training document has a "
                "token. Check the corpus of [initialize] or [training]."
            )
        reset_output(self.model, self.tags)
        self.model.initialize(X=sample)

    def resize_output(self) -> None:
        """Give the model the tags of labels that were added."""
        self.model.attrs["resize_output"](self.model, self.tags)


def _count_known(gold: numpy.ndarray) -> int:
    """The words of which any chain has gold."""
    return int((gold != MISSING).any(axis=1).sum())
