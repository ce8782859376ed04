"""Quotes are found by every convention of offsets, and never guessed."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spacy_ner_ext.data.offsets import MAX_SHIFT, Quote, find_quote, find_quotes


def utf16(text):
    return len(text.encode("utf-16-le")) // 2


def utf8(text):
    return len(text.encode("utf-8"))


CONVENTIONS = {
    "characters": (len, ""),
    "UTF-16": (utf16, "the offsets count UTF-16 units"),
    "bytes": (utf8, "the offsets count UTF-8 bytes"),
    "CR LF": (
        lambda text: len(text.replace("\r\n", "\n")),
        "the offsets count CR LF as one character",
    ),
    "LF": (
        lambda text: len(re.sub(r"(?<!\r)\n", "\r\n", text)),
        "the offsets count LF as two characters",
    ),
    "spaces": (
        lambda text: len(re.sub(r"\s+", " ", text)),
        "the offsets count runs of white space as one character",
    ),
    "UTF-16, CR LF": (
        lambda text: utf16(text.replace("\r\n", "\n")),
        "the offsets count UTF-16 units and CR LF as one",
    ),
    "no byte order mark": (
        lambda text: len(text.removeprefix("\ufeff")),
        "the offsets count no byte order mark",
    ),
}
# Words that occur once, so that a quote of them is at one place alone.
WORDS = st.lists(
    st.text("abcdé😀王", min_size=1, max_size=6), min_size=1, max_size=12, unique=True
)
GAPS = st.sampled_from([" ", "  ", "\r\n", "\n", "\t", " \r\n\r\n"])


@st.composite
def quoted_texts(draw):
    words = draw(WORDS)
    first = draw(st.integers(0, len(words) - 1))
    stop = draw(st.integers(first + 1, len(words)))
    text, starts, ends = draw(st.sampled_from(["", "\ufeff"])), [], []
    for i, word in enumerate(words):
        starts.append(len(text))
        # A number no other word has.
        text += f"{word}{i:02}"
        ends.append(len(text))
        text += draw(GAPS)
    return text, starts[first], ends[stop - 1]


@given(quoted_texts(), st.sampled_from(sorted(CONVENTIONS)))
def test_quote_is_found_by_each_convention(case, name):
    text, start, end = case
    measure, _ = CONVENTIONS[name]
    given_start, given_end = measure(text[:start]), measure(text[:end])
    # Gaps before the quote may end in white space that the convention joins.
    found = find_quote(text, given_start, given_end, text[start:end])
    assert found is not None
    assert text[found.start : found.end].split() == text[start:end].split()
    assert text[found.start : found.end].strip() == text[start:end]


@pytest.mark.parametrize("name", CONVENTIONS)
def test_convention_is_named(name):
    # Every convention counts another number of characters before the quote.
    text = "\ufeffé 😀😀😀" + "\r\nx" * 5 + "   王" + "\nx" * 7 + " Ida\r\nran"
    measure, how = CONVENTIONS[name]
    start = text.index("Ida")
    given_start = measure(text[:start])
    found = find_quote(text, given_start, given_start + 3, "Ida")
    assert found == (start, start + 3, how)


@given(quoted_texts(), st.integers(-MAX_SHIFT, MAX_SHIFT))
def test_shifted_quote_is_found(case, shift):
    text, start, end = case
    assume(start + shift >= 0)
    found = find_quote(text, start + shift, end + shift, text[start:end])
    assert found is not None
    assert (found.start, found.end) == (start, end)
    assert bool(found.how) == bool(shift)


@given(
    st.text("ab \n", max_size=30),
    st.integers(-3, 40),
    st.integers(-3, 40),
    st.text("ab \n", max_size=5),
)
def test_what_is_found_is_the_quote(text, start, end, quote):
    found = find_quote(text, start, end, quote)
    if found is not None:
        assert 0 <= found.start < found.end <= len(text)
        assert text[found.start : found.end].split() == quote.split()


CASES = {
    "ambiguous shift": ("Ida saw Ida", 2, 5, "Ida", None),
    "too far": ("Bob saw Ida", 2, 5, "Ida", None),
    "far and near": ("Ida saw no Ida", 2, 5, "Ida", None),
    "not there": ("Ida ran", 0, 3, "Bob", None),
    "quote without a character": ("Ida ran", 1, 2, " ", None),
    "start after end": ("Ida ran", 3, 0, "Ida", (0, 3)),
    "collapsed white space": ("Rue  Bleue 7", 0, 12, "Rue Bleue 7", (0, 12)),
    "CR in the quote": ("Lena\r\nMoor", 0, 10, "Lena\r Moor", (0, 10)),
    "escaped line end": ("New\nYork", 0, 8, "New\\nYork", (0, 8)),
    "white space at the ends": ("Ida ran", 0, 4, "Ida", (0, 4)),
    "white space of the quote": ("Ida ran", 0, 3, " Ida ", (0, 3)),
    "end inclusive": ("Ida Ida", 0, 2, "Ida", (0, 3)),
    "start from 1": ("Ida ran", 1, 3, "Ida", (0, 3)),
    "end past the text": ("saw Ida", 4, 90, "Ida", (4, 7)),
    "negative": ("Ida ran", -1, 2, "Ida", (0, 3)),
    "two conventions": ("é😀b bb", 6, 7, "b", None),
}


@pytest.mark.parametrize("name", CASES)
def test_quote_is_found_or_not(name):
    text, start, end, quote, expected = CASES[name]
    found = find_quote(text, start, end, quote)
    assert (found and found[:2]) == expected


HOW = {
    "end": ("saw Ida there", 4, 6, "the end is 1 character too small"),
    "start": ("saw Ida there", 6, 7, "the start is 2 characters too large"),
    "both": ("saw Ida there", 2, 5, "the offsets are 2 characters too small"),
    "past the end": ("saw Ida", 4, 8, "the end is past the end of the text"),
}


@pytest.mark.parametrize("name", HOW)
def test_difference_is_described(name):
    text, start, end, how = HOW[name]
    assert find_quote(text, start, end, "Ida") == (4, 7, how)


def find(text, *quotes):
    return find_quotes(text, [Quote(spans, quote) for spans, quote in quotes])


def test_fragments_are_found_together():
    text = "😀 left and right arms"
    spans = [(3, 7), (18, 22)]
    (found,) = find(text, (spans, "left arms"))
    assert found == ([(2, 6), (17, 21)], "the offsets count UTF-16 units")
    (found,) = find(text, ([(1, 5), (16, 20)], "left arms"))
    assert found == ([(2, 6), (17, 21)], "the offsets are 1 character too small")
    assert find(text, (spans, "left legs")) == [None]


def test_ambiguous_quote_is_where_the_offsets_of_others_lead():
    text = "Ida saw Ida, then Bob"
    sure, ambiguous = ([(16, 19)], "Bob"), ([(6, 9)], "Ida")
    assert find(text, ambiguous) == [None]
    found = find(text, ambiguous, sure)
    how = "the offsets are 2 characters too small"
    assert found == [([(8, 11)], how), ([(18, 21)], how)]
