"""Rank the tokens of documents by cleanlab, the most doubtful first.

Runs in an environment of its own: python audit_cleanlab.py tokens.npz ranking.json
"""

import json
import sys

import numpy
from cleanlab.token_classification.filter import find_label_issues
from cleanlab.token_classification.rank import get_label_quality_scores


def main() -> None:
    source, target = sys.argv[1:]
    arrays = numpy.load(source)
    numbers = sorted(int(name[1:]) for name in arrays if name.startswith("p"))
    labels = [arrays[f"y{i}"].tolist() for i in numbers]
    probabilities = [arrays[f"p{i}"].astype("float64") for i in numbers]
    probabilities = [p / p.sum(axis=1, keepdims=True) for p in probabilities]
    issues = find_label_issues(
        labels, probabilities, return_indices_ranked_by="self_confidence"
    )
    _, scores = get_label_quality_scores(labels, probabilities)
    known = set(issues)
    others = [
        (scores[i][k], (i, k))
        for i in range(len(numbers))
        for k in range(len(labels[i]))
        if (i, k) not in known
    ]
    ranked = [*issues, *(place for _, place in sorted(others)[: 20 * len(issues)])]
    with open(target, "w") as file:
        json.dump([(numbers[i], int(k)) for i, k in ranked], file)


if __name__ == "__main__":
    main()
