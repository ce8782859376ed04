"""The weights of SpanMarker as a thinc shim: loaded, saved, and enlarged."""

import json
from dataclasses import replace
from typing import Any

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import get_torch_default_device
from torch import Tensor

from ..encoder import hf
from ..encoder.torch_shim import TorchShim
from ..util.errors import one_line
from .filter import SpanFilter
from .markers import Pairs
from .network import SpanMarkerNetwork
from .settings import HEADS, SpanMarkerSettings
from .tokenizer import add_markers, describe_tokenizer, init_from_mask, marker_ids
from .windows import read_words

# The bias of a label that is added, so low that predictions stay as they are.
NEW_LABEL_SCORE = -5.0
SUPPORTED = (
    "BERT, RoBERTa, XLM-RoBERTa, CamemBERT, ALBERT, DistilBERT, ModernBERT, BART, "
    "ELECTRA and others with absolute or rotary positions"
)


class SpanMarkerShim(TorchShim):
    """The weights of SpanMarker over a Hugging Face encoder."""

    _model: SpanMarkerNetwork | None
    structural = "entity_max_length and transformer_config"

    def __init__(self, settings: SpanMarkerSettings) -> None:
        super().__init__(settings)
        self.adopted: dict[str, Any] = {}
        self.tokenizer_config = "{}"

    def words_of(self, doc: Doc) -> list[str]:
        return list(read_words([doc], by_sentence=False).docs[0])

    @property
    def row_size(self) -> int:
        return self.settings.model_max_length

    def load(self, n_labels: int, with_filter: bool) -> None:
        """Load the pretrained encoder, with new weights for filter and classifier."""
        hf_tokenizer = hf.load_tokenizer(self.settings)
        encoder = hf.load_encoder(self.settings)
        self.tokenizer_config = describe_tokenizer(hf_tokenizer)
        tokenizer = hf.prepare(hf_tokenizer.backend_tokenizer)
        add_markers(encoder, tokenizer, self.tokenizer_config)
        if self.settings.marker_init == "mask":
            init_from_mask(encoder, tokenizer, self.tokenizer_config)
        with_filter = with_filter and self.settings.candidates != "all"
        with_text = self.settings.head == "markers+text"
        self._set(encoder, tokenizer, n_labels, with_text, with_filter)
        self._check_encoder()
        model = self.model
        with torch.no_grad():
            model.classifier.weight.normal_(std=self.std)
            model.classifier.bias.zero_()
        if model.filter is not None:
            model.filter.reset(self.std)

    @property
    def std(self) -> float:
        """The standard deviation of new weights: the encoder's, as in SpanMarker."""
        return float(getattr(self.model.encoder.config, "initializer_range", 0.02))

    def rebuild(
        self, encoder: Any, tokenizer: Any, weights: dict[str, Tensor], extra: str
    ) -> None:
        """Build the module that saved weights belong to."""
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
                f"config says {configured!r}: set it back, or train again."
            )

    def extra(self) -> str:
        """Further state to save, as JSON."""
        parts: dict[str, Any] = {
            "adopted": self.adopted,
            "tokenizer_config": self.tokenizer_config,
        }
        if self.is_loaded:
            parts["offset"] = self.model.offset
        return json.dumps(parts, sort_keys=True)

    def adopt_settings(self, adopted: dict[str, Any]) -> None:
        """Replace settings of the config by those of a checkpoint."""
        self.adopted = adopted
        self.settings = replace(self.settings, **adopted)

    def paths(self) -> dict[str, str]:
        """A path for the name of each weight; those of the encoder are below
        "transformer"."""
        return {
            name: f"transformer.{path}" if name.startswith("encoder.") else path
            for name, path in super().paths().items()
        }

    def forget(self) -> None:
        self._model = None

    def _set(
        self,
        encoder: Any,
        tokenizer: Any,
        n_labels: int,
        with_text: bool,
        with_filter: bool,
    ) -> None:
        settings, table = self.settings, hf.position_table(encoder)
        hf.freeze(encoder, settings)
        offset = settings.position_offset
        if offset == "auto":
            offset = 0 if table is None else hf.first_position(table)
        network = SpanMarkerNetwork(
            encoder,
            hf.width_of(encoder),
            n_labels,
            markers=marker_ids(tokenizer),
            offset=int(offset),
            position_table=table,
            with_text=with_text,
            filter_words=settings.entity_max_length if with_filter else None,
            dropout=_dropout_of(encoder),
        )
        self._model = network.to(get_torch_default_device())
        self.tokenizer = tokenizer
        self.specials = hf.specials_of(encoder, tokenizer)
        self.model.eval().find_attention(*self._example())

    def _example(self) -> tuple[numpy.ndarray, numpy.ndarray]:
        """The pieces and the mask of a short text."""
        around = [*self.specials.before, *self.model.markers, *self.specials.after]
        ids = numpy.array([[*around, *around]], dtype="int64")
        return ids, numpy.ones_like(ids, dtype=bool)

    def _check_encoder(self) -> None:
        """Check that pairs have positions, and do not see each other."""
        model, zeros = self.model.eval(), numpy.zeros(2, dtype="int64")
        pairs = Pairs(zeros, zeros, numpy.array([0, 1]), numpy.array([1, 2]))
        swapped = pairs[numpy.array([1, 0])]
        try:
            with torch.no_grad():
                texts = [model.read(*self._example(), with_states=False)]
                one, other = (model.mark(texts, each) for each in (pairs, swapped))
        except (RuntimeError, ValueError, IndexError, TypeError) as err:
            raise ValueError(self._explain(one_line(err)[:150])) from err
        if any(layer.is_relative for layer in texts[0].layers):
            raise ValueError(self._explain("its positions are relative"))
        if not torch.allclose(one, other.flip(0), atol=1e-4):
            raise ValueError(self._explain("pairs would see each other"))
        if torch.allclose(one[0], one[1], atol=1e-6):
            raise ValueError(self._explain("its pieces have no position"))

    def _explain(self, reason: str) -> str:
        return (
            f"The encoder '{self.settings.name}' "
            f"({type(self.model.encoder).__name__}) cannot be used by SpanMarker: "
            f"spans cannot be marked in its attention ({reason}). Choose one that "
            f"works: {SUPPORTED}."
        )

    def resize(self, n_labels: int) -> None:
        """Append classes with low scores, up to `n_labels`."""
        old = self.model.classifier
        new = torch.nn.Linear(old.in_features, n_labels).to(old.weight.device)
        with torch.no_grad():
            new.weight.zero_()
            new.bias.fill_(NEW_LABEL_SCORE)
            new.weight[: old.out_features] = old.weight
            new.bias[: old.out_features] = old.bias
        self.model.classifier = new

    def set_filter(self, filter_: SpanFilter | None, **settings: Any) -> None:
        """Replace or remove the filter, and change settings that belong to it."""
        self.model.filter = filter_
        self.settings = replace(self.settings, **settings)


def _dropout_of(encoder: Any) -> float:
    """The dropout of SpanMarker's head: that of the encoder's layers, or 0.1."""
    for name in ("hidden_dropout_prob", "dropout_rate"):
        if hasattr(encoder.config, name):
            return float(getattr(encoder.config, name))
    return 0.1
