"""The adaptor for PySpark: the rows of the command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.dataset
import pytest

from tests.helpers.pipelines import TEXTS, fitted

pytest.importorskip("pyspark")

SCRIPT = """
import json, sys
from pyspark.sql import SparkSession
from spacy_ner_ext.tools.predict import spark

session = (
    SparkSession.builder.master("local[2]")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .getOrCreate()
)
texts = session.read.json("in.jsonl").repartitionByRange(2, "n")
settings = {"id_column": "key", "columns": ("n",), "batch_size": 16, "max_length": 99}
rows = spark.annotate(texts, "model", **settings)
rows.write.parquet("spark")
session.stop()
"""


def run_spark(folder):
    """Run the script with this Python; returns what it wrote on stderr."""
    root = str(Path(__file__).parents[3])
    env = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": root}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-3000:]


def read(folder):
    rows = pyarrow.dataset.dataset(folder).to_table().to_pylist()
    return {row["id"]: row for row in rows}


def test_the_rows_of_the_command(call, tmp_path):
    fitted("per_label").to_disk(tmp_path / "model")
    lines = [{"text": f"{TEXTS[i % 5]} {i}", "key": f"k{i}", "n": i} for i in range(64)]
    lines[5]["text"] = "a" * 100
    lines[6]["text"] = None
    path = tmp_path / "in.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    run_spark(tmp_path)
    options = ("--id-column", "key", "--columns", "n", "--max-length", 99)
    call("predict", "model", path, "command", "--batch-size", 16, *options)
    spark, command = read(tmp_path / "spark"), read(tmp_path / "command")
    assert len(spark) == 64
    assert "k6: has no text" in spark.pop("k6")["error"]
    assert "in.jsonl, line 7: " in command.pop("k6")["error"]
    assert {key: {**row, "n": str(row["n"])} for key, row in spark.items()} == command
