import hashlib
import os
import socket
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import srsly

TRAIN, DEV = b"New\tB-LOC\nYork\tI-LOC\n", b"Rome\tB-LOC\n"


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Keep stderr clean."""


@pytest.fixture
def server(tmp_path_factory):
    """The URL of a folder with train.conll and dev.conll."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "train.conll").write_bytes(TRAIN)
    (folder / "dev.conll").write_bytes(DEV)
    handler = partial(Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def md5(content):
    return hashlib.md5(content).hexdigest()


def write_project(folder, *assets):
    """A project.yml; an asset is a destination, a URL and a checksum."""
    keys = ("dest", "url", "checksum")
    listed = [dict(zip(keys, asset, strict=True)) for asset in assets]
    srsly.write_yaml(folder / "project.yml", {"title": "x", "assets": listed})


def check_error(result, *parts):
    code, out, err = result
    assert (code, out) == (1, "")
    assert err.startswith("Error: ") and err.count("\n") == 1
    for part in parts:
        assert part in err


def test_downloads_the_files_of_one_corpus_once(run, server, tmp_path):
    write_project(
        tmp_path,
        ("assets/a/train.conll", f"{server}/train.conll", md5(TRAIN)),
        ("assets/a/dev.conll", f"{server}/dev.conll", md5(DEV)),
        ("assets/b/train.conll", f"{server}/not-asked-for", md5(TRAIN)),
    )
    done = run("download", "a")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Wrote assets/a/train.conll" in done.stdout
    assert "Wrote assets/a/dev.conll" in done.stdout
    folder = tmp_path / "assets" / "a"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "train.conll": TRAIN,
        "dev.conll": DEV,
    }
    assert os.listdir(tmp_path / "assets") == ["a"]
    again = run("download", "a")
    assert (again.returncode, again.stderr) == (0, "")
    assert "assets/a is all here" in again.stdout and "Wrote" not in again.stdout


def test_takes_file_urls_and_the_project_of_another_folder(call, tmp_path):
    (tmp_path / "shared.conll").write_bytes(TRAIN)
    project = tmp_path / "project"
    project.mkdir()
    url = (tmp_path / "shared.conll").as_uri()
    write_project(project, ("assets/a/train.conll", url, md5(TRAIN)))
    code, _, err = call("download", "a", "--project", "project")
    assert (code, err) == (0, "")
    assert (project / "assets" / "a" / "train.conll").read_bytes() == TRAIN


def test_only_what_is_missing_or_wrong_is_downloaded(call, server, tmp_path):
    write_project(
        tmp_path,
        ("assets/a/train.conll", "http://127.0.0.1:1/here-already", md5(TRAIN)),
        ("assets/a/dev.conll", f"{server}/dev.conll", md5(DEV)),
    )
    folder = tmp_path / "assets" / "a"
    folder.mkdir(parents=True)
    (folder / "train.conll").write_bytes(TRAIN)
    (folder / "dev.conll").write_bytes(b"half of it")
    code, out, err = call("download", "a")
    assert (code, err) == (0, "")
    assert "Wrote assets/a/dev.conll" in out and "train.conll" not in out
    assert (folder / "dev.conll").read_bytes() == DEV


def test_a_wrong_checksum_leaves_nothing(call, server, tmp_path):
    write_project(tmp_path, ("assets/a/train.conll", f"{server}/train.conll", "0" * 32))
    check_error(
        call("download", "a"),
        f"what was downloaded has the MD5 {md5(TRAIN)} in place of {'0' * 32}",
        "put it at assets/a/train.conll",
    )
    assert not (tmp_path / "assets").exists()


def test_an_unreachable_server_is_one_sentence_with_the_way_out(call, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/train.conll"
        write_project(tmp_path, ("assets/a/train.conll", url, md5(TRAIN)))
        result = call("download", "a")
    check_error(
        result,
        "Error: assets/a/train.conll: is missing and cannot be downloaded",
        f"get {url} in another way and put it at assets/a/train.conll",
        f"(MD5 {md5(TRAIN)})",
    )
    assert not (tmp_path / "assets").exists()


def test_what_came_before_an_error_is_kept(call, server, tmp_path):
    write_project(
        tmp_path,
        ("assets/a/train.conll", f"{server}/train.conll", md5(TRAIN)),
        ("assets/a/dev.conll", f"{server}/missing", md5(DEV)),
    )
    code, out, err = call("download", "a")
    assert code == 1 and "Wrote assets/a/train.conll" in out
    assert err.startswith("Error: assets/a/dev.conll: is missing") and "404" in err
    assert os.listdir(tmp_path / "assets" / "a") == ["train.conll"]


def test_a_corpus_that_needs_no_download(call, tmp_path):
    write_project(tmp_path)
    folder = tmp_path / "assets" / "own"
    folder.mkdir(parents=True)
    for name in ("train", "dev", "test"):
        (folder / f"{name}.conll").write_text("Ann\tB-PER\n")
    code, out, err = call("download", "own")
    assert (code, err) == (0, "")
    assert "assets/own is all here: nothing to download" in out


def test_a_corpus_of_the_user_that_lacks_files(call, tmp_path):
    write_project(tmp_path)
    folder = tmp_path / "assets" / "own"
    folder.mkdir(parents=True)
    (folder / "train.conll").write_text("Ann\tB-PER\n")
    check_error(call("download", "own"), "dev.conll, test.conll missing", "assets/own")


def test_an_unknown_corpus(call, tmp_path):
    write_project(tmp_path, ("assets/a/train.conll", "http://127.0.0.1:1", ""))
    check_error(call("download", "nope"), "project.yml: there is no corpus 'nope'")
    assert os.listdir(tmp_path) == ["project.yml"]


def test_without_a_project(call, tmp_path):
    check_error(call("download", "a"), "project.yml: there is no such file")
    check_error(call("download", "a", "--project", "x"), "x/project.yml: there is no")
