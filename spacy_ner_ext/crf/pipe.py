"""`CRFPipe`, the base class of `crf_ner` and `crf_tagger`."""

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
from .tags import MISSING, Tags

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
    """Base class of components that learn sequences of tags with a CRF.

    The loss is the mean over the annotated words of a batch. Between `begin_batch` and
    `end_batch` it is the mean over those of all batches together.
    """

    _n_words_of_batch: int | None = None

    @property
    def tags(self) -> Tags:
        """The tags of the labels."""
        raise NotImplementedError

    def encode_gold(self, examples: Iterable[Example]) -> numpy.ndarray:
        """Encode gold annotation as tags of the predicted tokens.

        examples: The examples, at least one.
        RETURNS: Tags, shape (n_words, n_chains); -1 where unknown.
        """
        raise NotImplementedError

    def check_crf(self) -> None:
        """Raise a ValueError if the objective is unknown or the model is not a CRF."""
        if self.cfg["objective"] not in OBJECTIVES:
            raise ValueError(
                f"Unknown objective '{self.cfg['objective']}' of '{self.name}': set "
                f"objective to one of {', '.join(OBJECTIVES)}."
            )
        if not self.model.has_ref("crf"):
            raise ValueError(
                f"The model '{self.model.name}' of '{self.name}' is not a CRF: set its "
                '@architectures to "spacy_ner_ext.CRF.v1", with the token vectors as '
                "tok2vec."
            )

    def predict_lattice(self, docs: Sequence[Doc]) -> Lattice:
        """Compute the scores of some documents, at least one with a token."""
        self._require_labels()
        lattice = self.model.predict(docs)
        self._warn_without_vectors(lattice)
        return lattice

    def _warn_without_vectors(self, lattice: Lattice) -> None:
        output: Model = self.model.get_ref("output_layer")
        # If all token vectors are zero, emissions equal the bias.
        same = bool((lattice.emissions[:20] == output.get_param("b")).all())
        if same and output.get_param("W").any():
            warnings.warn(
                f"'{self.name}' got only zeros as token vectors: the component it "
                f"listens to did not run. Enable it before '{self.name}'.",
                stacklevel=3,
            )

    def begin_batch(self, examples: Iterable[Example]) -> None:
        """Treat the batches that follow as parts of one: their losses and gradients
        add up to those of the whole batch.

        examples: The examples of all parts.
        """
        self._n_words_of_batch = _count_known(self.encode_gold(examples))

    def end_batch(self) -> None:
        """Treat each batch as a whole again."""
        self._n_words_of_batch = None

    def get_loss(
        self, examples: Iterable[Example], scores: Lattice
    ) -> tuple[float, Lattice]:
        """Compute the loss of a batch and its gradient.

        examples: The batch.
        scores: The scores that the model predicts for it.
        RETURNS: The loss and its gradient, means over the annotated words.
        RAISES (ValueError): If the loss is not finite.
        """
        validate_examples(examples, f"{type(self).__name__}.get_loss")
        gold = self.encode_gold(examples)
        compute = OBJECTIVES[self.cfg["objective"]]
        loss, gradient = compute(scores, gold, self.tags.allowed_transitions)
        if not numpy.isfinite(loss):
            raise ValueError(
                f"The loss of '{self.name}' is {loss}: training has diverged. Lower "
                "the learning rate, or set training.optimizer.grad_clip."
            )
        n_words = self._n_words_of_batch
        n_words = max(1, _count_known(gold) if n_words is None else n_words)
        return loss / n_words, gradient.scaled(1 / n_words)

    def initialize_model(self, sample: Sequence[Doc]) -> None:
        """Initialize the weights for the current labels."""
        reset_output(self.model, self.tags)
        self.model.initialize(X=sample)

    def resize_output(self) -> None:
        """Append weights for the labels that were added to a trained model."""
        self.model.attrs["resize_output"](self.model, self.tags)


def _count_known(gold: numpy.ndarray) -> int:
    """The number of words that are annotated in any chain."""
    return int((gold != MISSING).any(axis=1).sum())
