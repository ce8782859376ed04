"""What a config of spaCy says about lengths, read without making any component.

* `span_marker_ner`, and any component with the model spacy_ner_ext.SpanMarker.v1, finds
  entities of up to `entity_max_length` words, and reads `model_max_length` pieces at a
  time. Where a checkpoint is set, both come from its config.json, if it is a folder.
* `spancat` and `spancat_singlelabel` find spans of the sizes that the n-gram suggesters
  of spaCy suggest. Other suggesters are not known.
* spacy_ner_ext.Transformer.v1 reads `window` pieces at a time.
* The reader spacy.Corpus.v1 cuts or leaves out documents by `max_length`.

Components that are taken from another pipeline by `source` are not looked at.
"""

import configparser
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from thinc.api import Config

from ...data.text import check_input
from ...util.errors import UserError

SPAN_MARKER = "spacy_ner_ext.SpanMarker.v1"
TRANSFORMER = "spacy_ner_ext.Transformer.v1"
# What has the name of a pretrained encoder.
ENCODERS = (
    SPAN_MARKER,
    TRANSFORMER,
    *(f"spacy-transformers.TransformerModel.v{i}" for i in (1, 2, 3)),
)
SUGGESTERS = ("spacy.ngram_suggester.v1", "spacy.ngram_range_suggester.v1")
SPANCATS = ("spancat", "spancat_singlelabel")
NGRAM_SIZES = (1, 2, 3)
# Characters of what the parser says of a config that is none.
REASON = 120


@dataclass(frozen=True)
class SpanLimit:
    """Which spans a component can find.

    component: Its name.
    sizes: The lengths of these spans.
    keys: Where the gold spans are: "ents" or names of span groups.
    with_spaces: Whether white-space tokens count.
    """

    component: str
    sizes: Sequence[int]
    keys: tuple[str, ...]
    with_spaces: bool = True


@dataclass(frozen=True)
class DocLimit:
    """How long documents may be that a corpus reader passes on whole.

    reader: Its section of the config.
    tokens: The `max_length`: the first length that is too long.
    """

    reader: str
    tokens: int


@dataclass(frozen=True)
class PieceLimit:
    """How many pieces a model reads at a time.

    name: What sets it.
    pieces: The number.
    with_specials: Whether special pieces around a text count.
    """

    name: str
    pieces: int
    with_specials: bool = True


@dataclass(frozen=True)
class Limits:
    """All limits of a config.

    spans, pieces: Those of the components.
    docs: Those of the corpus readers, by split.
    encoders: The pretrained encoders, names or folders.
    """

    spans: list[SpanLimit] = field(default_factory=list)
    pieces: list[PieceLimit] = field(default_factory=list)
    docs: dict[str, DocLimit] = field(default_factory=dict)
    encoders: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The limits as plain JSON values."""
        spans = [
            {**vars(limit), "sizes": list(limit.sizes), "keys": list(limit.keys)}
            for limit in self.spans
        ]
        return {
            "spans": spans,
            "pieces": [asdict(limit) for limit in self.pieces],
            "documents": {name: asdict(limit) for name, limit in self.docs.items()},
            "encoders": self.encoders,
        }


class _Section:
    """A section of a config with its full name."""

    def __init__(self, path: Path, name: str, values: Any) -> None:
        self.path = path
        self.name = name
        self.values = values if isinstance(values, dict) else {}

    def section(self, name: str) -> "_Section":
        return _Section(self.path, f"{self.name}.{name}", self.values.get(name))

    def text(self, name: str, default: str = "") -> str:
        value = self.values.get(name)
        return value if isinstance(value, str) else default

    def number(self, name: str, default: int, least: int = 1) -> int:
        return self.as_number(name, self.values.get(name, default), least)

    def as_number(self, name: str, value: Any, least: int = 1) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            what = f"{self.name}.{name} is {value!r}; set it to a whole number from"
            raise UserError(f"{what} {least}", self.path)
        return value

    def models(self) -> Iterator["_Section"]:
        """All architectures in it, itself included."""
        if "@architectures" in self.values:
            yield self
        for name, value in self.values.items():
            if isinstance(value, dict):
                yield from self.section(name).models()


def read_limits(path: Path) -> Limits:
    """Read the limits of a config.

    path: The config; that of a trained pipeline will do too.
    RAISES (UserError): If it is no config, or a limit is no number.
    """
    config = _read(path)
    limits = Limits(docs=_doc_limits(path, config))
    for name in _Section(path, "components", config.get("components")).values:
        component = _Section(path, "components", config["components"]).section(name)
        _add_component(name, component, limits)
    return limits


def _read(path: Path) -> Mapping[str, Any]:
    check_input(path)
    try:
        config = Config().from_disk(path)
    except OSError as err:
        raise UserError(f"cannot be read ({err.strerror})", path) from err
    # A section below one that is not there is a KeyError.
    except (ValueError, KeyError, configparser.Error, RecursionError) as err:
        reason = " ".join(str(err).split())[:REASON]
        what = f"is not a config of spaCy, or a variable has no value ({reason})"
        raise UserError(f"{what}; check it with 'spacy debug config'", path) from err
    if not isinstance(config.get("nlp"), dict):
        what = "has no section [nlp], so it is not a config of spaCy; give config.cfg"
        raise UserError(what, path)
    return config


def _doc_limits(path: Path, config: Mapping[str, Any]) -> dict[str, DocLimit]:
    training = _Section(path, "training", config.get("training"))
    limits = {}
    for split in ("train", "dev"):
        name = training.text(f"{split}_corpus", f"corpora.{split}")
        reader = _Section(path, "corpora", config.get("corpora"))
        for part in name.split(".")[1:]:
            reader = reader.section(part)
        is_known = reader.text("@readers") == "spacy.Corpus.v1"
        # It cuts all documents into sentences then.
        if is_known and reader.values.get("gold_preproc") is not True:
            tokens = reader.number("max_length", 0, least=0)
            if tokens:
                limits[split] = DocLimit(reader.name, tokens)
    return limits


def _add_component(name: str, component: _Section, limits: Limits) -> None:
    factory = component.text("factory")
    models = {model.text("@architectures"): model for model in component.models()}
    if factory == "span_marker_ner":
        models.setdefault(SPAN_MARKER, component.section("model"))
    if SPAN_MARKER in models:
        _add_span_marker(name, component, models[SPAN_MARKER], limits)
    if factory in SPANCATS:
        sizes = _suggested(component)
        if sizes:
            limits.spans.append(SpanLimit(name, sizes, _keys(component)))
    if TRANSFORMER in models:
        window = models[TRANSFORMER].number("window", 128)
        limits.pieces.append(PieceLimit(f"window of {name}", window, False))
    for architecture in ENCODERS:
        encoder = models[architecture].text("name") if architecture in models else ""
        if encoder:
            limits.encoders.append(encoder)


def _add_span_marker(
    name: str, component: _Section, model: _Section, limits: Limits
) -> None:
    defaults = {"entity_max_length": 8, "model_max_length": 256}
    checkpoint = component.text("checkpoint")
    if checkpoint:
        saved = Path(checkpoint) / "config.json"
        if not saved.is_file():
            return
        model = _Section(saved, "config", _read_json(saved))
        defaults["model_max_length"] = 512
        limits.encoders.append(checkpoint)
    words = model.number("entity_max_length", defaults["entity_max_length"])
    pieces = model.number("model_max_length", defaults["model_max_length"])
    keys = _keys(component)
    limits.spans.append(SpanLimit(name, range(1, words + 1), keys, with_spaces=False))
    limits.pieces.append(PieceLimit(f"model_max_length of {name}", pieces))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise UserError(f"cannot be read ({err.strerror})", path) from err
    except (ValueError, RecursionError) as err:
        raise UserError(f"is not JSON ({err}); check the checkpoint", path) from err
    if not isinstance(saved, dict):
        raise UserError("is not a JSON object; check the checkpoint", path)
    return {name: value for name, value in saved.items() if value is not None}


def _keys(component: _Section) -> tuple[str, ...]:
    if component.text("factory") in SPANCATS:
        return (component.text("spans_key", "sc"),)
    target = component.values.get("target", "ents")
    return tuple(target) if isinstance(target, list) else (str(target),)


def _suggested(component: _Section) -> Sequence[int]:
    """The sizes of spans that are suggested; empty if that is not known."""
    if "suggester" not in component.values:
        return NGRAM_SIZES
    suggester = component.section("suggester")
    kind = suggester.text("@misc")
    if kind not in SUGGESTERS:
        return ()
    if kind == SUGGESTERS[1]:
        least = suggester.number("min_size", 1)
        return range(least, suggester.number("max_size", least, least) + 1)
    sizes = suggester.values.get("sizes")
    listed = sizes if isinstance(sizes, list) else [sizes]
    return sorted(suggester.as_number("sizes", size) for size in listed)
