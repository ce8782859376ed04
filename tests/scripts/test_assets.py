"""Assets of a project: what belongs to a corpus, and downloads that go wrong."""

import hashlib
import os
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scripts.assets import Asset, corpus_assets, fetch
from spacy_ner_ext.util.errors import UserError

CONTENT = b"New\tB-LOC\nYork\tI-LOC\n"
MD5 = hashlib.md5(CONTENT).hexdigest()
OTHER_MD5 = hashlib.md5(b"other").hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        # The connection closes before all that was announced has come.
        missing = 100 if self.path == "/broken" else 0
        self.send_header("Content-Length", str(len(CONTENT) + missing))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *args):
        """Keep stderr clean."""


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def closed_port():
    """A URL that nothing listens at: the port is taken, but not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/train.conll"


def check_one_sentence(error, *parts):
    message = str(error.value)
    assert len(message.splitlines()) == 1
    for part in parts:
        assert str(part) in message


# --- project.yml ------------------------------------------------------------

PROJECT = """
assets:
  - dest: assets/a/train.conll
    url: http://example.org/train
    checksum: 0f
  - dest: ./assets/a/dev.conll
    url: http://example.org/dev
  - dest: assets/a/test.conll
    checksum: 1f
  - dest: assets/ab/train.conll
    url: http://example.org/other
  - dest: assets/a
    git: {repo: "http://example.org", branch: main, path: a}
"""


def test_a_corpus_has_the_assets_of_its_folder(tmp_path):
    (tmp_path / "project.yml").write_text(PROJECT, encoding="utf8")
    folder = tmp_path / "assets" / "a"
    assert list(corpus_assets(tmp_path, "a")) == [
        Asset(folder / "train.conll", "http://example.org/train", "0f"),
        Asset(folder / "dev.conll", "http://example.org/dev", ""),
        Asset(folder / "test.conll", "", "1f"),
        Asset(folder, "http://example.org", "", "a", "main"),
    ]


def test_a_corpus_that_ships_with_the_project_has_none(tmp_path):
    (tmp_path / "project.yml").write_text(PROJECT, encoding="utf8")
    (tmp_path / "assets" / "own").mkdir(parents=True)
    assert list(corpus_assets(tmp_path, "own")) == []


def test_an_unknown_corpus_is_an_error(tmp_path):
    (tmp_path / "project.yml").write_text(PROJECT, encoding="utf8")
    with pytest.raises(UserError) as error:
        list(corpus_assets(tmp_path, "nope"))
    check_one_sentence(error, tmp_path / "project.yml", "'nope'", "assets/nope")


@pytest.mark.parametrize("text", ["title: x\n", "assets:\n", "assets: []\n"])
def test_a_project_may_have_no_assets(tmp_path, text):
    (tmp_path / "project.yml").write_text(text, encoding="utf8")
    (tmp_path / "assets" / "own").mkdir(parents=True)
    assert list(corpus_assets(tmp_path, "own")) == []


@pytest.mark.parametrize(
    "text,what",
    [
        (None, "there is no such file"),
        ("assets: [", "is not a project file"),
        ("", "is not a project file"),
        ("- a\n", "is not a project file"),
        ("assets: wnut17\n", "'assets' must be a list"),
        ("assets: [wnut17, null]\n", "'assets' must be a list"),
        ("assets:\n  - url: http://example.org\n", "files with 'dest'"),
    ],
)
def test_a_project_file_that_cannot_be_used_is_an_error(tmp_path, text, what):
    if text is not None:
        (tmp_path / "project.yml").write_text(text, encoding="utf8")
    with pytest.raises(UserError) as error:
        list(corpus_assets(tmp_path, "a"))
    check_one_sentence(error, tmp_path / "project.yml", what)


# --- Downloads --------------------------------------------------------------


@pytest.mark.parametrize("checksum", ["", MD5])
@pytest.mark.parametrize("scheme", ["http", "file"])
def test_fetch_writes_the_file(tmp_path, server, scheme, checksum):
    source = tmp_path / "source.conll"
    source.write_bytes(CONTENT)
    url = f"{server}/train.conll" if scheme == "http" else source.as_uri()
    asset = Asset(tmp_path / "new" / "a" / "train.conll", url, checksum)
    assert not asset.is_here() and asset.problem() == "is missing"
    fetch(asset)
    assert asset.is_here()
    assert asset.path.read_bytes() == CONTENT
    assert os.listdir(asset.path.parent) == ["train.conll"]


def test_fetch_replaces_a_file_with_another_checksum(tmp_path, server):
    asset = Asset(tmp_path / "train.conll", f"{server}/train.conll", MD5)
    asset.path.write_bytes(b"other")
    assert not asset.is_here()
    assert asset.problem() == f"has the MD5 {OTHER_MD5} in place of {MD5}"
    fetch(asset)
    assert asset.path.read_bytes() == CONTENT


def test_a_file_without_a_checksum_is_here_whatever_it_holds(tmp_path):
    asset = Asset(tmp_path / "train.conll", "http://example.org", "")
    asset.path.write_bytes(b"other")
    assert asset.is_here()


@pytest.mark.parametrize("before", [None, b"other"])
def test_a_download_of_another_file_is_thrown_away(tmp_path, server, before):
    url, checksum = f"{server}/train.conll", "0" * 32
    asset = Asset(tmp_path / "train.conll", url, checksum)
    if before is not None:
        asset.path.write_bytes(before)
    with pytest.raises(UserError) as error:
        fetch(asset)
    found = f"what was downloaded has the MD5 {MD5} in place of {checksum}"
    check_one_sentence(error, found, f"put it at {asset.path}", url)
    check_left(tmp_path, before)


def check_left(folder, before):
    """The file as it was, and nothing else."""
    expected = {} if before is None else {"train.conll": before}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == expected


@pytest.mark.parametrize("before", [None, b"other"])
@pytest.mark.parametrize(
    "url,reason",
    [
        ("{closed_port}", "Connection"),
        ("{server}/missing", "404"),
        ("{server}/broken", "Connection broken"),
        ("file:///there/is/no/such/file", "No such file"),
        ("http://", "No host"),
        ("nothing://like/this", "Unable to handle scheme 'nothing'"),
    ],
)
def test_a_failed_download_says_what_to_do(
    tmp_path, server, closed_port, url, reason, before
):
    url = url.format(server=server, closed_port=closed_port)
    asset = Asset(tmp_path / "train.conll", url, MD5)
    if before is not None:
        asset.path.write_bytes(before)
    with pytest.raises(UserError) as error:
        fetch(asset)
    problem = "is missing" if before is None else f"has the MD5 {OTHER_MD5}"
    check_one_sentence(
        error,
        f"{asset.path}: {problem}",
        reason,
        f"get {url} in another way and put it at {asset.path} (MD5 {MD5})",
    )
    check_left(tmp_path, before)


def test_an_asset_without_url_has_to_be_put_there(tmp_path):
    asset = Asset(tmp_path / "train.conll", "", MD5)
    with pytest.raises(UserError) as error:
        fetch(asset)
    check_one_sentence(error, "is missing", f"put it at {asset.path} (MD5 {MD5})")
    check_left(tmp_path, None)


def test_a_target_that_cannot_be_written_is_an_error(tmp_path, server):
    (tmp_path / "file").write_bytes(b"")
    asset = Asset(tmp_path / "file" / "train.conll", f"{server}/train.conll", "")
    with pytest.raises(UserError, match="cannot be written"):
        fetch(asset)


# --- Folders of git ---------------------------------------------------------


@pytest.fixture
def repository(tmp_path):
    """A repository with two files in a folder."""
    path = tmp_path / "repository"
    (path / "standoff" / "train").mkdir(parents=True)
    for name in ("1.txt", "1.ann"):
        (path / "standoff" / "train" / name).write_text("Ann", encoding="utf8")
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "a"],
    ):
        subprocess.run(["git", *command], cwd=path, check=True)
    return path.as_uri()


def test_a_folder_of_a_repository_is_checked_out(tmp_path, repository):
    asset = Asset(tmp_path / "assets" / "a", repository, "", "standoff", "main")
    assert not asset.is_here()
    fetch(asset)
    assert asset.is_here()
    names = sorted(path.name for path in (asset.path / "train").iterdir())
    assert names == ["1.ann", "1.txt"]
    assert os.listdir(tmp_path / "assets") == ["a"]


@pytest.mark.parametrize(
    ("git_path", "branch", "checksum", "what"),
    [
        ("no/such", "main", "", "git cannot get it"),
        ("standoff", "other", "", "git cannot get it"),
        ("../..", "main", "", "git cannot get it"),
        ("standoff", "main", OTHER_MD5, "what git got has the MD5"),
    ],
)
def test_a_repository_that_fails_leaves_nothing(
    tmp_path, repository, git_path, branch, checksum, what
):
    asset = Asset(tmp_path / "new" / "a", repository, checksum, git_path, branch)
    with pytest.raises(UserError) as error:
        fetch(asset)
    check_one_sentence(error, asset.path, what, f"put it at {asset.path}")
    assert not (tmp_path / "new").exists()
