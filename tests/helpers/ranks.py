"""Train in several ranks.

`python -m tests.helpers.ranks` reads runs from stdin, a JSON object a line, and answers
with the exit codes and the output of their ranks. These are forked from one process, so
that the slow imports happen once; they find each other as those of torchrun do.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import numpy
import spacy
from spacy.util import minibatch, registry

from spacy_ner_ext import UserError, train
from spacy_ner_ext.tools.train.checkpoint import OfEachRank
from spacy_ner_ext.tools.train.exchange import Exchange
from spacy_ner_ext.tools.train.update import Updater
from spacy_ner_ext.util.weights import as_tensor, iter_weights

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
}
# Where something happens to a rank: before a step, before its gradients are computed or
# summed, or when half of a checkpoint is written; and how to find the step from the
# arguments there.
PLACES = {
    "step": (Updater, "__call__", lambda _, examples, dropout, step: step),
    "gradients": (Updater, "_compute", lambda _, examples, dropout, step, *rest: step),
    "exchange": (Exchange, "_sum", lambda exchange, *rest: exchange.ranks.step),
    "checkpoint": (OfEachRank, "state", lambda states: states.ranks.step),
}
# Seconds after which a rank that hangs is ended.
LIMIT = 600


class Launcher:
    """Starts runs in a process that `launcher` has started."""

    def __init__(self, process):
        self.process = process

    def __call__(self, n_ranks, config, folder, events=(), **options):
        """Train, and return the exit codes and the output of all ranks.

        events: Of a rank, at a step: (rank, step, place, signal or error message).
        options: As `spacy_ner_ext.train` takes them.
        """
        run = {"n_ranks": n_ranks, "config": config, "output": str(folder)}
        run.update(events=list(events), options=options)
        self.process.stdin.write(json.dumps(run) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def train(self, n_ranks, config, folder, **options):
        """Train to the end."""
        codes, errors = self(n_ranks, config, folder, **options)
        assert codes == [0] * n_ranks, errors
        return folder


@contextmanager
def launcher():
    command = [sys.executable, "-m", "tests.helpers.ranks"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, **pipes) as process:
        yield Launcher(process)
        process.stdin.close()


def torchrun(n_ranks, *arguments, **options):
    """Start `torchrun ... -m spacy_ner_ext`, in a session of its own."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(n_ranks), "-m", "spacy_ner_ext"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        env=ENVIRONMENT,
        start_new_session=True,
        **{**pipes, **options},
    )


def ranks_of(process):
    """The process ids of the ranks that torchrun has started."""
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(number) for number in path.read_text().split()]


def arrays_of(folder):
    """The weights of a saved pipeline, by their paths."""
    nlp = spacy.load(folder)
    return {w.path: as_tensor(w.array).numpy().copy() for w in iter_weights(nlp)}


def check_close(found, expected, tolerance=1e-5, lr=0.0):
    """Compare the weights of two pipelines, relative to the norm of each array.

    The exact gradient of the biases of attention keys is 0, and Adam divides what
    rounding leaves of it by its own size: each step moves them by up to the learn rate.
    """
    assert found.keys() == expected.keys()
    for path, array in expected.items():
        difference = numpy.linalg.norm(found[path] - array)
        if path.endswith("key.bias"):
            assert difference <= lr * numpy.sqrt(array.size), path
        else:
            bound = tolerance * numpy.linalg.norm(array)
            assert difference <= bound, (path, difference, bound)


@registry.batchers("tests.Sized.v1")
def make_batches(sizes, path=None):
    """Batches of these sizes, again and again. The texts of a whole epoch are appended
    to a file of this rank."""

    def batches(items):
        epoch = []
        for batch in minibatch(items, cycle(sizes)):
            epoch += [example.reference.text for example in batch]
            yield batch
        if path is not None:
            with open(f"{path}.{os.environ['RANK']}", "a", encoding="utf8") as file:
                file.write(json.dumps(epoch) + "\n")

    return batches


@registry.callbacks("tests.Unseen.v1")
def make_unseen():
    """No action of a parser was in an example yet, as after new labels."""

    def mark(nlp):
        parser = nlp.get_pipe("ner")
        parser.model.attrs["unseen_classes"].update(range(len(parser.move_names)))
        return nlp

    return mark


def _serve():
    for line in sys.stdin:
        run = json.loads(line)
        folder = Path(run["output"])
        folder.parent.mkdir(parents=True, exist_ok=True)
        paths = [
            folder.with_name(f"{folder.name}.{i}.txt") for i in range(run["n_ranks"])
        ]
        port = _free_port()
        children = [_fork(run, i, port, path) for i, path in enumerate(paths)]
        codes = _wait(children)
        print(json.dumps([codes, [path.read_text() for path in paths]]), flush=True)


def _wait(children):
    """The exit codes of processes; those that are stopped are killed after the rest."""
    statuses = [os.waitpid(child, os.WUNTRACED)[1] for child in children]
    for i, child in enumerate(children):
        if os.WIFSTOPPED(statuses[i]):
            os.kill(child, signal.SIGKILL)
            statuses[i] = os.waitpid(child, 0)[1]
    return [os.waitstatus_to_exitcode(status) for status in statuses]


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _fork(run, rank, port, output):
    child = os.fork()
    if child:
        return child
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(run["n_ranks"])
    )
    signal.alarm(LIMIT)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(file, number)
    code = 1
    try:
        for event in run["events"]:
            if event[0] == rank:
                _plan(*event[1:])
        train(run["config"], run["output"], **{"silent": True, **run["options"]})
        sys.stdout.flush()
        code = 0
    except UserError as err:
        print(f"Error: {err}", file=sys.stderr)
    except SystemExit as err:
        code = err.code
    except BaseException:  # noqa: BLE001 - the fork must not return
        traceback.print_exc()
        code = 2
    sys.stderr.flush()
    os._exit(code)


def _plan(step, place, what):
    """Plan what happens in this process, from a step on."""
    owner, name, step_at = PLACES[place]
    original = getattr(owner, name)

    def changed(*args):
        if step_at(*args) >= step:
            setattr(owner, name, original)
            _happen(what)
        return original(*args)

    setattr(owner, name, changed)


def _happen(what):
    if isinstance(what, int):
        os.kill(os.getpid(), what)
    else:
        raise ValueError(what)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _serve()
