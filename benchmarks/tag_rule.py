"""A rule that tags English text, as test data for taggers.

Fourteen tags in the manner of Universal Dependencies. Word lists, shapes and suffixes
decide some words; the others depend on the word after them and on the tag before them,
so that a tag may follow from one several words away. It is deterministic, and
not a gold standard of English.
"""

from collections.abc import Sequence

START = "START"
WORDS = {
    "DET": "a an the this these those every each some any no another all both my your "
    "our their its",
    "ADP": "of in on at by for with from into about over after before under between "
    "through during against as than",
    "PRON": "i you he she it we they me him us them who what which something nothing "
    "someone everyone myself yourself himself",
    "AUX": "is are was were be been being am will would can could should may might "
    "must 's 're 'm 've 'll ca wo",
    "CCONJ": "and or but nor & so because if when while although",
    "ADV": "very too here there now then never always just really still also again "
    "only even soon how why where",
    "PART": "not n't",
    "NUM": "one two three four five six seven eight nine ten hundred thousand million",
}
LISTED = {word: tag for tag, words in WORDS.items() for word in words.split()}
SUFFIXES = {
    "ly": "ADV",
    **dict.fromkeys(("ous", "ful", "ive", "able", "ible", "ical", "less"), "ADJ"),
    **dict.fromkeys(("tion", "ness", "ment", "ity", "ship", "ism", "ist"), "NOUN"),
}
# Of a word about which nothing else is known, by the tag before it.
AFTER = {
    **dict.fromkeys((START, "DET", "ADJ", "ADP", "NUM", "VERB", "CCONJ"), "NOUN"),
    **dict.fromkeys(("NOUN", "PROPN", "PRON", "PART"), "VERB"),
    **dict.fromkeys(("AUX", "ADV"), "ADJ"),
    **dict.fromkeys(("PUNCT", "SYM"), "NOUN"),
}


def tag_words(words: Sequence[str]) -> list[str]:
    """Tag the words of a text, from left to right."""
    tags: list[str] = []
    for place, word in enumerate(words):
        following = words[place + 1].lower() if place + 1 < len(words) else ""
        tags.append(_tag(word, following, tags[-1] if tags else START))
    return tags


def _tag(word: str, following: str, before: str) -> str:
    lower = word.lower()
    return (
        _by_shape(word)
        or _by_neighbours(lower, following, before)
        or LISTED.get(lower)
        or _by_capital(word, before)
        or _by_suffix(lower, before)
        or AFTER[before]
    )


def _by_shape(word: str) -> str | None:
    if word[0] in "@#" or word.lower().startswith(("http", "www.")):
        return "SYM"
    if not any(letter.isalnum() for letter in word):
        return "PUNCT"
    return "NUM" if word[0].isdigit() else None


def _by_neighbours(lower: str, following: str, before: str) -> str | None:
    """Words whose tag depends on their neighbors."""
    opens_phrase = LISTED.get(following) in ("DET", "PRON", "NUM", "ADP")
    if lower == "to":
        return "ADP" if opens_phrase or not following.isalpha() else "PART"
    if lower in ("her", "his"):
        return "DET" if following.isalpha() and following not in LISTED else "PRON"
    if lower == "that":
        return "DET" if before in ("ADP", START) else "CCONJ"
    if lower in ("have", "has", "had", "do", "does", "did"):
        is_helper = following.endswith(("ed", "en", "n't")) or following == "not"
        return "AUX" if is_helper else "VERB"
    if lower in ("like", "up", "out", "down", "off"):
        return "VERB" if before in ("PART", "PRON") and lower == "like" else "ADP"
    return None


def _by_capital(word: str, before: str) -> str | None:
    begins = before in (START, "PUNCT", "SYM")
    return "PROPN" if word[0].isupper() and not begins else None


def _by_suffix(lower: str, before: str) -> str | None:
    if lower.endswith("ing") and len(lower) > 4:
        return "NOUN" if before in ("DET", "ADJ", "ADP") else "VERB"
    if lower.endswith("ed") and len(lower) > 3:
        return "ADJ" if before in ("DET", "ADP", "AUX") else "VERB"
    for suffix, tag in SUFFIXES.items():
        if lower.endswith(suffix) and len(lower) > len(suffix) + 1:
            return tag
    return None
