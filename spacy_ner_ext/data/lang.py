"""Vocabularies and tokenizers by language code, without a pipeline."""

from collections.abc import Callable
from typing import Protocol

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import get_lang_class, registry
from spacy.vocab import Vocab, create_vocab

from ..util.errors import UserError, one_line

# A vocabulary grows with every new word. After so many a new one is created, and the
# old one is freed with its last document.
MAX_WORDS = 20_000
# It takes seconds to create a tokenizer with more exceptions, such as the Indonesian
# one with 32,000. It is kept, and forgets words instead.
MANY_EXCEPTIONS = 10_000


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
        self._kept: _KeptTokenizer | None = None
        self._renew()

    def _renew(self) -> None:
        self._vocab = blank_vocab(self.lang)
        self._tokenizer: Callable[[str], Doc] | None = None
        self._n_own = len(self._vocab)

    @property
    def vocab(self) -> Vocab:
        """The vocabulary for the next document."""
        if len(self._vocab) - self._n_own > MAX_WORDS:
            self._renew()
        return self._vocab

    def make_doc(self, text: str) -> Doc:
        """Tokenize a text."""
        # First, since it may be renewed, and the tokenizer with it.
        vocab = self.vocab
        if self._kept is not None:
            words, spaces = self._kept.split(text)
            return Doc(vocab, words=words, spaces=spaces)
        if self._tokenizer is None:
            self._create_tokenizer()
            return self.make_doc(text)
        return self._tokenizer(text)

    def _create_tokenizer(self) -> None:
        config = language_class(self.lang).default_config["nlp"]["tokenizer"]
        n_words = len(self._vocab)
        try:
            create = registry.resolve({"tokenizer": config})["tokenizer"]
            self._tokenizer = create(self)
        except ImportError as err:
            what = f"no tokenizer for language '{self.lang}'"
            raise UserError(f"{what}: {one_line(err)}") from err
        self._n_own += len(self._vocab) - n_words
        if len(self._vocab) > MANY_EXCEPTIONS:
            self._kept = _KeptTokenizer(self._tokenizer, self._vocab)
            self._renew()


class _KeptTokenizer:
    """A tokenizer with a vocabulary of its own, which forgets all but the first words.
    None of its documents leaves it, as they would not outlive a memory zone."""

    def __init__(self, tokenize: Callable[[str], Doc], vocab: Vocab) -> None:
        self.tokenize = tokenize
        self.vocab = vocab
        self.size = len(vocab) + MAX_WORDS

    def split(self, text: str) -> tuple[list[str], list[bool]]:
        """The tokens of a text, and whether a space follows each of them."""
        if len(self.vocab) < self.size:
            return _words(self.tokenize(text))
        with self.vocab.memory_zone():
            return _words(self.tokenize(text))


def _words(doc: Doc) -> tuple[list[str], list[bool]]:
    spaces = doc.to_array("SPACY").astype(bool)
    return [token.text for token in doc], spaces.tolist()
