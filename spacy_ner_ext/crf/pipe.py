"""`CRFPipe`, the base class of `crf_ner` and `crf_tagger`."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model

from ..pipes.labels import LabelledPipe
from ..pipes.listeners import DEFAULT_TOK2VEC
from .lattice import Lattice
from .model import reset_output
from .objectives import OBJECTIVES
from .tags import MISSING, Tags

DEFAULT_CRF_MODEL: dict[str, Any] = {
    "@architectures": "spacy_ner_ext.CRF.v1",
    "tok2vec": DEFAULT_TOK2VEC,
}


class CRFPipe(LabelledPipe):
    """Base class of components that learn sequences of tags with a CRF.

    The loss is the mean over the annotated words of a batch.
    """

    @property
    def tags(self) -> Tags:
        """The tags of the labels."""
        raise NotImplementedError

    def encode_gold(self, examples: Iterable[Example]) -> numpy.ndarray:
        """Encode gold annotation as tags of the predicted tokens, shape (n_words,
        n_chains); -1 where unknown."""
        raise NotImplementedError

    def check_settings(self) -> None:
        super().check_settings()
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
        """Count the annotated words of a batch, see LabelledPipe.count_gold."""
        examples = list(examples)
        return _count_known(self.encode_gold(examples)) if examples else 0

    def model_input(self, examples: Sequence[Example]) -> list[Doc] | None:
        """The predicted documents; None without tokens."""
        docs = [example.predicted for example in examples]
        return docs if any(len(doc) for doc in docs) else None

    def compute_loss(
        self, examples: Sequence[Example], scores: Lattice, denominators: int | None
    ) -> tuple[float, Lattice]:
        gold = self.encode_gold(examples)
        compute = OBJECTIVES[self.cfg["objective"]]
        loss, gradient = compute(scores, gold, self.tags.allowed_transitions)
        n_words = max(1, _count_known(gold) if denominators is None else denominators)
        return loss / n_words, gradient.scaled(1 / n_words)

    def initialize_model(self, sample: Sequence[Doc]) -> None:
        reset_output(self.model, self.tags)
        self.model.initialize(X=sample)

    def resize_output(self) -> None:
        self.model.attrs["resize_output"](self.model, self.tags)


def _count_known(gold: numpy.ndarray) -> int:
    return int((gold != MISSING).any(axis=1).sum())
