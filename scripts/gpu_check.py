"""Check the package on a GPU: tests, training, resuming, and speed compared with peers.

scripts/gpu_check.sh installs what this needs.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from spacy_ner_ext.tools.errors import run_command
from spacy_ner_ext.tools.output import printer
from spacy_ner_ext.tools.train.checkpoint import find_checkpoints
from spacy_ner_ext.util.errors import UserError, one_line
from spacy_ner_ext.util.files import write_json

ROOT = Path(__file__).resolve().parents[1]
TRAIN, DEV, TEST = (f"corpus/demo/{name}.spacy" for name in ("train", "dev", "test"))
ENCODER = "assets/encoder"
PATHS = ("--paths.train", TRAIN, "--paths.dev", DEV, "--paths.encoder", ENCODER)
# The settings with which SpanMarker can load the weights.
MARKERS = {"candidates": "all", "head": "markers", "position_offset": "2"}
TESTS = [f"tests/gpu/gpu_{name}.py" for name in ("components", "encoder", "lattices")]
# Of weights of a GPU after 60 steps, where attention adds in any order.
TOLERANCE = 1e-2
# Seconds of a command.
LIMIT = 600
# For a benchmark on the CPU.
SMALL = ("--limit", 16, "--repeats", 1, "--steps", 1)
SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "4",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONUNBUFFERED": "1",
}


# Loads two pipelines and compares their weights.
COMPARE = """
import json, sys
import numpy, spacy
from spacy_ner_ext.util.weights import iter_weights

def arrays(path):
    return {w.path: numpy.asarray(w.array if w.shim is None else w.array.detach())
            for w in iter_weights(spacy.load(path))}

one, other = map(arrays, sys.argv[1:])
apart = max(float(abs(one[path] - other[path]).max()) for path in one)
print(json.dumps({"weights": len(one), "largest difference": apart}))
"""


class StepError(Exception):
    """A step failed, with the reason in one sentence."""


@dataclass
class Check:
    """The steps, each a method that returns facts for the table.

    folder: The folder of the results.
    gpu_id: The GPU, -1 for the CPU, where all is small.
    peers: The Python that has spacy-transformers, and the one that has SpanMarker.
    results: Seconds, and facts or a problem, of each step.
    step: The name of the step that runs.
    """

    folder: Path
    gpu_id: int
    peers: tuple[str, str]
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    step: str = ""

    @property
    def steps(self) -> dict[str, Callable[[], dict[str, Any]]]:
        return {
            "prepare": self.prepare,
            "tests": self.tests,
            "train_crf_trf": partial(self.train, "crf_trf"),
            "train_span_marker": partial(self.train, "span_marker"),
            "resume": self.resume,
            "launches": self.launches,
            "crf": self.crf,
            "precisions": self.precisions,
            "spacy_transformers": self.spacy_transformers,
            "span_marker": self.span_marker,
        }

    @property
    def on_cpu(self) -> bool:
        return self.gpu_id < 0

    def prepare(self) -> dict[str, Any]:
        self.python("-m", "scripts.encoder", ENCODER)
        self.python("-m", "scripts.prepare", "demo", "corpus/demo", "--lang", "en")
        return {}

    def tests(self) -> dict[str, Any]:
        """Compare all components with the CPU; without a GPU on the stand-in."""
        names = TESTS[:1] if self.on_cpu else TESTS
        command = ("-m", "pytest", "-q", "-p", "tests.helpers.fake_gpu.plugin")
        environ = {} if self.on_cpu else {"TEST_GPU_ID": str(self.gpu_id)}
        log = self.python(*command, "-p", "no:xdist", *names, environ=environ)
        return {"pytest": log.strip().splitlines()[-1]}

    def train(self, config: str, *overrides: str) -> dict[str, Any]:
        output, steps = self.folder / config, 2 if self.on_cpu else 100
        amount = ("--training.max_steps", steps, "--training.eval_frequency", steps)
        command = ("-m", "spacy", "train", f"configs/{config}.cfg", "--output", output)
        self.python(*command, *PATHS, *amount, "--gpu-id", self.gpu_id, *overrides)
        meta = json.loads((output / "model-last/meta.json").read_text(encoding="utf8"))
        return {"steps": steps, "F1 on dev": meta["performance"]["ents_f"]}

    def resume(self) -> dict[str, Any]:
        """Kill a run, resume it, and compare its weights with those of a run that was
        never killed."""
        steps = 6 if self.on_cpu else 60
        whole, killed = self.folder / "whole", self.folder / "killed"
        command = (
            *("-m", "spacy_ner_ext", "train", "configs/crf_trf.cfg", *PATHS),
            *("--training.max_steps", steps, "--training.eval_frequency", steps),
            *("--checkpoint-every", steps // 3, "--gpu-id", self.gpu_id),
        )
        self.python(*command, "--output", whole, "--overwrite")
        self.kill_at_checkpoint(killed, *command, "--output", killed, "--overwrite")
        self.python(*command, "--output", killed, "--resume")
        differences = self.python(
            "-c", COMPARE, *(x / "model-last" for x in (whole, killed))
        )
        found = json.loads(differences.splitlines()[-1])
        if found["largest difference"] > (0 if self.on_cpu else TOLERANCE):
            raise StepError(f"the weights differ: {found}")
        return found

    def kill_at_checkpoint(self, folder: Path, *command: object) -> None:
        """Start a command and kill it after its first checkpoint."""
        with self.process(*command) as process:
            start = time.monotonic()
            while not find_checkpoints(folder):
                if process.poll() is not None:
                    raise StepError("the run ended before its first checkpoint")
                if time.monotonic() - start > LIMIT:
                    raise StepError(f"no checkpoint after {LIMIT} seconds")
                time.sleep(0.05)

    def launches(self) -> dict[str, Any]:
        found = self.benchmark("gpu_launches", "--encoder", ENCODER)["results"]
        return {n: " / ".join(map(str, counts.values())) for n, counts in found.items()}

    def crf(self) -> dict[str, Any]:
        found = self.benchmark("crf", "--repeats", 2 if self.on_cpu else 10)["results"]
        return {
            row["case"]: {
                task: f"{row[task]['ratio']:.1f}x" for task in ("learn", "search")
            }
            for row in found
        }

    def precisions(self) -> dict[str, Any]:
        return self.encoder(sys.executable, "precision")["precision"]

    def spacy_transformers(self) -> dict[str, Any]:
        return self.encoder(self.peers[0], "predict", "train")

    def encoder(self, python: str, *tasks: str) -> dict[str, Any]:
        size = (1, 1) if self.on_cpu else (40, 3)
        options = ("--steps", size[0], "--repeats", size[1], "--encoder", ENCODER)
        tasks = ("--tasks", *tasks)
        return self.benchmark("encoder", TRAIN, TEST, *tasks, *options, python=python)[
            "results"
        ]

    def span_marker(self) -> dict[str, Any]:
        """Train as SpanMarker does, and let it predict with the same weights."""
        prefix = "--components.span_marker_ner.model."
        overrides = [x for k, v in MARKERS.items() for x in (prefix + k, v)]
        self.train(
            "span_marker", *overrides, "--components.span_marker_ner.entity_bias", "0"
        )
        model, checkpoint = self.folder / "span_marker/model-last", self.folder / "peer"
        export = ("-m", "spacy_ner_ext", "export-span-marker", model)
        shutil.rmtree(checkpoint, ignore_errors=True)
        self.python(*export, "--output", checkpoint)
        return self.benchmark(
            *("span_marker", TRAIN, TEST, "--encoder", ENCODER),
            *("--checkpoint", checkpoint, "--span-marker-python", self.peers[1]),
            *("--tasks", "predict", "train", "memory", "--precision", "fp32"),
            *(SMALL if self.on_cpu else ("bf16",)),
        )["results"]

    def benchmark(
        self, name: str, *args: object, python: str = sys.executable
    ) -> dict[str, Any]:
        """Run a benchmark and read the JSON that it writes."""
        if not python:
            raise StepError("the peers are not installed (PEERS_PYTHON)")
        output = self.folder / f"{self.step}.json"
        command = (f"benchmarks/{name}.py", *args, "--output", output)
        self.python(*command, "--gpu-id", self.gpu_id, python=python)
        return json.loads(output.read_text(encoding="utf8"))

    def python(self, *args: object, **options: Any) -> str:
        """Run Python to its end, with its output in a log, and return the output."""
        with self.process(*args, **options) as process:
            try:
                code = process.wait(LIMIT)
            except subprocess.TimeoutExpired as err:
                raise StepError(f"not done after {LIMIT} seconds") from err
        text = self.log.read_text(encoding="utf8", errors="replace")
        if code:
            last = text.strip().splitlines()[-1:]
            raise StepError(f"exit code {code}: {' '.join(last)}")
        return text

    @contextmanager
    def process(
        self,
        *args: object,
        python: str = sys.executable,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Start Python. After the block it is killed, with all that it started."""
        environ = {**os.environ, **SETTINGS, **environ, "PYTHONPATH": str(ROOT)}
        with self.log.open("a", encoding="utf8") as log:
            command = [python, *map(str, args)]
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=environ,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def log(self) -> Path:
        return self.folder / f"{self.step}.log"

    def run(self) -> None:
        """Run all steps; a step that fails does not stop the others."""
        msg = printer()
        for name, step in self.steps.items():
            self.step = name
            msg.text(f"{self.step}: output goes to {self.log}")
            self.log.unlink(missing_ok=True)
            start = time.monotonic()
            try:
                result: dict[str, Any] = {"facts": step()}
            except (StepError, OSError, LookupError, ValueError) as err:
                result = {"problem": one_line(err)}
                msg.warn(f"{self.step}: {err}")
            result["seconds"] = round(time.monotonic() - start, 1)
            self.results[self.step] = result


def table(results: dict[str, dict[str, Any]]) -> str:
    """The results as Markdown: a row for each step, and one for each of its facts."""
    lines = ["| step | result |", "|---|---|"]
    for step, result in results.items():
        outcome = result.get("problem", "done")
        lines.append(f"| **{step}** | {outcome} ({result['seconds']} s) |")
        lines += [f"| {n} | {v} |" for n, v in rows(result.get("facts", {}))]
    return "\n".join([*lines, ""])


def rows(facts: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested facts as pairs of a path and a value."""
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from rows(value, f"{prefix}{name}, ")
        elif isinstance(value, float):
            decimals = 0 if abs(value) >= 100 else 3
            is_small = 0 < abs(value) < 1e-3
            yield (
                prefix + name,
                f"{value:.1e}" if is_small else f"{value:,.{decimals}f}",
            )
        else:
            yield prefix + name, str(value)


def gpu_check(
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="The folder of the results.")
    ] = Path("metrics/gpu_check"),
    gpu_id: Annotated[int, typer.Option(min=0, help="The GPU.")] = 0,
    cpu: Annotated[
        bool, typer.Option("--cpu", help="Run the same steps, small, without a GPU.")
    ] = False,
    peers_python: Annotated[
        str, typer.Option(metavar="FILE", help="A Python that has spacy-transformers.")
    ] = "",
    span_marker_python: Annotated[
        str, typer.Option(metavar="FILE", help="A Python that has SpanMarker.")
    ] = "",
) -> None:
    """Check the package on a GPU, in about 8 minutes.

    Runs the tests of the components on the device, trains two configs for 100 steps,
    kills a run and resumes it, and compares the speed with pytorch-crf,
    spacy-transformers and SpanMarker. Writes gpu_check.json, gpu_check.md and a log of
    each step. Exit code 1 if a step fails.

    \b
    Example:
      bash scripts/gpu_check.sh --output metrics/gpu_check
    """
    output.mkdir(parents=True, exist_ok=True)
    check = Check(output, -1 if cpu else gpu_id, (peers_python, span_marker_python))
    start = time.monotonic()
    check.run()
    seconds = round(time.monotonic() - start)
    write_json({"seconds": seconds, "steps": check.results}, output / "gpu_check.json")
    text = table(check.results)
    (output / "gpu_check.md").write_text(text, encoding="utf8")
    typer.echo(text)
    failed = [step for step, result in check.results.items() if "problem" in result]
    if failed:
        raise UserError(
            f"{len(failed)} steps failed ({', '.join(failed)}); see {output}"
        )
    printer().good(f"Wrote {output}/gpu_check.json and .md after {seconds} seconds")


if __name__ == "__main__":
    run_command(gpu_check, "python -m scripts.gpu_check")
