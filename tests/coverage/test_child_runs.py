"""Cases are measured in child processes: each gets a result, whatever happens to the process of another."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPT = """
import os, sys, time
sys.path.append({home!r})
from child_runs import serve

def measure(name):
    print("what a library prints")
    if name == "ends":
        print("it is broken", file=sys.stderr)
        sys.stderr.flush()
        os._exit(3)
    if name == "hangs":
        time.sleep(60)
    while name == "computes":
        try:
            sum(range(1000))
        except TimeoutError as error:
            return {{"name": str(error), "process": os.getpid()}}
    return {{"name": name, "process": os.getpid()}}

serve(measure, 0.2)
"""


@pytest.fixture
def runs(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(HERE))
    import child_runs

    file = tmp_path / "script.py"
    file.write_text(SCRIPT.format(home=str(HERE)))
    yield child_runs, [str(file)]
    del sys.modules["child_runs"]


@pytest.mark.parametrize("workers", [1, 2])
def test_each_case_has_one_result(runs, workers):
    child_runs, command = runs
    names = ["a", "ends", "b", "hangs", "computes", "c"]
    found = list(child_runs.run_in_children(command, names, workers=workers, portion=3, seconds=4))
    assert sorted(name for name, _, _ in found) == sorted(names)
    rows = {name: row for name, row, _ in found}
    assert {name: row and row["name"] for name, row in rows.items()} == {
        "a": "a",
        "b": "b",
        "c": "c",
        "computes": "took more than 0.2 s of a processor",
        "ends": None,
        "hangs": None,
    }
    assert {problem for _, row, problem in found if row is None} == {
        "the process ended with 3: it is broken",
        "took more than 4 s",
    }
    assert len({row["process"] for row in rows.values() if row}) == 3  # a new one after each that was lost


def test_no_cases_need_no_process(runs):
    child_runs, _ = runs
    assert list(child_runs.run_in_children(["no such script"], [])) == []


def test_rows_are_kept_from_run_to_run(runs, tmp_path):
    child_runs, _ = runs
    child_runs.KeptRows(tmp_path / "rows.jsonl").add({"name": "a"})
    kept = child_runs.KeptRows(tmp_path / "rows.jsonl")
    kept.add({"name": "b"})
    assert kept.read() == [{"name": "a"}, {"name": "b"}]
    assert child_runs.KeptRows(None).read() == []
