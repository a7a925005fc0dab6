"""The examples in the docstrings of the public interface: each has one, and its output is the one shown."""

import doctest
import inspect
from types import ModuleType

import numpy as np
import pytest

import dummyio

CLASSES = (dummyio.InputSpec, dummyio.TensorSpec, dummyio.Nest, dummyio.Dim, dummyio.DimExpr, dummyio.DType)
OBJECTS = {name: value for name in dummyio.__all__ if callable(value := getattr(dummyio, name))}
METHODS = {
    "Dim": ["static", "check"],
    "DType": ["of"],
    "InputSpec": [name for name in dir(dummyio.InputSpec) if not name.startswith("_")],
    "Nest": ["of"],
    "TensorSpec": ["sizes", "replace"],
}
NEEDED = {"import torch\n": "torch", '.onnx"': "onnxscript"}
"""Part of an example → the package that it needs."""
PLAIN = {"keys", "values", "items", "get"}
"""Methods of every mapping."""
for owner, names in METHODS.items():
    OBJECTS |= {f"{owner}.{name}": getattr(getattr(dummyio, owner), name) for name in names if name not in PLAIN}
del OBJECTS["DummyioError"]


def docstring(value):
    return inspect.getdoc(getattr(value, "__func__", value))


def test_the_public_interface_is_covered():
    assert len(OBJECTS) >= 25
    assert {owner.__name__ for owner in CLASSES} <= set(OBJECTS)
    assert not any(isinstance(value, ModuleType) for value in OBJECTS.values())


@pytest.mark.parametrize("name", OBJECTS)
def test_an_example_shows_what_is_returned(name, tmp_path, monkeypatch, pytestconfig):
    text = docstring(OBJECTS[name])
    assert "\nExamples\n--------\n" in text, f"{name} has no example"
    for part, package in NEEDED.items():
        if part in text:
            pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(pytestconfig.rootpath / "examples")
    names = {key: getattr(dummyio, key) for key in dummyio.__all__} | {"dummyio": dummyio, "np": np}
    test = doctest.DocTestParser().get_doctest(text, names, name, None, 0)
    assert test.examples
    output = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(test, out=output.append)
    assert not output, "".join(output)
