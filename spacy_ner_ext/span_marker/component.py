"""`span_marker_ner`: named entities by marked spans, as SpanMarker, and faster."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.util import logger, minibatch
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate
from thinc.types import Floats2d

from ..pipes.entities import EntityPipe, warn_about_score_weights
from ..pipes.predictions import Predictions
from ..pipes.spans import ENTS, expand
from ..pipes.thresholds import Threshold
from .candidates import Spans, all_spans, place
from .checkpoint import adopt, read_checkpoint
from .decode import Candidates, Decoded, choose, locate, probabilities_of, taken_words
from .gold import OUTSIDE, LostGold, label_spans
from .loss import Denominators, binary_cross_entropy, count_known, cross_entropy
from .model import resize_output, shim_of
from .report import dev_examples, report_lost_gold
from .settings import Context
from .shim import SpanMarkerShim
from .step import CandidateScores
from .windows import Windows, Words
from .words import read_words

default_model_config = """
[model]
@architectures = "spacy_ner_ext.SpanMarker.v1"
name = "roberta-base"
"""
DEFAULT_SPAN_MARKER_MODEL = Config().from_str(default_model_config)["model"]
# Examples whose windows are cut together when data is counted.
REPORT_BATCH = 256


@Language.factory(
    "span_marker_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_config={
        "model": DEFAULT_SPAN_MARKER_MODEL,
        "checkpoint": None,
        "context": "none",
        "max_prev_context": None,
        "max_next_context": None,
        "target": ENTS,
        "annotate": None,
        "overwrite": False,
        "temperature": 1.0,
        "threshold": 0.0,
        "entity_bias": 0.0,
        "filter_weight": 1.0,
        "scorer": {"@scorers": "spacy_ner_ext.ner_scorer.v1"},
    },
    default_score_weights={
        "ents_f": 1.0,
        "ents_p": 0.0,
        "ents_r": 0.0,
        "ents_per_type": None,
    },
)
def make_span_marker_ner(
    nlp: Language,
    name: str,
    model: Model,
    checkpoint: str | None,
    context: str,
    max_prev_context: int | None,
    max_next_context: int | None,
    target: str | list[str],
    annotate: str | list[str] | None,
    overwrite: bool,
    temperature: float,
    threshold: Threshold,
    entity_bias: float,
    filter_weight: float,
    scorer: Callable | None,
) -> "SpanMarkerRecognizer":
    """Make a `span_marker_ner` component; for the settings see SpanMarkerRecognizer."""
    return SpanMarkerRecognizer(
        nlp.vocab,
        model,
        name,
        checkpoint=checkpoint,
        context=context,
        max_prev_context=max_prev_context,
        max_next_context=max_next_context,
        target=target,
        annotate=annotate,
        overwrite=overwrite,
        temperature=temperature,
        threshold=threshold,
        entity_bias=entity_bias,
        filter_weight=filter_weight,
        scorer=scorer,
    )


class SpanMarkerRecognizer(EntityPipe):
    """Recognize named entities by classifying candidate spans, each of which is marked
    in the input of a pretrained encoder (SpanMarker, Aarsen 2023).

    Every entity comes with the probability of its label, as `ent._.score` and in the
    "scores" attribute of a span group.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[tuple[list[Doc], Any], Floats2d],
        name: str = "span_marker_ner",
        *,
        checkpoint: str | None = None,
        context: str = "none",
        max_prev_context: int | None = None,
        max_next_context: int | None = None,
        target: str | Sequence[str] = ENTS,
        annotate: str | Sequence[str] | None = None,
        overwrite: bool = False,
        temperature: float = 1.0,
        threshold: Threshold = 0.0,
        entity_bias: float = 0.0,
        filter_weight: float = 1.0,
        scorer: Callable | None = None,
    ) -> None:
        """Initialize a span marker.

        checkpoint: A model that SpanMarker trained: name on the hub or path of a
            folder. It brings labels, lengths, tokenizer and encoder along, and is read
            when they are first needed; a saved pipeline contains all of it.
        context: Which text around a sentence the encoder sees: "none", "sentences"
            (whole neighbours, as many as fit), or "document" (as much as fits, the
            document-level context of SpanMarker).
        max_prev_context: The most sentences before; None for as many as fit.
        max_next_context: The same for those behind.
        target: Where gold entities are: "ents", the name of a span group, or a list of
            these.
        annotate: Where predictions go: "ents", the name of a span group, "*" for one
            group a label, or a list of these. If None, to `target`.
        overwrite: Whether entities that are already there are replaced. If not, they
            are kept, and no other is found at their words.
        temperature: Scores are divided by it before probabilities are computed: above 1
            they are less extreme, below 1 more. The same entities are found.
        threshold: Entities of a lower probability are dropped, 0 to 1; one for all
            labels, or by label, 0 for labels that are not listed.
        entity_bias: Added to the score of every label when the best is chosen: above 0
            finds more entities (recall), below 0 fewer (precision). Training and
            probabilities are without it.
        filter_weight: The weight of the filter's loss.
        RAISES (ValueError): If a setting has an unknown value, or the model is no span
            marker.
        """
        settings: dict[str, Any] = {
            "checkpoint": checkpoint,
            "context": context,
            "max_prev_context": max_prev_context,
            "max_next_context": max_next_context,
            "target": target,
            "annotate": annotate,
            "overwrite": overwrite,
            "temperature": temperature,
            "threshold": threshold,
            "entity_bias": float(entity_bias),
            "filter_weight": float(filter_weight),
        }
        # Read when it is needed: a saved pipeline is filled from its own files.
        self._unread = checkpoint
        super().__init__(vocab, model, name, scorer, settings)
        self._check_model()
        self.context  # noqa: B018 - checked

    def _check_model(self) -> None:
        shims = self.model.shims
        if not shims or not isinstance(shims[0], SpanMarkerShim):
            raise ValueError(
                f"The model '{self.model.name}' of '{self.name}' is no span marker: "
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

    @property
    def context(self) -> Context:
        """Which text around a sentence the encoder sees."""
        keys = ("context", "max_prev_context", "max_next_context")
        return Context(*(self.cfg[key] for key in keys))

    @property
    def shim(self) -> SpanMarkerShim:
        """What runs the model."""
        self._read_checkpoint()
        return shim_of(self.model)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the weights."""
        self._read_checkpoint()
        return super().labels

    @property
    def hide_labels(self) -> bool:
        """Whether spaCy leaves the labels out of a pipeline's meta. It
        looks when it loads one, and a checkpoint that is not read yet may be gone.
        """
        return self._unread is not None

    @property
    def label_data(self) -> list[str]:
        """What `spacy init labels` writes and `initialize`
        takes as `labels`.
        """
        return list(self.labels)

    def _read_checkpoint(self) -> None:
        if self._unread is None:
            return
        name = self._unread
        checkpoint = read_checkpoint(name, f"The checkpoint of '{self.name}'")
        adopt(shim_of(self.model), checkpoint, name)
        self._unread = None
        self.model.set_dim("nO", 1 + len(checkpoint.labels), force=True)
        self.cfg["labels"] = checkpoint.labels
        for label in checkpoint.labels:
            self.vocab.strings.add(label)
        for side in ("max_prev_context", "max_next_context"):
            if self.cfg[side] is None:
                self.cfg[side] = checkpoint.config.get(side)
        with_context = bool(checkpoint.config.get("trained_with_document_context"))
        if with_context != (self.cfg["context"] != "none"):
            logger.warning(
                "The checkpoint '%s' was trained with%s document-level context: set "
                "context = \"%s\" of '%s', or expect lower scores.",
                *(name, "" if with_context else "out"),
                *("document" if with_context else "none", self.name),
            )

    # --- Prediction ---------------------------------------------------------

    def find_candidates(self, docs: Sequence[Doc]) -> tuple[Words, Windows, Spans]:
        """Find all spans of some documents that may be entities.

        RETURNS: Their words, the windows and the spans.
        """
        words = read_words(docs)
        windows = self.shim.cut(words, self.context)
        spans = all_spans(windows, words, self.shim.settings.entity_max_length)
        return words, *place(windows, self.shim.n_before, *spans)

    def find(self, docs: Sequence[Doc]) -> Predictions:
        """Find the entities of some documents, before any is dropped.

        docs: The documents, at least one with a token.
        RETURNS: The entities, with probabilities at any temperature.
        """
        self._require_labels()
        words, windows, spans = self.find_candidates(docs)
        overwrite = self.cfg["overwrite"]
        places = [] if overwrite else expand(self.annotate, self.labels)
        taken = taken_words(docs, words, places)
        n_taken = numpy.concatenate([[0], numpy.cumsum(taken)])
        free = n_taken[spans.last + 1] == n_taken[spans.first]
        spans = spans[free]
        scored = self.shim.score(windows, spans)
        found = Candidates(words, spans, scored)
        chosen = self.choose(found, taken)
        entities = locate(found, chosen, self.labels)
        return Predictions(entities, probabilities_of(self.model.ops, found, chosen))

    def choose(self, found: Candidates, taken: Any) -> Decoded:
        """Choose the best spans without overlap, by falling probability.

        taken: Words that no entity may cover, bools; is added to.
        RETURNS: The spans, and what all marked spans are.
        """
        return choose(self.model.ops, found, taken, self.cfg["entity_bias"])

    # --- Training -----------------------------------------------------------

    _known: Denominators | None = None

    def begin_batch(self, examples: Iterable[Example]) -> None:
        """Make the batches that follow parts of one: their losses and gradients then
        add up to those of the whole.

        With a filter the texts pass through the encoder once more, to find out which
        spans will be marked; what dropout changes about that is not foreseen.

        examples: The examples of all parts.
        """
        examples = list(examples)
        words, windows, spans = self.find_candidates([eg.predicted for eg in examples])
        gold = self._label(examples, words, spans)
        chosen = self.shim.select(windows, spans, gold > OUTSIDE)
        self._known = count_known(spans, gold, chosen)

    def end_batch(self) -> None:
        """Make each batch one by itself again."""
        self._known = None

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch.

        drop: Without effect: dropout is that of the encoder's config.
        sgd: The optimizer; None leaves the gradients.
        losses: The losses by component, added to.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, "SpanMarkerRecognizer.update")
        set_dropout_rate(self.model, drop)
        words, windows, spans = self.find_candidates([eg.predicted for eg in examples])
        if not len(spans):
            return losses
        gold = self._label(examples, words, spans)
        scored, backprop = self.shim.begin_scoring(windows, spans, gold > OUTSIDE)
        loss, gradient = self.get_loss(examples, Candidates(words, spans, scored))
        backprop(gradient.scored)
        if sgd not in (None, False):
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def _label(
        self,
        examples: Sequence[Example],
        words: Words,
        spans: Spans,
        lost: LostGold | None = None,
    ) -> Any:
        longest = self.shim.settings.entity_max_length
        options = (self.labels, self.target, longest, lost)
        return label_spans(examples, words, spans, *options)

    def get_loss(
        self, examples: Iterable[Example], scores: Candidates
    ) -> tuple[float, Candidates]:
        """The loss of a batch and its gradient: the mean cross-entropy of the marked
        spans (the loss of SpanMarker), and the binary cross-entropy of the filter,
        summed over all spans and divided by the number of words: of the batch, or,
        between `begin_batch` and `end_batch`, of all the batches in between together.

        scores: What the model says about it.
        RAISES (ValueError): If the loss is not a number.
        """
        examples, scored = list(examples), scores.scored
        gold = self._label(examples, scores.words, scores.spans)
        known = self._known or count_known(scores.spans, gold, scored.chosen)
        loss, d_logits = cross_entropy(
            self.model.ops, scored.logits, gold[scored.chosen], known.n_marked
        )
        d_filter = None
        if scored.filter_logits is not None:
            weight = self.cfg["filter_weight"] / max(1, known.n_words)
            filter_loss, d_filter = binary_cross_entropy(
                self.model.ops, scored.filter_logits, gold, weight
            )
            loss += filter_loss
        if not numpy.isfinite(loss):
            raise ValueError(
                f"The loss of '{self.name}' is {loss}: training has diverged. Lower "
                "the learning rate, or set training.optimizer.grad_clip."
            )
        gradient = CandidateScores(scored.chosen, d_logits, d_filter)
        return loss, Candidates(scores.words, scores.spans, gradient)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Infer labels from data, load the encoder and tell what cannot be learned.

        labels: The labels, for instance from `spacy init labels`; if None, they are
            collected from the data and sorted.
        RAISES (ValueError): If there are no labels, none has a span group that `target`
            names, or the encoder cannot be loaded.
        """
        validate_get_examples(get_examples, "SpanMarkerRecognizer.initialize")
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
        """Count and log the entities that are no candidates.

        split: "train" or "dev", for the log.
        """
        lost = LostGold()
        for batch in minibatch(examples, REPORT_BATCH):
            words, _, spans = self.find_candidates([eg.predicted for eg in batch])
            self._label(batch, words, spans, lost)
        longest = self.shim.settings.entity_max_length
        report_lost_gold(self.name, split, lost, longest)
        return lost

    # --- Serialization ------------------------------------------------------

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The component, with what it has of a checkpoint."""
        self._read_checkpoint()
        return super().to_bytes(exclude=exclude)

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Save the component, with what it has of a checkpoint."""
        self._read_checkpoint()
        super().to_disk(path, exclude=exclude)

    def restore(self, settings: dict[str, Any]) -> None:
        """Settings of the config win over saved ones, but for what a checkpoint set."""
        self._unread = None
        for side in ("max_prev_context", "max_next_context"):
            if settings[side] is None:
                settings[side] = self.cfg[side]
        super().restore(settings)

    def add_label(self, label: str) -> int:
        """Add a label; a trained model keeps its weights, new ones are appended.

        RETURNS: 0 if the label is already there, otherwise 1.
        RAISES (ValueError): If the label is not a string, or is empty.
        """
        self._read_checkpoint()
        return super().add_label(label)

    def resize_output(self) -> None:
        """Give the model the weights of labels that were added."""
        if shim_of(self.model).is_loaded:
            resize_output(self.model, 1 + len(self.labels))

    @property
    def is_resizable(self) -> bool:
        """True: labels can be added to a trained component."""
        return True
