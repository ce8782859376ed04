"""`span_marker_ner`: named entity recognition by marked spans (SpanMarker)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch

from ..encoder.pieces import Ints
from ..pipes.entities import EntityPipe
from ..pipes.labels import GetExamples
from ..pipes.predictions import DocSpan, Predictions
from ..pipes.spans import expand
from .checkpoint import adopt, read_checkpoint
from .decode import bounds_of, decode, decode_likely, kept_words
from .gold import OUTSIDE, LostGold, dev_examples, label_spans, report_lost_gold
from .loss import Denominators, compute_loss, count_known
from .model import scorer_of, shim_of
from .scorer import Candidates, CandidateScores
from .settings import Context
from .shim import SpanMarkerShim
from .windows import read_words

# Examples whose windows are cut together when lost gold is counted.
REPORT_BATCH = 256


class SpanMarkerRecognizer(EntityPipe):
    """Recognize named entities by classifying candidate spans, each of which is marked
    in the input of a pretrained encoder (SpanMarker, Aarsen 2023).

    Every entity has the probability of its label, as `ent._.score` and in the "scores"
    attribute of a span group.
    """

    # A checkpoint that is not read yet; a saved pipeline does not need it.
    _unread: str | None = None

    def check_settings(self) -> None:
        super().check_settings()
        self._unread = self.cfg["checkpoint"]
        shims = self.model.shims
        if not shims or not isinstance(shims[0], SpanMarkerShim):
            raise ValueError(
                f"The model '{self.model.name}' of '{self.name}' is not a span marker: "
                'set its @architectures to "spacy_ner_ext.SpanMarker.v1".'
            )
        if self.cfg["filter_weight"] < 0:
            raise ValueError(
                f"filter_weight = {self.cfg['filter_weight']} of '{self.name}': set it "
                "to 0 or more."
            )
        if shim_of(self.model).settings.activation != "softmax":
            raise ValueError(
                f"'{self.name}' gives a span one label: set activation of its model to "
                '"softmax".'
            )
        self.context  # noqa: B018 - checked

    @property
    def context(self) -> Context:
        keys = ("context", "max_prev_context", "max_next_context")
        return Context(*(self.cfg[key] for key in keys))

    @property
    def shim(self) -> SpanMarkerShim:
        return shim_of(self.model)

    def read_checkpoint(self) -> None:
        """Read `checkpoint`, if it was not read yet; `labels` are empty before."""
        if self._unread is None:
            return
        checkpoint = read_checkpoint(self._unread, f"The checkpoint of '{self.name}'")
        adopt(self.shim, checkpoint)
        self._unread = None
        self.model.set_dim("nO", 1 + len(checkpoint.labels), force=True)
        self.cfg["labels"] = checkpoint.labels
        for label in checkpoint.labels:
            self.vocab.strings.add(label)
        for side in ("max_prev_context", "max_next_context"):
            if self.cfg[side] is None:
                self.cfg[side] = checkpoint.config.get(side)
        checkpoint.warn_about_context(self.name, self.cfg["context"])

    def find_candidates(self, docs: Sequence[Doc]) -> Candidates:
        self.read_checkpoint()
        self._require_labels()
        return scorer_of(self.model).candidates(read_words(docs), self.context)

    def find(self, docs: Sequence[Doc]) -> Predictions:
        scores = self.model.predict(self._free_candidates(docs))
        return decode(self.model.ops, scores, self.labels, self.cfg["entity_bias"])

    def find_likely(
        self, docs: Sequence[Doc], minimum: float, given: Sequence[DocSpan] = ()
    ) -> Predictions:
        found = self._free_candidates(docs)
        bounds = {span[:3] for span in given}
        required = numpy.array(
            [each in bounds for each in bounds_of(found)], dtype=bool
        )
        scores = self.model.predict(replace(found, required=required))
        options = self.labels, self.cfg["temperature"], minimum, set(given)
        return decode_likely(self.model.ops, scores, *options)

    def text_vectors(self, docs: Sequence[Doc]) -> numpy.ndarray:
        return numpy.stack([self._text_vector(doc) for doc in docs])

    def _text_vector(self, doc: Doc) -> numpy.ndarray:
        """The mean state of the pieces of a text; zeros for white space."""
        candidates = self.find_candidates([doc])
        scorer = scorer_of(self.model)
        size = scorer.network.encoder.config.hidden_size
        states = [numpy.zeros((0, size), dtype="float32")]
        for _, text in scorer.texts(candidates):
            assert text.states is not None
            states.append(text.states.cpu().numpy()[text.mask])
        together = numpy.concatenate(states)
        return together.sum(axis=0) / max(len(together), 1)

    def _free_candidates(self, docs: Sequence[Doc]) -> Candidates:
        """The candidates that do not overlap an existing entity that is kept."""
        found = self.find_candidates(docs)
        overwrite = self.cfg["overwrite"]
        keys = [] if overwrite else expand(self.annotate, self.labels)
        kept = kept_words(docs, found.words, keys)
        n_kept = numpy.concatenate([[0], numpy.cumsum(kept)])
        free = n_kept[found.spans.last + 1] == n_kept[found.spans.first]
        return replace(found, spans=found.spans[free])

    def count_gold(self, examples: Iterable[Example]) -> Denominators:
        """Count the spans with known labels, see LabelledPipe.count_gold.

        With a filter the texts pass through the encoder once more, to find the spans
        that will be marked; the effect of dropout on that is not foreseen.
        """
        examples = list(examples)
        if not examples:
            return Denominators(0, 0)
        candidates, gold = self._find_gold(examples)
        chosen = scorer_of(self.model).select(candidates)
        return count_known(candidates.spans, gold, chosen)

    def model_input(self, examples: Sequence[Example]) -> Candidates | None:
        """All candidates, gold ones required; None without candidates."""
        candidates, _ = self._find_gold(examples)
        return candidates if len(candidates.spans) else None

    def _find_gold(self, examples: Sequence[Example]) -> tuple[Candidates, Ints]:
        """The candidates of examples, gold ones required, and their gold labels."""
        found = self.find_candidates([example.predicted for example in examples])
        gold = self._label(examples, found)
        return replace(found, required=gold > OUTSIDE), gold

    def _label(
        self,
        examples: Sequence[Example],
        candidates: Candidates,
        lost: LostGold | None = None,
    ) -> Ints:
        longest = self.shim.settings.entity_max_length
        options = (self.labels, self.target, longest, lost)
        return label_spans(examples, candidates.words, candidates.spans, *options)

    def compute_loss(
        self,
        examples: Sequence[Example],
        scores: CandidateScores,
        denominators: Denominators | None,
    ) -> tuple[float, CandidateScores]:
        """The mean cross-entropy of the marked spans (the loss of SpanMarker), plus the
        binary cross-entropy of the filter, summed over all spans and divided by the
        number of words; and the gradient."""
        gold = self._label(examples, scores.candidates)
        weight = self.cfg["filter_weight"]
        return compute_loss(self.model.ops, scores, gold, weight, denominators)

    def collect_labels(
        self, get_examples: GetExamples, labels: Sequence[str] | None
    ) -> None:
        self.read_checkpoint()
        super().collect_labels(get_examples, labels)

    def initialize_model(self, sample: Sequence[Doc]) -> None:
        if self.cfg["checkpoint"] is None:
            output = self.model.ops.alloc2f(1, 1 + len(self.labels))
            self.model.initialize(Y=output)

    def report_data(self, get_examples: GetExamples, nlp: Language | None) -> None:
        """Log gold entities of training and development data that cannot be learned."""
        super().report_data(get_examples, nlp)
        self.report(get_examples(), "train")
        self.report(dev_examples(nlp), "dev")

    def report(self, examples: Iterable[Example], split: str) -> LostGold:
        """Count and log the gold entities that are not candidates; `split` is "train"
        or "dev"."""
        lost = LostGold()
        for batch in minibatch(examples, REPORT_BATCH):
            candidates = self.find_candidates([eg.predicted for eg in batch])
            self._label(batch, candidates, lost)
        longest = self.shim.settings.entity_max_length
        report_lost_gold(self.name, split, lost, longest)
        return lost

    def add_label(self, label: str) -> int:
        self.read_checkpoint()
        return super().add_label(label)

    def resize_output(self) -> None:
        if self.shim.is_loaded:
            n_labels = 1 + len(self.labels)
            self.shim.resize(n_labels)
            self.model.set_dim("nO", n_labels, force=True)

    @property
    def is_resizable(self) -> bool:
        return True

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        self.read_checkpoint()
        return super().to_bytes(exclude=exclude)

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        self.read_checkpoint()
        super().to_disk(path, exclude=exclude)

    def restore(self, settings: dict[str, Any]) -> None:
        """Apply the settings of the config after loading, except for those that a
        checkpoint set."""
        self._unread = None
        for side in ("max_prev_context", "max_next_context"):
            if settings[side] is None:
                settings[side] = self.cfg[side]
        super().restore(settings)
