"""A backend is named in four places: its folder, the wheel, the entry points and the extras."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BACKENDS = sorted(folder.name for folder in (ROOT / "backends").glob("*/") if folder.name != "__pycache__")
FILES = ["__init__.py", "backend.py", "dtypes.py", "py.typed", "signature.py", "tensors.py"]
EXTRAS = {"np": None, "pt": "torch", "tf": "tensorflow", "jax": "jax", "ort": "onnx"}  # the core needs NumPy


def entry_points() -> dict[str, str]:
    return PROJECT["project"]["entry-points"]["dummyio.backends"]


def test_every_folder_is_in_the_wheel_and_nothing_else_is():
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == sorted(["dummyio", *(f"backends/{name}" for name in BACKENDS)])


def test_every_folder_has_an_entry_point():
    assert sorted(entry_points().values()) == [f"{name}:BACKEND" for name in BACKENDS]


def test_every_entry_point_has_an_extra():
    assert set(entry_points()) == set(EXTRAS)
    extras = PROJECT["project"]["optional-dependencies"]
    assert {extra for extra in EXTRAS.values() if extra} <= set(extras)
    (everything,) = extras["all"]
    in_all = set(everything.removeprefix("dummyio[").removesuffix("]").split(","))
    assert {extra for extra in EXTRAS.values() if extra} <= in_all


def test_a_folder_is_named_for_its_extra():
    folders = {name: value.split(":")[0] for name, value in entry_points().items()}
    assert folders == {name: f"dummyio_{extra or 'numpy'}" for name, extra in EXTRAS.items()}


@pytest.mark.parametrize("name", BACKENDS)
def test_every_backend_has_the_same_files(name):
    have = {path.name for path in (ROOT / "backends" / name).iterdir()}
    assert have.issuperset(FILES), f"{name} lacks {sorted(set(FILES) - have)}"


def test_the_constraints_fit_the_requirements():
    requirements = pytest.importorskip("packaging.requirements")
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = map(
        requirements.Requirement, [*PROJECT["project"]["dependencies"], *(item for group in extras for item in group)]
    )
    for requirement in wanted:
        if requirement.name in pins:
            assert pins[requirement.name] in requirement.specifier, requirement
