"""Files and folders are written as a whole or not at all."""

import pytest

from spacy_ner_ext.util import files
from spacy_ner_ext.util.errors import UserError
from spacy_ner_ext.util.files import remove_leftovers, replacing


def write_folder(path, text):
    with replacing(path) as folder:
        folder.mkdir()
        (folder / "file").write_text(text, encoding="utf8")


def test_a_file_and_a_folder_replace_older_ones(tmp_path):
    for text in ("old", "new"):
        with replacing(tmp_path / "a" / "file") as path:
            path.write_text(text, encoding="utf8")
        write_folder(tmp_path / "folder", text)
    assert (tmp_path / "a" / "file").read_text(encoding="utf8") == "new"
    assert (tmp_path / "folder" / "file").read_text(encoding="utf8") == "new"
    assert {path.name for path in tmp_path.rglob("*")} == {"a", "file", "folder"}


def test_after_an_error_all_is_as_before(tmp_path):
    with pytest.raises(KeyError), replacing(tmp_path / "a" / "file") as path:
        path.touch()
        raise KeyError("no end")
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    place, message = tmp_path / "file" / "b", "file/b: cannot be written"
    with pytest.raises(UserError, match=message), replacing(place) as path:
        path.touch()


@pytest.mark.parametrize("n_renames", [0, 1])
def test_leftovers_of_a_killed_process_are_removed(tmp_path, monkeypatch, n_renames):
    """A process that is killed removes nothing, and may have moved the old folder."""
    write_folder(tmp_path / "folder", "old")
    monkeypatch.setattr(files, "TemporaryDirectory", Kept)
    rename, renamed = files.os.replace, []

    def rename_or_die(old, new):
        if len(renamed) == n_renames:
            raise KeyboardInterrupt
        renamed.append(rename(old, new))

    with monkeypatch.context() as changed:
        changed.setattr(files.os, "replace", rename_or_die)
        with pytest.raises(KeyboardInterrupt):
            write_folder(tmp_path / "folder", "new")
    assert (tmp_path / "folder").exists() == (n_renames == 0)
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert (tmp_path / "folder" / "file").read_text(encoding="utf8") == "old"


class Kept:
    """A temporary folder that stays."""

    def __init__(self, prefix, dir):
        self.path = dir / f"{prefix}x"

    def __enter__(self):
        self.path.mkdir()
        return str(self.path)

    def __exit__(self, *error):
        pass
