"""Learning rates over the steps of training."""

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
    """Rise in a line from `start_value` to `value`, then fall in a line to `end_value`.

    value: The highest value.
    total_steps: Steps until `end_value`, which stays from there on.
    warmup_rate: The part of these in which the value rises, 0 to 1.
    start_value: The value at the first step.
    end_value: The value at the end.
    YIELDS: The value of each step.
    RAISES (ValueError): If `total_steps` or `warmup_rate` make no schedule.
    """
    if total_steps < 1:
        raise ValueError(
            f"total_steps = {total_steps} of linear_warmup: set it to at least 1, for "
            "instance to ${training.max_steps}, and that to more than 0."
        )
    if not 0 <= warmup_rate <= 1:
        raise ValueError(
            f"warmup_rate = {warmup_rate} of linear_warmup: set it to a part of the "
            "steps, from 0 to 1."
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
