import pytest
from spacy.tokens import Doc, Span

from spacy_ner_ext.data.forms import FormIndex, SplitForms
from spacy_ner_ext.data.lang import blank_vocab
from spacy_ner_ext.tools.check.forms import MAX_CONFLICTS, find_conflicts

VOCAB = blank_vocab("en")


def make_doc(words, *spans, missing=()):
    words = words.split(" ") if isinstance(words, str) else words
    doc = Doc(VOCAB, words=words)
    ents = [Span(doc, *span) for span in spans]
    doc.set_ents(ents, missing=[doc[i : i + 1] for i in missing])
    return doc


def conflicts(**splits):
    forms = {}
    for name, docs in splits.items():
        forms[name] = SplitForms()
        for doc in docs:
            forms[name].add(doc.ents)
    index = FormIndex(forms.values())
    for name, docs in splits.items():
        for doc in docs:
            forms[name].add_outside(doc, index)
    return find_conflicts(forms)


def outside(index_doc, *docs):
    forms = SplitForms()
    forms.add(index_doc.ents)
    index = FormIndex([forms])
    for doc in docs:
        forms.add_outside(doc, index)
    return dict(forms.outside)


def test_a_form_with_several_labels_and_outside():
    per = make_doc("Washington spoke", (0, 1, "PER"))
    loc = make_doc("in Washington", (1, 2, "LOC"))
    out = make_doc("to Washington")
    found = conflicts(train=[per, loc, loc, loc], dev=[out, loc])
    assert (found.count, found.places) == (1, 2)
    assert str(found.worst[0]) == (
        "'Washington' is LOC 4 times (train, dev), PER 1 time (train) and "
        "not an entity 1 time (dev)"
    )
    assert found.to_dict() == {
        "count": 1,
        "places": 2,
        "worst": [
            {
                "form": "Washington",
                "minority": 2,
                "labels": {"LOC": {"train": 3, "dev": 1}, "PER": {"train": 1}},
                "outside": {"dev": 1},
            }
        ],
    }
    ((severity, split, what, examples),) = [
        (f.severity, f.split, f.what, f.examples) for f in found.findings()
    ]
    assert (severity, split) == ("note", "")
    assert "1, in 2 places" in what
    assert examples == [str(found.worst[0])]


def test_equal_annotation_is_no_conflict():
    docs = [make_doc("Ann and ann", (0, 1, "PER"))] * 3
    assert conflicts(train=docs, dev=docs).count == 0
    assert conflicts(train=docs).findings() == []


def test_whole_tokens_outside_of_entities_count():
    form = make_doc("New York", (0, 2, "LOC"))
    docs = [
        make_doc("New York and New York"),
        make_doc("new york"),
        make_doc("New Yorkers"),
        make_doc("York New"),
        make_doc(["New", "\n", "York"]),
        make_doc(["New York"]),
        make_doc("The New York Times", (0, 4, "ORG")),
        make_doc("York News in New", (0, 1, "LOC")),
        make_doc("New York", missing=[1]),
        Doc(VOCAB, words=["New", "York"]),
        make_doc([]),
    ]
    assert outside(form, *docs) == {"New York": 4}


def test_the_longest_form_counts():
    forms = make_doc(
        "Bank ; Bank of America ; America", (0, 1, "X"), (2, 5, "X"), (6, 7, "X")
    )
    assert outside(forms, make_doc("Bank of America Bank of it")) == {
        "Bank of America": 1,
        "Bank": 1,
    }


def test_the_worst_come_first():
    ann = [make_doc("Ann", (0, 1, "PER"))] * 3
    bob = [make_doc("Bob", (0, 1, "PER"))] * 3
    found = conflicts(train=[*ann, *bob, make_doc("Ann Bob Bob")])
    assert [(c.form, c.minority) for c in found.worst] == [("Bob", 2), ("Ann", 1)]


def test_words_that_are_names_now_and_then_are_left_out():
    name = make_doc("It", (0, 1, "FILM"))
    word = make_doc("It")
    assert conflicts(train=[name, *[word] * 9]).count == 1
    assert conflicts(train=[name, *[word] * 10]).count == 0
    # Missing annotation of a name is rare too, and is what one looks for.
    assert conflicts(train=[word, *[name] * 100]).places == 1
    other = make_doc("It", (0, 1, "BOOK"))
    found = conflicts(train=[name, name, other, *[word] * 50])
    assert (found.count, found.places) == (1, 1)


@pytest.mark.parametrize(("n_other", "count"), [(1, 0), (2, 1)])
def test_single_characters_need_more_than_one_place(n_other, count):
    docs = [make_doc("X", (0, 1, "ORG"))] * 10 + [make_doc("X")] * n_other
    assert conflicts(train=docs).count == count
    longer = [make_doc("XY", (0, 1, "ORG"))] * 10 + [make_doc("XY")] * n_other
    assert conflicts(train=longer).count == 1


def test_all_are_counted_and_some_listed():
    words = [f"w{i}" for i in range(MAX_CONFLICTS + 5)]
    docs = [make_doc([word], (0, 1, label)) for word in words for label in "AB"]
    found = conflicts(train=docs)
    assert (found.count, len(found.worst)) == (MAX_CONFLICTS + 5, MAX_CONFLICTS)
    assert len(found.findings()[0].examples) == 20
