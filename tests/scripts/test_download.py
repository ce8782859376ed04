"""Download corpora: from URLs, git and the hub, and downloads that fail."""

import hashlib
import os
import socket
import subprocess
import threading
from functools import partial
from http.server import (
    BaseHTTPRequestHandler,
    SimpleHTTPRequestHandler,
    ThreadingHTTPServer,
)

import pytest
import srsly

from scripts.download import Asset, corpus_assets, download_split, fetch
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
        (None, "does not exist"),
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
    assert asset.problem() == "is missing"
    fetch(asset)
    assert asset.problem() == ""
    assert asset.path.read_bytes() == CONTENT
    assert os.listdir(asset.path.parent) == ["train.conll"]


def test_fetch_replaces_a_file_with_another_checksum(tmp_path, server):
    asset = Asset(tmp_path / "train.conll", f"{server}/train.conll", MD5)
    asset.path.write_bytes(b"other")
    assert asset.problem() == f"has the MD5 {OTHER_MD5} in place of {MD5}"
    fetch(asset)
    assert asset.path.read_bytes() == CONTENT


def test_a_file_without_a_checksum_is_here_whatever_it_holds(tmp_path):
    asset = Asset(tmp_path / "train.conll", "http://example.org", "")
    asset.path.write_bytes(b"other")
    assert asset.problem() == ""


@pytest.mark.parametrize("before", [None, b"other"])
def test_a_download_of_another_file_is_thrown_away(tmp_path, server, before):
    url, checksum = f"{server}/train.conll", "0" * 32
    asset = Asset(tmp_path / "train.conll", url, checksum)
    if before is not None:
        asset.path.write_bytes(before)
    with pytest.raises(UserError) as error:
        fetch(asset)
    found = f"the download has the MD5 {MD5} in place of {checksum}"
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
    assert asset.problem()
    fetch(asset)
    assert asset.problem() == ""
    names = sorted(path.name for path in (asset.path / "train").iterdir())
    assert names == ["1.ann", "1.txt"]
    assert os.listdir(tmp_path / "assets") == ["a"]


@pytest.mark.parametrize(
    ("git_path", "branch", "checksum", "what"),
    [
        ("no/such", "main", "", "cannot be checked out with git"),
        ("standoff", "other", "", "cannot be checked out with git"),
        ("../..", "main", "", "cannot be checked out with git"),
        ("standoff", "main", OTHER_MD5, "the download has the MD5"),
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


# --- The hub ----------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    """A dataset with names of tags, as `save_to_disk` leaves it."""
    import datasets

    names = datasets.ClassLabel(names=["O", "B-PER", "I-PER"])
    features = datasets.Features(
        tokens=datasets.Sequence(datasets.Value("string")),
        ner_tags=datasets.Sequence(names),
    )
    rows = {"tokens": [["Anna", "ging"], ["ja"]], "ner_tags": [[1, 0], [0]]}
    dataset = datasets.Dataset.from_dict(rows, features=features)
    both = datasets.DatasetDict(train=dataset, validation=dataset)
    both.save_to_disk(str(tmp_path / "saved"))
    return tmp_path / "saved"


def test_a_split_is_written_with_the_names_of_its_tags(saved, tmp_path):
    target = tmp_path / "assets" / "validation.jsonl"
    download_split(str(saved), target)
    assert list(srsly.read_jsonl(target)) == [
        {"tokens": ["Anna", "ging"], "ner_tags": [1, 0]},
        {"tokens": ["ja"], "ner_tags": [0]},
    ]
    names = srsly.read_json(target.parent / "labels.json")
    assert names == ["O", "B-PER", "I-PER"]


def test_a_dataset_that_is_out_of_reach_leaves_nothing(tmp_path):
    target = tmp_path / "new" / "train.jsonl"
    with pytest.raises(UserError) as error:
        download_split("nobody/nothing", target)
    assert str(error.value).startswith("nobody/nothing: ")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


# --- The script -------------------------------------------------------------

TRAIN, DEV = b"New\tB-LOC\nYork\tI-LOC\n", b"Rome\tB-LOC\n"


class FolderHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Keep stderr clean."""


@pytest.fixture
def folder_server(tmp_path_factory):
    """The URL of a folder with train.conll and dev.conll."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "train.conll").write_bytes(TRAIN)
    (folder / "dev.conll").write_bytes(DEV)
    handler = partial(FolderHandler, directory=str(folder))
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


def test_downloads_the_files_of_one_corpus_once(run, folder_server, tmp_path):
    write_project(
        tmp_path,
        ("assets/a/train.conll", f"{folder_server}/train.conll", md5(TRAIN)),
        ("assets/a/dev.conll", f"{folder_server}/dev.conll", md5(DEV)),
        ("assets/b/train.conll", f"{folder_server}/not-asked-for", md5(TRAIN)),
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
    assert "assets/a is complete" in again.stdout and "Wrote" not in again.stdout


def test_takes_file_urls_and_the_project_of_another_folder(call, tmp_path):
    (tmp_path / "shared.conll").write_bytes(TRAIN)
    project = tmp_path / "project"
    project.mkdir()
    url = (tmp_path / "shared.conll").as_uri()
    write_project(project, ("assets/a/train.conll", url, md5(TRAIN)))
    code, _, err = call("download", "a", "--project", "project")
    assert (code, err) == (0, "")
    assert (project / "assets" / "a" / "train.conll").read_bytes() == TRAIN


def test_only_what_is_missing_or_wrong_is_downloaded(call, folder_server, tmp_path):
    write_project(
        tmp_path,
        ("assets/a/train.conll", "http://127.0.0.1:1/here-already", md5(TRAIN)),
        ("assets/a/dev.conll", f"{folder_server}/dev.conll", md5(DEV)),
    )
    folder = tmp_path / "assets" / "a"
    folder.mkdir(parents=True)
    (folder / "train.conll").write_bytes(TRAIN)
    (folder / "dev.conll").write_bytes(b"half of it")
    code, out, err = call("download", "a")
    assert (code, err) == (0, "")
    assert "Wrote assets/a/dev.conll" in out and "train.conll" not in out
    assert (folder / "dev.conll").read_bytes() == DEV


def test_a_wrong_checksum_leaves_nothing(call, folder_server, tmp_path):
    write_project(
        tmp_path, ("assets/a/train.conll", f"{folder_server}/train.conll", "0" * 32)
    )
    check_error(
        call("download", "a"),
        f"the download has the MD5 {md5(TRAIN)} in place of {'0' * 32}",
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


def test_what_came_before_an_error_is_kept(call, folder_server, tmp_path):
    write_project(
        tmp_path,
        ("assets/a/train.conll", f"{folder_server}/train.conll", md5(TRAIN)),
        ("assets/a/dev.conll", f"{folder_server}/missing", md5(DEV)),
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
    assert "assets/own is complete: nothing to download" in out


def test_a_corpus_of_the_user_that_lacks_files(call, tmp_path):
    write_project(tmp_path)
    folder = tmp_path / "assets" / "own"
    folder.mkdir(parents=True)
    (folder / "train.conll").write_text("Ann\tB-PER\n")
    check_error(call("download", "own"), "dev.conll, test.conll missing", "assets/own")


def test_an_unknown_corpus(call, tmp_path):
    write_project(tmp_path, ("assets/a/train.conll", "http://127.0.0.1:1", ""))
    check_error(call("download", "nope"), "project.yml: has no corpus 'nope'")
    assert os.listdir(tmp_path) == ["project.yml"]


def test_without_a_project(call, tmp_path):
    check_error(call("download", "a"), "project.yml: does not exist")
    check_error(
        call("download", "a", "--project", "x"), "x/project.yml: does not exist"
    )
