"""The `temperature` setting, checked.

It divides the scores before probabilities are computed: in `decode` of crf/ner.py and
of span_marker/decode.py.
"""

# Outside of this range all probabilities are 0, 1 or uniform, and scores may overflow.
MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-3, 1e3


def check_temperature(name: str, temperature: float) -> float:
    """Check that the temperature of the component `name` is from 0.001 to 1000."""
    if not MIN_TEMPERATURE <= temperature <= MAX_TEMPERATURE:
        raise ValueError(
            f"The temperature of '{name}' is {temperature}: set temperature to a value "
            f"from {MIN_TEMPERATURE:g} to {MAX_TEMPERATURE:g}, or to 1.0 to leave "
            "probabilities unchanged."
        )
    return float(temperature)
