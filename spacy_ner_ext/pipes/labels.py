"""`LabelledPipe`, the base class of the trainable components with labels."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from spacy.language import Language
from spacy.pipeline.trainable_pipe import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import logger
from spacy.vocab import Vocab
from thinc.api import Model

Component = TypeVar("Component", bound="LabelledPipe")


class LabelledPipe(TrainablePipe):
    """Base class of components that keep their labels in the order of the weights, and
    whose settings can be edited in the config of a trained pipeline.

    vocab: The shared vocabulary.
    model: The model.
    name: The component instance name.
    scorer: The scoring method.
    settings: The settings of the component.
    """

    # Settings that cannot change after training.
    structural: tuple[str, ...] = ()

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str,
        scorer: Callable | None,
        settings: dict[str, Any],
    ) -> None:
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.cfg: dict[str, Any] = {"labels": [], **settings}

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the weights."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> list[str]:
        """The labels as `spacy init labels` writes and `initialize` reads them."""
        return list(self.cfg["labels"])

    def add_labels(self, labels: Sequence[str]) -> None:
        """Add several labels.

        RAISES (ValueError): If `labels` is a string, or the component still has no
            labels.
        """
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
        """Apply the settings of the config after loading.

        RAISES (ValueError): If a setting that cannot change after training differs.
        """
        for key in self.structural:
            if self.cfg[key] != settings[key]:
                raise ValueError(
                    f"'{self.name}' was trained with {key} = '{self.cfg[key]}', but "
                    f"its config has '{settings[key]}': restore the setting, or train "
                    "the component again."
                )
        self.cfg = {**settings, "labels": self.cfg["labels"]}


def sample_docs(name: str, examples: Iterable[Example]) -> list[Doc]:
    """The first ten documents with tokens, to initialize the component `name`.

    RAISES (ValueError): If no document has a token.
    """
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
    """Log a warning if no score of what a component writes selects the best model.

    written: What the component writes.
    prefix: The start of the names of its scores.
    advice: The score weights to set.
    """
    training = {} if nlp is None else nlp.config.get("training", {})
    weights = training.get("score_weights", {})
    if nlp and not any(key.startswith(prefix) and weights[key] for key in weights):
        logger.warning(
            "%s writes to %s: select the best model with [training.score_weights] %s.",
            *(name, written, advice),
        )
