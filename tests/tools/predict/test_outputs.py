"""Files that an interrupted run can resume."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spacy_ner_ext.tools.predict.items import Item
from spacy_ner_ext.tools.predict.outputs import PartFile
from spacy_ner_ext.util.errors import Place, UserError

SETTINGS = {"pipeline": "0" * 64, "format": "text"}


def make_items(n):
    return [
        Item(Place("in.txt", i + 1), f"text {i}", json.dumps({"text": f"té {i}"})[:-1])
        for i in range(n)
    ]


def batches_of(items, size):
    return iter([items[i : i + size] for i in range(0, len(items), size)])


def line_of(item, batch):
    """A line that depends on what is predicted together, as scores do."""
    result = f'"entities": [{len(batch)}, {batch.index(item)}]'
    return f"{item.head}, {result}}}\n".encode()


class Stopped(Exception):
    """The run is interrupted."""


def run(path, items, size=3, stop_after=None, overwrite=False, settings=SETTINGS):
    """Write what is missing. Returns how many batches that were."""
    output = PartFile(path)
    n_batches = 0
    with output.opened(settings, overwrite=overwrite):
        for batch in output.remaining(batches_of(items, size)):
            if n_batches == stop_after:
                raise Stopped
            output.write(b"".join(line_of(item, batch) for item in batch))
            n_batches += 1
    return n_batches


def interrupted(path, items, stop_after, **settings):
    with pytest.raises(Stopped):
        run(path, items, stop_after=stop_after, **settings)
    return path.with_name(f"{path.name}.part")


def whole(items, size=3):
    batches = batches_of(items, size)
    return b"".join(line_of(item, batch) for batch in batches for item in batch)


def test_a_run_leaves_the_output_alone(tmp_path):
    items = make_items(8)
    assert run(tmp_path / "new/a.jsonl", items) == 3
    assert (tmp_path / "new/a.jsonl").read_bytes() == whole(items)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.jsonl"]


def test_nothing_is_left_of_a_run_that_wrote_nothing(tmp_path):
    interrupted(tmp_path / "a.jsonl", make_items(8), 0)
    assert list(tmp_path.iterdir()) == []


@settings(deadline=None, max_examples=50)
@given(cut=st.integers(0, 2000), tail=st.sampled_from([b"", b"\0\0", b'{"t', b"\n"]))
@example(cut=0, tail=b"")
@example(cut=2000, tail=b"\0\n")
def test_resumes_after_any_truncation(tmp_path_factory, cut, tail):
    path = tmp_path_factory.mktemp("cut") / "a.jsonl"
    items = make_items(10)
    part = interrupted(path, items, 3)
    part.write_bytes(part.read_bytes()[:cut] + tail)
    run(path, items)
    assert path.read_bytes() == whole(items)
    assert len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_batches_that_are_there_are_not_predicted_again(tmp_path, stop_after):
    items = make_items(10)
    interrupted(tmp_path / "a.jsonl", items, stop_after)
    assert run(tmp_path / "a.jsonl", items) == 4 - stop_after


def test_resumes_if_all_lines_are_written(tmp_path):
    path, items = tmp_path / "a.jsonl", make_items(7)
    part = interrupted(path, [*items, *make_items(2)], 2)
    part.write_bytes(whole(items))
    assert run(path, items) == 0
    assert path.read_bytes() == whole(items)


def test_the_input_may_have_grown(tmp_path):
    path, items = tmp_path / "a.jsonl", make_items(11)
    part = interrupted(path, items[:7], 2)
    part.write_bytes(whole(items[:7]))
    run(path, items)
    assert path.read_bytes() == whole(items)


def test_the_size_of_batches_may_change(tmp_path):
    path, items = tmp_path / "a.jsonl", make_items(20)
    interrupted(path, items, 4)
    run(path, items, size=5)
    old, new = (whole(items, size).splitlines() for size in (3, 5))
    assert path.read_bytes().splitlines() == old[:10] + new[10:]


def test_another_input_is_refused_and_nothing_is_lost(tmp_path):
    items = make_items(9)
    part = interrupted(tmp_path / "a.jsonl", items, 2)
    before = part.read_bytes()
    other = [*items[:4], items[5], *items[5:]]
    with pytest.raises(
        UserError, match=r"line 6: differs from the text of line 5"
    ) as e:
        run(tmp_path / "a.jsonl", other)
    assert "--overwrite" in str(e.value)
    with pytest.raises(UserError, match="has more lines than the 3 texts"):
        run(tmp_path / "a.jsonl", items[:3])
    assert part.read_bytes() == before
    run(tmp_path / "a.jsonl", items)
    assert (tmp_path / "a.jsonl").read_bytes() == whole(items)


def test_a_text_that_is_the_beginning_of_the_other_is_another(tmp_path):
    items = [Item(Place("in.jsonl", 1), "a", '{"text": "a", "id": 1')]
    part = interrupted(tmp_path / "a.jsonl", items * 6, 1)
    assert part.exists()
    shorter = [Item(Place("in.jsonl", 1), "a", '{"text": "a"')]
    with pytest.raises(UserError, match="differs from the text of line 1"):
        run(tmp_path / "a.jsonl", shorter * 6)


def test_other_settings_are_refused(tmp_path):
    items = make_items(9)
    interrupted(tmp_path / "a.jsonl", items, 1)
    with pytest.raises(UserError, match=r'format "text", not "jsonl".*--overwrite'):
        run(tmp_path / "a.jsonl", items, settings={**SETTINGS, "format": "jsonl"})
    with pytest.raises(UserError, match="with pipeline"):
        run(tmp_path / "a.jsonl", items, settings={**SETTINGS, "pipeline": "1" * 64})


def test_a_finished_output_is_replaced_at_the_end_of_a_run_alone(tmp_path):
    path, items = tmp_path / "a.jsonl", make_items(9)
    run(path, items[:2])
    with pytest.raises(UserError, match=r"it exists.*--overwrite"):
        run(path, items)
    interrupted(path, items, 2, overwrite=True)
    assert path.read_bytes() == whole(items[:2])
    assert run(path, items) == 1
    assert path.read_bytes() == whole(items)


def test_settings_that_a_finished_run_left_behind_are_forgotten(tmp_path):
    path, items = tmp_path / "a.jsonl", make_items(9)
    settings_file = tmp_path / "a.jsonl.part.json"
    settings_file.write_text(json.dumps({**SETTINGS, "format": "jsonl"}))
    interrupted(path, items, 2)
    assert run(path, items) == 1
    assert path.read_bytes() == whole(items)
    assert not settings_file.exists()


def test_overwriting_starts_again(tmp_path):
    path, items = tmp_path / "a.jsonl", make_items(9)
    interrupted(path, items, 2)
    assert run(path, items[3:], overwrite=True) == 2
    assert path.read_bytes() == whole(items[3:])


def test_a_part_of_unknown_settings_is_refused(tmp_path):
    path, items = tmp_path / "a.jsonl", make_items(9)
    interrupted(path, items, 2)
    settings = tmp_path / "a.jsonl.part.json"
    settings.write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        run(path, items)
    settings.unlink()
    with pytest.raises(UserError, match="is missing"):
        run(path, items)


def test_two_runs_do_not_write_one_file(tmp_path):
    path = tmp_path / "a.jsonl"
    with PartFile(path).opened(SETTINGS, overwrite=False):
        with pytest.raises(UserError, match="another run is writing it"):
            run(path, make_items(3))
        with pytest.raises(UserError, match="another run is writing it"):
            run(path, make_items(3), overwrite=True)


@pytest.mark.parametrize("name", ["a.json", "folder.jsonl"])
def test_the_output_is_a_jsonl_file(tmp_path, name):
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(UserError, match=r"must end in \.jsonl|is a folder"):
        run(tmp_path / name, make_items(3))
