"""`crf_ner`: named entities by a linear-chain CRF, with exact probabilities."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model, get_array_module

from ..pipes.entities import DEFAULTS, FACTORY, EntityPipe
from ..pipes.labels import GetExamples
from ..pipes.predictions import DocSpan, Predictions
from ..pipes.thresholds import Threshold
from .device import to_host
from .gold import constrain, gold_tags, report_skipped_gold
from .lattice import Lattice
from .likely import likely_spans
from .marginals import entity_probabilities, tag_marginals
from .pipe import DEFAULT_CRF_MODEL, CRFPipe
from .tags import TagSet
from .viterbi import best_paths


@Language.factory(
    "crf_ner",
    default_config={
        "model": DEFAULT_CRF_MODEL,
        "scheme": "biluo",
        "structure": "flat",
        "objective": "joint",
        **DEFAULTS,
    },
    **FACTORY,
)
def make_crf_ner(
    nlp: Language,
    name: str,
    model: Model,
    scheme: str,
    structure: str,
    objective: str,
    target: str | list[str],
    annotate: str | list[str] | None,
    overwrite: bool,
    temperature: float,
    threshold: Threshold,
    entity_bias: float,
    scorer: Callable | None,
) -> "CRFEntityRecognizer":
    """Create a `crf_ner` component. Arguments that are not listed: see `EntityPipe`.

    model: A spacy_ner_ext.CRF.v1 model.
    scheme: Tag scheme, "biluo" or "iob2".
    structure: "flat" for one chain in which labels compete, "per_label" for one chain
        per label, so that entities of different labels may overlap.
    objective: Training objective: "joint" (likelihood of the tag sequence), "marginal"
        (product of the tags' marginals) or "independent" (cross-entropy of each tag by
        itself, with constrained decoding).
    overwrite: Whether existing entities are replaced. Otherwise they are kept, and
        decoding is constrained by them.
    RETURNS: The component.
    RAISES (ValueError): If a setting has an invalid value, or the model is not a CRF.
    """
    return CRFEntityRecognizer.create(**locals())


class CRFEntityRecognizer(CRFPipe, EntityPipe):
    """Recognize named entities with a linear-chain conditional random field
    (Lafferty et al. 2001) over any token-to-vector layer.

    Invalid tag sequences are ruled out in training and in decoding. Each entity has its
    exact probability as `ent._.score` and in the "scores" attribute of a span group.
    """

    structural = ("scheme", "structure")

    def check_settings(self) -> None:
        super().check_settings()
        TagSet((), self.cfg["scheme"], self.cfg["structure"])

    @property
    def tags(self) -> TagSet:
        return TagSet(self.labels, self.cfg["scheme"], self.cfg["structure"])

    def find(self, docs: Sequence[Doc]) -> Predictions:
        lattice, allowed = self.predict_lattice(docs), self._allowed(docs)
        return decode(lattice, self.tags, allowed, self.cfg["entity_bias"])

    def find_likely(
        self, docs: Sequence[Doc], minimum: float, given: Sequence[DocSpan] = ()
    ) -> Predictions:
        lattice, allowed = self.predict_lattice(docs), self._allowed(docs)
        options = self.cfg["temperature"], minimum, given
        return find_likely(lattice, self.tags, allowed, *options)

    def text_vectors(self, docs: Sequence[Doc]) -> numpy.ndarray:
        vectors = self.model.get_ref("tok2vec").predict(list(docs))
        return numpy.stack([to_host(each).mean(axis=0) for each in vectors])

    def _allowed(self, docs: Sequence[Doc]) -> numpy.ndarray | None:
        if self.cfg["overwrite"]:
            return None
        return constrain(docs, self.tags, self.annotate)

    def encode_gold(self, examples: Iterable[Example]) -> numpy.ndarray:
        tags, keys = self.tags, self.target
        return numpy.concatenate([gold_tags(eg, tags, keys) for eg in examples])

    def report_data(self, get_examples: GetExamples, nlp: Language | None) -> None:
        """Log the gold entities that the tags cannot represent."""
        super().report_data(get_examples, nlp)
        report_skipped_gold(self.name, self.tags, self.target, get_examples())


def decode(
    lattice: Lattice,
    tags: TagSet,
    allowed: numpy.ndarray | None = None,
    entity_bias: float = 0.0,
) -> Predictions:
    """Decode the entities of the best tag sequence of each document. `allowed` is bool,
    shape (n_words, n_chains * n_tags); `entity_bias` is added to the scores of all tags
    except O in decoding, not in probabilities."""
    biased = lattice.favor_entities(entity_bias) if entity_bias else lattice
    spans = tags.find_spans(best_paths(biased, tags.allowed_transitions, allowed))
    return _with_probabilities(lattice, tags, spans, allowed)


def find_likely(
    lattice: Lattice,
    tags: TagSet,
    allowed: numpy.ndarray | None,
    temperature: float,
    minimum: float,
    given: Sequence[DocSpan],
) -> Predictions:
    """Find the spans with at least a probability, see EntityPipe.find_likely."""
    scaled = _scaled(lattice, temperature)
    lengths = numpy.asarray(lattice.lengths, dtype=int)
    ends = numpy.cumsum(lengths)
    mask = None
    if allowed is not None:
        mask = get_array_module(lattice.emissions).asarray(allowed)
    marginals = to_host(tag_marginals(scaled, tags.allowed_transitions, mask))
    spans = likely_spans(marginals, tags, numpy.repeat(ends, lengths), minimum)
    spans = spans[entity_probabilities(scaled, tags, spans, allowed) >= minimum]
    rows = [_as_row(tags, ends - lengths, *span) for span in given]
    both = numpy.unique([*spans.tolist(), *rows], axis=0).reshape(-1, 4).astype(int)
    return replace(_with_probabilities(lattice, tags, both, allowed), overlap=True)


def _as_row(
    tags: TagSet, first: numpy.ndarray, doc: int, start: int, end: int, label: str
) -> tuple[int, ...]:
    """A span as TagSet.find_spans has it; `first` is the first word of documents."""
    chain, begin = tags.locate(label)
    return chain, int(first[doc]) + start, int(first[doc]) + end, begin


def _with_probabilities(
    lattice: Lattice,
    tags: TagSet,
    spans: numpy.ndarray,
    allowed: numpy.ndarray | None,
) -> Predictions:
    document, first = lattice.document_of(spans[:, 1])
    columns = (
        document,
        spans[:, 1] - first,
        spans[:, 2] - first,
        spans[:, 0],
        spans[:, 3],
    )
    entities = [
        (doc, start, end, tags.label_of(chain, tag))
        for doc, start, end, chain, tag in numpy.stack(columns, axis=1).tolist()
    ]

    def probabilities(temperature: float) -> numpy.ndarray:
        scaled = _scaled(lattice, temperature)
        return entity_probabilities(scaled, tags, spans, allowed)

    return Predictions(entities, probabilities, tags.structure == "per_label")


def _scaled(lattice: Lattice, temperature: float) -> Lattice:
    return lattice if temperature == 1 else lattice.scaled(1 / temperature)
