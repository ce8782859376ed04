"""Vocabularies and tokenizers by language."""

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_ner_ext.data import lang
from spacy_ner_ext.data.lang import BlankPipeline, blank_vocab

TEXTS = ["Buku-buku itu (dll.) ada di Jakarta.", "  dua  spasi\n\n", "a.n. Budi", ""]


def shown(doc):
    return [token.text_with_ws for token in doc]


@pytest.fixture
def few_words(monkeypatch):
    monkeypatch.setattr(lang, "MAX_WORDS", 50)


@pytest.mark.parametrize("code", ["id", "en"])
def test_tokens_are_those_of_spacy_however_many_words_came_before(
    code, few_words, monkeypatch
):
    own = spacy.blank(code)
    wanted = [shown(own.make_doc(text)) for text in TEXTS]
    created = []
    resolve = lang.registry.resolve

    def count(config):
        created.append(config)
        return resolve(config)

    monkeypatch.setattr(lang.registry, "resolve", count)
    nlp = BlankPipeline(code)
    docs = []
    for number in range(300):
        docs.append(nlp.make_doc(f"kata{number} Lain{number}"))
        if number % 100 == 0:
            assert [shown(nlp.make_doc(text)) for text in TEXTS] == wanted
    # Documents outlive the words that are forgotten.
    texts = [doc.text for doc in docs]
    assert texts == [f"kata{n} Lain{n}" for n in range(300)]
    read = DocBin().from_bytes(DocBin(docs=docs).to_bytes()).get_docs(blank_vocab(code))
    assert [doc.text for doc in read] == texts
    vocabs = {id(doc.vocab): len(doc.vocab) for doc in docs}
    assert len(vocabs) > 5
    n_own = 0 if code == "id" else len(own.vocab)
    assert max(vocabs.values()) < n_own + 100
    # It takes seconds to create the Indonesian tokenizer.
    assert (len(created) == 1) == (code == "id")
