"""The benchmarks run and print what they measure; their figures are not tested here."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
TOPICS = {"fill", "generate", "memory", "startup", "small", "describe", "scaling"}


def run(*arguments):
    command = [sys.executable, "-m", "benchmarks", "--quick", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_every_topic_has_rows_with_numpy_alone(tmp_path):
    file = tmp_path / "rows.json"
    printed = run("--frameworks", "np", "--json", str(file))
    found = json.loads(file.read_text())
    assert {row["topic"] for row in found["rows"]} == TOPICS
    assert found["about"]["dummyio"]
    for row in found["rows"]:
        assert row["what"] in printed
        no_cases = row["topic"] == "describe" and find_spec("transformers") is None
        if no_cases or (row["topic"] == "memory" and sys.platform != "linux"):
            assert row["skipped"]
        else:
            assert row["skipped"] is None
            assert row["ratio"] > 0 or row["unit"] == "count"


def test_a_peer_that_is_missing_is_skipped_with_the_reason():
    printed = run("small", "--frameworks", "optimum", "--markdown")
    assert "| skipped |" in printed
    assert "--optimum-python" in printed
