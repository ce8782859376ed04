"""Settings that Optuna draws, each with what is known of those before.

Settings are drawn by the Tree-structured Parzen Estimator (Bergstra et al. 2011).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Generator, Mapping
from typing import Any

from ...errors import UserError
from .space import Range, Settings

# What is sent is the score of what was yielded; None if it failed.
Proposals = Generator[Settings, float | None, None]


def check_optuna() -> None:
    """Raise if Optuna is not installed.

    RAISES (UserError): If it is not.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as err:
        raise UserError(
            'Optuna, which --trials needs, is not installed: pip install "spacy-ner-'
            'ext[sweep]"'
        ) from err


def draw(space: Mapping[str, Range | list[Any]], n_trials: int, seed: int) -> Proposals:
    """Draw settings; with the same seed and the same scores the same ones.

    space (Mapping[str, Union[Range, List[Any]]]): What each setting is drawn from.
    n_trials (int): How many times.
    seed (int): The seed of the random numbers.
    YIELDS (Dict[str, Any]): A value for each setting; its score has to be sent.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        # Some of its settings are called experimental, and may go with a version.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = {name: _distribution(choice) for name, choice in space.items()}
    for _ in range(n_trials):
        trial = study.ask(distributions)
        score = yield {
            name: _decode(value, space[name]) for name, value in trial.params.items()
        }
        if score is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, score)


def _distribution(choice: Range | list[Any]) -> Any:
    from optuna import distributions

    if not isinstance(choice, Range):
        # Lists are no values that Optuna knows.
        return distributions.CategoricalDistribution([json.dumps(v) for v in choice])
    if choice.is_whole:
        low, high = int(choice.low), int(choice.high)
        return distributions.IntDistribution(low, high, log=choice.is_log)
    return distributions.FloatDistribution(choice.low, choice.high, log=choice.is_log)


def _decode(value: Any, choice: Range | list[Any]) -> Any:
    return value if isinstance(choice, Range) else json.loads(value)
