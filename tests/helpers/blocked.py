"""Run commands in a fresh process in which some modules cannot be imported."""

import importlib.metadata
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_blocked(modules, commands, folder):
    """Run commands in a folder, one after the other.

    modules: The modules that cannot be imported.
    commands: The arguments of each command by a name.
    RETURNS: Of each command "code", "out", "err", and "written", the changed files.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", __name__, str(folder)],
        input=json.dumps([list(modules), commands]),
        capture_output=True,
        text=True,
        encoding="utf8",
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def block(modules):
    """Make modules as good as not installed, before anything imports them."""
    metadata = importlib.metadata
    points = (point for each in metadata.distributions() for point in each.entry_points)
    kept = metadata.EntryPoints(
        point for point in points if point.module.partition(".")[0] not in modules
    )
    metadata.entry_points = kept.select
    sys.modules.update(dict.fromkeys(modules))


def snapshot():
    files = (path for path in Path().rglob("*") if path.is_file())
    return {(str(path), path.stat().st_mtime_ns) for path in files}


def run(arguments):
    from spacy_ner_ext.tools.app import main

    out, err, before = io.StringIO(), io.StringIO(), snapshot()
    sys.argv = ["spacy_ner_ext", *arguments]
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code
    written = sorted(path for path, _ in snapshot() - before)
    shown = {"out": out.getvalue(), "err": err.getvalue()}
    return {"code": code, "written": written, **shown}


if __name__ == "__main__":
    blocked, given = json.load(sys.stdin)
    os.chdir(sys.argv[1])
    block(blocked)
    print(json.dumps({name: run(arguments) for name, arguments in given.items()}))
