"""`span_marker_ner`: named entity recognition by marked spans (SpanMarker)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.util import minibatch
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, set_dropout_rate

from ..encoder.pieces import Ints
from ..pipes.entities import EntityPipe, warn_about_score_weights
from ..pipes.predictions import Predictions
from ..pipes.spans import expand
from .checkpoint import adopt, read_checkpoint
from .decode import decode, kept_words
from .gold import OUTSIDE, LostGold, label_spans
from .loss import Denominators, compute_loss, count_known
from .lost_gold import dev_examples, report_lost_gold
from .model import resize_output, scorer_of, shim_of
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

    def __init__(
        self,
        vocab: Vocab,
        model: Model[Candidates, CandidateScores],
        name: str,
        scorer: Callable | None,
        settings: dict[str, Any],
    ) -> None:
        """Initialize a span marker.

        vocab: The shared vocabulary.
        model: The model, `spacy_ner_ext.SpanMarker.v1`.
        name: The component instance name.
        scorer: The scoring method.
        settings: The settings, as the arguments of `factory.make_span_marker_ner`.
        RAISES (ValueError): If a setting has an invalid value, or the model is not a
            span marker.
        """
        super().__init__(vocab, model, name, scorer, settings)
        # A checkpoint that is not read yet; a saved pipeline does not need it.
        self._unread: str | None = self.cfg["checkpoint"]
        self._check_settings()

    def _check_settings(self) -> None:
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
        """The text around a sentence that the encoder sees."""
        keys = ("context", "max_prev_context", "max_next_context")
        return Context(*(self.cfg[key] for key in keys))

    @property
    def shim(self) -> SpanMarkerShim:
        """The weights of the model."""
        return shim_of(self.model)

    def read_checkpoint(self) -> None:
        """Read `checkpoint`, if it was not read yet; `labels` are empty before.

        RAISES (UserError): If it cannot be read, or is not a model of SpanMarker.
        """
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

    # --- Prediction ---------------------------------------------------------

    def find_candidates(self, docs: Sequence[Doc]) -> Candidates:
        """Find all candidate spans of some documents.

        docs: The documents.
        RETURNS: The input of the model.
        RAISES (ValueError): If the model has no labels or no weights.
        """
        self.read_checkpoint()
        self._require_labels()
        return scorer_of(self.model).candidates(read_words(docs), self.context)

    def find(self, docs: Sequence[Doc]) -> Predictions:
        """Find the entities of some documents, before thresholding.

        docs: The documents, at least one with a token.
        RETURNS: The entities, with probabilities at any temperature.
        """
        found = self.find_candidates(docs)
        overwrite = self.cfg["overwrite"]
        keys = [] if overwrite else expand(self.annotate, self.labels)
        kept = kept_words(docs, found.words, keys)
        n_kept = numpy.concatenate([[0], numpy.cumsum(kept)])
        free = n_kept[found.spans.last + 1] == n_kept[found.spans.first]
        scores = self.model.predict(replace(found, spans=found.spans[free]))
        return decode(self.model.ops, scores, self.labels, self.cfg["entity_bias"])

    # --- Training -----------------------------------------------------------

    def count_gold(self, examples: Iterable[Example]) -> Denominators:
        """Count what the losses of a batch are divided by, so that it can be divided:
        if `update` gets these counts, losses and gradients of its parts add up to those
        of the whole.

        With a filter the texts pass through the encoder once more, to find the spans
        that will be marked; the effect of dropout on that is not foreseen.

        examples: The examples of the whole batch.
        RETURNS: The counts.
        """
        candidates, gold = self._find_gold(list(examples))
        chosen = scorer_of(self.model).select(candidates)
        return count_known(candidates.spans, gold, chosen)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
        denominators: Denominators | None = None,
    ) -> dict[str, float]:
        """Learn from a batch, or from a part of one.

        examples: The examples.
        drop: Without effect: dropout is that of the encoder's config.
        sgd: The optimizer; None leaves the gradients.
        losses: The losses by component, added to.
        denominators: What `count_gold` returned for the whole batch; None if the
            examples are the whole.
        RETURNS: The losses.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "SpanMarkerRecognizer.update")
        set_dropout_rate(self.model, drop)
        candidates, _ = self._find_gold(examples)
        if not len(candidates.spans):
            return losses
        scores, backprop = self.model.begin_update(candidates)
        loss, gradient = self.get_loss(examples, scores, denominators)
        backprop(gradient)
        if sgd not in (None, False):
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

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

    def get_loss(
        self,
        examples: Iterable[Example],
        scores: CandidateScores,
        denominators: Denominators | None = None,
    ) -> tuple[float, CandidateScores]:
        """Compute the loss of a batch and its gradient: the mean cross-entropy of the
        marked spans (the loss of SpanMarker), and the binary cross-entropy of the
        filter, summed over all spans and divided by the number of words.

        examples: The examples.
        scores: The output of the model for them.
        denominators: The counts to divide by; None for those of the examples.
        RETURNS: The loss and its gradient.
        RAISES (ValueError): If the loss is not finite.
        """
        gold = self._label(list(examples), scores.candidates)
        weight = self.cfg["filter_weight"]
        loss, gradient = compute_loss(
            self.model.ops, scores, gold, weight, denominators
        )
        if not numpy.isfinite(loss):
            raise ValueError(
                f"The loss of '{self.name}' is {loss}: training has diverged. Lower "
                "the learning rate, or set training.optimizer.grad_clip."
            )
        return loss, gradient

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Infer labels from data, load the checkpoint or the encoder, and log the gold
        entities that cannot be learned.

        get_examples: Returns the training examples.
        nlp: The pipeline, for its development corpus.
        labels: The labels, for instance from `spacy init labels`; if None, they are
            collected from the data and sorted.
        RAISES (ValueError): If there are no labels, no document has a span group that
            `target` names, or checkpoint or encoder cannot be loaded.
        """
        validate_get_examples(get_examples, "SpanMarkerRecognizer.initialize")
        self.read_checkpoint()
        self.collect_labels(get_examples, labels)
        warn_about_score_weights(self.name, self.annotate, nlp)
        if not any(len(example.x) for example in get_examples()):
            raise ValueError(
                f"'{self.name}' cannot be initialized: no training document has a "
                "token. Check the corpus of [initialize] or [training]."
            )
        if self.cfg["checkpoint"] is None:
            output = self.model.ops.alloc2f(1, 1 + len(self.labels))
            self.model.initialize(Y=output)
        self.report(get_examples(), "train")
        self.report(dev_examples(nlp), "dev")

    def report(self, examples: Iterable[Example], split: str) -> LostGold:
        """Count and log the gold entities that are not candidates.

        examples: The examples.
        split: "train" or "dev", for the log.
        RETURNS: The counts.
        """
        lost = LostGold()
        for batch in minibatch(examples, REPORT_BATCH):
            candidates = self.find_candidates([eg.predicted for eg in batch])
            self._label(batch, candidates, lost)
        longest = self.shim.settings.entity_max_length
        report_lost_gold(self.name, split, lost, longest)
        return lost

    # --- Labels and serialization -------------------------------------------

    def add_label(self, label: str) -> int:
        """Add a label; see LabelledPipe.add_label."""
        self.read_checkpoint()
        return super().add_label(label)

    def resize_output(self) -> None:
        """Append weights for the labels that were added to a trained model."""
        if self.shim.is_loaded:
            resize_output(self.model, 1 + len(self.labels))

    @property
    def is_resizable(self) -> bool:
        """True: labels can be added to a trained component."""
        return True

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Serialize the component, including its checkpoint."""
        self.read_checkpoint()
        return super().to_bytes(exclude=exclude)

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Save the component to a folder, including its checkpoint."""
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
