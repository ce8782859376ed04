"""Train in processes that are killed one after another.

    python -m tests.helpers.killed CONFIG.json OUTPUT KILLS.json

KILLS.json is a list of pairs: a step, and where in it the process is killed. Each
process resumes from the last checkpoint. It is forked from one that has initialized the
pipeline, so that the slow imports happen once.
"""

import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

from spacy.training.initialize import init_nlp

from spacy_ner_ext import train
from spacy_ner_ext.tools.train import checkpoint
from spacy_ner_ext.tools.train.api import load
from spacy_ner_ext.training.optimizer_state import OptimizerState
from spacy_ner_ext.util import files


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def run(config, folder, step, place):
    """Train until the process is killed, or to the end."""

    def kill(info):
        if info["step"] < step:
            return
        if place == "step":
            die()
        # When half of the checkpoint is written.
        OptimizerState.state = die
        if place == "saving":
            # When the old pipeline is moved away, and the new one not in its place.
            rename = os.replace
            files.os = SimpleNamespace(replace=lambda *p: (rename(*p), die()))

    resume = bool(checkpoint.find_checkpoints(folder))
    train(
        config,
        folder,
        callbacks=[kill],
        resume=resume,
        checkpoint_every=4,
        overwrite=not resume,
        silent=True,
    )


def main():
    config = json.loads(Path(sys.argv[1]).read_text(encoding="utf8"))
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    init_nlp(load(config, {}))
    statuses = []
    for step, place in [
        *json.loads(Path(sys.argv[3]).read_text(encoding="utf8")),
        (10**9, "step"),
    ]:
        child = os.fork()
        if not child:
            run(config, folder, step, place)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        statuses.append(status)
    print(json.dumps(statuses))


if __name__ == "__main__":
    main()
