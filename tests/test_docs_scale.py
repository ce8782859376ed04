"""The files that docs/scale.md explains: schemas, options, and the job of Slurm."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from copy import deepcopy

import jsonschema
import pytest
import srsly
import yaml
from packaging.requirements import Requirement
from packaging.version import Version
from thinc.api import Config

from tests.helpers.documents import DOCS
from tests.helpers.kuberay import RAY_JOB
from tests.helpers.training_runs import make_config, write_corpus
from tests.test_docs import COMMANDS
from tests.test_repository import PROJECT

FOLDER = DOCS / "scale"
# A cluster of two nodes: what runs on a node is recorded, and so are its signals.
STUBS = {
    "scontrol": """
        case $1 in
          show) echo 127.0.0.1 ;;
          requeue) echo "requeue $2" >> "$CALLS" ;;
        esac""",
    "srun": """
        [[ $1 == --kill-on-bad-exit=1 ]] && shift
        trap 'kill -TERM $nodes' TERM
        nodes=
        for node in 1 2; do SLURM_NODEID=$node "$@" & nodes+=" $!"; done
        code=0
        for node in $nodes; do wait $node || code=$?; done
        for node in $nodes; do wait $node || code=$?; done
        exit $code""",
}
# A run that fails after its first checkpoint, or before.
FAILS = """
    echo "$SLURM_NODEID $OMP_NUM_THREADS $*" >> "$CALLS"
    [[ "$*" == *--resume* ]] && exit 0
    $HAS_PROGRESS && mkdir -p "$RUN/checkpoints/step-00000010"
    exit 7"""
# A run that stops when it is asked to.
STOPS = """
    echo "$SLURM_NODEID $*" >> "$CALLS"
    trap 'echo stopped >> "$CALLS"; exit 1' TERM
    while true; do sleep 0.05; done"""


def read_yaml(name):
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf8"))


# --- Virtual machines, Kubernetes ----------------------------------------------------


def test_ray_accepts_the_cluster_of_virtual_machines():
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = read_yaml("cluster.yaml")
    validate_config(prepare_config(deepcopy(config)))
    with pytest.raises(jsonschema.ValidationError, match="max_worker'"):
        validate_config(prepare_config({**config, "max_worker": 4}))
    groups = config["available_node_types"]
    assert groups["worker"]["max_workers"] <= config["max_workers"]


def test_the_job_of_kuberay_fits_its_schema():
    job = read_yaml("kuberay.yaml")
    jsonschema.Draft202012Validator.check_schema(RAY_JOB)
    jsonschema.validate(job, RAY_JOB)
    for spoil in (
        lambda job: job["spec"].pop("rayClusterSpec"),
        lambda job: job["spec"].update(backOffLimit=3),
        lambda job: workers(job).update(replicas="2"),
        lambda job: workers(job)["rayStartParams"].update({"num-cpus": 4}),
        lambda job: pod(job)["containers"][0]["resources"]["limits"].update(cpu="4 "),
    ):
        spoiled = deepcopy(job)
        spoil(spoiled)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoiled, RAY_JOB)


def workers(job):
    (group,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    return group


def pod(job):
    return workers(job)["template"]["spec"]


def test_the_job_of_kuberay_is_consistent():
    """As the operator checks before it starts one."""
    job = read_yaml("kuberay.yaml")
    spec, group = job["spec"], workers(job)
    assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    # A time to live needs a cluster that is shut down.
    assert spec["shutdownAfterJobFinishes"]
    cpus = int(pod(job)["containers"][0]["resources"]["limits"]["cpu"])
    least, most = (cpus * group[f"{name}Replicas"] for name in ("min", "max"))
    assert f"--workers {least}:{most} " in spec["entrypoint"]
    for each in (spec["rayClusterSpec"]["headGroupSpec"], group):
        found = each["template"]["spec"]
        volumes = {volume["name"] for volume in found["volumes"]}
        for container in found["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_the_options_of_the_job_are_those_of_the_command():
    entrypoint = read_yaml("kuberay.yaml")["spec"]["entrypoint"]
    known = {option for each in COMMANDS["train"].params for option in each.opts}
    used = re.findall(r"(?<!\S)--[a-z-]+", entrypoint)
    assert "--workers" in used and known.issuperset(used)


def test_all_machines_have_the_ray_of_the_image():
    image = re.search(r"rayproject/ray:(\S+)-py3\d+", read("Dockerfile"))[1]
    assert read_yaml("kuberay.yaml")["spec"]["rayClusterSpec"]["rayVersion"] == image
    (ray,) = map(Requirement, PROJECT["optional-dependencies"]["ray"])
    assert Version(image) in ray.specifier


def read(name):
    return (FOLDER / name).read_text(encoding="utf8")


# --- Slurm ------------------------------------------------------------------------


@pytest.fixture
def submit(tmp_path, monkeypatch):
    """Starts the script as Slurm would, with a program in place of torchrun."""

    def start(torchrun, *options, config="train.cfg", **variables):
        stubs = {**STUBS, "torchrun": torchrun}
        (tmp_path / "bin").mkdir(exist_ok=True)
        for name, text in stubs.items():
            path = tmp_path / "bin" / name
            path.write_text(f"#!/bin/bash\n{text}\n")
            path.chmod(0o755)
        for name, value in {
            "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "CALLS": tmp_path / "calls",
            "RUN": tmp_path / "run",
            "SLURM_JOB_ID": 7,
            "SLURM_JOB_NODELIST": "node[1-2]",
            "SLURM_JOB_NUM_NODES": 2,
            "SLURM_CPUS_PER_TASK": 16,
            **variables,
        }.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        script = [FOLDER / "train.sbatch", config, tmp_path / "run", *options]
        return subprocess.Popen(["bash", *map(str, script)])

    start.calls = lambda: (tmp_path / "calls").read_text().splitlines()
    return start


def test_a_job_without_progress_ends_with_the_code_of_its_ranks(submit):
    job = submit(FAILS, "--gpu-id", 0, HAS_PROGRESS="false", WORKERS_PER_NODE=8)
    assert job.wait(20) == 7
    first, second = sorted(submit.calls())
    assert first.startswith("1 2 --nnodes=2 --nproc-per-node=8 ")
    assert "--rdzv-endpoint=127.0.0.1:29500 --rdzv-id=7 " in first
    assert first.endswith(f"train.cfg --output {os.environ['RUN']} --gpu-id 0")
    assert second == f"2{first[1:]}"


def test_a_job_with_progress_resumes(submit):
    assert submit(FAILS, HAS_PROGRESS="true").wait(20) == 0
    calls = submit.calls()
    assert [call.endswith(" --resume") for call in calls] == [False, False, True, True]


def test_a_job_at_its_time_limit_stops_its_ranks_and_is_queued_again(submit):
    job = submit(STOPS)
    while not os.path.exists(os.environ["CALLS"]) or len(submit.calls()) < 2:
        time.sleep(0.02)
    # As --signal=B:USR1@300 does.
    job.send_signal(signal.SIGUSR1)
    assert job.wait(20) == 0
    assert submit.calls()[2:] == ["stopped", "stopped", "requeue 7"]


DIES = """
import os, signal
from pathlib import Path
from spacy import registry

@registry.callbacks("die_once.v1")
def make(flag: str):
    def die_once(nlp, info):
        if os.environ["RANK"] == "1" and info["step"] == 15 and not Path(flag).exists():
            Path(flag).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return die_once
"""


@pytest.mark.slow
def test_a_job_that_loses_a_rank_trains_to_its_end(submit, tmp_path):
    corpus = write_corpus(tmp_path / "corpus")
    dies = {"@callbacks": "die_once.v1", "flag": str(tmp_path / "flag")}
    config = make_config("crf_ner", corpus, before_update=dies)
    Config(config).to_disk(tmp_path / "train.cfg")
    (tmp_path / "dies.py").write_text(DIES)
    launcher = f"{sys.executable} -m torch.distributed.run --local-addr 127.0.0.1"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    job = submit(
        f'exec {launcher} "$@"',
        *("--checkpoint-every", 4, "--code", tmp_path / "dies.py"),
        config=tmp_path / "train.cfg",
        WORKERS_PER_NODE=1,
        PORT=port,
    )
    assert job.wait(300) == 0
    assert (tmp_path / "flag").exists()
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["status"] == "finished" and run["step"] == 24
    steps = [line["step"] for line in srsly.read_jsonl(tmp_path / "run" / "log.jsonl")]
    assert steps == [0, 6, 12, 18, 24]


def test_slurm_knows_the_options_of_the_job():
    found = dict(
        re.findall(r"^#SBATCH --([a-z-]+)(?:=(\S+))?$", read("train.sbatch"), re.M)
    )
    assert found == {
        "job-name": "spacy-ner-ext",
        "nodes": "2",
        "ntasks-per-node": "1",
        "cpus-per-task": "16",
        "time": "24:00:00",
        "signal": "B:USR1@300",
        "requeue": "",
        "open-mode": "append",
    }
    # All before the first command: Slurm reads no further.
    head, _, _ = read("train.sbatch").partition("set -uo pipefail")
    assert head.count("#SBATCH") == len(found)
