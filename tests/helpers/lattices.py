"""Random lattices, and their paths by enumeration."""

import itertools

import numpy

from spacy_ner_ext.crf.lattice import Lattice
from spacy_ner_ext.crf.tags import AllowedTransitions


def random_lattice(rng, lengths, n_chains, n_tags, scale=1.0, dtype="float64"):
    def draw(*shape):
        return (rng.normal(size=shape) * scale).astype(dtype)

    return Lattice(
        draw(sum(lengths), n_chains * n_tags),
        list(lengths),
        draw(n_chains, n_tags, n_tags),
        draw(n_chains, n_tags),
        draw(n_chains, n_tags),
    )


def random_transitions(rng, n_tags):
    """A random mask that leaves at least one path: tag 0 may always follow itself."""
    transitions = rng.random((n_tags, n_tags)) < 0.6
    start, end = rng.random(n_tags) < 0.6, rng.random(n_tags) < 0.6
    transitions[0, 0] = start[0] = end[0] = True
    return AllowedTransitions(transitions, start, end)


def enumerate_paths(lattice, allowed_transitions, document, chain, allowed=None):
    """Every valid path of one chain of a document, and its score."""
    bounds = numpy.cumsum([0, *lattice.lengths])
    first, last = bounds[document], bounds[document + 1]
    shape = (-1, lattice.n_chains, lattice.n_tags)
    emissions = lattice.emissions.reshape(shape)[first:last, chain].astype("float64")
    open_ = numpy.ones(emissions.shape, bool)
    if allowed is not None:
        open_ = allowed.reshape(shape)[first:last, chain]
    transitions = lattice.transitions[chain].astype("float64")
    paths, scores = [], []
    for path in itertools.product(range(lattice.n_tags), repeat=last - first):
        steps = list(itertools.pairwise(path))
        valid = allowed_transitions.start[path[0]] and allowed_transitions.end[path[-1]]
        valid = valid and all(allowed_transitions.transitions[step] for step in steps)
        if not (valid and all(open_[i, tag] for i, tag in enumerate(path))):
            continue
        paths.append(path)
        scores.append(
            sum(emissions[i, tag] for i, tag in enumerate(path))
            + sum(transitions[step] for step in steps)
            + float(lattice.start[chain][path[0]])
            + float(lattice.end[chain][path[-1]])
        )
    return paths, numpy.array(scores)


def brute_log_z(scores):
    return scores.max() + numpy.log(numpy.exp(scores - scores.max()).sum())
