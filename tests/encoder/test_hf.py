"""Encoders and tokenizers of transformers: loaded, frozen, changed, and refused."""

import json
import shutil
from pathlib import Path

import numpy
import pytest
import spacy
import torch
from thinc.api import Adam
from transformers import AutoModel, AutoTokenizer, ByT5Tokenizer

from spacy_ner_ext.encoder.model import build_transformer
from tests.helpers.encoders import (
    KINDS,
    N_LAYERS,
    WIDTH,
    WITH_BYTES,
    bare_encoder,
    changed,
    encoder_folder,
    make_docs,
    make_encoder,
    make_model,
    module_of,
    warnings_of_spacy,
    weights_of,
)

TEXT = "Anna lives in New York with an unbelievable ferry"


def explain(**settings):
    """The error of a model that cannot be initialized, which is one sentence or two."""
    with pytest.raises(ValueError) as error:
        make_model(**settings)
    message = str(error.value)
    assert "\n" not in message and message.endswith(".")
    return message


def edit(folder, name="config.json", **settings):
    path = folder / name
    config = {**json.loads(path.read_text(encoding="utf8")), **settings}
    path.write_text(json.dumps(config), encoding="utf8")


def train_once(model, text=TEXT):
    vectors, backprop = model.begin_update(make_docs([*text.split(), "\n"]))
    backprop(
        [numpy.ones_like(v) * numpy.arange(v.shape[1], dtype="f") for v in vectors]
    )
    model.finish_update(Adam(0.01))


# --- What is loaded ----------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_those_of_the_files_without_the_pooler(kind):
    model = make_model(encoder_folder(kind))
    found = module_of(model).encoder.state_dict()
    expected = bare_encoder(encoder_folder(kind)).state_dict()
    assert set(found) == {name for name in expected if "pooler." not in name}
    assert all(torch.equal(found[name], expected[name]) for name in found)
    assert model.get_dim("nO") == WIDTH


def test_weights_of_lower_precision_become_float32(tmp_path):
    folder = make_encoder(tmp_path, "bert")
    AutoModel.from_pretrained(folder).half().save_pretrained(folder)
    model = make_model(folder)
    assert {w.dtype for w in module_of(model).parameters()} == {torch.float32}
    assert build_like(model).predict(make_docs(TEXT))[0].dtype == numpy.float32


def build_like(model):
    settings = model.shims[0].settings
    loaded = build_transformer(settings.name, settings.window, settings.stride)
    return loaded.from_bytes(model.to_bytes())


def test_the_tokenizer_does_not_truncate_or_pad(tmp_path):
    folder = make_encoder(tmp_path, "bert")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer(["Anna", "Oslo York"], padding=True, truncation=True, max_length=5)
    tokenizer.save_pretrained(folder)
    assert '"max_length": 5' in (folder / "tokenizer.json").read_text(encoding="utf8")
    docs = make_docs("ferry " * 50, "ferry")
    for one, other in zip(make_model(folder).predict(docs), make_model().predict(docs)):
        numpy.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("kind", [*WITH_BYTES, "xlm-roberta", "t5"])
def test_words_are_cut_as_after_a_space(kind):
    model = make_model(encoder_folder(kind))
    tokenizer = model.shims[0].tokenizer
    words = ["ferry", "York"]
    cut = tokenizer.encode(words, is_pretokenized=True, add_special_tokens=False)
    mark = "\u0120" if kind in WITH_BYTES else "\u2581"
    assert cut.tokens == [f"{mark}ferry", f"{mark}York"]


def test_settings_of_the_tokenizer_and_of_the_encoder_are_passed_on():
    model = make_model(
        encoder_folder("roberta"),
        tokenizer_config={"add_prefix_space": False},
        transformer_config={"hidden_dropout_prob": 0.25},
    )
    cut = model.shims[0].tokenizer.encode(["York"], is_pretokenized=True)
    assert cut.tokens[1] == "Y"
    assert module_of(model).encoder.config.hidden_dropout_prob == 0.25
    assert build_like(model).shims[0].model.encoder.config.hidden_dropout_prob == 0.25


def test_weights_that_no_file_has_are_reported(tmp_path):
    folder = make_encoder(tmp_path, "bert")
    edit(folder, num_hidden_layers=N_LAYERS + 1)
    with warnings_of_spacy() as messages:
        make_model(folder)
    (message,) = messages
    assert message.startswith("16 weights of the encoder") and str(folder) in message
    assert f"encoder.layer.{N_LAYERS}." in message and "check" in message


@pytest.mark.parametrize("kind", KINDS)
def test_a_complete_encoder_is_loaded_in_silence(kind, capfd):
    with warnings_of_spacy() as messages:
        make_model(encoder_folder(kind))
    assert messages == [] and capfd.readouterr() == ("", "")


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_kinds_of_attention_give_the_same(attention):
    model = make_model(attention=attention)
    assert module_of(model).encoder.config._attn_implementation == attention
    docs = make_docs(TEXT, "Oslo")
    expected = make_model().predict(docs)
    for one, other in zip(model.predict(docs), expected):
        numpy.testing.assert_allclose(one, other, atol=1e-5)
    loaded = build_transformer("gone", window=16, stride=10, attention=attention)
    loaded.from_bytes(model.to_bytes())
    assert module_of(loaded).encoder.config._attn_implementation == attention


# --- Freezing ----------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_encoder_does_not_change_but_the_rest_does(kind):
    model = make_model(
        encoder_folder(kind), freeze=True, layers=[1, 2], layer_mix="learned"
    )
    before = weights_of(model)
    train_once(model)
    rest = {"layer_weights"} if kind in WITH_BYTES else {"layer_weights", "empty"}
    assert changed(before, weights_of(model)) == rest


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "albert"])
@pytest.mark.parametrize("n_frozen", [0, 1, 2, N_LAYERS])
def test_the_lowest_layers_are_frozen_with_the_embeddings(kind, n_frozen):
    model = make_model(encoder_folder(kind), freeze=n_frozen)
    before = weights_of(model)
    train_once(model)
    paths = model.shims[0].paths()
    found = {paths[name] for name in changed(before, weights_of(model))}
    trained = {int(path.split(".")[1]) for path in found if path.startswith("layer.")}
    assert trained == set(range(n_frozen, N_LAYERS))
    assert any(path.startswith("embed") for path in found) == (n_frozen == 0)


def test_freeze_false_trains_all():
    model = make_model(freeze=False)
    before = weights_of(model)
    train_once(model)
    same = set(before) - changed(before, weights_of(model))
    # Of the key no bias has a gradient, which is what attention is like.
    assert {name for name in same if "key.bias" not in name} == set()


@pytest.mark.parametrize("freeze", [0, 1, True, False])
def test_freeze_distinguishes_one_layer_from_all(freeze):
    settings = {"@architectures": "spacy_ner_ext.Transformer.v1", "name": "any"}
    nlp = spacy.blank("xx")
    config = {"model": {**settings, "freeze": freeze}}
    shim = nlp.add_pipe("tok2vec", config=config).model.shims[0]
    assert type(shim.settings.freeze) is type(freeze)
    assert shim.settings.freeze == freeze


def test_dropout_of_a_frozen_encoder_is_off():
    model = make_model(freeze=True, transformer_config={"hidden_dropout_prob": 0.5})
    docs = make_docs(TEXT)
    trained, _ = model.begin_update(docs)
    assert numpy.array_equal(trained[0], model.predict(docs)[0])


# --- New pieces --------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta", "modernbert", "t5"])
def test_new_tokens_are_pieces_with_the_mean_of_the_others(kind):
    new = ["\n", "<url>", "Zürich"]
    model = make_model(encoder_folder(kind), new_tokens=new)
    tokenizer = model.shims[0].tokenizer
    old = bare_encoder(encoder_folder(kind)).get_input_embeddings().weight
    table = module_of(model).encoder.get_input_embeddings().weight
    for number, text in enumerate(new):
        cut = tokenizer.encode([text], is_pretokenized=True, add_special_tokens=False)
        assert cut.ids == [len(old) + number] and cut.word_ids == [0]
        torch.testing.assert_close(table[cut.ids[0]], old.mean(0))
    assert torch.equal(table[: len(old)], old)
    assert len(table) == len(old) + len(new) == tokenizer.get_vocab_size()


def test_a_new_token_gives_white_space_a_piece():
    docs = make_docs(["Anna", "\n", "Berg"])
    empty = module_of(make_model()).empty.detach().numpy()
    assert numpy.array_equal(make_model().predict(docs)[0][1], empty)
    model = make_model(new_tokens=["\n"])
    assert not numpy.allclose(model.predict(docs)[0][1], empty)


def test_new_tokens_are_saved_and_loaded():
    docs = make_docs(["Anna", "\n", "<url>", "Berg"])
    model = make_model(new_tokens=["\n", "<url>"])
    train_once(model)
    loaded = build_transformer("gone", 16, 10, new_tokens=["\n", "<url>"])
    loaded.from_bytes(model.to_bytes())
    assert numpy.array_equal(loaded.predict(docs)[0], model.predict(docs)[0])


def test_known_tokens_are_not_added_again():
    old = module_of(make_model()).encoder.get_input_embeddings().weight
    model = make_model(new_tokens=["ferry", "Oslo"])
    new = module_of(model).encoder.get_input_embeddings().weight
    assert len(new) == len(old) + 1


def test_new_tokens_take_rows_that_no_piece_has(tmp_path):
    """Some encoders have a multiple of 8 or 64 of them."""
    folder = make_encoder(tmp_path, "bert", vocab_size=128)
    n_known = module_of(make_model()).encoder.config.vocab_size
    model = make_model(folder, new_tokens=["\n"])
    table = module_of(model).encoder.get_input_embeddings().weight
    assert len(table) == 128 > n_known
    torch.testing.assert_close(table[n_known], table[:n_known].mean(0))
    loaded = build_transformer("gone", 16, 10, new_tokens=["\n"])
    docs = make_docs(["Anna", "\n"])
    loaded.from_bytes(model.to_bytes())
    assert numpy.array_equal(loaded.predict(docs)[0], model.predict(docs)[0])


# --- Errors of settings ------------------------------------------------------


@pytest.mark.parametrize(
    "settings,parts",
    [
        ({"stride": 17}, ["stride = 17", "window = 16", "at most window"]),
        ({"stride": 0}, ["stride = 0", "at least 1"]),
        ({"stride": -3}, ["stride = -3"]),
        ({"window": 0, "stride": 0}, ["window = 0"]),
        ({"pooling": "max"}, ["pooling 'max'", "mean, first, last, sum"]),
        ({"layer_mix": "sum"}, ["layer_mix 'sum'", "mean, learned"]),
        ({"precision": "fp8"}, ["precision 'fp8'", "fp32, bf16, fp16"]),
        ({"attention": "fast"}, ["attention 'fast'", "sdpa, eager, flash"]),
        ({"embedding_cache": "disk"}, ["embedding_cache 'disk'", "none, cpu, gpu"]),
        ({"embedding_cache": "cpu"}, ['embedding_cache = "cpu"', "freeze = true"]),
        ({"embedding_cache": "cpu", "freeze": 2}, ["embedding_cache", "freeze = true"]),
        ({"layers": []}, ["layers = []", "[-1]"]),
        ({"layers": [1, 1]}, ["layers = [1, 1]", "different"]),
        ({"max_batch_pieces": 0}, ["max_batch_pieces = 0", "at least 1"]),
        ({"cache_mb": 0}, ["cache_mb = 0", "at least 1"]),
        ({"freeze": -1}, ["freeze = -1", "number of layers"]),
    ],
)
def test_settings_that_make_no_encoder_are_errors_at_once(settings, parts):
    settings = {"window": 16, "stride": 10, **settings}
    with pytest.raises(ValueError) as error:
        build_transformer("any", **settings)
    assert all(part in str(error.value) for part in [*parts, "Transformer"])


@pytest.mark.parametrize(
    "kind,settings,parts",
    [
        ("bert", {"window": 63}, ["window = 63", "64 positions", "at most 62"]),
        ("bart", {"window": 63}, ["window = 63", "64 positions", "at most 62"]),
        # Its positions begin after that of the padding.
        ("roberta", {"window": 61}, ["window = 61", "62 positions", "at most 60"]),
        ("bert", {"layers": [-1, 4]}, ["layers = [-1, 4]", "has 3 layers"]),
        ("bert", {"layers": [-5]}, ["layers = [-5]", "has 3 layers", "-3 to -1"]),
        ("bert", {"freeze": 4}, ["freeze = 4", "has 3 layers", "at most that"]),
        ("albert", {"freeze": 1}, ["freeze = 1", "share", "true or false"]),
        (
            "deberta-v2",
            {"attention": "sdpa"},
            ['attention = "sdpa"', "eager", "to null"],
        ),
        ("bert", {"attention": "flash"}, ['attention = "flash"', "sdpa", "to null"]),
        (
            "albert",
            {"gradient_checkpointing": True},
            ["gradient_checkpointing = true", "false"],
        ),
    ],
)
def test_settings_that_an_encoder_does_not_have(kind, settings, parts):
    message = explain(folder=encoder_folder(kind), **settings)
    assert all(part in message for part in parts)
    assert str(encoder_folder(kind)) in message


@pytest.mark.parametrize(
    "kind,window",
    [
        ("bert", 62),
        ("bart", 62),
        ("roberta", 60),
        ("xlm-roberta", 60),
        ("distilbert", 62),
    ],
)
def test_the_widest_window_can_be_used(kind, window):
    model = make_model(encoder_folder(kind), window=window, stride=window)
    (vectors,) = model.predict(make_docs("ferry " * 200))
    assert numpy.isfinite(vectors).all()


@pytest.mark.parametrize("kind", ["deberta-v2", "t5"])
def test_relative_positions_have_no_limit(kind):
    model = make_model(encoder_folder(kind), window=200, stride=100)
    assert model.predict(make_docs("ferry " * 300))[0].shape == (300, WIDTH)


def test_use_before_initialize_says_what_to_do():
    model = build_transformer("some/encoder")
    for use in (model.predict, model.begin_update):
        with pytest.raises(ValueError, match=r"'some/encoder'.*nlp.initialize\(\)"):
            use(make_docs("Anna"))


# --- Errors of names and files -----------------------------------------------


@pytest.mark.parametrize("offline", [True, False])
def test_a_name_that_is_not_there(offline, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)

    def fail(*_, **__):
        raise OSError("nothing of that name")

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", fail)
    message = explain(folder="someone/no-such-encoder")
    assert "'someone/no-such-encoder' cannot be loaded" in message
    assert ("HF_HUB_OFFLINE" in message) == offline
    assert ("check name and network" in message) == (not offline)


def test_a_name_that_is_not_in_the_cache_when_offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    message = explain(folder="someone/no-such-encoder")
    assert "'someone/no-such-encoder' cannot be loaded" in message
    assert "offline mode is on (HF_HUB_OFFLINE)" in message


@pytest.mark.parametrize("path", ["/no/such/folder", "./no_such", "~/no/such"])
def test_a_folder_that_is_not_there(path):
    message = explain(folder=path)
    assert f"'{path}'" in message and "no such folder; correct the path" in message


def test_an_empty_folder(tmp_path):
    message = explain(folder=tmp_path)
    assert str(tmp_path) in message and "not a complete encoder" in message


def pickle_weights(folder, **more):
    """Replace the safetensors of a folder by what torch.save wrote before them."""
    weights = AutoModel.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save({**weights, **more}, folder / "pytorch_model.bin")


def test_a_folder_with_pickled_weights_alone(tmp_path):
    folder = make_encoder(tmp_path, "bert")
    vectors = make_model(folder=folder).predict(make_docs(TEXT))
    pickle_weights(folder)
    model = make_model(folder=folder)
    for found, wanted in zip(model.predict(make_docs(TEXT)), vectors):
        numpy.testing.assert_array_equal(found, wanted)
    # The saved pipeline needs no pickled weights.
    shutil.rmtree(folder)
    loaded = build_transformer(str(folder), window=16, stride=10).from_bytes(
        model.to_bytes()
    )
    for found, wanted in zip(loaded.predict(make_docs(TEXT)), vectors):
        numpy.testing.assert_array_equal(found, wanted)


def test_pickled_objects_are_not_loaded(tmp_path):
    folder = make_encoder(tmp_path, "bert")
    pickle_weights(folder, more=Path())
    message = explain(folder=folder)
    assert str(folder) in message and "not a complete encoder" in message


@pytest.mark.parametrize("content", [b"", b"junk" * 100])
def test_damaged_weights_are_named(tmp_path, content):
    folder = make_encoder(tmp_path, "bert")
    pickle_weights(folder)
    (folder / "pytorch_model.bin").write_bytes(content)
    message = explain(folder=folder)
    assert str(folder) in message and "not a complete encoder" in message


def test_a_folder_without_weights(tmp_path):
    folder = make_encoder(tmp_path, "bert")
    (folder / "model.safetensors").unlink()
    message = explain(folder=folder)
    assert str(folder) in message and "safetensors" in message


def test_a_slow_tokenizer(tmp_path):
    folder = make_encoder(tmp_path, "bert")
    for path in folder.glob("*token*"):
        path.unlink()
    ByT5Tokenizer().save_pretrained(folder)
    message = explain(folder=folder)
    assert "(ByT5Tokenizer) is slow" in message
    assert "tokenizer.json" in message and "use_fast = false" in message


OWN = """
from transformers import BertConfig, BertModel


class OwnConfig(BertConfig):
    model_type = "own"


class OwnModel(BertModel):
    config_class = OwnConfig
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with an encoder that has its own code."""
    cache = tmp_path / "cache"
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(cache)
    )
    monkeypatch.syspath_prepend(cache)
    folder = make_encoder(tmp_path / "own", "bert")
    (folder / "own.py").write_text(OWN, encoding="utf8")
    auto_map = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    edit(folder, model_type="own", architectures=["OwnModel"], auto_map=auto_map)
    return folder


def test_code_of_an_encoder_does_not_run_if_it_is_not_trusted(own):
    (own / "own.py").write_text("raise SystemExit('it ran')", encoding="utf8")
    message = explain(folder=own)
    assert str(own) in message and "trust_remote_code" in message


def test_code_of_a_saved_encoder_does_not_run_if_it_is_not_trusted(own):
    model = make_model(own, trust_remote_code=True)
    (own / "own.py").write_text("raise SystemExit('it ran')", encoding="utf8")
    loaded = build_transformer(str(own), window=16, stride=10)
    with pytest.raises(ValueError, match="trust_remote_code"):
        loaded.from_bytes(model.to_bytes())


def test_code_of_an_encoder_runs_if_it_is_trusted(own):
    docs = make_docs(TEXT)
    model = make_model(own, trust_remote_code=True)
    assert type(module_of(model).encoder).__name__ == "OwnModel"
    loaded = build_transformer(str(own), 16, 10, trust_remote_code=True)
    loaded.from_bytes(model.to_bytes())
    assert numpy.array_equal(loaded.predict(docs)[0], model.predict(docs)[0])
    shutil.rmtree(own)
    with pytest.raises(ValueError, match="cannot be loaded"):
        build_transformer(str(own), 16, 10, trust_remote_code=True).from_bytes(
            model.to_bytes()
        )
