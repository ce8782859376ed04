"""`LabelledPipe`, the base class of the trainable components with labels."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from spacy.language import Language
from spacy.pipeline.trainable_pipe import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.util import logger
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, set_dropout_rate

from ..util.memory import free_cached_memory, out_of_memory
from .listeners import check_widths
from .updates import finish_update

GetExamples = Callable[[], Iterable[Example]]
Component = TypeVar("Component", bound="LabelledPipe")
Result = TypeVar("Result")


class LabelledPipe(TrainablePipe):
    """Base class of components that keep their labels in the order of the weights, and
    whose settings can be edited in the config of a trained pipeline."""

    # Settings that cannot change after training.
    structural: tuple[str, ...] = ()
    # The most documents that are predicted at once and known to fit into memory.
    max_docs: int | None = None

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str,
        scorer: Callable | None,
        settings: dict[str, Any],
    ) -> None:
        """Initialize a component; `nlp.add_pipe` does so with the defaults.

        vocab: The shared vocabulary.
        model: The model.
        name: The component instance name.
        scorer: The scoring method.
        settings: All settings that the factory documents.
        RAISES (ValueError): If a setting has an invalid value, or the model is not one
            for this component.
        """
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.cfg: dict[str, Any] = {"labels": [], **settings}
        self.check_settings()

    @classmethod
    def create(
        cls: type[Component],
        nlp: Language,
        name: str,
        model: Model,
        scorer: Callable | None,
        **settings: Any,
    ) -> Component:
        """Create the component from the arguments of its factory."""
        return cls(nlp.vocab, model, name, scorer, settings)

    def check_settings(self) -> None:
        """Raise a ValueError if a setting or the model is invalid."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the weights."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> list[str]:
        """The labels as `spacy init labels` writes and `initialize` reads them."""
        return list(self.cfg["labels"])

    def add_labels(self, labels: Sequence[str]) -> None:
        """Add labels; ValueError if they are a string, or there are none."""
        if isinstance(labels, str):
            raise ValueError(
                f"The labels of '{self.name}' must be a list, but are the text "
                f"{labels!r}: write [{labels!r}]."
            )
        for label in labels:
            self.add_label(label)
        self._require_labels()

    def add_label(self, label: str) -> int:
        """Add a label. A trained model keeps its weights; new ones are appended.

        label: The label.
        RETURNS: 0 if the component has the label already, otherwise 1.
        RAISES (ValueError): If the label is not a string, is empty, or cannot be
            written by this component.
        """
        if not isinstance(label, str) or not label:
            raise ValueError(
                f"A label of '{self.name}' must be a text that is not empty, but is "
                f"{label!r}."
            )
        if label in self.cfg["labels"]:
            return 0
        self.check_label(label)
        self._allow_extra_label()
        self.cfg["labels"].append(label)
        self.vocab.strings.add(label)
        self.resize_output()
        return 1

    def check_label(self, label: str) -> None:
        """Raise a ValueError if this component cannot write a label."""

    def resize_output(self) -> None:
        """Append weights for the labels that were added to a trained model."""
        raise NotImplementedError

    def initialize(
        self,
        get_examples: GetExamples,
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Initialize the component for training: labels, shapes and weights.

        get_examples: Returns the training examples.
        nlp: The pipeline.
        labels: The labels, for instance from `spacy init labels`; by default those of
            the examples, sorted.
        RAISES (ValueError): If there are no labels, the component cannot write one of
            them, no document has a token or none has a span group of `target`, a
            listener of the pipeline expects vectors of another width than it gets, or
            pretrained weights cannot be loaded.
        """
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        check_widths(nlp)
        self.collect_labels(get_examples, labels)
        self.initialize_model(sample_docs(self.name, get_examples()))
        self.report_data(get_examples, nlp)

    def collect_labels(
        self, get_examples: GetExamples, labels: Sequence[str] | None
    ) -> None:
        """Add the given labels, or those of the data if `labels` is None."""
        raise NotImplementedError

    def initialize_model(self, sample: Sequence[Doc]) -> None:
        """Initialize the weights for the current labels."""
        raise NotImplementedError

    def report_data(self, get_examples: GetExamples, nlp: Language | None) -> None:
        """Log warnings about gold annotation that cannot be learned or is not
        scored."""

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
        denominators: Any = None,
    ) -> dict[str, float]:
        """Learn from a batch, or from a part of one.

        examples: The examples.
        drop: The dropout rate; a pretrained encoder has that of its config.
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
        inputs = self.model_input(examples)
        if inputs is None:
            return losses
        set_dropout_rate(self.model, drop)
        scores, backprop = self.model.begin_update(inputs)
        loss, gradient = self.get_loss(examples, scores, denominators)
        backprop(gradient)
        if sgd not in (None, False):
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def finish_update(self, sgd: Optimizer) -> None:
        """Update the weights by their gradients.

        sgd: The optimizer.
        """
        finish_update(self.model, sgd)

    def predict_in_memory(
        self, predict: Callable[[list[Doc]], list[Result]], docs: Iterable[Doc]
    ) -> list[Result]:
        """Predict documents; where memory is exhausted, again in halves.

        predict: Returns a result for each of some documents.
        docs: The documents.
        RAISES (ValueError): If a single document does not fit into memory.
        """
        found: list[Result] = []
        docs = list(docs)
        while len(found) < len(docs):
            part = docs[len(found) :][: self.max_docs]
            try:
                found += predict(part)
                continue
            except out_of_memory() as err:
                self._halve(part, err)
            # Outside of the handler, where the frames of the failed pass are freed.
            free_cached_memory()
        return found

    def _halve(self, docs: Sequence[Doc], err: BaseException) -> None:
        if len(docs) == 1:
            raise ValueError(
                f"'{self.name}': a document of {len(docs[0])} tokens does not fit into "
                "the memory of the GPU: split it into shorter texts, or predict on the "
                "CPU (--gpu-id -1)."
            ) from err
        if self.max_docs is None:
            logger.warning(
                "Out of GPU memory in '%s' with %d documents at once: prediction "
                "continues with fewer; later cases are not reported.",
                *(self.name, len(docs)),
            )
        self.max_docs = len(docs) // 2

    def model_input(self, examples: Sequence[Example]) -> Any:
        """The input of the model in training; None if it would be empty."""
        raise NotImplementedError

    def count_gold(self, examples: Iterable[Example]) -> Any:
        """Count what the loss of a batch is divided by. If `update` gets the result,
        losses and gradients of parts of the batch add up to those of the whole.

        examples: The examples of the whole batch.
        RETURNS: The count or counts.
        """
        raise NotImplementedError

    def get_loss(
        self, examples: Iterable[Example], scores: Any, denominators: Any = None
    ) -> tuple[float, Any]:
        """Compute the loss of a batch and its gradient.

        examples: The batch.
        scores: The output of the model for it.
        denominators: What `count_gold` returned; None for the counts of the examples.
        RETURNS: The loss and its gradient.
        RAISES (ValueError): If the loss is not finite.
        """
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.get_loss")
        loss, gradient = self.compute_loss(examples, scores, denominators)
        if not math.isfinite(loss):
            raise ValueError(
                f"The loss of '{self.name}' is {loss}: training has diverged. Lower "
                "the learning rate, or set training.optimizer.grad_clip."
            )
        return loss, gradient

    def compute_loss(
        self, examples: Sequence[Example], scores: Any, denominators: Any
    ) -> tuple[float, Any]:
        """The loss of a batch and its gradient; see `get_loss`."""
        raise NotImplementedError

    def from_bytes(
        self: Component, bytes_data: bytes, *, exclude: Iterable[str] = ()
    ) -> Component:
        """Load the component from the result of `to_bytes`; see `from_disk`."""
        settings = dict(self.cfg)
        super().from_bytes(bytes_data, exclude=exclude)
        self.restore(settings)
        return self

    def from_disk(
        self: Component, path: str | Path, *, exclude: Iterable[str] = ()
    ) -> Component:
        """Load the component from a folder. Its settings stay those of the config.

        path: A folder written by `to_disk`.
        exclude: Names of serialization fields to leave out.
        RETURNS: The component.
        RAISES (ValueError): If a setting that cannot change after training differs.
        """
        settings = dict(self.cfg)
        super().from_disk(path, exclude=exclude)
        self.restore(settings)
        return self

    def restore(self, settings: dict[str, Any]) -> None:
        """Apply the settings of the config after loading."""
        for key in self.structural:
            if self.cfg[key] != settings[key]:
                raise ValueError(
                    f"'{self.name}' was trained with {key} = '{self.cfg[key]}', but "
                    f"its config has '{settings[key]}': restore the setting, or train "
                    "the component again."
                )
        self.cfg = {**settings, "labels": self.cfg["labels"]}


def sample_docs(name: str, examples: Iterable[Example]) -> list[Doc]:
    """The first ten documents with tokens, to initialize the component `name`."""
    sample = list(islice((eg.x for eg in examples if len(eg.x)), 10))
    if not sample:
        raise ValueError(
            f"'{name}' cannot be initialized: no training document has a token. Check "
            "the corpus of [initialize] or [training]."
        )
    return sample


def warn_without_weight(
    name: str, nlp: Language | None, written: str, prefix: str, advice: str
) -> None:
    """Log a warning if no score of what a component writes, whose names start with
    `prefix`, selects the best model."""
    training = {} if nlp is None else nlp.config.get("training", {})
    weights = training.get("score_weights", {})
    if nlp and not any(key.startswith(prefix) and weights[key] for key in weights):
        logger.warning(
            "%s writes to %s: select the best model with [training.score_weights] %s.",
            *(name, written, advice),
        )
