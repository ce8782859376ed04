"""Limits on lengths in a spaCy config, and what exceeds them in a split.

The config is read without creating any component:

* `span_marker_ner`, and any component with the model spacy_ner_ext.SpanMarker.v1, finds
  entities of up to `entity_max_length` words, and reads `model_max_length` pieces at a
  time. If a checkpoint is set, both come from its config.json, if it is a folder.
* `spancat` and `spancat_singlelabel` find spans of the sizes that the n-gram suggesters
  of spaCy suggest. Other suggesters are ignored.
* spacy_ner_ext.Transformer.v1 reads `window` pieces at a time.
* The reader spacy.Corpus.v1 splits or skips documents by `max_length`.

Components that are taken from another pipeline by `source` are ignored.
"""

import configparser
import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import srsly
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import registry
from thinc.api import Config

from ...data.text import check_input
from ...span_marker.checkpoint import DEFAULT_LENGTH
from ...util.errors import UserError, one_line
from .findings import Finding, Places, make_warnings, place_of

SPAN_MARKER = "spacy_ner_ext.SpanMarker.v1"
TRANSFORMER = "spacy_ner_ext.Transformer.v1"
# Architectures that have the name of a pretrained encoder.
ENCODERS = (
    SPAN_MARKER,
    TRANSFORMER,
    *(f"spacy-transformers.TransformerModel.v{i}" for i in (1, 2, 3)),
)
SPANCATS = ("spancat", "spancat_singlelabel")


class SpanLimit(NamedTuple):
    """The lengths of spans that a component finds, in tokens with or without white
    space; `keys` are "ents" and names of span groups."""

    component: str
    sizes: list[int]
    keys: tuple[str, ...]
    with_spaces: bool = True


class DocLimit(NamedTuple):
    """The first length in tokens that is too long for a corpus reader."""

    reader: str
    tokens: int


class PieceLimit(NamedTuple):
    """The pieces that a model reads at a time, with or without special pieces."""

    name: str
    pieces: int
    with_specials: bool = True


class Limits:
    """The limits of a config, those of corpus readers by split, and the names of its
    pretrained encoders. Without a path there are none."""

    def __init__(self, path: Path | None = None) -> None:
        self.spans: list[SpanLimit] = []
        self.pieces: list[PieceLimit] = []
        self.docs: dict[str, DocLimit] = {}
        self.encoders: list[str] = []
        if path is None:
            return
        config = _read(path)
        # Registers the components of all installed packages.
        Language()
        self.docs = _doc_limits(path, config)
        for name, values in (config.get("components") or {}).items():
            if isinstance(values.get("factory"), str):
                filled = Config(_factory_defaults(values["factory"])).merge(values)
                self._add(name, _Section(path, f"components.{name}", filled))

    def to_dict(self) -> dict[str, Any]:
        return {
            "spans": [limit._asdict() for limit in self.spans],
            "pieces": [limit._asdict() for limit in self.pieces],
            "documents": {name: limit._asdict() for name, limit in self.docs.items()},
            "encoders": self.encoders,
        }

    def _add(self, name: str, component: "_Section") -> None:
        models = {model.text("@architectures"): model for model in component.models()}
        if SPAN_MARKER in models:
            self._add_span_marker(name, component, models[SPAN_MARKER])
        if component.text("factory") in SPANCATS:
            sizes = _suggested(component.section("suggester"))
            if sizes:
                self.spans.append(SpanLimit(name, sizes, _keys(component)))
        if TRANSFORMER in models:
            window = models[TRANSFORMER].number("window")
            self.pieces.append(PieceLimit(f"window of {name}", window, False))
        encoders = (models[kind].text("name") for kind in ENCODERS if kind in models)
        self.encoders += filter(None, encoders)

    def _add_span_marker(
        self, name: str, component: "_Section", model: "_Section"
    ) -> None:
        checkpoint = component.text("checkpoint")
        if checkpoint:
            saved = Path(checkpoint) / "config.json"
            if not saved.is_file():
                return
            settings = {"model_max_length": DEFAULT_LENGTH, **_read_json(saved)}
            model = _Section(saved, "config", settings)
            self.encoders.append(checkpoint)
        sizes = [*range(1, model.number("entity_max_length") + 1)]
        self.spans.append(SpanLimit(name, sizes, _keys(component), False))
        pieces = model.number("model_max_length")
        self.pieces.append(PieceLimit(f"model_max_length of {name}", pieces))


class _Section:
    """A section of a config with its full name; models have their defaults."""

    def __init__(self, path: Path, name: str, values: Any) -> None:
        self.path, self.name = path, name
        values = values if isinstance(values, dict) else {}
        self.values = {**_model_defaults(values.get("@architectures")), **values}

    def section(self, name: str) -> "_Section":
        return _Section(self.path, f"{self.name}.{name}", self.values.get(name))

    def text(self, name: str) -> str:
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str, least: int = 1) -> int:
        (number,) = self.numbers(name, least)
        return number

    def numbers(self, name: str, least: int = 1) -> list[int]:
        value: Any = self.values.get(name)
        found: list[int] = value if isinstance(value, list) else [value]
        for number in found:
            if type(number) is not int or number < least:
                what = f"{self.name}.{name} is {number!r}; set it to a whole number"
                raise UserError(f"{what} from {least}", self.path)
        return found

    def models(self) -> Iterator["_Section"]:
        """All architectures in the section, its own included."""
        if "@architectures" in self.values:
            yield self
        for name, value in self.values.items():
            if isinstance(value, dict):
                yield from self.section(name).models()


def _model_defaults(architecture: Any) -> dict[str, Any]:
    """The defaults of an architecture of this package."""
    if architecture not in (SPAN_MARKER, TRANSFORMER):
        return {}
    parameters = inspect.signature(registry.architectures.get(architecture)).parameters
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.default is not parameter.empty
    }


def _factory_defaults(factory: str) -> dict[str, Any]:
    """The defaults of a component; empty if its factory is not installed."""
    if not Language.has_factory(factory):
        return {}
    return dict(Language.get_factory_meta(factory).default_config or {})


def _read(path: Path) -> Mapping[str, Any]:
    check_input(path)
    try:
        config = Config().from_disk(path)
    except OSError as err:
        raise UserError(f"cannot be read ({err.strerror})", path) from err
    # A section whose parent section is missing is a KeyError.
    except (ValueError, KeyError, configparser.Error, RecursionError) as err:
        what = "is not a config of spaCy, or a variable has no value"
        advice = "check it with 'spacy debug config'"
        raise UserError(f"{what} ({one_line(err)}); {advice}", path) from err
    if not isinstance(config.get("nlp"), dict):
        what = "has no section [nlp], so it is not a config of spaCy; give config.cfg"
        raise UserError(what, path)
    return config


def _doc_limits(path: Path, config: Mapping[str, Any]) -> dict[str, DocLimit]:
    training = _Section(path, "training", config.get("training"))
    limits = {}
    for split in ("train", "dev"):
        name = training.text(f"{split}_corpus") or f"corpora.{split}"
        reader = _Section(path, "corpora", config.get("corpora"))
        for part in name.split(".")[1:]:
            reader = reader.section(part)
        is_known = reader.text("@readers") == "spacy.Corpus.v1"
        # With gold_preproc it splits all documents into sentences.
        if is_known and reader.values.get("gold_preproc") is not True:
            reader.values.setdefault("max_length", 0)
            limits[split] = DocLimit(reader.name, reader.number("max_length", least=0))
    return {split: limit for split, limit in limits.items() if limit.tokens}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        saved = srsly.read_json(path)
        return {name: value for name, value in saved.items() if value is not None}
    except (OSError, ValueError, AttributeError) as err:
        what = f"is not a JSON object ({one_line(err)}); check the checkpoint"
        raise UserError(what, path) from err


def _keys(component: _Section) -> tuple[str, ...]:
    if component.text("factory") in SPANCATS:
        return (component.text("spans_key"),)
    target = component.values.get("target", "ents")
    return tuple(target) if isinstance(target, list) else (str(target),)


def _suggested(suggester: _Section) -> list[int]:
    """The sizes of suggested spans; empty if they are not known."""
    kind = suggester.text("@misc")
    if kind == "spacy.ngram_suggester.v1":
        return sorted(suggester.numbers("sizes"))
    if kind == "spacy.ngram_range_suggester.v1":
        least = suggester.number("min_size")
        return [*range(least, suggester.number("max_size", least) + 1)]
    return []


class LimitScan:
    """Counts what is too long in a split."""

    def __init__(self, split: str, limits: Limits) -> None:
        self.split = split
        self.spans = [(limit, Places()) for limit in limits.spans]
        self.docs = limits.docs.get(split)
        self.cut = Places()
        self.left_out = Places()
        self.lost_entities = 0

    def add(self, place: str, doc: Doc, ents: Sequence[Span]) -> None:
        for limit, places in self.spans:
            for span in _spans(doc, ents, limit.keys):
                n_spaces = sum(token.is_space for token in span)
                if len(span) - n_spaces * (not limit.with_spaces) not in limit.sizes:
                    places.add(place_of(place, span))
        if self.docs is not None and len(doc) >= self.docs.tokens:
            self._add_long(place, doc, self.docs.tokens)

    def _add_long(self, place: str, doc: Doc, limit: int) -> None:
        parts = [doc[:]]
        if doc.has_annotation("SENT_START"):
            parts = list(doc.sents)
            self.cut.add(f"{place}: {len(doc)} tokens")
        for part in parts:
            if len(part) >= limit:
                self.left_out.add(f"{place}: {len(part)} tokens")
                self.lost_entities += len(part.ents)

    def findings(self) -> list[Finding]:
        found = [(_describe(limit, self.split), places) for limit, places in self.spans]
        if self.docs is not None:
            long = f"in {self.split} of {self.docs.tokens} tokens or more, max_length"
            long = f"{long} of [{self.docs.reader}]"
            lost = f"left out with {self.lost_entities} entities"
            found.append((f"documents {long}, split into sentences", self.cut))
            found.append((f"texts {long}, {lost}", self.left_out))
        return make_warnings(self.split, found)


def _spans(doc: Doc, ents: Sequence[Span], keys: Sequence[str]) -> Iterator[Span]:
    for key in keys:
        if key == "ents":
            yield from ents
        elif key in doc.spans:
            yield from doc.spans[key]


def _describe(limit: SpanLimit, split: str) -> str:
    sizes = limit.sizes
    if sizes == [*range(1, len(sizes) + 1)]:
        which = f"longer than {len(sizes)} word{'s' * (len(sizes) > 1)}, the most"
    else:
        which = f"not of {', '.join(map(str, sizes))} words, the lengths"
    return f"entities in {split} {which} that {limit.component} finds, which are lost"
