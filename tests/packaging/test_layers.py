"""What imports what: importing the core loads no framework, and inside it imports point one way."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "dummyio"

FRAMEWORKS = {"diffusers", "jax", "keras", "onnx", "onnxruntime", "safetensors", "tensorflow", "torch", "transformers"}
ON_DEMAND = {"click", "jinja2", "psutil", "rich"}

LAYERS = [
    ["errors"],
    ["dims", "dtypes", "backend", "results", "targets"],
    ["values"],
    ["tensor", "native", "rule_text"],
    ["spec", "probes"],
    ["document", "materialize", "source_options", "static_sizes"],
    ["generators", "graph_inputs", "helpers", "huggingface", "normalized"],
    ["describe"],
    ["coherence", "companions", "feeds", "runner", "testing"],
    ["exporting", "loading", "validation"],
    ["report"],
    ["__init__"],
    ["cli"],
    ["__main__"],
]
"""Modules and packages directly below dummyio. One may import, when it is imported itself, from its own layer and those above it
in this list. Imports inside functions are free: they are how a lower layer opens a door to a higher one on demand."""

LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MODULES = sorted(CORE.rglob("*.py"))


def part(path: Path) -> str:
    """The module or package directly below dummyio that a file belongs to."""
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a module imports when it is imported itself."""
    package = [*path.relative_to(ROOT).parent.parts]
    for node in when_imported(ast.parse(path.read_text()).body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def when_imported(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from when_imported(node.orelse)
            continue
        yield node
        for block in ("body", "orelse", "finalbody"):
            yield from when_imported(getattr(node, block, []))
        for handler in getattr(node, "handlers", []):
            yield from when_imported(handler.body)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_core_loads_nothing_heavy():
    loaded = run("import dummyio, sys; print(*sys.modules)").split()
    assert sorted({name.split(".")[0] for name in loaded} & (FRAMEWORKS | ON_DEMAND)) == []


def test_importing_the_core_loads_no_backend():
    loaded = run("import dummyio, sys; print(*sys.modules)").split()
    assert [name for name in loaded if name.startswith("dummyio_")] == []


def test_every_part_has_a_layer():
    parts = {part(path) for path in MODULES}
    assert sorted(parts - set(LEVEL)) == [], "give it a place in LAYERS"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_down(path):
    if part(path) not in LEVEL:
        pytest.skip("it has no layer yet, for which another test fails")
    names = [name.split(".") for name in imported(path)]
    own = {name[1] for name in names if name[0] == "dummyio" and len(name) > 1 and name[1] in LEVEL}
    upward = sorted(name for name in own if LEVEL[name] > LEVEL[part(path)])
    assert upward == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_core_names_no_backend_and_no_framework(path):
    roots = {name.split(".")[0] for name in imported(path)}
    assert sorted(root for root in roots if root.startswith("dummyio_")) == []
    assert sorted(roots & FRAMEWORKS) == []


BACKEND_MODULES = sorted((ROOT / "backends").rglob("*.py"))


@pytest.mark.parametrize("path", BACKEND_MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_backend_imports_no_other_backend(path):
    own = path.relative_to(ROOT / "backends").parts[0]
    others = {name.split(".")[0] for name in imported(path) if name.startswith("dummyio_")} - {own}
    assert sorted(others) == []
