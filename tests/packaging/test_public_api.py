"""The public names of `import dummyio`: all declared, all documented."""

import importlib
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


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("dummyio.generators", "Sizes", "DimSizes"),
        ("dummyio.generators", "make_context", "build_context"),
        ("dummyio.values", "mask_of", "get_mask_path"),
        ("dummyio.values", "canonical", "canonicalize_rule"),
    ],
)
def test_a_former_public_name_is_an_alias_that_warns(module, old, new):
    found = importlib.import_module(module)
    with pytest.warns(DeprecationWarning, match=f"{old} is now {new}"):
        assert getattr(found, old) is getattr(found, new)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = found.nothing


def test_the_rules_can_be_imported_from_their_public_module():
    from dummyio.values import TokenIds

    assert TokenIds is dummyio.values.TokenIds
