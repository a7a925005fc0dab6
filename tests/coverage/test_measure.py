"""The tool that measures coverage splits and counts as its tables state; the figures are not tested."""

import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def measure():
    path = Path(__file__).with_name("measure.py")
    sys.path.insert(0, str(path.parent))  # as if it is run as a command
    spec = importlib.util.spec_from_file_location("measure", path)
    module = sys.modules["measure"] = importlib.util.module_from_spec(spec)  # its dataclasses are looked up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules["measure"]
    sys.path.remove(str(path.parent))


def test_a_folder_is_always_in_the_same_half(measure):
    assert [measure.half(name) for name in ("bert", "clip", "whisper", "gpt2")] == [
        "first",
        "second",
        "first",
        "second",
    ]


def test_tables_count_each_class_once(measure):
    rows = [
        measure.Row("A", "text", "first", runs=True, full=True, dynamic=True),
        measure.Row("B", "text", "second", runs=True),
        measure.Row("C", "vision", "second"),
    ]
    assert measure.by_modality(rows)[2:] == [
        "| text | 2 | 2 (100.0%) | 1 (50.0%) | 1 (50.0%) |",
        "| vision | 1 | 0 (0.0%) | 0 (0.0%) | 0 (0.0%) |",
        "| **all** | 3 | 2 (66.7%) | 1 (33.3%) | 1 (33.3%) |",
    ]
    assert [line.split(" | ")[:2] for line in measure.by_half(rows)[2:]] == [
        ["| second", "2"],
        ["| first", "1"],
        ["| **all**", "3"],
    ]
