"""`crf_tagger`: sequences, probabilities, partial gold and messages."""

import itertools
import logging

import numpy
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Token
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from spacy_ner_ext.crf.objectives import OBJECTIVES
from spacy_ner_ext.crf.tags import MISSING
from tests.helpers.pipelines import (
    CORPUS,
    TEXTS,
    TOK2VEC,
    build,
    fit,
    fitted,
    listener,
    make_examples,
    output,
    step,
    subject,
    tagger,
    tags_of,
    train,
    weights,
    words_of,
)

WORDS = ["Tom", "sang", "here", "Anna"]
THREE = ["A", "B", "C"]


def tags(doc):
    return [token.tag_ for token in doc]


def example(nlp, text, gold, target="tag"):
    """An example whose gold has a tag, or "" for none, for each token."""
    reference = nlp.make_doc(text)
    for token, tag in zip(reference, gold, strict=True):
        setattr(token, f"{target}_", tag)
    return Example(nlp.make_doc(text), reference)


def untrained(**settings):
    """A tagger of three tags with random scores of tags and transitions."""
    fix_random_seed(0)
    nlp = build({"crf_tagger": tagger(**settings)})
    component = subject(nlp)
    for label in THREE:
        component.add_label(label)
    nlp.initialize()
    rng = numpy.random.default_rng(0)
    for node in (
        component.model.get_ref("crf"),
        component.model.get_ref("output_layer"),
    ):
        for name in node.param_names:
            scores = rng.normal(size=node.get_param(name).shape)
            node.set_param(name, scores.astype("float32"))
    return nlp


def weigh_sequences(component, doc, kept):
    """The weight of every sequence of tags that has the kept ones, by enumeration."""
    lattice = component.model.predict([doc])
    found = {}
    for path in itertools.product(range(lattice.n_tags), repeat=len(doc)):
        if all(path[i] == tag for i, tag in kept.items()):
            score = lattice.start[0, path[0]] + lattice.end[0, path[-1]]
            score += sum(lattice.emissions[i, tag] for i, tag in enumerate(path))
            score += sum(lattice.transitions[0][s] for s in itertools.pairwise(path))
            found[path] = numpy.exp(float(score))
    return found


# --- Sequences and probabilities -----------------------------------------------


@pytest.mark.parametrize("n_words", [1, 2, 3, 4])
@pytest.mark.parametrize("kept", [{}, {0: 2}, {0: 1, 2: 0}])
def test_tags_and_probabilities_equal_those_of_all_sequences(n_words, kept):
    nlp = untrained()
    component = subject(nlp)
    kept = {i: tag for i, tag in kept.items() if i < n_words}
    doc = Doc(nlp.vocab, words=WORDS[:n_words])
    for i, tag in kept.items():
        doc[i].tag_ = THREE[tag]
    expected = weigh_sequences(component, doc, kept)
    best = max(expected, key=expected.get)
    doc = component(doc)
    assert tags(doc) == [THREE[tag] for tag in best]
    total = sum(expected.values())
    for i, tag in enumerate(best):
        through = sum(weight for path, weight in expected.items() if path[i] == tag)
        score = None if i in kept else pytest.approx(through / total, abs=1e-5)
        assert doc[i]._.tag_score == score


def test_the_best_sequence_is_more_than_the_best_tag_of_each_word():
    nlp = untrained()
    doc = Doc(nlp.vocab, words=WORDS)
    lattice = subject(nlp).model.predict([doc])
    alone = [THREE[tag] for tag in lattice.emissions.argmax(axis=1)]
    assert tags(nlp(doc)) != alone


def test_partial_gold_has_the_loss_of_all_sequences_that_agree():
    nlp = untrained()
    component = subject(nlp)
    eg = example(nlp, "Tom sang here Anna", ["B", "", "", "C"])
    everything = weigh_sequences(component, eg.x, {})
    agreeing = weigh_sequences(component, eg.x, {0: 1, 3: 2})
    loss, _ = component.get_loss([eg], component.model.predict([eg.x]))
    ratio = sum(everything.values()) / sum(agreeing.values())
    assert loss == pytest.approx(numpy.log(ratio) / 2, abs=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_learns_a_corpus_by_heart(objective):
    nlp = fit({"crf_tagger": tagger(objective=objective)})
    assert [tags(nlp(text)) for text in TEXTS] == [
        tags_of(words_of(text)) for text in TEXTS
    ]


def test_before_training_all_tags_are_equally_probable():
    nlp = build("tagger")
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    loss = nlp.update(examples, sgd=False)["crf_tagger"]
    assert loss == pytest.approx(numpy.log(4))
    assert [t._.tag_score for t in nlp(TEXTS[0])] == pytest.approx([0.25] * 7)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_transitions_are_learned_but_for_independent_tags(objective):
    nlp = fit({"crf_tagger": tagger(objective=objective)}, steps=3)
    transitions = subject(nlp).model.get_ref("crf").get_param("transitions")
    assert transitions.any() == (objective != "independent")


# --- Gold ----------------------------------------------------------------------


def test_tokens_without_a_tag_have_no_effect():
    nlp = build({"crf_tagger": tagger()})
    text = "Oslo is cold"
    unknown = [example(nlp, text, ["", "AUX", "ADJ"]) for _ in range(20)]
    examples = [example(nlp, text, ["PROPN", "AUX", "ADJ"]), *unknown]
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    gold = subject(nlp).encode_gold(examples[1:2])
    assert gold[:, 0].tolist() == [MISSING, 1, 0]
    train(nlp, examples)
    assert tags(nlp(text)) == ["PROPN", "AUX", "ADJ"]


def test_tokens_that_are_not_aligned_are_unknown():
    nlp = fitted("tagger")
    component = subject(nlp)
    [known] = make_examples(nlp, CORPUS[:1])
    words = ["Anna", "Berg lives", "in", "New York", ".", "\n"]
    crossed = Example(Doc(nlp.vocab, words=words), known.reference)
    gold = component.encode_gold([crossed])[:, 0].tolist()
    # Several tokens of one tag are one token of it.
    assert [None if tag < 0 else component.labels[tag] for tag in gold] == [
        *("NAME", None, "WORD", "NAME", "P", None)
    ]
    spaced = Example(nlp.make_doc("Anna  Berg lives in New York ."), known.reference)
    gold = component.encode_gold([spaced])[:, 0]
    assert (gold == MISSING).tolist() == [token.is_space for token in spaced.x]
    assert nlp.update([crossed, spaced], sgd=False)["crf_tagger"] > 0


def test_white_space_gets_its_learned_tag():
    nlp = build({"crf_tagger": tagger()})
    examples = [example(nlp, "Oslo \n sleeps", ["PROPN", "_SP", "VERB"])]
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    train(nlp, examples)
    assert tags(nlp("Oslo \n sleeps")) == ["PROPN", "_SP", "VERB"]
    assert len(tags(nlp(" \n "))) == 1


def test_gold_of_labels_that_were_not_given_is_unknown_and_reported(caplog):
    nlp = build("tagger")
    labels = ["NAME", "WORD"]
    nlp.config["initialize"]["components"] = {"crf_tagger": {"labels": labels}}
    examples = make_examples(nlp)
    caplog.set_level(logging.WARNING, logger="spacy")
    nlp.initialize(lambda: examples)
    [message] = [record.getMessage() for record in caplog.records]
    assert "gold tags are skipped" in message and "'P' (3)" in message
    assert "[initialize.components]" in message
    gold = subject(nlp).encode_gold(examples[:1])[:, 0].tolist()
    assert gold == [0, 0, MISSING, 1, 0, 0, MISSING]


# --- Where tags are written ------------------------------------------------------


def test_existing_tags_are_kept_and_the_others_fit_them():
    nlp = fitted("tagger")
    doc = nlp.make_doc(TEXTS[0])
    expected = tags(nlp(nlp.make_doc(TEXTS[0])))
    doc[0].tag_, doc[6].tag_ = "WORD", "OTHER"
    doc = nlp(doc)
    assert doc[0].tag_ == "WORD" and doc[6].tag_ == "OTHER"
    assert doc[0]._.tag_score is doc[6]._.tag_score is None
    assert tags(doc)[2:6] == expected[2:6]
    assert all(0 < token._.tag_score <= 1 for token in doc[1:6])


def test_existing_tags_are_replaced_on_request():
    nlp = fitted("tagger")
    expected = output(nlp(TEXTS[0]))
    subject(nlp).cfg["overwrite"] = True
    doc = nlp.make_doc(TEXTS[0])
    doc[0].tag_, doc[6].tag_ = "WORD", "OTHER"
    assert output(nlp(doc)) == expected


def test_predict_does_not_change_the_document():
    nlp = fitted("tagger")
    doc = nlp.make_doc(TEXTS[0])
    [found] = subject(nlp).predict([doc])
    names = [subject(nlp).labels[tag] for tag in found.tags]
    assert names == tags_of(words_of(TEXTS[0]))
    assert not doc.has_annotation("TAG") and not doc.user_data


def test_other_annotation_of_the_tokens_stays():
    nlp = fitted("tagger")
    doc = nlp.make_doc("Anna met Tom")
    doc[1].lemma_, doc[1].pos_ = "meet", "VERB"
    doc.set_ents([doc.char_span(0, 4, label="PER")])
    doc = nlp(doc)
    assert (doc[1].lemma_, doc[1].pos_, doc.ents[0].label_) == ("meet", "VERB", "PER")


def parts_of_speech(**settings):
    nlp = build({"crf_tagger": tagger(target="pos", **settings)})
    examples = [
        example(nlp, "Anna met Tom", ["PROPN", "VERB", "PROPN"], "pos"),
        example(nlp, "Oslo", ["PROPN"], "pos"),
    ]
    fix_random_seed(0)
    return nlp, examples


def test_parts_of_speech_are_learned_written_and_scored():
    nlp, examples = parts_of_speech()
    nlp.config["training"]["score_weights"] = {"pos_acc": 1.0}
    nlp.initialize(lambda: examples)
    train(nlp, examples)
    doc = nlp("Anna met Tom")
    assert [token.pos_ for token in doc] == ["PROPN", "VERB", "PROPN"]
    assert all(token.tag_ == "" and token._.pos_score > 0.5 for token in doc)
    assert nlp.evaluate(examples)["pos_acc"] == 1.0
    kept = nlp.make_doc("Anna met Tom")
    kept[1].pos_ = "PROPN"
    assert nlp(kept)[1].pos_ == "PROPN"


def test_a_part_of_speech_that_no_token_can_have_is_an_error():
    nlp, examples = parts_of_speech()
    message = r"'crf_tagger' cannot write the label 'NNP' to token.pos_.*ADJ, ADP"
    with pytest.raises(ValueError, match=message):
        subject(nlp).initialize(lambda: examples, labels=["VERB", "NNP"])
    with pytest.raises(ValueError, match="set target"):
        subject(nlp).add_label("NNP")


# --- Scores, probabilities, settings ---------------------------------------------


def test_probabilities_are_stored_on_request_only():
    nlp = fitted("tagger")
    subject(nlp).cfg["scores"] = False
    doc = nlp(TEXTS[0])
    assert doc.has_annotation("TAG") and not doc.user_data


def test_probabilities_are_kept_by_bytes_docbin_and_from_docs():
    nlp = fitted("tagger")
    docs = [nlp(text) for text in TEXTS[:2]]
    scores = [token._.tag_score for doc in docs for token in doc]
    assert all(scores)
    loaded = [Doc(nlp.vocab).from_bytes(doc.to_bytes()) for doc in docs]
    packed = DocBin(docs=docs, store_user_data=True).to_bytes()
    unpacked = DocBin().from_bytes(packed).get_docs(nlp.vocab)
    for copies in (loaded, unpacked, [Doc.from_docs(docs)]):
        assert [t._.tag_score for doc in copies for t in doc] == scores


def test_an_extension_of_another_package_is_an_error():
    build("tagger")
    default = Token.remove_extension("tag_score")
    Token.set_extension("tag_score", default=0.5)
    try:
        with pytest.raises(ValueError, match=r"Token\._\.tag_score.*scores = false"):
            build("tagger")
        build({"crf_tagger": tagger(scores=False)})
    finally:
        Token.remove_extension("tag_score")
        Token.set_extension("tag_score", default=default[0])


def test_accuracy_is_that_of_spacy():
    nlp = fitted("tagger")
    other = make_examples(nlp, [*CORPUS, ("oslo Met anna \n today", [])])
    nlp.add_pipe("tagger").initialize(lambda: other)
    theirs = nlp.get_pipe("tagger").scorer
    examples = [Example(nlp.get_pipe("crf_tagger")(eg.x), eg.y) for eg in other]
    score = subject(fitted("tagger")).score(examples)
    assert score == theirs(examples)
    assert 0 < score["tag_acc"] < 1
    unknown = [Example(eg.x, nlp.make_doc(eg.x.text)) for eg in other]
    assert subject(fitted("tagger")).score(unknown) == {"tag_acc": None}


def test_scores_have_every_key_of_the_score_weights():
    nlp = fitted("tagger")
    scores = nlp.evaluate(make_examples(nlp))
    weights_ = nlp.get_factory_meta("crf_tagger").default_score_weights
    assert weights_ and set(weights_) <= set(scores)
    assert scores["tag_acc"] == 1.0


def test_a_score_weight_of_the_other_target_is_reported(caplog):
    nlp, examples = parts_of_speech()
    caplog.set_level(logging.WARNING, logger="spacy")
    nlp.initialize(lambda: examples)
    [message] = [record.getMessage() for record in caplog.records]
    assert "token.pos_" in message and "pos_acc = 1.0" in message
    weights_ = {"pos_acc": 1.0, "tag_acc": None}
    nlp.config["training"]["score_weights"] = weights_
    assert nlp.config["training"]["score_weights"] == weights_
    caplog.clear()
    nlp.initialize(lambda: examples)
    assert not caplog.records


@pytest.mark.parametrize(
    "settings,message",
    [
        ({"target": "lemma"}, "target 'lemma' of 'crf_tagger'.*tag, pos"),
        ({"objective": "crf"}, "objective 'crf'.*joint, marginal, independent"),
    ],
)
def test_an_invalid_setting_is_an_error(settings, message):
    with pytest.raises(ValueError, match=message):
        build({"crf_tagger": tagger(**settings)})


def test_data_without_tags_is_an_error():
    nlp = build({"crf_tagger": tagger(target="pos")})
    examples = [example(nlp, "Oslo sleeps", ["NNP", "VBZ"])]
    message = r"finds no labels.*token\.pos_.*set target to 'tag'"
    with pytest.raises(ValueError, match=message):
        nlp.initialize(lambda: examples)


def test_a_model_that_is_not_a_crf_is_an_error():
    config = {"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": TOK2VEC}}
    with pytest.raises(ValueError, match=r"'crf_tagger' is not a CRF"):
        spacy.blank("en").add_pipe("crf_tagger", config=config)


def test_settings_of_a_saved_pipeline_can_be_edited_but_not_the_target(tmp_path):
    nlp = fitted("tagger")
    nlp.to_disk(tmp_path)

    def load_with(**settings):
        return spacy.load(tmp_path, config={"components": {"crf_tagger": settings}})

    quiet = load_with(scores=False, overwrite=True, objective="marginal")
    assert tags(quiet(TEXTS[0])) == tags(nlp(TEXTS[0]))
    with pytest.raises(ValueError, match=r"target = 'tag'.*has 'pos'"):
        load_with(target="pos")


def test_a_tag_added_to_a_trained_tagger_is_learned(tmp_path):
    nlp = fitted("tagger")
    subject(nlp).add_label("SHIP")
    examples = [*make_examples(nlp), example(nlp, "zephyr sank", ["SHIP", "WORD"])]
    train(nlp, examples, sgd=nlp.resume_training(sgd=Adam(0.02)))
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert tags(loaded("zephyr sank")) == ["SHIP", "WORD"]
    assert tags(loaded(TEXTS[0])) == tags_of(words_of(TEXTS[0]))


# --- With other components ---------------------------------------------------------


def shared():
    """A tagger and spaCy's own over one tok2vec."""
    theirs = {"@architectures": "spacy.Tagger.v2", "tok2vec": listener("tok2vec")}
    return {
        "tok2vec": {"model": TOK2VEC},
        "tagger": {"model": theirs},
        "crf_tagger": tagger(listener("tok2vec"), overwrite=True),
    }


def test_a_tagger_shares_an_upstream_component_and_trains_it():
    nlp = build(shared())
    examples = make_examples(nlp)
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    upstream = nlp.get_pipe("tok2vec")
    assert upstream.listening_components == ["tagger", "crf_tagger"]
    before = weights(upstream)
    for _ in range(2):
        step(nlp, examples, Adam(0.01), exclude=["tagger"])
    assert any((a != b).any() for a, b in zip(before, weights(upstream)))
    train(nlp, examples)
    assert tags(nlp(TEXTS[0])) == tags_of(words_of(TEXTS[0]))


def test_a_tagger_learns_over_a_frozen_upstream_and_with_replaced_listeners():
    nlp = build(shared())
    examples = make_examples(nlp)
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    before = weights(nlp.get_pipe("tok2vec"))
    losses = train(nlp, examples, exclude=["tok2vec"], annotates=["tok2vec"])
    assert losses[-1]["crf_tagger"] < losses[0]["crf_tagger"]
    same = zip(before, weights(nlp.get_pipe("tok2vec")))
    assert all((a == b).all() for a, b in same)
    expected = tags(nlp(TEXTS[0]))
    nlp.replace_listeners("tok2vec", "crf_tagger", ["model.tok2vec"])
    with nlp.select_pipes(enable=["crf_tagger"]):
        assert tags(nlp(TEXTS[0])) == expected


def test_vectors_of_a_component_that_did_not_run_are_reported():
    nlp = build(shared())
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    train(nlp, examples, steps=1)
    with (
        nlp.select_pipes(enable=["crf_tagger"]),
        pytest.warns(UserWarning, match="'crf_tagger' got only zeros"),
    ):
        nlp(TEXTS[0])


def test_two_taggers_write_tags_and_parts_of_speech():
    coarse = tagger(factory="crf_tagger", target="pos")
    nlp = build({"fine": tagger(factory="crf_tagger"), "coarse": coarse})
    words, names = ["Anna", "slept"], ["PROPN", "VERB"]
    reference = Doc(nlp.vocab, words=words, tags=["NNP", "VBD"], pos=names)
    examples = [Example(Doc(nlp.vocab, words=words), reference)]
    nlp.config["training"]["score_weights"] = {"pos_acc": 1.0}
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    assert set(train(nlp, examples)[-1]) == {"fine", "coarse"}
    doc = nlp("Anna slept")
    assert [(t.tag_, t.pos_) for t in doc] == [("NNP", "PROPN"), ("VBD", "VERB")]
    assert all(t._.tag_score and t._.pos_score for t in doc)
