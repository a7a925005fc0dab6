"""The public names of `import dummyio`: all declared, all documented."""

import inspect
from types import ModuleType

import pytest

import dummyio

PUBLIC = [name for name in dummyio.__all__ if not name.startswith("__")]
HELPERS = {"TYPE_CHECKING", "Any", "annotations"}


def test_all_is_the_public_names():
    have = {name for name, value in vars(dummyio).items() if name[0] != "_" and not isinstance(value, ModuleType)}
    assert sorted(have - HELPERS - set(PUBLIC)) == []
    assert [name for name in dummyio.__all__ if not hasattr(dummyio, name)] == []


def test_all_is_sorted():
    """Constants, classes, functions: the order of ruff."""
    rank = [(0 if name.isupper() else 1 if name[0].isupper() else 2, name) for name in PUBLIC]
    assert rank == sorted(set(rank))


@pytest.mark.parametrize("name", ["DType", "Dim", "InputSpec", "Nest", "TensorSpec", "describe", "generate"])
def test_the_contract_is_there(name):
    assert name in dummyio.__all__


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_is_documented(name):
    value = getattr(dummyio, name)
    if inspect.isclass(value):
        assert value.__doc__, name
        assert [member for member in own_members(value) if not inspect.getdoc(getattr(value, member))] == []
    elif callable(value):
        assert inspect.getdoc(value), name


def own_members(cls: type) -> list[str]:
    """Return the public methods and properties that a class defines itself."""
    kinds = (property, staticmethod, classmethod)
    return [
        name
        for name, member in vars(cls).items()
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, kinds))
    ]
