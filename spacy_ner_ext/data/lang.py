"""Blank vocabularies and tokenizers by language code."""

from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.util import get_lang_class
from spacy.vocab import Vocab, create_vocab

from .errors import DataError


def language_class(lang: str) -> type[Language]:
    """Look up spaCy's class for a language.

    lang (str): A code such as "en", or "xx" for no language in particular.
    RETURNS (Type[Language]): The class.
    RAISES (DataError): If spaCy has no such language.
    """
    try:
        return get_lang_class(lang)
    except (ImportError, AttributeError) as err:
        raise DataError(
            f"spaCy has no language '{lang}'; give a code such as en, de or xx"
        ) from err


def blank_vocab(lang: str) -> Vocab:
    """Make an empty vocabulary without a pipeline around it.

    A pipeline would import every component package that is installed.

    lang (str): A language code.
    RETURNS (Vocab): The vocabulary with the language's lexical attributes.
    RAISES (DataError): If spaCy has no such language.
    """
    return create_vocab(lang, language_class(lang).Defaults)


def blank_tokenizer(lang: str) -> Tokenizer:
    """Make the tokenizer that a blank pipeline of a language has.

    lang (str): A language code.
    RETURNS (Tokenizer): The tokenizer.
    RAISES (DataError): If spaCy has no such language or it needs more packages.
    """
    cls = language_class(lang)
    try:
        return cls().tokenizer
    except ImportError as err:
        reason = " ".join(str(err).split())
        raise DataError(f"no tokenizer for language '{lang}': {reason}") from err
