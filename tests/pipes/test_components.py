"""The contract of all components as parts of a spaCy pipeline."""

import copy
import subprocess
import sys

import numpy
import pytest
import spacy
from spacy.cli.find_threshold import find_threshold
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.util import load_model_from_config
from thinc.api import Adam, fix_random_seed
from thinc.types import Ragged

from spacy_ner_ext.crf.gold import gold_tags
from spacy_ner_ext.crf.tags import MISSING, TagSet
from tests.helpers.pipelines import (
    CORPUS,
    PIPELINES,
    RATES,
    TEXTS,
    annotate,
    build,
    crf,
    fit,
    fitted,
    found,
    listener,
    make_examples,
    output,
    step,
    subject,
    train,
    weights,
)

CRF = [name for name, pipes in PIPELINES.items() if "crf_ner" in pipes]
TO_ENTS = [name for name in CRF if name != "group"]

WITH_LABELS = [*CRF, "tagger"]
LABELS = {**dict.fromkeys(CRF, ("LOC", "PER")), "tagger": ("NAME", "P", "VERB", "WORD")}

every_pipeline = pytest.mark.parametrize("name", PIPELINES)
every_pipeline_with_labels = pytest.mark.parametrize("name", WITH_LABELS)
every_crf = pytest.mark.parametrize("name", CRF)
every_crf_to_ents = pytest.mark.parametrize("name", TO_ENTS)


def place(nlp):
    return subject(nlp).target[0]


def approximately(outputs):
    """Outputs of several documents, with probabilities and vectors rounded."""
    return [
        (
            [(*span, pytest.approx(score, abs=1e-4)) for *span, score in ents],
            {
                key: [(*span, pytest.approx(score, abs=1e-4)) for *span, score in group]
                for key, group in groups.items()
            },
            [pytest.approx(row, abs=1e-4) for row in tensor],
        )
        for ents, groups, tensor in outputs
    ]


def are_close(left, right):
    """Whether arrays are equal but for rounding, on any device."""
    return left.shape == right.shape and not (abs(left - right) > 2e-6).any()


def blank_example(nlp, text):
    doc = nlp.make_doc(text)
    return Example(doc, doc.copy())


# --- Initialization ----------------------------------------------------------


@every_crf
def test_without_any_label_initialize_raises(name):
    nlp = build(name)
    examples = make_examples(nlp, [("Nothing here", [])])
    message = r"label|span group \w+, but no training document"
    with pytest.raises(ValueError, match=message):
        nlp.initialize(lambda: examples)
    with pytest.raises(ValueError, match=message):
        build(name).initialize()


@every_pipeline_with_labels
def test_predicting_without_any_label_raises(name):
    nlp = build(name)
    with pytest.raises(ValueError, match="label"):
        subject(nlp).predict([nlp.make_doc("Oslo")])


@every_pipeline_with_labels
@pytest.mark.parametrize("label", [9, None, "", b"PER"])
def test_a_label_that_is_not_a_string_raises(name, label):
    with pytest.raises(ValueError, match=r"crf_(ner|tagger)"):
        subject(build(name)).add_label(label)


@every_pipeline_with_labels
def test_labels_are_collected_from_the_data_and_sorted(name):
    nlp = build(name)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    assert subject(nlp).labels == LABELS[name]


@every_pipeline_with_labels
def test_labels_in_the_config_need_no_data_that_has_them(name):
    nlp = build(name)
    labels = ["Z", *LABELS[name]]
    nlp.config["initialize"]["components"] = {subject(nlp).name: {"labels": labels}}
    examples = make_examples(nlp, CORPUS[:1])
    nlp.initialize(lambda: examples)
    assert subject(nlp).labels == tuple(labels)
    assert subject(nlp).label_data == labels
    assert subject(nlp).add_label("Z") == 0


@every_pipeline_with_labels
def test_label_data_of_one_pipe_initializes_another(name):
    trained, nlp = fitted(name), build(name)
    examples = [blank_example(nlp, "No labels in here")]
    component = subject(nlp)
    data = subject(trained).label_data
    for _, upstream in nlp.pipeline[:-1]:
        upstream.initialize(lambda: examples, nlp=nlp)
    component.initialize(lambda: examples, nlp=nlp, labels=data)
    assert component.labels == subject(trained).labels


@every_pipeline
@pytest.mark.parametrize("examples", [None, [], ["text"], [3], "text"])
def test_initialize_without_examples_raises(name, examples):
    component = subject(build(name))
    with pytest.raises((TypeError, ValueError)):
        component.initialize(lambda: examples)
    with pytest.raises(TypeError):
        component.initialize(examples)


@every_pipeline_with_labels
def test_with_labels_a_pipeline_can_be_initialized_without_data(name):
    nlp = build(name)
    subject(nlp).add_label("LOC")
    nlp.initialize()
    assert subject(nlp).labels == ("LOC",)
    assert len(nlp("Oslo is cold .")) == 4


@every_pipeline
def test_initialize_with_empty_documents_only_raises(name):
    nlp = build(name)
    examples = [Example(nlp.make_doc(""), nlp.make_doc(""))]
    component = subject(nlp)
    if name != "text_cnn":
        component.add_label("LOC")
    with pytest.raises(ValueError, match="no training document has a token"):
        component.initialize(lambda: examples)


@every_pipeline
def test_the_first_documents_may_be_empty_at_initialize(name):
    nlp = build(name)
    examples = make_examples(nlp, [*[("", [])] * 12, *CORPUS])
    nlp.initialize(lambda: examples)
    assert len(nlp("Oslo is cold .")) == 4


# --- Gold --------------------------------------------------------------------


@every_pipeline_with_labels
def test_an_example_without_annotation_has_no_effect(name):
    nlp = fitted(name)
    component = subject(nlp)
    examples = [blank_example(nlp, text) for text in TEXTS]
    before = weights(component)
    assert step(nlp, examples, Adam(0.1))[component.name] == 0
    assert all((a == b).all() for a, b in zip(before, weights(component)))


@every_crf_to_ents
def test_tokens_without_annotation_are_not_learned_as_outside(name):
    nlp = build(name)
    known, _ = make_examples(nlp, [("Oslo is cold", [(0, 1, "LOC")])] * 2)
    unknown = nlp.make_doc("Oslo is cold")
    unknown.set_ents([], missing=[unknown[0:1]], default="outside")
    examples = [known, *[Example(nlp.make_doc("Oslo is cold"), unknown)] * 20]
    tags = TagSet(("LOC",))
    gold = gold_tags(examples[1], tags, ["ents"])
    assert gold[:, 0].tolist() == [MISSING, 0, 0]
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    train(nlp, examples)
    assert found(nlp("Oslo is cold")) == [(0, 1, "LOC")]


@every_crf_to_ents
def test_an_example_without_annotation_does_not_dilute_the_gradient(name):
    nlp = fitted(name)
    component = subject(nlp)
    with_gold = make_examples(nlp, CORPUS[:1])
    mixed = [*with_gold, blank_example(nlp, "Anna met Tom")]
    for _, upstream in nlp.pipeline[:-1]:
        for eg in mixed:
            upstream(eg.predicted)
    lattice = component.model.predict([eg.x for eg in mixed])
    loss, gradient = component.get_loss(mixed, lattice)
    loss_alone, alone = component.get_loss(with_gold, lattice.select([0]))
    assert loss == pytest.approx(loss_alone)
    assert not gradient.emissions[7:].any()
    assert are_close(gradient.emissions[:7], alone.emissions)
    assert are_close(gradient.transitions, alone.transitions)


@every_crf
def test_misaligned_tokens_are_unknown_and_aligned_ones_are_learned(name):
    nlp = fitted(name)
    component = subject(nlp)
    reference = make_examples(nlp, CORPUS[:1])[0].reference
    words = ["Anna", "Berg lives", "in", "New York", "."]
    example = Example(Doc(nlp.vocab, words=words), reference)
    tags = gold_tags(example, component.tags, component.target)
    chain, begin = component.tags.locate("LOC")
    unit = component.tags.tag_string(begin, 1)
    assert (tags[:2] == MISSING).all()
    assert tags[2:, chain].tolist() == [0, *unit, 0]
    assert nlp.update([example], sgd=False)["crf_ner"] >= 0


# --- Lengths and white space -------------------------------------------------


@every_pipeline
@pytest.mark.parametrize(
    "texts",
    [[""], ["", "", ""], ["", *TEXTS], [TEXTS[0], "", TEXTS[1], "", TEXTS[4]]],
    ids=["alone", "whole batch", "first", "interleaved"],
)
def test_empty_documents_change_nothing_for_the_others(name, texts):
    nlp = fitted(name)
    together = [output(doc) for doc in nlp.pipe(texts)]
    assert together == approximately(output(nlp(text)) for text in texts)
    assert all(
        not ents and not any(groups.values())
        for text, (ents, groups, _) in zip(texts, together)
        if not text
    )


@every_pipeline_with_labels
def test_empty_documents_change_nothing_for_the_update(name):
    nlp = fitted(name)
    examples = make_examples(nlp)
    empty = make_examples(nlp, [("", [])])
    mixed = [*empty, examples[0], *empty, *examples[1:], *empty]
    pipe = subject(nlp).name
    expected = nlp.update(examples, sgd=False)[pipe]
    assert nlp.update(mixed, sgd=False)[pipe] == pytest.approx(expected, rel=1e-3)


def gradients(nlp):
    """The gradients of a pipeline by node and name, which are then empty again."""
    found_ = [
        (node, key)
        for _, pipe in nlp.pipeline
        for node in pipe.model.walk()
        for key in node.grad_names
    ]
    arrays = [node.get_grad(key).copy() for node, key in found_]
    for node, key in found_:
        node.set_grad(key, node.get_grad(key) * 0)
    return arrays


@every_pipeline_with_labels
def test_parts_of_a_batch_add_up_to_the_whole(name):
    nlp = fitted(name)
    corpus = [*CORPUS, ("", []), ("Kim sang for Tom in Oslo", [(0, 1, "PER")])]
    examples = [*make_examples(nlp, corpus), blank_example(nlp, "Rome is far")]
    component = subject(nlp)
    nlp.update(examples, sgd=False)
    gradients(nlp)
    expected = nlp.update(examples, sgd=False), gradients(nlp)
    losses = {}
    counts = component.count_gold(examples)
    for first in range(0, len(examples), 3):
        settings = {component.name: {"denominators": counts}}
        part = examples[first : first + 3]
        nlp.update(part, sgd=False, losses=losses, component_cfg=settings)
    assert losses == pytest.approx(expected[0], abs=1e-6)
    for whole, parts in zip(expected[1], gradients(nlp), strict=True):
        assert are_close(whole, parts)
    assert nlp.update(examples, sgd=False) == pytest.approx(expected[0])


@every_pipeline
def test_an_update_with_empty_documents_only_changes_nothing(name):
    nlp = fitted(name)
    before = weights(subject(nlp))
    losses = step(nlp, make_examples(nlp, [("", [])] * 3), Adam(0.1))
    assert set(losses.values()) <= {0.0}
    assert all((a == b).all() for a, b in zip(before, weights(subject(nlp))))
    train(nlp, make_examples(nlp), steps=1)


@every_crf
@pytest.mark.parametrize("text,spans", CORPUS)
def test_overfitting_finds_entities_in_documents_of_any_length(name, text, spans):
    nlp = fitted(name)
    doc = nlp(text)
    assert found(doc, place(nlp)) == spans
    assert all(span._.score > 0.9 for span in doc.ents)


@every_crf
def test_white_space_tokens_are_outside_or_inside_an_entity(name):
    nlp = fitted(name)
    component = subject(nlp)
    reference = make_examples(nlp, CORPUS[:1])[0].reference
    example = Example(nlp.make_doc("Anna  Berg lives\n\nin New York ."), reference)
    assert [token.i for token in example.x if token.is_space] == [1, 4]
    tags = gold_tags(example, component.tags, component.target)
    assert set(component.tags.decode(tags)) == {(0, 3, "PER"), (6, 8, "LOC")}
    assert nlp.update([example], sgd=False)["crf_ner"] > 0
    assert len(nlp(" \n ")) == 1


# --- Prediction and saving ---------------------------------------------------


@every_pipeline
def test_saved_pipelines_predict_exactly_the_same(name, tmp_path):
    nlp = fitted(name)
    expected = [output(nlp(text)) for text in TEXTS]
    nlp.to_disk(tmp_path)
    for loaded in (
        spacy.load(tmp_path),
        build(name).from_disk(tmp_path),
        build(name).from_bytes(nlp.to_bytes()),
    ):
        assert [output(loaded(text)) for text in TEXTS] == expected


@every_pipeline
def test_a_component_by_itself_is_saved_and_loaded(name, tmp_path):
    nlp, other, third = fitted(name), build(name), build(name)
    component = subject(nlp)
    component.to_disk(tmp_path / "component")
    subject(other).from_disk(tmp_path / "component")
    subject(third).from_bytes(component.to_bytes())
    for loaded in (subject(other), subject(third)):
        assert getattr(loaded, "labels", ()) == getattr(component, "labels", ())
        same = zip(weights(loaded), weights(component), strict=True)
        assert all((a == b).all() for a, b in same)


@every_pipeline
def test_saving_what_was_loaded_gives_the_same_files(name, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    fitted(name).to_disk(first)
    spacy.load(first).to_disk(second)
    files = [p.relative_to(first) for p in first.rglob("*") if p.is_file()]
    assert files
    for file in files:
        assert (first / file).read_bytes() == (second / file).read_bytes(), file


@every_pipeline
def test_one_text_a_stream_and_a_second_stream_agree(name):
    nlp = fitted(name)
    stream = [output(doc) for doc in nlp.pipe(TEXTS)]
    assert [output(doc) for doc in nlp.pipe(TEXTS)] == stream
    assert stream == approximately(output(nlp(text)) for text in TEXTS)
    small_batches = [output(doc) for doc in nlp.pipe(TEXTS, batch_size=2)]
    assert stream == approximately(small_batches)


@every_crf
def test_a_loaded_pipeline_can_be_trained_further(name):
    nlp = fitted(name)
    examples = make_examples(nlp, [*CORPUS, ("Kim sang", [(0, 1, "PER")])])
    before = nlp.evaluate(examples)
    losses = train(nlp, examples, steps=30, sgd=nlp.resume_training(sgd=Adam(0.01)))
    assert losses[-1]["crf_ner"] < losses[0]["crf_ner"]
    key = "ents_f" if place(nlp) == "ents" else "spans_sc_f"
    assert nlp.evaluate(examples)[key] == 1.0 >= before[key]


@every_pipeline
def test_one_seed_gives_one_set_of_weights(name):
    first, second = fit(name, steps=3), fit(name, steps=3)
    assert subject(first).to_bytes() == subject(second).to_bytes()


@every_pipeline
def test_the_config_creates_the_same_pipeline(name):
    nlp = fitted(name)
    copied = load_model_from_config(nlp.config)
    assert copied.config == nlp.config
    copied.from_bytes(nlp.to_bytes())
    assert output(copied(TEXTS[0])) == output(nlp(TEXTS[0]))


@every_pipeline
def test_a_copied_model_computes_the_same(name):
    nlp = fitted(name)
    doc = nlp(TEXTS[0])
    component = subject(nlp)
    for model in (copy.deepcopy(component.model), component.model.copy()):
        inputs = [doc]
        if name == "span_marker":
            spans = Ragged(numpy.array([[0, 2], [4, 6]]), numpy.array([2]))
            inputs = ([doc], spans)
        expected, again = component.model.predict(inputs), model.predict(inputs)
        if name in ("text_cnn", "span_marker"):
            assert (expected[0] == again[0]).all()
        else:
            assert (expected.emissions == again.emissions).all()
            assert (expected.transitions == again.transitions).all()


@every_pipeline
def test_other_parameters_are_used_for_a_while_only(name):
    nlp = fitted(name)
    expected = [output(nlp(text)) for text in TEXTS]
    with nlp.use_params({}):
        assert [output(nlp(text)) for text in TEXTS] == expected
    sgd = Adam(RATES.get(name, 0.02), use_averages=True)
    if name != "text_cnn":
        train(nlp, make_examples(nlp), steps=2, sgd=sgd)
    after = [output(nlp(text)) for text in TEXTS]
    with nlp.use_params(sgd.averages):
        assert name == "text_cnn" or [output(nlp(t)) for t in TEXTS] != after
    assert [output(nlp(text)) for text in TEXTS] == after


@every_pipeline
def test_a_disabled_component_writes_nothing(name):
    nlp = fitted(name)
    with nlp.select_pipes(disable=nlp.pipe_names):
        assert output(nlp(TEXTS[0])) == ([], {}, [])
    assert output(nlp(TEXTS[0])) != ([], {}, [])


@every_crf_to_ents
def test_scores_have_every_key_of_the_score_weights(name):
    nlp = fitted(name)
    scores = nlp.evaluate(make_examples(nlp))
    weights_ = nlp.get_factory_meta("crf_ner").default_score_weights
    assert weights_ and set(weights_) <= set(scores)
    assert scores["ents_f"] == scores["ents_p"] == scores["ents_r"] == 1.0
    assert set(scores["ents_per_type"]) == {"LOC", "PER"}


def test_scores_of_a_span_group_have_its_name():
    nlp = fitted("group")
    scores = nlp.evaluate(make_examples(nlp))
    assert scores["spans_sc_f"] == scores["spans_sc_p"] == scores["spans_sc_r"] == 1.0
    assert set(scores["spans_sc_per_type"]) == {"LOC", "PER"}


PARALLEL = """
import sys
import spacy, torch
from spacy.tokens import DocBin
torch.set_num_threads(1)
if __name__ == "__main__":
    out, path, *texts = sys.argv[1:]
    docs = list(spacy.load(path).pipe(texts, n_process=2, batch_size=2))
    DocBin(docs=docs, store_user_data=True).to_disk(out)
"""


@pytest.mark.parametrize("name", ["per_label", "listening"])
def test_several_processes_find_what_one_finds(name, tmp_path):
    nlp = fitted(name)
    nlp.to_disk(tmp_path / "model")
    script, out = tmp_path / "parallel.py", tmp_path / "out.spacy"
    script.write_text(PARALLEL, encoding="utf-8")
    command = [sys.executable, script, out, tmp_path / "model", "", *TEXTS]
    subprocess.run(command, timeout=300, check=True)
    docs = DocBin().from_disk(out).get_docs(nlp.vocab)
    entities = [output(doc)[:2] for doc in docs]
    expected = approximately(output(nlp(text)) for text in ["", *TEXTS])
    assert entities == [(ents, groups) for ents, groups, _ in expected]


# --- New labels --------------------------------------------------------------


@every_pipeline_with_labels
def test_a_label_added_after_training_changes_nothing_until_it_is_trained(name):
    nlp = fitted(name)
    component = subject(nlp)
    old = component.model.get_ref("output_layer").get_param("W").copy()
    expected = [output(nlp(text)) for text in TEXTS]
    assert component.add_label("ORG") == 1
    assert component.add_label("ORG") == 0
    assert component.labels == (*LABELS[name], "ORG")
    new = component.model.get_ref("output_layer").get_param("W")
    assert len(new) > len(old) and (new[: len(old)] == old).all()
    assert [output(nlp(text)) for text in TEXTS] == approximately(expected)


@every_crf
def test_a_label_added_after_training_can_be_trained_and_saved(name):
    nlp = fitted(name)
    sgd = nlp.resume_training(sgd=Adam(0.02))
    train(nlp, make_examples(nlp), steps=2, sgd=sgd)
    subject(nlp).add_label("ORG")
    corpus = [*CORPUS, ("They run Shell Oil plc", [(2, 5, "ORG")])]
    train(nlp, make_examples(nlp, corpus), sgd=sgd)
    loaded = build(name).from_bytes(nlp.to_bytes())
    for text, spans in corpus:
        assert found(loaded(text), place(nlp)) == spans


@every_crf
def test_initializing_again_resets_the_weights(name):
    nlp = fitted(name)
    examples = make_examples(nlp, [("Shell Oil grew", [(0, 2, "ORG")])])
    nlp.initialize(lambda: examples)
    train(nlp, examples)
    assert "ORG" in subject(nlp).labels
    assert found(nlp("Shell Oil grew"), place(nlp)) == [(0, 2, "ORG")]


# --- Listeners ---------------------------------------------------------------


def test_listeners_are_found_and_the_gradient_reaches_the_bottom():
    nlp = fitted("listening")
    assert nlp.get_pipe("tok2vec").listening_components == ["text_cnn"]
    assert nlp.get_pipe("text_cnn").listening_components == ["crf_ner"]
    before = {name: weights(pipe) for name, pipe in nlp.pipeline}
    examples = make_examples(nlp, [("Rome met Anna", [(0, 1, "PER")])])
    step(nlp, examples, Adam(0.01))
    for name, pipe in nlp.pipeline:
        changed = [(a != b).any() for a, b in zip(before[name], weights(pipe))]
        assert any(changed), name


def test_two_components_share_the_gradient_of_one_upstream():
    first = crf(listener("text_cnn"), factory="crf_ner", target="a")
    second = crf(listener("text_cnn"), factory="crf_ner", target="b")
    upstream = {k: v for k, v in PIPELINES["listening"].items() if k != "crf_ner"}
    nlp = build({**upstream, "first": first, "second": second})
    examples = make_examples(nlp)
    for example in examples:
        people = [s for s in example.y.spans["b"] if s.label_ == "PER"]
        example.y.spans["a"] = people
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    assert nlp.get_pipe("text_cnn").listening_components == ["first", "second"]
    train(nlp, examples)
    doc = nlp(TEXTS[0])
    assert (found(doc, "a"), found(doc, "b")) == ([(0, 2, "PER")], CORPUS[0][1])


def test_replaced_listeners_predict_and_train_the_same(tmp_path):
    nlp = fitted("listening")
    expected = [found(nlp(text)) for text in TEXTS]
    nlp.replace_listeners("tok2vec", "text_cnn", ["model.tok2vec"])
    nlp.replace_listeners("text_cnn", "crf_ner", ["model.tok2vec"])
    nlp.remove_pipe("text_cnn")
    nlp.remove_pipe("tok2vec")
    assert [found(nlp(text)) for text in TEXTS] == expected
    before = weights(subject(nlp))
    train(nlp, make_examples(nlp), steps=1)
    changed = [(a != b).any() for a, b in zip(before, weights(subject(nlp)))]
    assert sum(changed) > len(changed) / 2
    nlp.to_disk(tmp_path)
    assert [found(spacy.load(tmp_path)(text)) for text in TEXTS] == expected


def test_a_frozen_upstream_does_not_change():
    nlp = fitted("listening")
    frozen = ["tok2vec", "text_cnn"]
    before = {name: weights(nlp.get_pipe(name)) for name in frozen}
    examples = make_examples(nlp, [*CORPUS, ("Tom left", [(0, 1, "PER")])])
    losses = train(nlp, examples, 20, exclude=frozen, annotates=frozen)
    assert losses[-1]["crf_ner"] < losses[0]["crf_ner"]
    for name in frozen:
        same = zip(before[name], weights(nlp.get_pipe(name)))
        assert all((a == b).all() for a, b in same)


# --- Several components, and entities that are there already -----------------


def test_two_instances_of_a_factory_are_trained_together():
    nlp = build(
        {
            "people": crf(factory="crf_ner", target="people"),
            "all": crf(factory="crf_ner", target="all", scheme="iob2"),
        }
    )
    examples = make_examples(nlp)
    for example in examples:
        people = [s for s in example.y.spans["all"] if s.label_ == "PER"]
        example.y.spans["people"] = people
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    losses = train(nlp, examples)[-1]
    assert set(losses) == {"people", "all"}
    doc = build_like(nlp)(TEXTS[0])
    assert found(doc, "people") == [(0, 2, "PER")]
    assert found(doc, "all") == CORPUS[0][1]


def build_like(nlp):
    """The same pipeline, made of its config and its bytes."""
    return load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())


EXISTING = [
    [(5, 6, "LOC")],
    [(0, 1, "PER")],
    [(1, 2, "PER")],
    [(1, 4, "PER")],
    [(0, 2, "LOC")],
    [(0, 1, "PER"), (1, 2, "PER")],
    [(0, 7, "LOC")],
    [(3, 6, "OTHER")],
    [(6, 7, "OTHER"), (2, 4, "LOC")],
]


@every_crf_to_ents
@pytest.mark.parametrize("existing", EXISTING)
def test_existing_entities_keep_their_boundaries_and_labels(name, existing):
    nlp = fitted(name)
    doc = annotate(nlp.make_doc(TEXTS[0]), existing)
    free = set(range(7)) - {i for start, end, _ in existing for i in range(start, end)}
    result = found(nlp(doc))
    assert set(existing) <= set(result)
    for start, end, label in CORPUS[0][1]:
        if free.issuperset(range(start, end)):
            assert (start, end, label) in result


@every_crf_to_ents
@pytest.mark.parametrize("existing", EXISTING)
def test_existing_entities_are_replaced_on_request(name, existing):
    nlp = fitted(name)
    subject(nlp).cfg["overwrite"] = True
    doc = annotate(nlp.make_doc(TEXTS[0]), existing)
    assert found(nlp(doc)) == CORPUS[0][1]


@every_crf_to_ents
def test_blocked_tokens_stay_outside(name):
    nlp = fitted(name)
    doc = nlp.make_doc(TEXTS[0])
    doc.set_ents([], blocked=[doc[0:1]], default="missing")
    doc = nlp(doc)
    assert doc[0].ent_iob_ == "B" and doc[0].ent_type_ == ""
    assert all(ent.start > 0 for ent in doc.ents)
    assert (4, 6, "LOC") in found(doc)


@every_crf
def test_documents_with_and_without_entities_are_processed_together(name):
    nlp = fitted(name)
    docs = [nlp.make_doc(text) for text in ("", TEXTS[0], TEXTS[0], TEXTS[4])]
    annotate(docs[2], [(4, 5, "LOC")], place(nlp))
    results = [found(doc, place(nlp)) for doc in nlp.pipe(docs)]
    assert results[0] == [] and results[1] == CORPUS[0][1]
    assert (4, 5, "LOC") in results[2] and (4, 6, "LOC") not in results[2]
    assert results[3] == CORPUS[4][1]


@every_crf_to_ents
def test_an_entity_ruler_goes_first_and_keeps_its_ids(name):
    nlp = fitted(name)
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "CITY", "pattern": "New York", "id": "nyc"}])
    ents = nlp(TEXTS[0]).ents
    assert [(e.label_, e.ent_id_) for e in ents] == [("PER", ""), ("CITY", "nyc")]


@every_pipeline_with_labels
def test_a_second_pass_changes_nothing(name):
    nlp = fitted(name)
    doc = nlp(TEXTS[0])
    expected = output(doc)
    assert output(nlp(doc)) == expected


@every_crf_to_ents
def test_only_predicted_entities_have_a_score(name):
    nlp = fitted(name)
    doc = nlp(annotate(nlp.make_doc(TEXTS[0]), [(4, 6, "LOC")]))
    person, place_ = doc.ents
    assert 0.9 < person._.score < 1
    assert place_._.score is None


# --- Settings of a saved pipeline --------------------------------------------


def load_with(path, **settings):
    return spacy.load(path, config={"components": {"crf_ner": settings}})


@every_crf
def test_settings_of_a_saved_pipeline_can_be_edited(name, tmp_path):
    fitted(name).to_disk(tmp_path)
    strict = load_with(tmp_path, threshold=1.0, annotate="ents")
    assert strict(TEXTS[0]).ents == ()
    moved = load_with(tmp_path, annotate="elsewhere")(TEXTS[0])
    assert found(moved, "elsewhere") == CORPUS[0][1] and moved.ents == ()
    bold = load_with(tmp_path, overwrite=True, annotate="ents")
    doc = bold(annotate(bold.make_doc(TEXTS[0]), [(0, 7, "OTHER")]))
    assert found(doc) == CORPUS[0][1]


@every_crf
@pytest.mark.parametrize("key", ["scheme", "structure"])
def test_settings_that_the_weights_depend_on_cannot_be_edited(name, key, tmp_path):
    nlp = fitted(name)
    nlp.to_disk(tmp_path)
    other = {"biluo": "iob2", "iob2": "biluo", "flat": "per_label"}
    trained = subject(nlp).cfg[key]
    value = other.get(trained, "flat")
    with pytest.raises(ValueError, match=f"{key} = '{trained}'.*has '{value}'"):
        load_with(tmp_path, **{key: value})


def test_spacy_finds_the_best_threshold(tmp_path):
    nlp = fitted("flat_biluo")
    nlp.to_disk(tmp_path / "model")
    docs = [example.reference for example in make_examples(nlp)]
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    _, best, scores = find_threshold(
        tmp_path / "model",
        tmp_path / "dev.spacy",
        "crf_ner",
        "threshold",
        "ents_f",
        n_trials=3,
    )
    assert best == 1.0
    assert list(scores.values()) == [1.0, 1.0, 0.0]
