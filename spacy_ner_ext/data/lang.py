"""Blank vocabularies and tokenizers by language code."""

from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc
from spacy.util import get_lang_class, registry
from spacy.vocab import Vocab, create_vocab

from ..util.errors import UserError

# A vocabulary grows with every new word; past so many a new one is taken, and the old
# one goes with its last document.
MAX_WORDS = 20_000


def language_class(lang: str) -> type[Language]:
    """Look up spaCy's class for a language.

    lang: A code such as "en", or "xx" for no language in particular.
    RAISES (UserError): If spaCy has no such language.
    """
    try:
        return get_lang_class(lang)
    except (ImportError, AttributeError) as err:
        raise UserError(
            f"spaCy has no language '{lang}'; give a code such as en, de or xx"
        ) from err


def tokenizer_language(langs: str) -> str:
    """Choose the language of the tokenizer for texts of one or several languages.

    langs: A code, or several with commas between.
    RETURNS: The code; "xx" if there are several.
    """
    return "xx" if "," in langs else langs


def blank_vocab(lang: str) -> Vocab:
    """Make an empty vocabulary without a pipeline around it.

    A pipeline would import every component package that is installed.

    RETURNS: The vocabulary with the language's lexical attributes.
    RAISES (UserError): If spaCy has no such language.
    """
    return create_vocab(lang, language_class(lang).Defaults)


class BlankPipeline:
    """The tokenizer and the vocabulary of a blank pipeline, and nothing more of it.

    It stands for `spacy.blank(lang)` where only documents are made: it starts faster
    and is smaller, as it imports no component, and stays so over any number of words.

    lang: A language code.
    RAISES (UserError): If spaCy has no such language.
    """

    def __init__(self, lang: str) -> None:
        self.lang = lang
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
        """The tokenizer, with the present vocabulary.
        RAISES (UserError): If the language needs packages that are not installed.
        """
        if self._tokenizer is None:
            config = language_class(self.lang).default_config["nlp"]["tokenizer"]
            try:
                create = registry.resolve({"tokenizer": config})["tokenizer"]
                self._tokenizer = create(self)
            except ImportError as err:
                what = " ".join(str(err).split())
                raise UserError(
                    f"no tokenizer for language '{self.lang}': {what}"
                ) from err
        return self._tokenizer

    def make_doc(self, text: str) -> Doc:
        """Tokenize a text.

        RAISES (UserError): If the language needs packages that are not installed.
        """
        # Asked first, since it may be renewed, and the tokenizer with it.
        assert self.vocab is not None
        return self.tokenizer(text)
