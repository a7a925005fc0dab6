"""The table of frameworks agrees with the distribution."""

import tomllib
from pathlib import Path

from dummyio.backend.frameworks import ALIASES, FRAMEWORKS, MODEL_ROOTS

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def test_each_backend_of_the_distribution_has_a_row():
    assert set(FRAMEWORKS) == set(PROJECT["entry-points"]["dummyio.backends"])


def test_extras_exist():
    assert {framework.extra for framework in FRAMEWORKS.values()} <= set(PROJECT["optional-dependencies"])


def test_names_are_unique():
    names = [name for framework in FRAMEWORKS.values() for name in (framework.name, *framework.aliases)]
    assert len(names) == len(set(names) | set(ALIASES))
    roots = [root for framework in FRAMEWORKS.values() for root in framework.model_roots]
    assert sorted(roots) == sorted(MODEL_ROOTS)
