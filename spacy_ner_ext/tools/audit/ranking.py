"""The odds that gold is wrong, learned from errors put into the corpus.

The pipeline that judges a document has not seen its gold. So as if gold had this error,
an entity can be dropped, relabeled or moved by a word: the change that corrects it is
an example of a change to accept. The changes of gold as it is are examples of others,
since most of gold is right. For each kind of change, a logistic regression learns from
both what distinguishes them: the probabilities of the change and of gold, and how other
mentions of the same form are annotated.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy

from .agreement import Agreement
from .changes import Change, find_changes
from .judge import JudgedDoc

# The share of entities with an error of one kind that is expected.
RATE = 0.02
# That of entities that annotators invent. As nobody knows what these look like, none
# are put into the corpus, and changes that remove an entity come last.
INVENTED = 0.001
# Words between an entity and others that may overlap the same likely entities.
NEAR = 30
# Probabilities below it are not distinguished.
SMALLEST = 0.01
# Without examples, the odds are those of the probabilities: a constant, the logarithms
# of the probability of the change, of its complement, of gold and its complement, the
# agreement.
PRIOR = numpy.array([0, 1, 0, -1, 0, 0, 0, 0, 0, 0, 0], dtype=float)
CONSTANT = numpy.arange(len(PRIOR)) == 0
L2, STEPS = 1.0, 25


class Evidence(NamedTuple):
    change: Change
    agreement: Agreement


def put_errors(judged: JudgedDoc) -> Iterator[Change]:
    """The changes that correct errors of gold: an entity that is missing, or a wrong
    copy in its place."""
    missing = [(span, None) for span in dict.fromkeys(s for s, _ in judged.copies)]
    for span, copy in [*judged.copies, *missing]:
        # Entities further away do not change what is found here.
        first, last = span[0] - NEAR, span[1] + NEAR
        likely = {
            other: probability
            for other, probability in judged.likely.items()
            if first < other[1] and other[0] < last
        }
        left = [each for each in judged.gold if each in likely and each != span]
        if copy is not None:
            left.append(copy)
            likely[copy] = judged.probabilities[copy]
        for change in find_changes(left, likely):
            if change.suggested == span:
                yield change


class Ranking:
    """Computes the odds of changes.

    real: The changes of gold.
    put: The changes that correct errors that were put into it.
    share: The share of the entities that got errors.
    """

    def __init__(
        self, real: Sequence[Evidence], put: Sequence[Evidence], share: float
    ) -> None:
        self.coefficients = {"spurious": PRIOR + math.log(INVENTED) * CONSTANT}
        for kind in ("missing", "wrong label", "wrong boundary"):
            accepted, others = (
                [_features(each) for each in part if each.change.kind == kind]
                for part in (put, real)
            )
            x = numpy.array([*accepted, *others]).reshape(-1, len(PRIOR))
            is_put = numpy.arange(len(x)) < len(accepted)
            weights = numpy.where(is_put, RATE / share, 1.0)
            prior = PRIOR + math.log(RATE) * CONSTANT
            self.coefficients[kind] = fit(x, is_put, weights, prior)

    def odds(self, evidence: Evidence) -> float:
        """The odds that a change should be accepted."""
        logit = _features(evidence) @ self.coefficients[evidence.change.kind]
        return float(numpy.exp(numpy.clip(logit, -30, 30)))


def _features(evidence: Evidence) -> numpy.ndarray:
    change, counts = evidence.change, numpy.array(evidence.agreement, dtype=float)
    new, old = change.probability, change.gold_probability
    logs = numpy.log(numpy.clip([new, 1 - new, old, 1 - old], SMALLEST, 1))
    return numpy.concatenate([[1.0], logs, numpy.log1p(counts[:2]), counts > 0])


def fit(
    x: numpy.ndarray, y: numpy.ndarray, weights: numpy.ndarray, prior: numpy.ndarray
) -> numpy.ndarray:
    """Logistic regression by Newton's method, with L2 regularization.

    x: Features, shape (n, n_features).
    y: Bool, shape (n,).
    weights: Of the examples, shape (n,).
    prior: The coefficients without examples, shape (n_features,).
    RETURNS: The coefficients, shape (n_features,).
    """

    def loss(coefficients: numpy.ndarray) -> float:
        logits = numpy.where(y, -1, 1) * (x @ coefficients)
        penalty = ((coefficients - prior) ** 2).sum() * L2 / 2
        return float(weights @ numpy.logaddexp(0, logits) + penalty)

    coefficients = prior.copy()
    for _ in range(STEPS):
        p = 1 / (1 + numpy.exp(-(x @ coefficients)))
        gradient = x.T @ (weights * (p - y)) + L2 * (coefficients - prior)
        curvature = (x.T * (weights * p * (1 - p))) @ x + L2 * numpy.eye(len(prior))
        step = numpy.linalg.solve(curvature, gradient)
        while loss(coefficients - step) > loss(coefficients):
            step /= 2
        coefficients = coefficients - step
    return coefficients
