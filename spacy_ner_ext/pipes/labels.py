"""What the trainable components with labels have in common."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from spacy.pipeline.trainable_pipe import TrainablePipe
from spacy.vocab import Vocab
from thinc.api import Model

Component = TypeVar("Component", bound="LabelledPipe")


class LabelledPipe(TrainablePipe):
    """Keeps labels in the order of the weights, and settings that stay editable.

    vocab: The shared vocabulary.
    model: The model.
    name: The component instance name.
    scorer: The scoring method.
    settings: The settings of the component.
    """

    # Settings that a trained component cannot change.
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
        """What `spacy init labels` writes and `initialize`
        takes as `labels`.
        """
        return list(self.cfg["labels"])

    # --- Labels ---------------------------------------------------------------

    def add_labels(self, labels: Sequence[str]) -> None:
        """Add the labels to learn.

        RAISES (ValueError): If it is no list, or there are no labels in the end.
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
        """Add a label; a trained model keeps its weights, new ones are appended.

        RETURNS: 0 if the label is already there, otherwise 1.
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
        """Give the model the weights of labels that were added."""
        raise NotImplementedError

    # --- Serialization ------------------------------------------------------

    def from_bytes(
        self: Component, bytes_data: bytes, *, exclude: Iterable[str] = ()
    ) -> Component:
        """Load the component; settings that a user may edit stay as configured.

        RAISES (ValueError): If it was trained with a setting that cannot change now.
        """
        settings = dict(self.cfg)
        super().from_bytes(bytes_data, exclude=exclude)
        self.restore(settings)
        return self

    def from_disk(
        self: Component, path: str | Path, *, exclude: Iterable[str] = ()
    ) -> Component:
        """Load the component; settings that a user may edit stay as configured.

        RAISES (ValueError): If it was trained with a setting that cannot change now.
        """
        settings = dict(self.cfg)
        super().from_disk(path, exclude=exclude)
        self.restore(settings)
        return self

    def restore(self, settings: dict[str, Any]) -> None:
        """Put settings of the config back in the place of those that were saved.

        settings: The settings of the config.
        RAISES (ValueError): If one differs that cannot change.
        """
        for key in self.structural:
            if self.cfg[key] != settings[key]:
                raise ValueError(
                    f"'{self.name}' was trained with {key} = '{self.cfg[key]}', but "
                    f"its config says '{settings[key]}': set it back, or train anew."
                )
        self.cfg = {**settings, "labels": self.cfg["labels"]}
