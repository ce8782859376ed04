"""`crf_ner`: probabilities, span keys, overlaps, thresholds and messages."""

import itertools
import logging

import numpy
import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from thinc.api import fix_random_seed

from spacy_ner_ext.crf.gold import gold_tags
from spacy_ner_ext.crf.marginals import tag_marginals
from spacy_ner_ext.crf.ner import decode
from spacy_ner_ext.crf.objectives import OBJECTIVES
from spacy_ner_ext.crf.tags import MISSING, TagSet
from tests.helpers.lattices import enumerate_paths, random_lattice
from tests.helpers.pipelines import (
    CORPUS,
    OVERLAPS,
    PIPELINES,
    TEXTS,
    TOK2VEC,
    annotate,
    build,
    crf,
    fit,
    fitted,
    found,
    make_examples,
    output,
    subject,
    train,
)

SCHEMES = list(itertools.product(["biluo", "iob2"], ["flat", "per_label"]))
every_scheme = pytest.mark.parametrize("scheme,structure", SCHEMES)


def path_score(lattice, chain, path):
    """The score of a tag sequence of the only document of a lattice."""
    emissions = lattice.emissions.reshape(-1, lattice.n_chains, lattice.n_tags)
    return (
        sum(float(emissions[i, chain, tag]) for i, tag in enumerate(path))
        + sum(float(lattice.transitions[chain][s]) for s in itertools.pairwise(path))
        + float(lattice.start[chain, path[0]])
        + float(lattice.end[chain, path[-1]])
    )


def brute_force(component, doc, kept=(), outside=()):
    """The probability of every possible entity: by going through all sequences.

    kept: Entities that every sequence must contain.
    outside: Tokens that must be in no entity.
    """
    tags, lattice = component.tags, component.model.predict([doc])
    probabilities = {}
    for chain in range(tags.n_chains):
        own = {span for span in kept if tags.locate(span[2])[0] == chain}
        weights = {}
        for path in itertools.product(range(tags.n_tags), repeat=len(doc)):
            steps = all(
                tags.allowed_transitions.transitions[s]
                for s in itertools.pairwise(path)
            )
            if (
                steps
                and tags.allowed_transitions.start[path[0]]
                and tags.allowed_transitions.end[path[-1]]
            ):
                array = numpy.zeros((len(doc), tags.n_chains), "int32")
                array[:, chain] = path
                spans = tags.decode(array)
                if own.issubset(spans) and not any(path[i] for i in outside):
                    score = path_score(lattice, chain, path)
                    weights[tuple(spans)] = numpy.exp(score)
        total = sum(weights.values())
        for spans, weight in weights.items():
            for span in spans:
                probabilities[span] = probabilities.get(span, 0) + weight / total
    return probabilities


def uncertain(scheme, structure, **settings):
    """A pipeline that is hardly trained."""
    config = crf(scheme=scheme, structure=structure, annotate="sc", **settings)
    config["target"] = "ents"
    return fit({"crf_ner": config}, steps=10)


# --- Probabilities -----------------------------------------------------------


@every_scheme
def test_scores_are_the_probabilities_over_all_sequences(scheme, structure):
    nlp = uncertain(scheme, structure)
    predicted = 0
    for text in ("New York", "Oslo met Anna", "Tom Lee Ray in"):
        doc = nlp(text)
        expected = brute_force(subject(nlp), doc)
        group = doc.spans["sc"]
        for span, score in zip(group, group.attrs["scores"], strict=True):
            key = (span.start, span.end, span.label_)
            assert span._.score == pytest.approx(expected[key], abs=1e-5)
            assert score == pytest.approx(expected[key], abs=1e-5)
            predicted += 0.01 < score < 0.99
    assert predicted


@every_scheme
def test_scores_are_conditional_on_kept_entities(scheme, structure):
    nlp = uncertain(scheme, structure)
    kept = (0, 1, "LOC")
    doc = annotate(nlp.make_doc("Anna met Oslo"), [kept], "sc")
    expected = brute_force(subject(nlp), doc, [kept])
    group = nlp(doc).spans["sc"]
    scores = dict(zip([(s.start, s.end, s.label_) for s in group], group))
    assert numpy.isnan(group.attrs["scores"][0]) and scores[kept]._.score is None
    del scores[kept]
    assert scores
    for key, span in scores.items():
        assert span._.score == pytest.approx(expected[key], abs=1e-5)


@every_scheme
@pytest.mark.parametrize("blocked", [False, True])
def test_decoding_is_constrained_by_existing_entities_and_blocked_tokens(
    scheme, structure, blocked
):
    nlp = uncertain(scheme, structure)
    subject(nlp).cfg["annotate"] = "ents"
    doc = nlp.make_doc("New York Oslo")
    if blocked:
        doc.set_ents([], blocked=[doc[1:2]], default="missing")
    else:
        annotate(doc, [(1, 2, "OTHER")])
    expected = brute_force(subject(nlp), doc, outside=[1])
    ents = [ent for ent in nlp(doc).ents if ent.label_ != "OTHER"]
    assert ents and all(ent.end == 1 or ent.start == 2 for ent in ents)
    for ent in ents:
        key = (ent.start, ent.end, ent.label_)
        assert ent._.score == pytest.approx(expected[key], abs=1e-5)


@pytest.mark.parametrize("scheme", ["biluo", "iob2"])
@pytest.mark.parametrize("structure", ["flat", "per_label"])
@pytest.mark.parametrize("temperature", [0.01, 0.6, 1.7, 100.0])
def test_tempered_probabilities_equal_brute_force(scheme, structure, temperature):
    rng = numpy.random.default_rng(5)
    tags = TagSet(("A", "B"), scheme, structure)
    lattice = random_lattice(rng, [4, 0, 3, 3, 2, 2], tags.n_chains, tags.n_tags)
    decoded = decode(lattice, tags, None)
    expected = []
    for document, start, end, label in decoded.spans:
        chain, _ = tags.locate(label)
        paths, scores = enumerate_paths(
            lattice, tags.allowed_transitions, document, chain
        )
        weights = numpy.exp((scores - scores.max()) / temperature)
        found = 0.0
        for path, weight in zip(paths, weights / weights.sum(), strict=True):
            array = numpy.zeros((len(path), tags.n_chains), "int32")
            array[:, chain] = path
            found += weight * ((start, end, label) in tags.decode(array))
        expected.append(found)
    assert len(expected) > 4
    probabilities = decoded.probabilities(temperature)
    assert numpy.allclose(probabilities, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["flat_biluo", "flat_iob2", "per_label"])
def test_a_label_without_training_is_improbable_everywhere(name):
    nlp = fitted(name)
    component = subject(nlp)
    component.add_label("ORG")
    chain, begin = component.tags.locate("ORG")
    lattice = component.model.predict([nlp.make_doc(text) for text in TEXTS])
    marginals = tag_marginals(lattice, component.tags.allowed_transitions)
    own = marginals[:, chain, begin : begin + len(component.tags.prefixes)]
    assert own.sum(axis=1).max() < 0.01


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("structure", ["flat", "per_label"])
def test_every_objective_learns_a_corpus_by_heart(objective, structure):
    nlp = fit({"crf_ner": crf(objective=objective, structure=structure)}, steps=50)
    assert [found(nlp(text)) for text in TEXTS] == [spans for _, spans in CORPUS]


def test_the_threshold_drops_entities_of_a_lower_probability():
    nlp = uncertain("biluo", "flat")
    component = subject(nlp)
    docs = [nlp.make_doc(text) for text in TEXTS]
    scores = [span.score for spans in component.predict(docs) for span in spans]
    threshold = component.cfg["threshold"] = float(numpy.median(scores))
    kept = [span.score for spans in component.predict(docs) for span in spans]
    assert 0 < len(kept) < len(scores)
    assert kept == [score for score in scores if score >= threshold]


@pytest.mark.parametrize("structure", ["flat", "per_label"])
def test_the_entity_bias_finds_more_or_fewer_with_the_same_probabilities(structure):
    nlp = uncertain("biluo", structure)
    component = subject(nlp)
    docs = [nlp.make_doc(text) for text in TEXTS]
    n_found, known = [], {}
    for bias in (-20.0, -1.0, 0.0, 1.0, 20.0):
        component.cfg["entity_bias"] = bias
        found = component.predict(docs)
        n_words = 0
        for place, spans in enumerate(found):
            for start, end, label, score, _ in spans:
                n_words += end - start
                other = known.setdefault((place, start, end, label), score)
                assert score == pytest.approx(other, abs=1e-6)
        n_found.append(n_words)
    assert n_found == sorted(n_found)
    assert n_found[0] == 0 < n_found[2]
    n_chains = component.tags.n_chains
    assert n_found[-1] == n_chains * sum(map(len, docs))


def test_scores_are_kept_by_bytes_docbin_and_from_docs():
    nlp = fitted("per_label")
    docs = [nlp(text) for text in TEXTS[:2]]
    scores = [ent._.score for doc in docs for ent in doc.ents]
    assert len(scores) == 4 and all(scores)
    loaded = [Doc(nlp.vocab).from_bytes(doc.to_bytes()) for doc in docs]
    packed = DocBin(docs=docs, store_user_data=True).to_bytes()
    unpacked = DocBin().from_bytes(packed).get_docs(nlp.vocab)
    for copies in (loaded, unpacked, [Doc.from_docs(docs)], [d.copy() for d in docs]):
        assert [ent._.score for doc in copies for ent in doc.ents] == scores


# --- Span keys and overlaps --------------------------------------------------


def overlapping(**settings):
    config = crf(structure="per_label", target="sc", **settings)
    return fit({"crf_ner": config}, OVERLAPS, steps=50)


def test_per_label_finds_overlapping_entities_of_two_labels():
    nlp = overlapping()
    for text, spans in OVERLAPS:
        assert found(nlp(text), "sc") == sorted(spans)


def test_doc_ents_get_the_most_probable_of_overlapping_entities():
    nlp = overlapping(annotate=["ents", "sc"])
    for text, _ in OVERLAPS:
        doc = nlp(text)
        best = max(doc.spans["sc"], key=lambda span: span._.score)
        assert [(e.start, e.end, e.label) for e in doc.ents] == [
            (best.start, best.end, best.label)
        ]


def test_a_star_creates_a_group_for_every_label():
    nlp = overlapping(annotate=["sc", "*"])
    doc = nlp(OVERLAPS[0][0])
    assert set(doc.spans) == {"sc", "LOC", "ORG", "PER"}
    assert found(doc, "PER") == [(0, 3, "PER")]
    assert found(doc, "LOC") == [(2, 3, "LOC")]
    assert found(doc, "ORG") == []
    for group in doc.spans.values():
        scores = [span._.score for span in group]
        assert group.attrs["scores"].tolist() == pytest.approx(scores)
    scores = nlp.evaluate(make_examples(nlp, OVERLAPS))
    assert scores["spans_sc_f"] == scores["spans_LOC_f"] == scores["spans_ORG_f"] == 1


@every_scheme
def test_the_rest_of_an_overlapping_entity_is_not_learned_as_outside(scheme, structure):
    nlp = build({"crf_ner": crf(target="sc")})
    gold = [(0, 3, "A"), (2, 5, "A"), (2, 4, "B")]
    [example] = make_examples(nlp, [("v w x y z", gold)])
    tags = TagSet(("A", "B"), scheme, structure)
    array = gold_tags(example, tags, ["sc"])
    chain, begin = tags.locate("A")
    expected = [*tags.tag_string(begin, 3), MISSING, MISSING]
    assert array[:, chain].tolist() == expected
    if structure == "per_label":
        other, begin = tags.locate("B")
        assert array[:, other].tolist() == [0, 0, *tags.tag_string(begin, 2), 0]


def test_gold_of_several_span_keys_is_learned_together():
    config = crf(structure="per_label", target=["ents", "sc"])
    nlp = build({"crf_ner": config})
    reference = Doc(nlp.vocab, words=["New", "York", "Times"])
    annotate(reference, [(0, 3, "ORG")])
    annotate(reference, [(0, 2, "LOC")], "sc")
    examples = [Example(nlp.make_doc("New York Times"), reference)]
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    train(nlp, examples)
    doc = nlp("New York Times")
    assert found(doc, "sc") == [(0, 2, "LOC"), (0, 3, "ORG")]
    assert len(doc.ents) == 1


# --- Messages ----------------------------------------------------------------


def messages(caplog, nlp, examples):
    caplog.set_level(logging.WARNING, logger="spacy")
    nlp.initialize(lambda: examples)
    return [record.getMessage() for record in caplog.records]


def test_overlaps_that_flat_cannot_hold_are_reported_once(caplog):
    nlp = build("group")
    examples = make_examples(nlp, OVERLAPS)
    [message] = [m for m in messages(caplog, nlp, examples) if "gold" in m]
    assert message.startswith("crf_ner: 2 gold entities are skipped in training")
    assert "'LOC' (2)" in message and 'structure = "per_label"' in message
    caplog.clear()
    train(nlp, examples, steps=2)
    assert not caplog.records


def test_overlaps_of_one_label_are_reported_as_such(caplog):
    nlp = build({"crf_ner": crf(structure="per_label", target="sc")})
    examples = make_examples(nlp, [("New York Times", [(0, 3, "A"), (0, 2, "A")])])
    [message] = [m for m in messages(caplog, nlp, examples) if "gold" in m]
    assert "1 gold" in message and "of the same label" in message


def test_gold_that_is_misaligned_is_reported(caplog):
    nlp = build("flat_biluo")
    reference = make_examples(nlp, CORPUS[:1])[0].reference
    words = ["Anna", "Berg lives", "in", "New", "York", "."]
    examples = [Example(Doc(nlp.vocab, words=words), reference)]
    [message] = messages(caplog, nlp, examples)
    assert "1 gold entities" in message and "'PER' (1)" in message
    assert "token boundaries" in message


def test_gold_of_labels_that_were_not_given_is_reported(caplog):
    nlp = build("flat_biluo")
    nlp.config["initialize"]["components"]["crf_ner"] = {"labels": ["PER"]}
    [message] = messages(caplog, nlp, make_examples(nlp))
    assert "4 gold entities" in message and "'LOC' (4)" in message
    assert "[initialize.components]" in message


def test_complete_gold_is_not_reported(caplog):
    nlp = build("flat_biluo")
    assert messages(caplog, nlp, make_examples(nlp)) == []


def test_a_group_without_a_score_weight_is_reported(caplog):
    nlp = build("group")
    [message] = messages(caplog, nlp, make_examples(nlp))
    assert "sc" in message and "[training.score_weights] spans_NAME_f" in message
    caplog.clear()
    nlp.config["training"]["score_weights"] = {"spans_sc_f": 1.0}
    assert messages(caplog, nlp, make_examples(nlp)) == []


def test_vectors_of_a_component_that_did_not_run_are_reported():
    nlp = fitted("listening")
    with (
        nlp.select_pipes(enable=["crf_ner"]),
        pytest.warns(UserWarning, match="'crf_ner' got only zeros"),
    ):
        nlp(TEXTS[0])
    assert found(nlp(TEXTS[0])) == CORPUS[0][1]


def test_a_loss_that_is_not_a_number_stops_training():
    nlp = fitted("flat_biluo")
    bias = subject(nlp).model.get_ref("output_layer").get_param("b")
    bias += numpy.nan
    diverged = pytest.raises(ValueError, match=r"crf_ner.*diverged.*learning rate")
    with numpy.errstate(invalid="ignore"), diverged:
        nlp.update(make_examples(nlp), sgd=False)


@pytest.mark.parametrize(
    "settings,message",
    [
        ({"scheme": "bio"}, "scheme 'bio'.*biluo, iob2"),
        ({"structure": "nested"}, "structure 'nested'.*flat, per_label"),
        ({"objective": "crf"}, "objective 'crf'.*joint, marginal, independent"),
        ({"threshold": 1.5}, "threshold.*1.5.*0 to 1"),
        ({"target": "*"}, "'\\*' can be used for annotate"),
        ({"target": []}, "target = \\[\\]"),
        ({"annotate": ["ents", ""]}, "annotate = \\['ents', ''\\]"),
    ],
)
def test_an_invalid_setting_is_an_error(settings, message):
    with pytest.raises(ValueError, match=message):
        build({"crf_ner": crf(**settings)})


def test_predict_does_not_change_the_document():
    nlp = fitted("flat_biluo")
    doc = nlp.make_doc(TEXTS[0])
    [spans] = subject(nlp).predict([doc])
    assert [span[:3] for span in spans] == CORPUS[0][1]
    assert output(doc) == ([], {}, []) and not doc.user_data
    assert list(PIPELINES["flat_biluo"]) == nlp.pipe_names


def test_a_label_added_to_a_trained_pipeline_is_soon_learned():
    nlp = spacy.blank("en")
    nlp.add_pipe("crf_ner")
    old, new = "Anna lives in Paris", "the Zephyr sank"
    examples = [
        Example.from_dict(nlp.make_doc(old), {"entities": [(0, 4, "PER")]}),
        Example.from_dict(nlp.make_doc(new), {"entities": []}),
    ]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(20):
        nlp.update(examples, sgd=optimizer)
    nlp.get_pipe("crf_ner").add_label("SHIP")
    gold = {"entities": [(4, 10, "SHIP")]}
    examples[1] = Example.from_dict(nlp.make_doc(new), gold)
    optimizer = nlp.resume_training()
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    assert [ent.label_ for ent in nlp(new).ents] == ["SHIP"]
    assert [ent.label_ for ent in nlp(old).ents] == ["PER"]


def test_labels_given_as_one_text_are_an_error():
    nlp = spacy.blank("en")
    crf = nlp.add_pipe("crf_ner")
    example = Example.from_dict(nlp.make_doc("a b"), {"entities": [(0, 1, "X")]})
    with pytest.raises(ValueError, match="must be a list, but are the text 'PERSON'"):
        crf.initialize(lambda: [example], labels="PERSON")


def test_a_span_group_that_no_example_has_is_an_error():
    nlp = spacy.blank("en")
    crf = nlp.add_pipe("crf_ner", config={"target": ["ents", "nosuch"]})
    example = Example.from_dict(nlp.make_doc("a b"), {"entities": [(0, 1, "X")]})
    with pytest.raises(ValueError, match="span group nosuch, but no training document"):
        crf.initialize(lambda: [example])


@pytest.mark.parametrize(
    "annotate,label", [(["X", "*"], "X"), (["ents", "*"], "ents"), ("*", "ents")]
)
def test_a_label_whose_group_is_taken_is_an_error(annotate, label):
    crf = spacy.blank("en").add_pipe("crf_ner", config={"annotate": annotate})
    with pytest.raises(ValueError, match="rename the label"):
        crf.add_label(label)


def test_a_model_that_is_not_a_crf_is_an_error():
    config = {"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": TOK2VEC}}
    with pytest.raises(ValueError, match=r"is not a CRF: set its @architectures"):
        spacy.blank("en").add_pipe("crf_ner", config=config)
