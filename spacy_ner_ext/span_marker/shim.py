"""The span marker as thinc sees it: run, trained, saved and loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import get_torch_default_device, torch2xp, xp2torch
from torch import Tensor

from ..encoder import hf
from ..encoder.pieces import Ints, group_by_length, pad
from ..encoder.torch_shim import TorchShim
from .candidates import Spans
from .layer import EncodedText, SpanFilter, SpanMarkerNetwork
from .settings import HEADS, Context, SpanMarkerSettings
from .step import CandidateScores, Step
from .texts import Pairs, TextBatch
from .tokenizer import add_markers, describe_tokenizer, start_as_mask
from .windows import Windows, Words, cut
from .words import read_words

# Pieces of a pass of texts, and pairs of a pass of markers. Few fit the caches of a
# CPU; in training, where activations of the last pass are kept, they bound memory.
MAX_BATCH_PIECES = {"cpu": 512, "cuda": 16384}
MARKERS_PER_BATCH = {"cpu": 1024, "cuda": 32768}
MARKERS_PER_BATCH_TRAINING = {"cpu": 512, "cuda": 8192}
# A new label starts this far below zero, so that predictions stay as they are.
NEW_LABEL_SCORE = -5.0
WORKING = (
    "BERT, RoBERTa, XLM-RoBERTa, CamemBERT, ALBERT, DistilBERT, ModernBERT, BART, "
    "ELECTRA and others with absolute or rotary positions"
)


class SpanMarkerShim(TorchShim):
    """SpanMarker over a Hugging Face encoder, which there is once `load`, `from_bytes`
    or `adopt` was called.

    options: The settings.
    """

    _model: SpanMarkerNetwork | None
    structural = "entity_max_length and transformer_config"

    def __init__(self, options: SpanMarkerSettings) -> None:
        super().__init__(options)
        # What was read from a checkpoint of SpanMarker, and holds whatever the config.
        self.adopted: dict[str, Any] = {}
        self.tokenizer_config = "{}"

    # --- Loading --------------------------------------------------------------

    def load(self, n_labels: int, with_filter: bool) -> None:
        """Load the pretrained encoder, with new weights for the rest.

        n_labels: The classes, the one for no entity included.
        with_filter: Whether there may be a filter.
        RAISES (ValueError): If the encoder cannot be loaded, or not be marked.
        """
        hf_tokenizer = hf.load_tokenizer(self.settings)
        encoder = hf.load_encoder(self.settings)
        self.tokenizer_config = describe_tokenizer(hf_tokenizer)
        tokenizer = hf.prepare(hf_tokenizer.backend_tokenizer)
        add_markers(encoder, tokenizer, self.tokenizer_config)
        if self.settings.marker_init == "mask":
            start_as_mask(encoder, tokenizer, self.tokenizer_config)
        with_filter = with_filter and self.settings.candidates != "all"
        with_text = self.settings.head == "markers+text"
        self._set(encoder, tokenizer, n_labels, with_text, with_filter)
        self._check_encoder()
        self.reset_weights()

    def reset_weights(self) -> None:
        """Give all layers behind the encoder new weights."""
        model = self.model
        with torch.no_grad():
            model.classifier.weight.normal_(std=self.std)
            model.classifier.bias.zero_()
        if model.filter is not None:
            model.filter.reset(self.std)

    @property
    def std(self) -> float:
        """The standard deviation of new weights: that of the encoder, as in
        SpanMarker."""
        return float(getattr(self.model.encoder.config, "initializer_range", 0.02))

    def rebuild(
        self, encoder: Any, tokenizer: Any, weights: dict[str, Tensor], extra: str
    ) -> None:
        """Make the module that saved weights are of."""
        saved = json.loads(extra)
        self.tokenizer_config = saved["tokenizer_config"]
        self.adopt_settings(saved["adopted"])
        n_labels, n_inputs = weights["classifier.weight"].shape
        with_text = n_inputs == 4 * hf.width_of(encoder)
        self._set(encoder, tokenizer, n_labels, with_text, "filter.width" in weights)
        self._check_trained("head", HEADS[with_text], self.settings.head)
        offset = self.model.offset
        self._check_trained("position_offset", saved.get("offset", offset), offset)

    def _check_trained(self, setting: str, trained: Any, configured: Any) -> None:
        if trained != configured:
            self.forget()
            raise ValueError(
                f"This SpanMarker was trained with {setting} = {trained!r}, but its "
                f"config says {configured!r}: set it back, or train anew."
            )

    def extra(self) -> str:
        """What else is to be saved, as JSON."""
        parts: dict[str, Any] = {
            "adopted": self.adopted,
            "tokenizer_config": self.tokenizer_config,
        }
        if self.is_loaded:
            parts["offset"] = self.model.offset
        return json.dumps(parts, sort_keys=True)

    def adopt_settings(self, adopted: dict[str, Any]) -> None:
        """Use settings of a checkpoint in the place of those of the config."""
        self.adopted = adopted
        self.settings = replace(self.settings, **adopted)

    def paths(self) -> dict[str, str]:
        """Where weights are: those of the encoder below "transformer".

        RETURNS: A path for the name of each weight.
        """
        return {
            name: f"transformer.{path}" if name.startswith("encoder.") else path
            for name, path in super().paths().items()
        }

    def forget(self) -> None:
        """Go back to before there were weights."""
        self._model = None

    def _set(
        self,
        encoder: Any,
        tokenizer: Any,
        n_labels: int,
        with_text: bool,
        with_filter: bool,
    ) -> None:
        options, table = self.settings, hf.position_table(encoder)
        hf.freeze(encoder, options)
        offset = options.position_offset
        if offset == "auto":
            offset = 0 if table is None else hf.first_position(table)
        ids = [tokenizer.token_to_id(marker) for marker in ("<start>", "<end>")]
        network = SpanMarkerNetwork(
            encoder,
            hf.width_of(encoder),
            n_labels,
            markers=(ids[0], ids[1]),
            offset=int(offset),
            position_table=table,
            with_text=with_text,
            filter_words=options.entity_max_length if with_filter else None,
            dropout=_dropout_of(encoder),
        )
        self._model = network.to(get_torch_default_device())
        self.tokenizer = tokenizer
        self.specials = hf.specials_of(encoder, tokenizer)
        self._find_attention()

    def _find_attention(self) -> None:
        """Find out whether the encoder uses torch's attention, by a look at it."""
        with torch.no_grad():
            text = self.model.eval().read(self._example(), with_states=True)
        self.model.n_attentions = len(text.layers) or None
        self.model.structured = bool(text.layers)

    def _example(self) -> TextBatch:
        around = [*self.specials.before, *self.model.markers, *self.specials.after]
        ids = numpy.array([[*around, *around]], dtype="int64")
        return TextBatch(ids, numpy.ones_like(ids, dtype=bool))

    def _check_encoder(self) -> None:
        """Check that pairs have positions, and do not know of each other."""
        batch, model = self._example(), self.model.eval()
        zeros = numpy.zeros(2, dtype="int64")
        pairs = Pairs(zeros, zeros, numpy.array([0, 1]), numpy.array([1, 2]))
        swapped = pairs[numpy.array([1, 0])]
        try:
            with torch.no_grad():
                texts = [model.read(batch, with_states=False)]
                one, other = (model.mark(texts, each) for each in (pairs, swapped))
        except (RuntimeError, ValueError, IndexError, TypeError) as err:
            raise ValueError(self._explain(" ".join(str(err).split())[:150])) from err
        if not torch.allclose(one, other.flip(0), atol=1e-4):
            raise ValueError(self._explain("pairs would see each other"))
        if torch.allclose(one[0], one[1], atol=1e-6):
            raise ValueError(self._explain("its pieces have no position of their own"))

    def _explain(self, reason: str) -> str:
        return (
            f"The encoder '{self.settings.name}' "
            f"({type(self.model.encoder).__name__}) cannot be used by SpanMarker: its "
            f"attention leaves no way to mark spans ({reason}). Choose one that works: "
            f"{WORKING}."
        )

    def resize(self, n_labels: int) -> None:
        """Append classes, which start far below the others.

        n_labels: The number of all classes.
        """
        if not self.is_loaded:
            return
        old = self.model.classifier
        new = torch.nn.Linear(old.in_features, n_labels).to(old.weight.device)
        with torch.no_grad():
            new.weight.zero_()
            new.bias.fill_(NEW_LABEL_SCORE)
            new.weight[: old.out_features] = old.weight
            new.bias[: old.out_features] = old.bias
        self.model.classifier = new

    def set_filter(self, filter_: SpanFilter | None) -> None:
        """Put another filter in the place of the present one.

        filter_: The filter; None for none.
        """
        self.model.filter = filter_
        if filter_ is None:
            self.settings = replace(self.settings, candidates="all")

    # --- Running --------------------------------------------------------------

    @property
    def filters(self) -> bool:
        """Whether a filter chooses the spans that get markers.

        RAISES (ValueError): If one is asked for that there is not.
        """
        there_is = self.model.filter is not None
        if self.settings.candidates == "filtered" and not there_is:
            raise ValueError(
                'candidates = "filtered" of SpanMarker, but this model was trained '
                "without a filter: fit one with `python -m spacy_ner_ext "
                'distill-filter`, or set candidates = "all".'
            )
        return there_is and self.settings.candidates != "all"

    def cut(self, words: Words, context: Context) -> Windows:
        """Cut texts into windows; see windows.cut.

        context: Which text around a sentence belongs to its window.
        """
        stride = self.settings.stride
        return cut(self.tokenizer, words, self.size, stride, context, self.piece_cache)

    def words_of(self, doc: Doc) -> list[str]:
        """The words of a document, without white space."""
        return list(read_words([doc], by_sentence=False).docs[0])

    @property
    def size(self) -> int:
        """The most pieces of a window, without special pieces: as many as the config
        says, and the encoder has positions for."""
        table = hf.position_table(self.model.encoder)
        size = self.settings.model_max_length
        if table is not None:
            size = min(size, table.num_embeddings - self.model.offset)
        return size - self.n_specials

    @property
    def n_specials(self) -> int:
        """The special pieces around those of a window."""
        return len(self.specials)

    @property
    def n_before(self) -> int:
        """The special pieces before those of a window."""
        return len(self.specials.before)

    def score(
        self, windows: Windows, spans: Spans, use_filter: bool | None = None
    ) -> CandidateScores:
        """Score spans.

        windows: The windows of the texts.
        use_filter: Whether the filter chooses; None for what is set.
        RETURNS: The scores, of those that the filter lets through.
        """
        self.model.eval()
        filters = self.filters if use_filter is None else use_filter
        with torch.inference_mode():
            found = self._run(windows, spans, None, filters)
        return self._to_arrays(*found)

    def select(self, windows: Windows, spans: Spans, gold: Any) -> Ints:
        """Find the spans that training marks, without marking them.

        windows: The windows of the texts.
        gold: Which spans get markers whatever the filter says, bools.
        """
        if not self.filters:
            return numpy.arange(len(spans))
        self.model.eval()
        step = Step(self, windows, spans, gold, filters=True, limit=0)
        with torch.inference_mode(), self.model.running(self.settings.precision, None):
            for rows in self.batches(windows, spans):
                step.read(rows)
                step.texts.clear()
        found = [numbers for numbers, _ in step.waiting]
        return numpy.concatenate(found) if found else numpy.arange(0)

    def begin_scoring(
        self, windows: Windows, spans: Spans, gold: Any, use_filter: bool | None = None
    ) -> tuple[CandidateScores, Callable[[CandidateScores], None]]:
        """Score spans so that the result can be trained.

        windows: The windows of the texts.
        gold: Which spans get markers whatever the filter says, bools.
        use_filter: Whether the filter chooses; None for what is set.
        RETURNS: The scores, and a callback that takes their gradients.
        """
        self.model.train()
        filters = self.filters if use_filter is None else use_filter
        found = self._run(windows, spans, gold, filters)

        def backprop(gradient: CandidateScores) -> None:
            # A prediction may have been made since, and passes run a second time.
            self.model.train()
            given: list[Any] = [gradient.logits, gradient.filter_logits]
            outputs, gradients = [], []
            for output, array in zip(found[1:], given):
                if output is not None and output.requires_grad:
                    outputs.append(output)
                    scaled = xp2torch(array, device=output.device) * self.scaler.scale
                    gradients.append(scaled)
            if outputs:
                torch.autograd.backward(outputs, gradients)

        return self._to_arrays(*found), backprop

    def _to_arrays(self, chosen: Ints, logits: Tensor, filtered: Tensor | None) -> Any:
        to_array: Any = torch2xp
        filter_logits = None if filtered is None else to_array(filtered.detach())
        return CandidateScores(chosen, to_array(logits.detach()), filter_logits)

    def _run(
        self, windows: Windows, spans: Spans, gold: Any, filters: bool
    ) -> tuple[Ints, Tensor, Tensor | None]:
        """Texts, filter and markers; in prediction text batch by text batch, so that
        memory does not grow with the number of texts."""
        device = self.model.device.type
        trains = torch.is_grad_enabled()
        defaults = MARKERS_PER_BATCH_TRAINING if trains else MARKERS_PER_BATCH
        default = defaults.get(device, defaults["cuda"])
        limit = self.settings.markers_per_batch or default
        in_turns = gold is None
        step = Step(self, windows, spans, gold, filters, limit)
        around = [*self.specials.before, *self.specials.after, self.specials.padding]
        pieces = numpy.append(windows.pieces.ids, around) if trains else None
        with self.model.running(self.settings.precision, pieces):
            for rows in self.batches(windows, spans):
                step.read(rows)
                if in_turns and step.n_waiting >= limit:
                    step.classify()
            step.classify()
        return step.result()

    def read(self, windows: Windows, rows: Ints, with_states: bool) -> EncodedText:
        """Let the texts of some windows pass through the encoder.

        with_states: Whether their last hidden states are needed.
        """
        starts, ends = windows.starts[rows], windows.ends[rows]
        ids, mask, _ = pad(windows.pieces.ids, starts, ends, self.specials)
        return self.model.read(TextBatch(ids, mask), with_states)

    def batches(self, windows: Windows, spans: Spans) -> list[Ints]:
        """Put windows of similar length together.

        spans: The spans; a window without any is left out.
        """
        device = self.model.device.type
        used = numpy.unique(spans.rows)
        lengths = (windows.ends - windows.starts)[used]
        limit = MAX_BATCH_PIECES.get(device, MAX_BATCH_PIECES["cuda"])
        groups = group_by_length(lengths, self.specials, limit)
        return [used[group] for group in groups]


def _dropout_of(encoder: Any) -> float:
    """The dropout of SpanMarker's head: that of the encoder's layers, or 0.1."""
    for name in ("hidden_dropout_prob", "dropout_rate"):
        if hasattr(encoder.config, name):
            return float(getattr(encoder.config, name))
    return 0.1
