import hashlib
import os

import pytest

from scripts.pretrained import FILES, MODULE, WEIGHTS, WEIGHTS_SHA256


@pytest.fixture
def fake_package(tmp_path, monkeypatch):
    """A package of the right name with other weights, for child processes."""
    folder = tmp_path / "site" / MODULE / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    for name in FILES:
        (folder / name).write_text(f"fake {name}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))


def check_error(result, *parts):
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
    assert "was there already" in again.stdout


def test_weights_with_another_checksum_leave_nothing(run, fake_package, tmp_path):
    done = run("encoder", "out/encoder", "--source", "package")
    result = (done.returncode, done.stdout, done.stderr)
    check_error(result, f"{WEIGHTS} from the package", WEIGHTS_SHA256)
    assert os.listdir(tmp_path / "out") == []


def test_unknown_source(call, tmp_path):
    result = call("encoder", "out", "--source", "web")
    check_error(result, "unknown source 'web'; use one of auto, hub, package")
    assert os.listdir(tmp_path) == []


def test_another_folder_is_not_touched(call, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    result = call("encoder", "out", "--source", "package")
    check_error(result, "out exists and is not the encoder", "choose another folder")
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
    check_error(result, "unknown source 'web'")


def test_a_file_that_is_no_config_is_an_error(call, tmp_path):
    (tmp_path / "a.cfg").write_text("encoder = assets/encoder\n")
    result = call("encoder", "assets/encoder", "--if-used-by", "a.cfg")
    check_error(result, "a.cfg is not a training config", "no section headers")
    assert os.listdir(tmp_path) == ["a.cfg"]
