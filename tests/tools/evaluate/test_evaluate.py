"""Evaluation of pipelines, from files to numbers."""

import gc
import weakref

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus

import spacy_ner_ext
from spacy_ner_ext.tools.evaluate.evaluate import evaluate
from spacy_ner_ext.tools.evaluate.matching import KINDS, SPURIOUS
from spacy_ner_ext.tools.evaluate.predict import predict
from spacy_ner_ext.tools.evaluate.span_keys import find_span_keys
from spacy_ner_ext.util.errors import UserError
from tests.helpers.pipelines import CORPUS, annotate, fitted, words_of

# The pipeline has memorized the first of these.
UNKNOWN = [
    ("Anna Berg lives in Rome .", [(0, 2, "PER"), (4, 5, "LOC")]),
    ("Berg lives .", [(0, 1, "ORG")]),
]
ALL = [*CORPUS, *UNKNOWN]
FAST = {"resamples": 20}


def write(path, corpus=ALL, key="ents", unknown=False, vocab=None):
    docs = []
    for text, spans in corpus:
        spaces = None if not unknown else [False] * len(words_of(text))
        doc = Doc(vocab or spacy.blank("xx").vocab, words=words_of(text), spaces=spaces)
        docs.append(annotate(doc, spans, key))
    path.parent.mkdir(exist_ok=True)
    DocBin(docs=docs).to_disk(path)
    return path


@pytest.fixture
def corpus(tmp_path):
    return write(tmp_path / "test.spacy")


def exact(result):
    metric = result.to_dict()["entities"]["metrics"]["exact"]
    rows = {"micro": metric["micro"], **metric["labels"]}
    return {name: {each: row[each] for each in "prf"} for name, row in rows.items()}


def scores_of_spacy(nlp, corpus, prefix="ents"):
    scores = nlp.evaluate(Corpus(corpus)(nlp))
    micro = {each: scores[f"{prefix}_{each}"] for each in "prf"}
    return {"micro": micro, **scores[f"{prefix}_per_type"]}


@pytest.mark.parametrize(
    "pipes,key,prefix",
    [
        ("flat_biluo", "ents", "ents"),
        ("span_marker", "ents", "ents"),
        ("per_label", "ents", "ents"),
        ("group", "sc", "spans_sc"),
    ],
)
def test_exact_scores_are_those_of_spacy(tmp_path, pipes, key, prefix):
    corpus = write(tmp_path / "test.spacy", key=key)
    nlp = fitted(pipes)
    result = evaluate(nlp, corpus, **FAST)
    assert exact(result) == scores_of_spacy(nlp, corpus, prefix)
    data = result.to_dict()
    assert data["corpus"]["documents"] == len(ALL)
    assert data["corpus"]["gold"] == sum(len(spans) for _, spans in ALL)
    assert data["settings"]["target"] == [key]
    found = data["corpus"]["predicted"]
    assert found and data["entities"]["calibration"]["count"] == found


def test_other_tokens_than_those_of_gold(tmp_path):
    """Gold without spaces is read with its own tokens, as spaCy does."""
    joined = [("AnnaBerg lives in NewYork .", [(0, 1, "PER"), (3, 4, "LOC")])]
    nlp = fitted("flat_biluo")
    for n, (some, unknown) in enumerate([(joined, False), (ALL, True)]):
        corpus = write(tmp_path / f"{n}.spacy", some, unknown=unknown)
        result = evaluate(nlp, corpus, **FAST)
        assert exact(result) == scores_of_spacy(nlp, corpus)


def test_gold_inside_of_a_token_is_counted(tmp_path):
    vocab = spacy.blank("xx").vocab
    words, spaces = ["Anna", "Berg", "lives"], [False, True, False]
    doc = annotate(Doc(vocab, words=words, spaces=spaces), [(0, 1, "PER")])
    DocBin(docs=[doc]).to_disk(tmp_path / "a.spacy")
    data = evaluate(fitted("flat_biluo"), tmp_path / "a.spacy", **FAST).to_dict()
    assert data["corpus"]["misaligned"] == 1
    assert any("inside a token" in note for note in data["notes"])


def test_tokens_without_annotation_are_neither_right_nor_wrong(tmp_path):
    nlp = fitted("flat_biluo")
    doc = Doc(nlp.vocab, words=words_of(CORPUS[0][0]))
    person = Span(doc, 0, 2, "PER")
    doc.set_ents([person], missing=[doc[4:6]], default="outside")
    DocBin(docs=[doc]).to_disk(tmp_path / "a.spacy")
    data = evaluate(nlp, tmp_path / "a.spacy", **FAST).to_dict()
    assert data["entities"]["metrics"]["exact"]["micro"]["f"] == 1
    assert (data["corpus"]["missing"], data["corpus"]["unjudged"]) == (2, 1)
    assert any("2 of 7 tokens have no annotation" in note for note in data["notes"])


def test_overlapping_entities_of_span_groups(tmp_path):
    nlp = fitted("per_label")
    nested = [("New York", [(0, 2, "LOC"), (0, 1, "PER"), (0, 2, "PER")])]
    corpus = write(tmp_path / "a.spacy", nested, "gold")
    data = evaluate(nlp, corpus, target=["gold"], annotate=["sc"], **FAST).to_dict()
    assert data["corpus"]["gold"] == 3
    errors = data["entities"]["errors"]
    assert sum(errors[kind] for kind in KINDS if kind != SPURIOUS) == 3


def test_a_key_without_predictions_is_noted(corpus):
    nlp = fitted("flat_biluo")
    said = "The pipeline predicts nothing in typo:"
    for place, expected in (("typo", True), ("ents", False)):
        notes = evaluate(nlp, corpus, annotate=[place], **FAST).to_dict()["notes"]
        assert any(note.startswith(said) for note in notes) is expected


def test_unknown_labels_are_noted(corpus):
    data = evaluate(fitted("flat_biluo"), corpus, **FAST).to_dict()
    assert data["corpus"]["unknown_labels"] == {"ORG": 1}
    assert any("'ORG' (1)" in note for note in data["notes"])


def test_seen_entities_are_those_of_the_training_corpus(tmp_path, corpus):
    train = write(tmp_path / "train.spacy", CORPUS)
    nlp = fitted("flat_biluo")
    groups = evaluate(nlp, corpus, train=train, **FAST).to_dict()["entities"]["groups"]
    support = {group["name"]: group["support"] for group in groups["seen"]}
    assert support == {"seen with this label": 8, "unseen": 1}
    data = evaluate(nlp, corpus, **FAST).to_dict()
    assert data["entities"]["groups"]["seen"] is None
    assert any("--train" in note for note in data["notes"])


def test_the_best_threshold_is_one_of_the_probabilities(corpus):
    nlp = fitted("flat_biluo")
    data = evaluate(nlp, corpus, **FAST).to_dict()["entities"]
    assert data["thresholds"]["best"]["(all)"]["f"] >= exact_f(data)
    nlp.get_pipe("crf_ner").cfg["threshold"] = 0.5
    notes = evaluate(nlp, corpus, **FAST).to_dict()["notes"]
    assert any("below its threshold" in note for note in notes)


def exact_f(entities):
    return entities["metrics"]["exact"]["micro"]["f"]


def test_predictions_without_a_probability_are_noted(corpus):
    nlp = spacy.blank("xx")
    for name in ("entity_ruler", "second"):
        ruler = nlp.add_pipe("entity_ruler", name=name)
        ruler.add_patterns([{"label": "LOC", "pattern": "York"}])
    data = evaluate(nlp, corpus, component="entity_ruler", **FAST).to_dict()
    assert data["entities"]["calibration"] is data["entities"]["thresholds"] is None
    notes = " ".join(data["notes"])
    assert "2 predictions have no probability" in notes
    assert "second of the pipeline finds entities as well" in notes


def test_spacys_span_categorizer_has_probabilities(tmp_path):
    corpus = write(tmp_path / "a.spacy", CORPUS, "sc")
    nlp = spacy.blank("xx")
    nlp.add_pipe("spancat", config={"threshold": 0.0})
    nlp.initialize(lambda: Corpus(corpus)(nlp))
    data = evaluate(nlp, corpus, **FAST).to_dict()
    assert data["entities"]["calibration"]["count"] == data["corpus"]["predicted"] > 0


# --- Streaming -----------------------------------------------------------------


def test_no_document_is_kept(corpus):
    nlp = fitted("flat_biluo")
    seen = []

    def watch(pairs):
        for pair in pairs:
            yield pair
            seen.append(weakref.ref(pair[0].example.predicted))
            del pair
            gc.collect()
            # What the pipeline and the loop hold at most.
            assert sum(each() is not None for each in seen) <= 2

    evaluate(nlp, corpus, progress=watch, batch_size=1, **FAST)
    assert len(seen) == len(ALL)


def test_the_vocabulary_does_not_grow(tmp_path):
    for n in range(3):
        words = " ".join(f"word{n}x{i}" for i in range(50))
        write(tmp_path / "corpus" / f"{n}.spacy", [*ALL, (words, [])])
    nlp = fitted("flat_biluo")
    evaluate(nlp, tmp_path / "corpus", **FAST)
    before = set(nlp.vocab.strings), {lexeme.orth for lexeme in nlp.vocab}
    data = evaluate(nlp, tmp_path / "corpus", **FAST).to_dict()
    assert (set(nlp.vocab.strings), {lexeme.orth for lexeme in nlp.vocab}) == before
    assert "word1x1" not in nlp.vocab.strings
    assert data["corpus"]["documents"] == 3 * (len(ALL) + 1)
    assert nlp("Anna Berg lives in New York .").ents


def test_a_folder_gives_the_same_as_a_file(tmp_path, corpus):
    write(tmp_path / "corpus" / "a.spacy", ALL[:3])
    write(tmp_path / "corpus" / "b.spacy", ALL[3:])
    nlp = fitted("flat_biluo")
    found = [evaluate(nlp, path, **FAST) for path in (corpus, tmp_path / "corpus")]
    one, several = (each.to_dict()["entities"] for each in found)
    for name in ("metrics", "groups", "errors", "confusion", "nervaluate"):
        assert one[name] == several[name]


def test_documents_are_numbered_and_the_pipeline_can_be_stopped(corpus):
    nlp = fitted("flat_biluo")
    keys = find_span_keys(nlp)
    assert [each.entities.index for each in predict(nlp, corpus, keys)] == list(
        range(7)
    )
    stream = predict(nlp, corpus, keys, batch_size=1)
    next(stream)
    stream.close()
    # A part of spaCy that is still in use would refuse a second run.
    assert len(list(predict(nlp, corpus, keys))) == len(ALL)


# --- A baseline ----------------------------------------------------------------


def test_a_baseline_is_compared_on_the_same_documents(corpus):
    nlp, baseline = fitted("flat_biluo"), fitted("flat_iob2")
    data = evaluate(nlp, corpus, baseline=baseline, **FAST).to_dict()["comparison"]
    assert data["model"]["pipeline"] == ["crf_ner"]
    found = data["differences"]["exact"]["micro"]["f"]
    assert found["baseline"] == exact(evaluate(baseline, corpus, **FAST))["micro"]["f"]
    assert found["difference"] == found["ours"] - found["baseline"]


# --- Unusable input ----------------------------------------------------------


@pytest.mark.parametrize(
    "settings,message",
    [
        ({"component": "ner"}, "no component 'ner' that finds entities"),
        ({"target": ["sc"]}, "no annotation in sc"),
        ({"confidence": 1.0}, "confidence is 1.0, but must be between 0 and 1"),
        ({"resamples": -1}, "0 or more"),
        ({"batch_size": 0}, "batch_size must be 1 or more"),
    ],
)
def test_settings_that_cannot_be_used(corpus, settings, message):
    with pytest.raises(UserError, match=message):
        evaluate(fitted("flat_biluo"), corpus, **settings)


def test_pipelines_and_corpora_that_cannot_be_used(tmp_path, corpus):
    nlp = fitted("flat_biluo")
    with pytest.raises(UserError, match="no component that finds entities or"):
        evaluate(fitted("tagger"), corpus)
    with pytest.raises(UserError, match="the baseline has no component"):
        evaluate(nlp, corpus, baseline=fitted("tagger"))
    DocBin(docs=[nlp.make_doc("")]).to_disk(tmp_path / "empty.spacy")
    with pytest.raises(UserError, match="no document with a token"):
        evaluate(nlp, tmp_path / "empty.spacy")
    group = write(tmp_path / "group.spacy", key="gold")
    with pytest.raises(UserError, match=r"with --target \(it has gold\)"):
        evaluate(nlp, group)
    with pytest.raises(UserError, match=r"with --target \(it has ents\)"):
        evaluate(fitted("group"), corpus)
    with pytest.raises(UserError, match="has no entities in ents"):
        evaluate(nlp, corpus, train=write(tmp_path / "no.spacy", [("It rains", [])]))
    with pytest.raises(UserError, match="missing"):
        evaluate(nlp, tmp_path / "missing.spacy")


def test_it_is_public():
    assert spacy_ner_ext.evaluate is evaluate
