"""A schedule of learning rates."""

from collections.abc import Iterator

from spacy import registry


@registry.schedules("spacy_ner_ext.linear_warmup.v1")
def linear_warmup(
    value: float,
    total_steps: int,
    warmup_rate: float = 0.1,
    start_value: float = 0.0,
    end_value: float = 0.0,
) -> Iterator[float]:
    """Increase linearly from `start_value` to `value`, then decrease linearly to
    `end_value`.

    value: The largest value.
    total_steps: Steps until `end_value`, which is kept afterwards.
    warmup_rate: The fraction of these steps in which the value increases, 0 to 1.
    start_value: The value at the first step.
    end_value: The value at the end.
    YIELDS: The value of each step.
    RAISES (ValueError): If `total_steps` or `warmup_rate` are out of range.
    """
    if total_steps < 1:
        raise ValueError(
            f"total_steps = {total_steps} of linear_warmup: set it to at least 1, for "
            "instance to ${training.max_steps}, and that to more than 0."
        )
    if not 0 <= warmup_rate <= 1:
        raise ValueError(
            f"warmup_rate = {warmup_rate} of linear_warmup: set it to a fraction of "
            "the steps, from 0 to 1."
        )
    return _linear_warmup(value, total_steps, warmup_rate, start_value, end_value)


def _linear_warmup(
    value: float, total: int, warmup_rate: float, start: float, end: float
) -> Iterator[float]:
    n_warmup = warmup_rate * total
    step = 0
    while True:
        if step < n_warmup:
            yield start + (value - start) * step / n_warmup
        elif step < total:
            yield value + (end - value) * (step - n_warmup) / (total - n_warmup)
        else:
            yield end
        step += 1
