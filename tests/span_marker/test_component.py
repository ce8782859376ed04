"""`span_marker_ner`, and its architecture inside of spaCy's span categorizers."""

import logging
import shutil
from dataclasses import replace
from functools import cache

import numpy
import pytest
import spacy
import torch
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.util import load_model_from_config
from thinc.api import Adam, fix_random_seed
from torch.nn import functional

from spacy_ner_ext.span_marker.filter import select_spans
from spacy_ner_ext.span_marker.gold import MISSING, LostGold
from spacy_ner_ext.span_marker.model import shim_of
from spacy_ner_ext.span_marker.scorer import CandidateScores
from tests.helpers.encoders import encoder_folder, make_encoder
from tests.helpers.pipelines import (
    CORPUS,
    OVERLAPS,
    TEXTS,
    annotate,
    build,
    found,
    make_examples,
    output,
    step,
    subject,
    train,
    words_of,
)

ARCHITECTURE = "spacy_ner_ext.SpanMarker.v1"
ALL = {"candidates": "all", "head": "markers"}
FILTERED = {"candidates": "filtered", "head": "markers+text"}
STEPS = 40


def marker(model=FILTERED, kind="bert", folder=None, **settings):
    """The config of a pipeline with a span marker."""
    name = str(folder or encoder_folder(kind))
    model = {"name": name, "entity_max_length": 4, **model}
    return {"span_marker_ner": {"model": model, **settings}}


PIPELINES = {
    "all": marker(ALL),
    "filtered": marker(),
    "group": marker(ALL, target="sc"),
}
every_pipeline = pytest.mark.parametrize("name", PIPELINES)
some_pipelines = pytest.mark.parametrize("name", ["filtered", "group"])


def fit(pipes, corpus=CORPUS, steps=STEPS, rate=0.003):
    """A pipeline that is trained on a corpus, from a fixed seed."""
    fix_random_seed(0)
    nlp = build(pipes)
    examples = make_examples(nlp, corpus)
    nlp.initialize(lambda: examples)
    train(nlp, examples, steps, Adam(rate))
    return nlp


@cache
def _fitted_bytes(name):
    return fit(PIPELINES[name]).to_bytes()


def fitted(name="filtered", **settings):
    """One of PIPELINES, fitted once and loaded."""
    [(pipe, config)] = PIPELINES[name].items()
    nlp = build({pipe: {**config, **settings}})
    # The weights do not depend on the place of the entities.
    return nlp.from_bytes(_fitted_bytes("all" if name == "group" else name))


def place(nlp):
    return subject(nlp).target[0]


def initialized(model=ALL, corpus=CORPUS, **settings):
    """An untrained pipeline."""
    return fit(marker(model, **settings), corpus, steps=0)


def weights(nlp):
    """Copies of all weights."""
    module = shim_of(subject(nlp).model).model
    return {name: w.detach().clone() for name, w in module.named_parameters()}


def same(before, after):
    return all(torch.equal(before[name], after[name]) for name in before)


def approximately(outputs):
    """Outputs of several documents, with scores rounded."""
    return [
        (
            [(*span, pytest.approx(score, abs=1e-4)) for *span, score in ents],
            {
                key: [(*span, pytest.approx(score, abs=1e-4)) for *span, score in group]
                for key, group in groups.items()
            },
            tensor,
        )
        for ents, groups, tensor in outputs
    ]


def with_sentences(nlp, *texts):
    """A document of several sentences."""
    parts = [words_of(text) for text in texts]
    words = [word for part in parts for word in part]
    starts = [i == 0 for part in parts for i in range(len(part))]
    return Doc(nlp.vocab, words=words, sent_starts=starts)


# --- Training ------------------------------------------------------------------


@every_pipeline
def test_overfitting_finds_all_entities(name):
    nlp = fitted(name)
    for text, spans in CORPUS:
        doc = nlp(text)
        assert found(doc, place(nlp)) == spans
        assert all(0.5 < span._.score < 1 for span in doc.ents)


def test_an_encoder_without_torchs_attention_learns_as_well():
    eager = {"transformer_config": {"attn_implementation": "eager"}}
    nlp = fit(marker({**ALL, **eager}))
    assert not shim_of(subject(nlp).model).model.structured
    assert [found(nlp(text)) for text in TEXTS] == [spans for _, spans in CORPUS]


def test_the_same_seed_gives_the_same_model():
    first, second = (fit(PIPELINES["filtered"], steps=4) for _ in range(2))
    assert same(weights(first), weights(second))
    assert first.to_bytes() == second.to_bytes()


def test_passes_of_few_pairs_train_the_same():
    expected, nlp = (
        fit(marker({**FILTERED, "markers_per_batch": most}), steps=0)
        for most in (None, 9)
    )
    losses = [pipe.update(make_examples(pipe), sgd=False) for pipe in (expected, nlp)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    grads = [
        {
            name: weight.grad
            for name, weight in shim_of(subject(pipe).model).model.named_parameters()
        }
        for pipe in (expected, nlp)
    ]
    for name, gradient in grads[0].items():
        most = 1e-3 * float(gradient.abs().max()) + 1e-4
        assert (grads[1][name] - gradient).abs().max() < most, name


def test_updating_changes_weights_and_predicting_does_not():
    nlp = fitted()
    before = weights(nlp)
    nlp(TEXTS[0])
    assert same(before, weights(nlp))
    losses = step(nlp, make_examples(nlp), Adam(0.001))
    assert losses["span_marker_ner"] > 0
    after = weights(nlp)
    assert all(not torch.equal(before[name], after[name]) for name in before)


def test_a_frozen_encoder_stays_as_it_is():
    nlp = fit(marker({**FILTERED, "freeze": True}), steps=0)
    before = weights(nlp)
    losses = train(nlp, make_examples(nlp), 5, Adam(0.01))
    assert losses[-1]["span_marker_ner"] < losses[0]["span_marker_ner"]
    after = weights(nlp)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if not name.startswith("encoder.")}


# --- Loss ----------------------------------------------------------------------


def gold_by_hand(component, examples, candidates):
    """The number of the label of each candidate."""
    gold = {
        (i, span.start, span.end): 1 + component.labels.index(span.label_)
        for i, example in enumerate(examples)
        for span in example.reference.ents
    }
    words, spans = candidates.words, candidates.spans
    docs = words.sentence_docs[spans.sentences]
    first, last = words.tokens[spans.first], words.tokens[spans.last]
    return numpy.array(
        [gold.get(span, 0) for span in zip(docs, first, last + 1)], "int64"
    )


def drawn(component, examples, part=0.4, seed=0):
    """Candidates with random scores, a part of them marked."""
    rng = numpy.random.default_rng(seed)
    candidates = component.find_candidates([eg.predicted for eg in examples])
    spans = candidates.spans
    chosen = numpy.flatnonzero(rng.random(len(spans)) < part)
    logits = rng.normal(size=(len(chosen), 1 + len(component.labels)), scale=3)
    filtered = rng.normal(size=len(spans), scale=3).astype("f")
    return CandidateScores(candidates, chosen, logits.astype("f"), filtered)


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_loss_and_gradient_are_those_of_torch(weight):
    nlp = fitted(filter_weight=weight)
    component, examples = subject(nlp), make_examples(nlp)
    scores = drawn(component, examples)
    gold = torch.tensor(gold_by_hand(component, examples, scores.candidates))
    assert (gold > 0).sum() == 6
    logits = torch.tensor(scores.logits, requires_grad=True)
    filtered = torch.tensor(scores.filter_logits, requires_grad=True)
    cross_entropy = functional.cross_entropy(logits, gold[scores.chosen])
    binary = functional.binary_cross_entropy_with_logits(
        filtered, (gold > 0).float(), reduction="sum"
    )
    n_words = sum(len(text.split()) for text in TEXTS)
    expected = cross_entropy + weight * binary / n_words
    expected.backward()
    loss, gradient = component.get_loss(examples, scores)
    assert loss == pytest.approx(float(expected.detach()), rel=1e-5)
    numpy.testing.assert_allclose(gradient.logits, logits.grad, atol=1e-6)
    numpy.testing.assert_allclose(gradient.filter_logits, filtered.grad, atol=1e-6)
    assert gradient.chosen.tolist() == scores.chosen.tolist()


def test_the_loss_without_a_filter_is_the_mean_cross_entropy():
    nlp = fitted("all")
    component, examples = subject(nlp), make_examples(nlp)
    scores = drawn(component, examples, part=1.1)
    scores = CandidateScores(scores.candidates, scores.chosen, scores.logits)
    gold = torch.tensor(gold_by_hand(component, examples, scores.candidates))
    loss, gradient = component.get_loss(examples, scores)
    expected = functional.cross_entropy(torch.tensor(scores.logits), gold)
    assert loss == pytest.approx(float(expected), rel=1e-5)
    assert gradient.filter_logits is None


def partly_annotated(nlp, text, missing, spans=()):
    reference = Doc(nlp.vocab, words=words_of(text))
    annotate(reference, spans)
    unknown = [reference[i : i + 1] for i in missing]
    reference.set_ents(list(reference.ents), missing=unknown, default="outside")
    return Example(nlp.make_doc(text), reference)


def test_spans_with_an_unknown_token_give_no_gradient():
    nlp = fitted()
    component = subject(nlp)
    example = partly_annotated(nlp, TEXTS[0], [0, 5], [(1, 3, "PER")])
    scores = drawn(component, [example], part=1.1)
    spans, chosen = scores.candidates.spans, scores.chosen
    unknown = numpy.array(
        [
            any(i in (0, 5) for i in range(first, last + 1))
            for first, last in zip(spans.first, spans.last)
        ]
    )
    loss, gradient = component.get_loss([example], scores)
    assert not gradient.logits[unknown[chosen]].any()
    assert not gradient.filter_logits[unknown].any()
    assert gradient.logits[~unknown[chosen]].all()
    assert gradient.filter_logits[~unknown].all()
    gold = gold_by_hand(component, [example], scores.candidates)
    assert gold.sum() == 1 + component.labels.index("PER")
    gold = torch.tensor(numpy.where(unknown, MISSING, gold)[chosen])
    logits = torch.tensor(scores.logits)
    expected = functional.cross_entropy(logits, gold, ignore_index=MISSING)
    scores = CandidateScores(scores.candidates, chosen, scores.logits)
    loss, _ = component.get_loss([example], scores)
    assert loss == pytest.approx(float(expected), rel=1e-5)


@every_pipeline
def test_an_example_without_annotation_teaches_nothing(name):
    nlp = fitted(name)
    docs = [nlp.make_doc(text) for text in TEXTS]
    examples = [Example(doc, doc.copy()) for doc in docs]
    before = weights(nlp)
    assert step(nlp, examples, Adam(0.1, L2=0.0))["span_marker_ner"] == 0
    assert same(before, weights(nlp))


def test_unknown_tokens_are_not_learnt_as_outside():
    nlp = build(marker(ALL))
    known = make_examples(nlp, [("Oslo is cold", [(0, 1, "LOC")])])
    unknown = [partly_annotated(nlp, "Oslo is cold", [0]) for _ in range(8)]
    fix_random_seed(0)
    nlp.initialize(lambda: [*known, *unknown])
    train(nlp, [*known, *unknown], 30, Adam(0.003))
    assert found(nlp("Oslo is cold")) == [(0, 1, "LOC")]


def test_misaligned_entities_are_unknown_and_aligned_ones_are_learnt():
    nlp = fitted()
    component = subject(nlp)
    reference = make_examples(nlp, CORPUS[:1])[0].reference
    words = ["Anna", "Berg lives", "in", "New York", "."]
    example = Example(Doc(nlp.vocab, words=words), reference)
    scores = drawn(component, [example], part=1.1)
    _, gradient = component.get_loss([example], scores)
    spans = scores.candidates.spans
    unknown = spans.first < 2
    assert not gradient.logits[unknown].any()
    [place_] = numpy.flatnonzero((spans.first == 3) & (spans.last == 3))
    row = gradient.logits[place_]
    assert row[1 + component.labels.index("LOC")] < 0 and (row < 0).sum() == 1
    lost = component.report([example], "train")
    assert lost.n_gold == 2 and dict(lost.misaligned) == {"PER": 1}
    assert nlp.update([example], sgd=False)["span_marker_ner"] >= 0


def test_a_loss_that_is_not_finite_stops_training():
    nlp = fitted()
    with torch.no_grad():
        shim_of(subject(nlp).model).model.classifier.bias += float("nan")
    with pytest.raises(ValueError, match=r"span_marker_ner.*diverged.*learning rate"):
        nlp.update(make_examples(nlp), sgd=False)


# --- White space, sentences and empty documents --------------------------------


@some_pipelines
@pytest.mark.parametrize(
    "texts",
    [
        [""],
        ["", "", ""],
        ["", *TEXTS],
        [TEXTS[0], "", TEXTS[1], "", TEXTS[4]],
        [*TEXTS, ""],
        [" \n "],
        ["\n", *TEXTS, " "],
        TEXTS,
    ],
)
def test_documents_of_a_batch_do_not_depend_on_each_other(name, texts):
    nlp = fitted(name)
    together = [output(doc) for doc in nlp.pipe(texts)]
    assert together == approximately(output(nlp(text)) for text in texts)
    for text, (ents, groups, _) in zip(texts, together):
        assert text.strip() or not (ents or any(groups.values()))


@some_pipelines
def test_an_update_with_empty_documents_only_changes_nothing(name):
    nlp = fitted(name)
    before = weights(nlp)
    examples = make_examples(nlp, [("", [])] * 2)
    blank = nlp.make_doc(" \n ")
    examples.append(Example(blank, blank.copy()))
    assert step(nlp, examples, Adam(0.1))["span_marker_ner"] == 0
    assert same(before, weights(nlp))
    subject(nlp).report(examples, "train")


def test_empty_documents_change_nothing_for_the_update():
    nlp = fitted()
    examples = make_examples(nlp)
    empty = make_examples(nlp, [("", [])])
    mixed = [*empty, examples[0], *empty, *examples[1:], *empty]
    expected = nlp.update(examples, sgd=False)["span_marker_ner"]
    mixed = nlp.update(mixed, sgd=False)["span_marker_ner"]
    assert mixed == pytest.approx(expected, rel=1e-3)


def test_white_space_is_not_a_word():
    nlp = fitted()
    expected = [(ent.label_, ent._.score) for ent in nlp(TEXTS[0]).ents]
    doc = nlp("\n Anna  Berg lives\n\nin New York .  ")
    assert [token.i for token in doc if token.is_space] == [0, 2, 5, 10]
    assert found(doc) == [(1, 4, "PER"), (7, 9, "LOC")]
    assert [
        (e.label_, pytest.approx(e._.score, abs=1e-5)) for e in doc.ents
    ] == expected


def test_white_space_in_the_predicted_document_is_no_part_of_the_gold():
    nlp = fitted()
    component = subject(nlp)
    reference = make_examples(nlp, CORPUS[:1])[0].reference
    plain = Example(nlp.make_doc(TEXTS[0]), reference)
    spaced = Example(nlp.make_doc("Anna  Berg lives\n\nin New York ."), reference)
    losses = [nlp.update([eg], sgd=False)["span_marker_ner"] for eg in (plain, spaced)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    lost = component.report([spaced], "train")
    assert lost == LostGold(n_gold=2)


def test_sentences_are_read_by_themselves():
    nlp = fitted()
    doc = with_sentences(nlp, *TEXTS)
    expected, offset = [], 0
    for text in TEXTS:
        expected += [
            (
                offset + e.start,
                offset + e.end,
                e.label_,
                pytest.approx(e._.score, abs=1e-4),
            )
            for e in nlp(text).ents
        ]
        offset += len(words_of(text))
    assert output(nlp(doc))[0] == expected
    assert len(expected) == 6


def test_an_entity_does_not_cross_a_sentence_boundary():
    nlp = fitted()
    doc = with_sentences(nlp, "Anna", "Berg lives in New", "York .")
    whole = nlp(TEXTS[0])
    assert found(whole) == CORPUS[0][1]
    boundaries = {1, 5}
    assert all(not boundaries & {*range(e.start + 1, e.end)} for e in nlp(doc).ents)
    reference = Doc(nlp.vocab, words=words_of(TEXTS[0]))
    annotate(reference, CORPUS[0][1])
    doc = with_sentences(nlp, "Anna", "Berg lives in New", "York .")
    lost = subject(nlp).report([Example(doc, reference)], "train")
    assert dict(lost.crossing) == {"PER": 1, "LOC": 1}


def test_long_documents_without_sentences_are_cut():
    nlp = fitted()
    text = " ".join(TEXTS[i] for i in (0, 1, 2) * 6)
    doc = nlp(text)
    assert not doc.has_annotation("SENT_START")
    windows = subject(nlp).find_candidates([doc]).windows
    assert len(windows.starts) > 3
    labels = {ent.label_ for ent in doc.ents}
    assert doc.ents and labels <= {"PER", "LOC"}
    assert all(0 < ent._.score <= 1 for ent in doc.ents)
    examples = make_examples(nlp, [(text, CORPUS[0][1])])
    assert nlp.update(examples, sgd=False)["span_marker_ner"] > 0


def test_context_changes_what_the_encoder_sees():
    none, document, limited, sentences = (
        fitted(context=context, max_prev_context=most, max_next_context=most)
        for context, most in [
            ("none", None),
            ("document", None),
            ("document", 0),
            ("sentences", 1),
        ]
    )

    def logits(nlp, *texts):
        component = subject(nlp)
        found = component.find_candidates([with_sentences(nlp, *texts)])
        return component.model.predict(replace(found, use_filter=False)).logits

    texts = TEXTS[:3]
    plain = logits(none, *texts)
    assert numpy.allclose(plain, logits(limited, *texts), atol=1e-4)
    for nlp in (document, sentences):
        assert abs(logits(nlp, *texts) - plain).max() > 0.1
    # With one sentence there is nothing around it.
    alone = logits(none, texts[0])
    assert numpy.allclose(alone, logits(document, texts[0]), atol=1e-4)
    assert numpy.allclose(plain[: len(alone)], alone, atol=1e-4)


def test_a_pipeline_trains_with_context():
    nlp = fit(marker(ALL, context="document"), steps=0)
    words, spans = [], []
    for text, own in CORPUS:
        spans += [(len(words) + a, len(words) + b, label) for a, b, label in own]
        words += words_of(text)
    reference = annotate(Doc(nlp.vocab, words=words), spans)
    examples = [Example(with_sentences(nlp, *TEXTS), reference)]
    sgd = Adam(0.003)
    losses = [step(nlp, examples, sgd)["span_marker_ner"] for _ in range(STEPS)]
    assert losses[-1] < losses[0] / 10
    assert found(nlp(with_sentences(nlp, *TEXTS))) == spans


# --- Saving and loading --------------------------------------------------------


@some_pipelines
def test_saved_pipelines_predict_exactly_the_same(name, tmp_path):
    nlp = fitted(name)
    expected = [output(nlp(text)) for text in TEXTS]
    nlp.to_disk(tmp_path)
    for loaded in (
        spacy.load(tmp_path),
        build(PIPELINES[name]).from_disk(tmp_path),
        build(PIPELINES[name]).from_bytes(nlp.to_bytes()),
        load_model_from_config(nlp.config).from_bytes(nlp.to_bytes()),
    ):
        assert [output(loaded(text)) for text in TEXTS] == expected


def test_a_pipeline_without_weights_is_saved_and_loaded(tmp_path):
    nlp = build(marker())
    subject(nlp).add_label("LOC")
    nlp.to_disk(tmp_path)
    for loaded in (spacy.load(tmp_path), build(marker()).from_bytes(nlp.to_bytes())):
        assert subject(loaded).labels == ("LOC",)
        examples = make_examples(loaded)
        loaded.initialize(lambda examples=examples: examples)
        assert subject(loaded).labels == ("LOC", "PER")


def files_in(folder):
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_saving_twice_gives_the_same_bytes(tmp_path):
    nlp = fitted()
    first = nlp.to_bytes()
    nlp(TEXTS[0])
    assert nlp.to_bytes() == first
    assert build(PIPELINES["filtered"]).from_bytes(first).to_bytes() == first
    nlp.to_disk(tmp_path / "first")
    nlp.to_disk(tmp_path / "second")
    spacy.load(tmp_path / "first").to_disk(tmp_path / "third")
    expected = files_in(tmp_path / "first")
    assert files_in(tmp_path / "second") == files_in(tmp_path / "third") == expected


def test_a_component_by_itself_is_saved_and_loaded(tmp_path):
    nlp, other, third = fitted(), build(marker()), build(marker())
    component = subject(nlp)
    component.to_disk(tmp_path / "component")
    subject(other).from_disk(tmp_path / "component")
    subject(third).from_bytes(component.to_bytes())
    expected = output(nlp(TEXTS[0]))
    assert output(other(TEXTS[0])) == output(third(TEXTS[0])) == expected


def test_a_saved_pipeline_needs_no_encoder_folder(tmp_path):
    folder = make_encoder(tmp_path / "encoder", "roberta")
    nlp = fit(marker(ALL, folder=folder), steps=3)
    expected = [output(nlp(text)) for text in TEXTS]
    nlp.to_disk(tmp_path / "pipeline")
    shutil.rmtree(folder)
    loaded = spacy.load(tmp_path / "pipeline")
    assert [output(loaded(text)) for text in TEXTS] == expected
    # Only the config names that folder.
    saved = files_in(tmp_path / "pipeline" / "span_marker_ner")
    assert not any(str(tmp_path).encode() in content for content in saved.values())


def test_a_copy_predicts_the_same_and_trains_apart():
    nlp = fitted()
    component = subject(nlp)
    copied = component.model.copy()
    assert shim_of(copied).id != shim_of(component.model).id
    before, original = weights(nlp), component.model
    expected = output(nlp(TEXTS[0]))
    component.model = copied
    assert output(nlp(TEXTS[0])) == expected
    step(nlp, make_examples(nlp), Adam(0.01))
    component.model = original
    assert same(before, weights(nlp))


def test_a_trained_pipeline_continues_training():
    nlp = fitted()
    text, spans = "Ines met Bergen .", [(0, 1, "PER"), (2, 3, "LOC")]
    train(nlp, make_examples(nlp, [*CORPUS, (text, spans)]), 25, Adam(0.003))
    assert found(nlp(text)) == spans


def load_with(path, **settings):
    return spacy.load(path, config={"components": {"span_marker_ner": settings}})


def test_settings_of_a_saved_pipeline_can_be_edited(tmp_path):
    fitted().to_disk(tmp_path)
    expected = CORPUS[0][1]
    assert load_with(tmp_path, threshold=1.0)(TEXTS[0]).ents == ()
    moved = load_with(tmp_path, annotate="elsewhere")(TEXTS[0])
    assert found(moved, "elsewhere") == expected and moved.ents == ()
    model = {"candidates": "all", "markers_per_batch": 5, "model_max_length": 20}
    assert found(load_with(tmp_path, model=model)(TEXTS[0])) == expected
    strict = load_with(tmp_path, model={"filter_threshold": 0.9999999})
    assert strict(TEXTS[0]).ents == ()


def test_another_length_of_entities_does_not_fit_a_filter(tmp_path):
    fitted().to_disk(tmp_path)
    with pytest.raises(ValueError, match=r"do not fit.*entity_max_length"):
        load_with(tmp_path, model={"entity_max_length": 6})


def test_a_model_without_filter_cannot_filter(tmp_path):
    fitted("all").to_disk(tmp_path)
    nlp = load_with(tmp_path, model={"candidates": "filtered"})
    with pytest.raises(ValueError, match=r'"filtered".*without a filter.*"all"'):
        nlp(TEXTS[0])
    either = load_with(tmp_path, model={"candidates": None})
    assert found(either(TEXTS[0])) == CORPUS[0][1]


# --- Entities that are there, places and scores --------------------------------


EXISTING = [
    [(5, 6, "LOC")],
    [(0, 1, "PER")],
    [(1, 4, "OTHER")],
    [(0, 2, "LOC")],
    [(0, 7, "LOC")],
    [(3, 6, "OTHER")],
    [(6, 7, "OTHER"), (2, 4, "LOC")],
]


@pytest.mark.parametrize("existing", EXISTING)
def test_existing_entities_are_kept_or_replaced(existing):
    nlp = fitted()
    doc = annotate(nlp.make_doc(TEXTS[0]), existing)
    taken = {i for start, end, _ in existing for i in range(start, end)}
    result = found(nlp(doc))
    assert set(existing) <= set(result)
    for span in CORPUS[0][1]:
        if not taken & {*range(*span[:2])}:
            assert span in result
    for ent in doc.ents:
        kept = (ent.start, ent.end, ent.label_) in existing
        assert (ent._.score is None) == kept
    subject(nlp).cfg["overwrite"] = True
    doc = annotate(nlp.make_doc(TEXTS[0]), existing)
    assert found(nlp(doc)) == CORPUS[0][1]


def test_blocked_tokens_stay_outside():
    nlp = fitted()
    doc = nlp.make_doc(TEXTS[0])
    doc.set_ents([], blocked=[doc[0:1]], default="missing")
    doc = nlp(doc)
    assert doc[0].ent_iob_ == "B" and doc[0].ent_type_ == ""
    assert all(ent.start > 0 for ent in doc.ents)
    assert (4, 6, "LOC") in found(doc)


def test_documents_with_and_without_entities_are_processed_together():
    nlp = fitted()
    docs = [nlp.make_doc(text) for text in ("", TEXTS[0], TEXTS[0], TEXTS[4])]
    annotate(docs[2], [(4, 5, "LOC")])
    results = [found(doc) for doc in nlp.pipe(docs)]
    assert results[0] == [] and results[1] == CORPUS[0][1]
    assert (4, 5, "LOC") in results[2] and (4, 6, "LOC") not in results[2]
    assert results[3] == CORPUS[4][1]


def test_a_second_pass_changes_nothing():
    nlp = fitted("group")
    doc = nlp(TEXTS[0])
    expected = output(doc)
    assert expected[1]["sc"]
    assert output(nlp(doc)) == expected


def test_the_threshold_drops_entities_of_a_lower_probability():
    nlp = fit(PIPELINES["all"], steps=12)
    component = subject(nlp)
    docs = [nlp.make_doc(text) for text in TEXTS]
    scores = [span.score for spans in component.predict(docs) for span in spans]
    assert len(set(scores)) > 2
    component.cfg["threshold"] = threshold = float(numpy.median(scores))
    kept = [span.score for spans in component.predict(docs) for span in spans]
    assert 0 < len(kept) < len(scores)
    assert set(kept) >= {score for score in scores if score >= threshold}
    assert min(kept) >= threshold


def test_scores_are_the_probabilities_of_the_labels():
    nlp = fitted("all", annotate=["ents", "sc", "*"])
    component = subject(nlp)
    doc = nlp(TEXTS[0])
    candidates = component.find_candidates([doc])
    spans = candidates.spans
    logits = torch.tensor(component.model.predict(candidates).logits)
    probabilities = functional.softmax(logits, -1)
    for ent in doc.ents:
        where = (spans.first == ent.start) & (spans.last == ent.end - 1)
        [row] = probabilities[torch.from_numpy(where)]
        expected = float(row[1 + component.labels.index(ent.label_)])
        assert ent._.score == pytest.approx(expected, abs=1e-6)
    assert set(doc.spans) == {"sc", "LOC", "PER"}
    assert found(doc, "sc") == found(doc) == CORPUS[0][1]
    assert found(doc, "PER") == [(0, 2, "PER")]
    for group in doc.spans.values():
        scores = [span._.score for span in group]
        assert group.attrs["scores"].tolist() == pytest.approx(scores)


def greedy(probabilities, spans):
    """What SpanMarker takes: the most probable first, earlier ones first of equals."""
    label, score = probabilities.argmax(1), probabilities.max(1)
    taken, result = set(), []
    for i in sorted(range(len(label)), key=lambda i: (-score[i], i)):
        words = {*range(spans.first[i], spans.last[i] + 1)}
        if label[i] and not taken & words:
            taken |= words
            result.append((int(spans.first[i]), int(spans.last[i]) + 1, int(label[i])))
    return sorted(result)


@pytest.mark.parametrize("steps", [0, 3, 10])
def test_the_most_probable_of_overlapping_spans_is_taken(steps):
    nlp = fit(PIPELINES["all"], steps=steps)
    component = subject(nlp)
    for text in TEXTS:
        doc = nlp.make_doc(text)
        candidates = component.find_candidates([doc])
        spans = candidates.spans
        logits = torch.tensor(component.model.predict(candidates).logits)
        expected = greedy(functional.softmax(logits, -1).numpy(), spans)
        [result] = component.predict([doc])
        assert [
            (start, end, 1 + component.labels.index(label))
            for start, end, label, *_ in result
        ] == expected


def test_predict_leaves_the_document_as_it_is():
    nlp = fitted()
    doc = nlp.make_doc(TEXTS[0])
    [spans] = subject(nlp).predict([doc])
    assert [span[:3] for span in spans] == CORPUS[0][1]
    assert output(doc) == ([], {}, []) and not doc.user_data


def test_the_filter_lets_the_best_of_each_window_through():
    nlp = fitted("filtered")
    component = subject(nlp)
    docs = [nlp.make_doc(text) for text in TEXTS]
    candidates = component.find_candidates(docs)
    spans = candidates.spans
    for ratio in (0.1, 0.3, 1.0):
        shim = component.shim
        shim.settings = replace(shim.settings, filter_ratio=ratio, filter_threshold=0.2)
        scored = component.model.predict(candidates)
        probabilities = functional.sigmoid(torch.tensor(scored.filter_logits)).numpy()
        nothing = numpy.zeros(len(spans), bool)
        expected = select_spans(
            spans.rows, spans.first, probabilities, ratio, 0.2, nothing
        )
        assert scored.chosen.tolist() == numpy.flatnonzero(expected).tolist()


def test_evaluating_scores_entities():
    nlp = fitted()
    assert nlp.evaluate(make_examples(nlp))["ents_f"] == 1


# --- Labels --------------------------------------------------------------------


def test_labels_are_collected_from_the_data_and_sorted():
    assert subject(initialized()).labels == ("LOC", "PER")


def test_labels_in_the_config_need_no_data_that_has_them():
    nlp = build(marker())
    labels = ["PER", "LOC", "ORG"]
    nlp.config["initialize"]["components"]["span_marker_ner"] = {"labels": labels}
    examples = make_examples(nlp, CORPUS[:1])
    nlp.initialize(lambda: examples)
    assert subject(nlp).labels == tuple(labels)
    assert subject(nlp).label_data == labels
    assert shim_of(subject(nlp).model).model.n_labels == 4
    assert subject(nlp).add_label("PER") == 0


def test_labels_that_were_added_before_are_initialized():
    nlp = build(marker(ALL))
    subject(nlp).add_label("ORG")
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    assert subject(nlp).labels == ("ORG", "LOC", "PER")
    assert shim_of(subject(nlp).model).model.n_labels == 4


@some_pipelines
def test_a_label_added_after_training_keeps_old_predictions(name, tmp_path):
    nlp = fitted(name)
    expected = [output(nlp(text)) for text in TEXTS]
    component = subject(nlp)
    assert component.add_label("ORG") == 1
    assert component.add_label("ORG") == 0
    assert component.labels == ("LOC", "PER", "ORG")
    approximate = [
        (
            [(*span, pytest.approx(score, abs=0.02)) for *span, score in ents],
            {
                key: [(*span, pytest.approx(score, abs=0.02)) for *span, score in group]
                for key, group in groups.items()
            },
            tensor,
        )
        for ents, groups, tensor in expected
    ]
    found_ = [output(nlp(text)) for text in TEXTS]
    assert found_ == approximate
    nlp.to_disk(tmp_path)
    assert [output(spacy.load(tmp_path)(text)) for text in TEXTS] == found_


def test_a_label_added_after_training_is_learnt():
    nlp = fitted()
    subject(nlp).add_label("SHIP")
    corpus = [*CORPUS, ("the Zephyr sank", [(1, 2, "SHIP")])]
    train(nlp, make_examples(nlp, corpus), 30, Adam(0.003))
    assert [found(nlp(text)) for text, _ in corpus] == [spans for _, spans in corpus]


@pytest.mark.parametrize("label", [9, None, "", b"PER"])
def test_a_label_that_is_not_a_text_raises(label):
    with pytest.raises(ValueError, match="span_marker_ner"):
        subject(build(marker())).add_label(label)


def test_without_labels_or_weights_nothing_is_predicted():
    nlp = build(marker())
    with pytest.raises(ValueError, match="label"):
        nlp("Oslo")
    subject(nlp).add_label("LOC")
    with pytest.raises(ValueError, match=r"no weights.*nlp\.initialize\(\)"):
        nlp("Oslo")
    with pytest.raises(ValueError, match="label"):
        build(marker()).initialize()


def test_initialize_with_empty_documents_only_raises():
    nlp = build(marker())
    subject(nlp).add_label("LOC")
    examples = [Example(nlp.make_doc(""), nlp.make_doc(""))]
    with pytest.raises(ValueError, match="no training document has a token"):
        nlp.initialize(lambda: examples)


# --- Gold that no candidate can hold -------------------------------------------

LONG = [
    ("Tom Lee Ray of Rome met Anna", [(0, 5, "PER"), (6, 7, "PER")]),
    ("the unbelievable arrangements of Oslo", [(1, 3, "ORG"), (4, 5, "LOC")]),
    ("Tom Lee Ray of Rome again in New York", [(0, 6, "PER"), (7, 9, "LOC")]),
    ("Ines and Tom and Lee and", [(0, 5, "PER"), (5, 6, "LOC")]),
]
NARROW = {**ALL, "model_max_length": 16}


def messages(caplog, nlp, examples):
    caplog.set_level(logging.WARNING, logger="spacy")
    nlp.initialize(lambda: examples)
    return [record.getMessage() for record in caplog.records]


def rows_of(message):
    """The numbers in the table of a message."""
    lines = [line.split() for line in message.splitlines()]
    return [line for line in lines if line and line[0].isdigit()]


def test_entities_that_are_too_long_are_counted_in_tables(caplog, tmp_path):
    nlp = build(marker(NARROW))
    docs = [eg.reference for eg in make_examples(nlp, [*LONG[:2], *CORPUS[3:]])]
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    nlp.config["paths"] |= dict.fromkeys(["train", "dev"], str(tmp_path / "dev.spacy"))
    examples = make_examples(nlp, LONG)
    train_message, dev_message = messages(caplog, nlp, examples)
    assert "will not learn 4 of 8 entities of train (50.00 %)" in train_message
    assert "entity_max_length = 4" in train_message
    assert "model_max_length" in train_message
    assert rows_of(train_message) == [
        ["2", "0", "1", "12.50"],
        ["5", "2", "0", "25.00"],
        ["6", "1", "0", "12.50"],
    ]
    assert "cannot find 2 of 6 entities of dev (33.33 %)" in dev_message
    assert rows_of(dev_message) == [
        ["2", "0", "1", "16.67"],
        ["5", "1", "0", "16.67"],
    ]


def test_the_development_corpus_is_read_without_the_others(caplog, tmp_path):
    nlp = build(marker(ALL))
    docs = [eg.reference for eg in make_examples(nlp, LONG[:1])]
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    nlp.config["paths"]["dev"] = str(tmp_path / "dev.spacy")
    assert nlp.config["paths"]["train"] is None
    [message] = messages(caplog, nlp, make_examples(nlp))
    assert "cannot find 1 of 2 entities of dev (50.00 %)" in message


def test_lost_gold_is_counted():
    nlp = initialized(NARROW, LONG)
    lost = subject(nlp).report(make_examples(nlp, LONG), "train")
    assert lost.n_gold == 8
    assert dict(lost.too_long) == {5: 2, 6: 1} and dict(lost.no_window) == {2: 1}
    assert not (lost.misaligned or lost.crossing or lost.conflicting or lost.other)


def test_complete_gold_is_not_logged(caplog):
    nlp = build(marker(ALL))
    assert messages(caplog, nlp, make_examples(nlp)) == []


def test_gold_that_is_misaligned_is_reported(caplog):
    nlp = build(marker(ALL))
    reference = make_examples(nlp, CORPUS[:1])[0].reference
    words = ["Anna", "Berg lives", "in", "New", "York", "."]
    [message] = messages(caplog, nlp, [Example(Doc(nlp.vocab, words=words), reference)])
    assert "1 gold entities of train" in message and "'PER' (1)" in message
    assert "boundaries of words" in message


def test_gold_of_labels_that_were_not_given_is_reported(caplog):
    nlp = build(marker(ALL))
    nlp.config["initialize"]["components"]["span_marker_ner"] = {"labels": ["PER"]}
    [message] = messages(caplog, nlp, make_examples(nlp))
    assert "4 gold entities" in message and "'LOC' (4)" in message
    assert "[initialize.components]" in message


def test_gold_that_crosses_sentences_is_reported(caplog):
    nlp = build(marker(ALL))
    reference = make_examples(nlp, CORPUS[:1])[0].reference
    doc = with_sentences(nlp, "Anna", "Berg lives in New York .")
    [message] = messages(caplog, nlp, [Example(doc, reference)])
    assert "'PER' (1)" in message and "boundary of a sentence" in message


def test_two_labels_of_one_span_are_reported(caplog):
    nlp = build(marker(ALL, target="sc"))
    corpus = [("New York", [(0, 2, "LOC"), (0, 2, "ORG"), (0, 1, "LOC")])]
    found_ = messages(caplog, nlp, make_examples(nlp, corpus))
    [message] = [message for message in found_ if "gold" in message]
    assert "1 gold" in message and "'ORG' (1)" in message and "spancat" in message


def test_a_group_without_a_score_weight_is_reported(caplog):
    nlp = build(marker(ALL, target="sc"))
    [message] = messages(caplog, nlp, make_examples(nlp))
    assert "sc" in message and "spans_NAME_f" in message


def test_gold_of_several_places_is_learnt_together():
    nlp = build(marker(ALL, target=["ents", "sc"]))
    reference = Doc(nlp.vocab, words=["New", "York", "Times"])
    annotate(reference, [(2, 3, "ORG")])
    annotate(reference, [(0, 2, "LOC")], "sc")
    examples = [Example(nlp.make_doc("New York Times"), reference)]
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    train(nlp, examples, 30, Adam(0.003))
    doc = nlp("New York Times")
    assert found(doc, "sc") == found(doc) == [(0, 2, "LOC"), (2, 3, "ORG")]


# --- Wrong settings ------------------------------------------------------------


@pytest.mark.parametrize(
    "settings,message",
    [
        ({"candidates": "some"}, "candidates 'some'.*all, filtered"),
        ({"head": "text"}, "head 'text'.*markers, markers\\+text"),
        ({"activation": "relu"}, "activation 'relu'.*softmax, logistic"),
        ({"activation": "logistic"}, "activation.*softmax"),
        ({"precision": "fp8"}, "precision 'fp8'.*fp32, bf16, fp16"),
        ({"entity_max_length": 0}, "entity_max_length = 0.*at least 1"),
        ({"model_max_length": 4}, "model_max_length = 4.*at least 8"),
        ({"stride": 0}, "stride = 0.*at least 1"),
        ({"stride": 300}, "stride = 300.*model_max_length = 256"),
        ({"markers_per_batch": 0}, "markers_per_batch = 0.*at least 1"),
        ({"position_offset": -1}, "position_offset = -1"),
        ({"position_offset": "bert"}, "position_offset = 'bert'.*auto"),
        ({"filter_threshold": 1.0}, "filter_threshold = 1.0.*below 1"),
        ({"filter_threshold": -0.1}, "filter_threshold = -0.1.*at least 0"),
        ({"filter_ratio": 0.0}, "filter_ratio = 0.0.*above 0"),
        ({"freeze": -1}, "freeze = -1 of SpanMarker.*number of layers"),
    ],
)
def test_a_wrong_setting_of_the_model_is_named_with_its_values(settings, message):
    with pytest.raises(ValueError, match=message):
        build(marker(settings))


@pytest.mark.parametrize(
    "settings,message",
    [
        ({"context": "paragraph"}, "context 'paragraph'.*none, sentences, document"),
        ({"max_prev_context": -1}, "max_prev_context = -1"),
        ({"max_next_context": -2}, "max_next_context = -2"),
        ({"threshold": 1.5}, "threshold.*1.5.*0 to 1"),
        ({"filter_weight": -1.0}, "filter_weight.*-1.0"),
        ({"target": "*"}, "'\\*' can be used for annotate"),
        ({"target": []}, "target = \\[\\]"),
        ({"annotate": ["ents", ""]}, "annotate = \\['ents', ''\\]"),
    ],
)
def test_a_wrong_setting_is_named_with_its_values(settings, message):
    with pytest.raises(ValueError, match=message):
        build(marker(**settings))


def test_more_frozen_layers_than_there_are_is_an_error():
    nlp = build(marker({**ALL, "freeze": 9}))
    examples = make_examples(nlp)
    with pytest.raises(ValueError, match=r"freeze = 9 of SpanMarker.*has 3 layers"):
        nlp.initialize(lambda: examples)


def test_an_encoder_that_is_not_there_is_an_error(tmp_path):
    nlp = build(marker(folder=tmp_path / "none"))
    examples = make_examples(nlp)
    with pytest.raises(ValueError, match="none' cannot be loaded"):
        nlp.initialize(lambda: examples)


def test_a_model_that_is_not_a_span_marker_is_an_error():
    config = {"model": {"@architectures": "spacy.HashEmbedCNN.v2", "width": 8}}
    config["model"] |= {"depth": 1, "embed_size": 9, "window_size": 1}
    config["model"] |= {"maxout_pieces": 2, "subword_features": True}
    config["model"] |= {"pretrained_vectors": None}
    with pytest.raises(
        ValueError, match=r"is not a span marker: set its @architectures"
    ):
        spacy.blank("en").add_pipe("span_marker_ner", config=config)


# --- In spaCy's span categorizers ----------------------------------------------


def spancat(factory, **settings):
    activation = "logistic" if factory == "spancat" else "softmax"
    model = {
        "@architectures": ARCHITECTURE,
        "name": str(encoder_folder()),
        "activation": activation,
        **settings,
    }
    suggester = {"@misc": "spacy.ngram_suggester.v1", "sizes": [1, 2, 3]}
    return {factory: {"model": model, "suggester": suggester}}


def span_examples(nlp, corpus=OVERLAPS):
    examples = []
    for text, spans in corpus:
        reference = Doc(nlp.vocab, words=words_of(text))
        annotate(reference, spans, "sc")
        examples.append(Example(nlp.make_doc(text), reference))
    return examples


def fit_spancat(factory, corpus=OVERLAPS, steps=STEPS, **settings):
    fix_random_seed(0)
    nlp = build(spancat(factory, **settings))
    examples = span_examples(nlp, corpus)
    nlp.initialize(lambda: examples)
    train(nlp, examples, steps, Adam(0.003))
    return nlp


every_spancat = pytest.mark.parametrize("factory", ["spancat", "spancat_singlelabel"])


@cache
def _spancat_bytes(factory):
    return fit_spancat(factory).to_bytes()


def fitted_spancat(factory):
    return build(spancat(factory)).from_bytes(_spancat_bytes(factory))


@every_spancat
def test_span_categorizers_learn_nested_spans(factory, tmp_path):
    nlp = fitted_spancat(factory)
    docs = [nlp(text) for text, _ in OVERLAPS]
    assert [found(doc, "sc") for doc in docs] == [sorted(s) for _, s in OVERLAPS]
    nlp.to_disk(tmp_path)
    scores = [doc.spans["sc"].attrs["scores"].tolist() for doc in docs]
    for loaded in (spacy.load(tmp_path), build(spancat(factory)).from_disk(tmp_path)):
        again = [loaded(text) for text, _ in OVERLAPS]
        assert [found(d, "sc") for d in again] == [found(d, "sc") for d in docs]
        assert [d.spans["sc"].attrs["scores"].tolist() for d in again] == scores


def test_a_span_categorizer_gives_a_span_several_labels():
    corpus = [("New York Times", [(0, 3, "ORG"), (0, 3, "PAPER"), (0, 2, "LOC")])]
    nlp = fit_spancat("spancat", corpus)
    assert found(nlp("New York Times"), "sc") == sorted(corpus[0][1])


@every_spancat
def test_span_categorizers_take_documents_without_words(factory):
    nlp = fitted_spancat(factory)
    texts = ["", OVERLAPS[0][0], " \n ", "", OVERLAPS[1][0], "Anna  of\nYork sleeps "]
    together = [output(doc) for doc in nlp.pipe(texts)]
    assert together == approximately(output(nlp(text)) for text in texts)
    assert not together[0][1]["sc"] and not together[2][1]["sc"]
    assert together[1][1]["sc"]
    docs = [nlp.make_doc(text) for text in texts]
    scores = subject(nlp).model.predict((docs, subject(nlp).suggester(docs)))
    assert numpy.isfinite(scores).all()
    blank = [nlp.make_doc(" \n "), nlp.make_doc("")]
    for some in (blank, [nlp.make_doc(OVERLAPS[0][0]), *blank]):
        examples = [Example(doc, doc.copy()) for doc in some]
        nlp.update(examples, sgd=Adam(0.001))


@every_spancat
def test_span_categorizers_read_long_documents_in_windows(factory):
    nlp = build(spancat(factory, model_max_length=12, stride=10))
    nlp.from_bytes(_spancat_bytes(factory))
    text = " ".join(text for text, _ in OVERLAPS * 5)
    docs = [nlp.make_doc(text)]
    spans = subject(nlp).suggester(docs)
    scores = subject(nlp).model.predict((docs, spans))
    assert scores.shape[0] == 3 * len(docs[0]) - 3 and numpy.isfinite(scores).all()
    assert nlp.update(span_examples(nlp, [(text, [(0, 3, "PER")])]), sgd=False)


@every_spancat
def test_the_gradient_of_a_span_categorizer_is_that_of_its_logits(factory):
    nlp = fit_spancat(factory, steps=0)
    model, docs = subject(nlp).model, [nlp.make_doc(text) for text, _ in OVERLAPS]
    spans = subject(nlp).suggester(docs)
    scores, backprop = model.begin_update((docs, spans))
    gradient = numpy.random.default_rng(0).normal(size=scores.shape).astype("f")
    backprop(gradient)
    bias = shim_of(model).model.classifier.bias.grad
    numpy.testing.assert_allclose(bias, gradient.sum(0), atol=1e-4)
    assert scores.min() >= 0 and scores.max() <= 1
    if factory == "spancat_singlelabel":
        numpy.testing.assert_allclose(scores.sum(1), 1, atol=1e-5)


def test_a_trained_span_categorizer_takes_no_new_label():
    """As with spaCy's own models, which it does not resize."""
    component = subject(fitted_spancat("spancat"))
    with pytest.raises(ValueError, match="E922"):
        component.add_label("NEW")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"head": "markers"}, "trained with head = 'markers\\+text'.*'markers'"),
        ({"position_offset": "auto"}, "position_offset = 2, but its config says 0"),
    ],
)
def test_what_a_trained_model_cannot_change_is_an_error(change, message):
    model = {"name": str(encoder_folder("bert")), "model_max_length": 40}
    nlp = initialized({**model, "head": "markers+text"})
    with pytest.raises(ValueError, match=message):
        build(marker({**model, "head": "markers+text", **change})).from_bytes(
            nlp.to_bytes()
        )
