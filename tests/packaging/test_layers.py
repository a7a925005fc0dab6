"""What imports what: the contracts in pyproject.toml hold, no modules import each other, and `import dummyio` stays light.

The contracts see every import: at module level, inside functions and for type checkers alike.
"""

import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("dummyio", "dummyio_numpy", "dummyio_torch", "dummyio_tensorflow", "dummyio_jax", "dummyio_onnx")
FRAMEWORKS = {"diffusers", "jax", "keras", "onnx", "onnxruntime", "safetensors", "tensorflow", "torch", "transformers"}
ON_DEMAND = {"click", "jinja2", "psutil", "rich"}
MOST_FILES = 12
MOST_LINES = 400
SOURCES = sorted([*(ROOT / "dummyio").rglob("*.py"), *(ROOT / "backends").rglob("*.py")])


@pytest.fixture(scope="module")
def graph():
    grimp = pytest.importorskip("grimp")
    sys.path[:0] = [str(ROOT), str(ROOT / "backends")]
    try:
        return grimp.build_graph(*PACKAGES, cache_dir=None, include_external_packages=True)
    finally:
        del sys.path[:2]


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_contracts_hold():
    pytest.importorskip("importlinter")
    code = (
        "import sys; sys.path[:0] = ['.', 'backends']; "
        "from importlinter.cli import lint_imports; sys.exit(lint_imports(cache_dir=None, no_cache=True))"
    )
    assert "0 broken" in run(sys.executable, "-c", code)


def test_no_modules_import_each_other(graph):
    own = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    graphlib.TopologicalSorter(own).prepare()  # raises CycleError, which names the modules


def test_the_core_names_no_framework(graph):
    core = {module for module in graph.modules if module.split(".")[0] == "dummyio"}
    imported = {other.split(".")[0] for module in core for other in graph.find_modules_directly_imported_by(module)}
    allowed = {"onnx"}  # it writes and reads ONNX test data, a file format of feeds, on demand
    assert sorted(imported & FRAMEWORKS - allowed) == []


def test_importing_the_core_loads_no_framework_and_no_backend():
    loaded = {
        name.split(".")[0] for name in run(sys.executable, "-c", "import dummyio, sys; print(*sys.modules)").split()
    }
    assert sorted(loaded & (FRAMEWORKS | ON_DEMAND)) == []
    assert [name for name in loaded if name.startswith("dummyio_")] == []


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in SOURCES}), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_room_can_be_seen_at_once(folder):
    assert len(list(folder.glob("*.py"))) <= MOST_FILES


def test_a_module_can_be_read_in_one_go():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}
