"""Models of SpanMarker, made by SpanMarker itself in a separate process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import spacy
import torch
from safetensors.torch import load_file, save_file
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_ner_ext.tools.app import main
from spacy_ner_ext.util.errors import UserError

KINDS = ("bert", "roberta", "xlm-roberta")
ROOT = Path(__file__).parents[2]
# Not in the environment itself, whose pipelines SpanMarker would join.
PEERS = Path(sys.prefix) / "peers"

every_kind = pytest.mark.parametrize("kind", KINDS)


def run_peer(*args):
    paths = os.pathsep.join(map(str, (PEERS, ROOT)))
    command = [sys.executable, "-m", "tests.helpers.span_marker_peer", *args]
    environment = {**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    """By kind of encoder, a folder with a model, and SpanMarker's results for it."""
    folder = tmp_path_factory.mktemp("peer")
    run_peer(folder, *KINDS)
    return {
        kind: (folder / kind, json.loads((folder / kind / "results.json").read_text()))
        for kind in KINDS
    }


def load(folder, **settings):
    nlp = spacy.blank("xx")
    config = {"checkpoint": str(folder / "model"), **settings}
    return nlp, nlp.add_pipe("span_marker_ner", config=config)


def make_doc(nlp, *sentences):
    words = [word for sentence in sentences for word in sentence]
    starts = [i == 0 for sentence in sentences for i in range(len(sentence))]
    return Doc(nlp.vocab, words=words, sent_starts=starts)


def entities(peer_entities, offset=0):
    return [
        (
            found["word_start_index"] + offset,
            found["word_end_index"] + offset,
            found["label"],
            found["score"],
        )
        for found in peer_entities
    ]


def check_same(own, expected):
    assert [found[:3] for found in own] == [found[:3] for found in expected]
    numpy.testing.assert_allclose(
        [found[3] for found in own], [found[3] for found in expected], atol=1e-4
    )


@every_kind
def test_the_same_entities_and_scores(peer, kind):
    folder, said = peer[kind]
    nlp, pipe = load(folder)
    assert pipe.labels == ()
    pipe.read_checkpoint()
    assert pipe.labels == ("LOC", "PER")
    found = pipe.predict([make_doc(nlp, text) for text in said["texts"]])
    for own, expected in zip(found, said["entities"]):
        check_same(own, entities(expected))
    assert sum(map(len, found)) > 10


@every_kind
def test_the_same_with_document_context(peer, kind):
    folder, said = peer[kind]
    nlp, pipe = load(folder, context="document")
    docs = [make_doc(nlp, *said["texts"][i : i + 2]) for i in (0, 2)]
    found = pipe.predict(docs)
    lengths = [len(text) for text in said["texts"]]
    for doc, sentences in zip(found, ((0, 1), (2, 3))):
        offset, expected = 0, []
        for i in sentences:
            expected += entities(said["in_context"][i], offset)
            offset += lengths[i]
        check_same(doc, expected)
    assert said["in_context"] != said["entities"][:4]


@every_kind
def test_the_same_loss_and_gradients(peer, kind):
    folder, said = peer[kind]
    nlp, pipe = load(folder)
    examples = [
        make_example(nlp, text, tags, said["labels"])
        for text, tags in zip(said["texts"], said["gold"])
    ]
    losses = pipe.update(examples)
    assert losses["span_marker_ner"] == pytest.approx(said["loss"], abs=1e-4)
    expected = load_file(folder / "gradients.safetensors")
    compared = 0
    for name, weight in pipe.shim.model.named_parameters():
        if name in expected and weight.grad is not None:
            torch.testing.assert_close(
                weight.grad, expected[name], atol=1e-4, rtol=1e-3
            )
            compared += 1
    assert compared > 40
    assert {"classifier.weight", "classifier.bias"} <= set(expected)


def make_example(nlp, words, tags, labels):
    gold = Doc(nlp.vocab, words=words)
    spans, start = [], None
    for i, tag in enumerate([*tags, 0]):
        if start is not None and not labels[tag].startswith("I-"):
            spans.append(Span(gold, start, i, label=labels[tags[start]][2:]))
            start = None
        if labels[tag].startswith("B-"):
            start = i
    gold.ents = spans
    return Example(Doc(nlp.vocab, words=words), gold)


@every_kind
def test_a_saved_pipeline_needs_nothing_else(peer, kind, tmp_path):
    folder, said = peer[kind]
    shutil.copytree(folder, tmp_path / "copy")
    nlp, pipe = load(tmp_path / "copy")
    docs = [make_doc(nlp, text) for text in said["texts"]]
    expected = pipe.predict(docs)
    nlp.to_disk(tmp_path / "pipeline")
    shutil.rmtree(tmp_path / "copy")
    loaded = spacy.load(tmp_path / "pipeline")
    assert loaded.get_pipe("span_marker_ner").predict(docs) == expected
    assert loaded.get_pipe("span_marker_ner").labels == ("LOC", "PER")
    again = tmp_path / "again"
    loaded.to_disk(again)
    for path in ("span_marker_ner/model", "span_marker_ner/cfg", "config.cfg"):
        assert (again / path).read_bytes() == (
            tmp_path / "pipeline" / path
        ).read_bytes()


@every_kind
def test_an_exported_model_predicts_the_same_in_span_marker(
    peer, kind, tmp_path, monkeypatch, capsys
):
    folder, said = peer[kind]
    nlp, _ = load(folder)
    nlp.to_disk(tmp_path / "pipeline")
    command = ["export-span-marker", tmp_path / "pipeline"]
    command += ["--output", tmp_path / "exported"]
    monkeypatch.setattr(sys, "argv", ["spacy_ner_ext", *map(str, command)])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert str(tmp_path / "exported") in capsys.readouterr().out.replace("\n", "")
    run_peer("predict", tmp_path / "exported", tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    for own, expected in zip(found, said["entities"]):
        check_same(entities(own), entities(expected))


def test_pytorch_weights_are_read_too(peer, tmp_path):
    folder, said = peer["bert"]
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model" / "model.safetensors")
    (tmp_path / "model" / "model.safetensors").unlink()
    torch.save(weights, tmp_path / "model" / "pytorch_model.bin")
    nlp, pipe = load(tmp_path)
    (found,) = pipe.predict([make_doc(nlp, said["texts"][0])])
    check_same(found, entities(said["entities"][0]))


def test_weights_that_are_more_than_tensors_are_not_run(peer, tmp_path):
    folder, _ = peer["bert"]
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model" / "model.safetensors").unlink()
    torch.save({"classifier.weight": Path()}, tmp_path / "model" / "pytorch_model.bin")
    _, pipe = load(tmp_path)
    with pytest.raises(UserError, match=r"pytorch_model\.bin"):
        pipe.read_checkpoint()


def test_labels_without_a_scheme_in_another_order(peer, tmp_path):
    """The label O need not be the first of a model of SpanMarker."""
    folder, said = peer["bert"]
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "model" / "model.safetensors"
    weights = load_file(path)
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = weights[name][[1, 2, 0]].contiguous()
    save_file(weights, path)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    config["id2label"] = {"0": "LOC", "1": "PER", "2": "O"}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    nlp, pipe = load(tmp_path)
    pipe.read_checkpoint()
    assert pipe.labels == ("LOC", "PER")
    found = pipe.predict([make_doc(nlp, text) for text in said["texts"]])
    for own, expected in zip(found, said["entities"]):
        check_same(own, entities(expected))


def test_it_can_be_trained_further(peer):
    folder, said = peer["bert"]
    nlp, pipe = load(folder)
    example = make_example(nlp, said["texts"][0], said["gold"][0], said["labels"])
    pipe.read_checkpoint()
    before = {k: v.clone() for k, v in pipe.shim.model.state_dict().items()}
    optimizer = nlp.initialize(lambda: [example])
    after = pipe.shim.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    losses = [
        nlp.update([example], sgd=optimizer)["span_marker_ner"] for _ in range(20)
    ]
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize(
    "file, words",
    [
        ("config.json", ["config.json", "save_pretrained"]),
        ("tokenizer.json", ["tokenizer.json"]),
        ("model.safetensors", ["model.safetensors", "pytorch_model.bin"]),
    ],
)
def test_a_missing_file_is_named(peer, tmp_path, file, words):
    shutil.copytree(peer["bert"][0], tmp_path, dirs_exist_ok=True)
    (tmp_path / "model" / file).unlink()
    _, pipe = load(tmp_path)
    with pytest.raises(UserError) as err:
        pipe.predict([make_doc(spacy.blank("xx"), ["a"])])
    for word in ["span_marker_ner", *words]:
        assert word in str(err.value)


def test_a_plain_encoder_is_not_a_checkpoint(peer, tmp_path):
    shutil.copytree(peer["bert"][0], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text())["encoder"]))
    _, pipe = load(tmp_path)
    with pytest.raises(UserError, match="is a 'bert', not a model of SpanMarker"):
        pipe.read_checkpoint()


def test_weights_that_do_not_fit_are_an_error(peer, tmp_path):
    shutil.copytree(peer["bert"][0], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "model" / "model.safetensors"
    weights = load_file(path)
    del weights["encoder.embeddings.word_embeddings.weight"]
    save_file(weights, path)
    _, pipe = load(tmp_path)
    with pytest.raises(UserError, match="word_embeddings"):
        pipe.read_checkpoint()
