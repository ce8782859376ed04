"""`CRFPipe`, the base class of `crf_ner` and `crf_tagger`."""

import warnings
from collections.abc import Iterable, Sequence

import numpy
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from thinc.api import Config, Model, Optimizer, set_dropout_rate

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

    The loss is the mean over the annotated words of a batch.
    """

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

    def count_gold(self, examples: Iterable[Example]) -> int:
        """Count the annotated words of a batch. If `update` gets this number, losses
        and gradients of parts of the batch add up to those of the whole."""
        return _count_known(self.encode_gold(examples))

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
        denominators: int | None = None,
    ) -> dict[str, float]:
        """Learn from a batch, or from a part of one.

        examples: The examples.
        drop: The dropout rate.
        sgd: The optimizer; None to only accumulate gradients.
        losses: The losses by component, added to.
        denominators: What `count_gold` returned for the whole batch; None if the
            examples are the whole batch.
        RETURNS: The losses.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.update")
        if not any(len(example.predicted) for example in examples):
            return losses
        set_dropout_rate(self.model, drop)
        docs = [example.predicted for example in examples]
        scores, backprop = self.model.begin_update(docs)
        loss, gradient = self.get_loss(examples, scores, denominators)
        backprop(gradient)
        if sgd not in (None, False):
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def get_loss(
        self,
        examples: Iterable[Example],
        scores: Lattice,
        denominators: int | None = None,
    ) -> tuple[float, Lattice]:
        """Compute the loss of a batch and its gradient.

        examples: The batch.
        scores: The scores that the model predicts for it.
        denominators: The number of words to divide by; None for the annotated words of
            the examples.
        RETURNS: The loss and its gradient.
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
        n_words = max(1, _count_known(gold) if denominators is None else denominators)
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
