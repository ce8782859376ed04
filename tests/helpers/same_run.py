"""Whether two runs end with the same files."""

import srsly
from safetensors.numpy import load_file

from spacy_ner_ext.tools.train.checkpoint import find_checkpoints

# Time is not what it would have been.
OF_TIME = {
    *("seconds", "words_per_second", "remaining_seconds", "speed", "timestamp"),
    *("exchange_seconds", "exchange_wait_seconds"),
}


def files_of(folder):
    return {
        path.relative_to(folder): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def without_time(value):
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k not in OF_TIME}
        return {k: without_time(v) for k, v in kept.items()}
    return [without_time(v) for v in value] if isinstance(value, list) else value


def check_same_pipeline(first, second):
    one, other = files_of(first), files_of(second)
    assert one.keys() == other.keys()
    for name, path in one.items():
        if name.name == "meta.json":
            metas = [without_time(srsly.read_json(p)) for p in (path, other[name])]
            assert metas[0] == metas[1]
        else:
            assert path.read_bytes() == other[name].read_bytes(), name


def read_log(folder):
    return [without_time(line) for line in srsly.read_jsonl(folder / "log.jsonl")]


def check_same_run(first, second):
    check_same_pipeline(first / "model-best", second / "model-best")
    check_same_pipeline(first / "model-last", second / "model-last")
    assert read_log(first) == read_log(second)
    states = []
    for folder in (first, second):
        last = find_checkpoints(folder)[-1]
        arrays = load_file(last / "state.safetensors")
        state = without_time(srsly.read_json(last / "state.json"))
        states.append((last.name, {k: a.tobytes() for k, a in arrays.items()}, state))
    assert states[0] == states[1]
    runs = [without_time(srsly.read_json(f / "run.json")) for f in (first, second)]
    assert runs[0] == runs[1]
    assert runs[0]["status"] == "finished"
