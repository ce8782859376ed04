"""The `threshold` setting, checked, by label.

`score_entities` in predictions.py drops the entities below it.
"""

from collections.abc import Mapping, Sequence
from typing import Union

# One for all labels, or by label.
Threshold = Union[float, dict[str, float]]


def threshold_of(threshold: Threshold, label: str) -> float:
    """The threshold of a label; 0 if a table does not list it."""
    return threshold.get(label, 0.0) if isinstance(threshold, Mapping) else threshold


def has_threshold(threshold: Threshold) -> bool:
    """Whether a threshold can drop any entity."""
    values = threshold.values() if isinstance(threshold, Mapping) else [threshold]
    return any(values)


def check_threshold(name: str, threshold: Threshold) -> Threshold:
    """Check that the thresholds of the component `name` are probabilities."""
    by_label = isinstance(threshold, Mapping)
    values = dict(threshold) if isinstance(threshold, Mapping) else {"": threshold}
    for label, value in values.items():
        if not 0 <= value <= 1:
            of = f"'{label}' in '{name}'" if by_label else f"'{name}'"
            raise ValueError(
                f"The threshold of {of} is {value}, which is not a probability: set "
                "threshold to a value from 0 to 1."
            )
    floats = {label: float(value) for label, value in values.items()}
    return floats if by_label else floats[""]


def check_thresholds(name: str, threshold: Threshold, labels: Sequence[str]) -> None:
    """Check that a table of thresholds lists labels of the component only."""
    for label in threshold if isinstance(threshold, Mapping) else {}:
        if label not in labels:
            raise ValueError(
                f"The threshold of '{name}' lists the label '{label}', which the "
                f"component does not have: use its labels {', '.join(labels)}."
            )
