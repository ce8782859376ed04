"""The config section [spacy_ner_ext], which `python -m spacy_ner_ext train` reads and
`spacy train` ignores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

from ...util.errors import UserError

SECTION = "spacy_ner_ext"
EPOCHS, EVALUATIONS, STEPS = "epochs", "evaluations", "steps"
PIECES, WORDS, DOCS = "pieces", "words", "docs"


@dataclass(frozen=True)
class Amount:
    """A number with a unit, such as "0.1 epoch" or "1024 pieces"."""

    number: Fraction
    unit: str


def read_amount(
    setting: str, value: Any, units: tuple[str, ...], example: str
) -> Amount:
    """Parse a number above 0 with one of the units, given in the plural, by default
    the last one. Only epochs can be fractions."""
    number, _, unit = str(value).strip().partition(" ")
    unit = unit.strip() or units[-1]
    plural = next((u for u in units if unit in (u, u[:-1])), None)
    try:
        amount = Fraction(number)
    except (ValueError, ZeroDivisionError):
        amount = Fraction(0)
    if plural is None or amount <= 0 or (plural != EPOCHS and amount % 1):
        raise UserError(
            f"{setting} = {value!r}: set it to a number of {' or '.join(units)}, such "
            f'as "{example}".'
        )
    return Amount(amount, plural)


@dataclass(frozen=True)
class RunSettings:
    """The settings of [spacy_ner_ext]; None for those of [training]. `sub_batch` is the
    size of a sub-batch, in place of the number `accumulate_gradient`."""

    checkpoint_every: int = 0
    keep_checkpoints: int = 2
    eval_frequency: Amount | None = None
    patience: Amount | None = None
    sub_batch: Amount | None = None
    num_workers: int = 0


AMOUNTS = {
    "eval_frequency": ((EPOCHS, STEPS), "0.1 epoch"),
    "patience": ((EVALUATIONS, EPOCHS, STEPS), "5 evaluations"),
    "sub_batch": ((PIECES, WORDS, DOCS), "1024 pieces"),
}
LOWEST = {"checkpoint_every": 0, "keep_checkpoints": 1, "num_workers": 0}


def read_settings(
    config: Mapping[str, Any], given: Mapping[str, Any] = {}
) -> RunSettings:
    """Read and validate the section of a config; `given` settings override its own,
    unless None."""
    changed = {name: value for name, value in given.items() if value is not None}
    section = {**config.get(SECTION, {}), **changed}
    known = [field.name for field in fields(RunSettings)]
    if unknown := sorted(set(section) - set(known)):
        raise UserError(
            f"[{SECTION}] has no setting {unknown[0]}: its settings are "
            f"{', '.join(known)}."
        )
    return RunSettings(**{k: _read(k, value) for k, value in section.items()})


def _read(name: str, value: Any) -> Any:
    setting = f"[{SECTION}] {name}"
    if name in AMOUNTS:
        units, example = AMOUNTS[name]
        return None if value is None else read_amount(setting, value, units, example)
    lowest = LOWEST[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
        raise UserError(
            f"{setting} = {value!r}: set it to a whole number, at least {lowest}."
        )
    return value
