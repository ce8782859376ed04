"""Vocabularies and tokenizers by language code, without a pipeline."""

from typing import Protocol

from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc
from spacy.util import get_lang_class, registry
from spacy.vocab import Vocab, create_vocab

from ..util.errors import UserError, one_line

# A vocabulary grows with every new word. Above this size a new one is created, and the
# old one is freed with its last document.
MAX_WORDS = 20_000


class MakesDocs(Protocol):
    """The part of spaCy's `Language` that readers need."""

    @property
    def vocab(self) -> Vocab: ...

    def make_doc(self, text: str) -> Doc: ...


def language_class(lang: str) -> type[Language]:
    """Look up spaCy's class for a language."""
    try:
        return get_lang_class(lang)
    except (ImportError, AttributeError) as err:
        what = f"spaCy has no language '{lang}'; give a code such as en, de or xx"
        raise UserError(what) from err


def tokenizer_language(langs: str) -> str:
    """Choose the tokenizer for comma-separated language codes: "xx" for several."""
    return "xx" if "," in langs else langs


def blank_vocab(lang: str) -> Vocab:
    """Create an empty vocabulary with the language's lexical attributes."""
    return create_vocab(lang, language_class(lang).Defaults)


class BlankPipeline:
    """A tokenizer and a vocabulary, in place of `spacy.blank(lang)`. It does not import
    all installed components, and its memory stays bounded for any number of words."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        # spaCy's tokenizer factories read this.
        self.Defaults = language_class(lang).Defaults
        self._renew()

    def _renew(self) -> None:
        self._vocab = blank_vocab(self.lang)
        self._tokenizer: Tokenizer | None = None

    @property
    def vocab(self) -> Vocab:
        """The vocabulary for the next document."""
        if len(self._vocab) > MAX_WORDS:
            self._renew()
        return self._vocab

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer with the present vocabulary."""
        if self._tokenizer is None:
            config = language_class(self.lang).default_config["nlp"]["tokenizer"]
            try:
                create = registry.resolve({"tokenizer": config})["tokenizer"]
                self._tokenizer = create(self)
            except ImportError as err:
                what = f"no tokenizer for language '{self.lang}'"
                raise UserError(f"{what}: {one_line(err)}") from err
        return self._tokenizer

    def make_doc(self, text: str) -> Doc:
        """Tokenize a text."""
        # First, since it may be renewed, and the tokenizer with it.
        assert self.vocab is not None
        return self.tokenizer(text)
