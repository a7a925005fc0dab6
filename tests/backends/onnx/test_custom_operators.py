"""Libraries of custom operators: registered for sessions, and refused if they are none."""

import shutil
import subprocess
import sys

import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from click.testing import CliRunner
from onnx import TensorProto, helper

import dummyio
from dummyio.cli import main
from dummyio.errors import OptionError, SourceError

LIBRARY = r"""
#include <stdio.h>
#include <stdlib.h>
void* RegisterCustomOps(void* options, const void* api) {
    FILE* file = fopen(getenv("REGISTERED"), "a");
    fputs("once\n", file);
    fclose(file);
    return 0;
}
"""
"""A library without operators, which notes that it was registered."""


@pytest.fixture
def library(tmp_path, monkeypatch):
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler")
    monkeypatch.setenv("REGISTERED", str(tmp_path / "registered.txt"))
    (tmp_path / "ops.c").write_text(LIBRARY)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", "libops.so", "ops.c"], cwd=tmp_path, check=True)
    return tmp_path / "libops.so"


@pytest.fixture
def model(tmp_path):
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=opsets), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def count(library):
    return len((library.parent / "registered.txt").read_text().splitlines())


def test_a_library_is_registered_before_the_model_is_opened(library, model):
    spec = dummyio.describe(model, custom_ops=library)
    described = count(library)
    assert described >= 1  # it is opened before the model is
    dummyio.open_runner(model, spec, custom_ops=[library])(spec.feeds())
    assert count(library) == described + 1
    assert dummyio.validate(model, model, custom_ops=str(library)).ok
    assert count(library) > described + 1


def test_the_command_line_registers_a_library(library, model):
    done = CliRunner().invoke(main, ["validate", str(model), "--reference", str(model), "--custom-ops", str(library)])
    assert (done.exit_code, count(library) >= 2) == (0, True), done.output


@pytest.mark.parametrize("call", [dummyio.describe, dummyio.open_runner, dummyio.validate])
def test_what_is_not_a_library_is_refused(call, model):
    with pytest.raises(SourceError, match=r"does not take .*model\.onnx as a library of custom operators"):
        call(model, custom_ops=model)
    with pytest.raises(SourceError, match=r"'nowhere.so' is not a file"):
        call(model, custom_ops="nowhere.so")
    with pytest.raises(OptionError, match="give the path of a library"):
        call(model, custom_ops=3)


def test_only_models_of_onnx_take_libraries(model):
    with pytest.raises(OptionError, match="has no libraries of operators"):
        dummyio.open_runner(lambda x: x, custom_ops="lib.so")
    with pytest.raises(OptionError, match="registered before ONNX Runtime opens a model"):
        dummyio.open_runner(model, engine="reference", custom_ops=model)


def test_an_unknown_operator_names_the_option(tmp_path):
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Fancy", ["x"], ["y"], domain="my.company")], "g", [x], [y])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("my.company", 1)]
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=opsets), tmp_path / "model.onnx")
    with pytest.raises(SourceError, match=r"my\.company\.Fancy is an extension.*--custom-ops lib\.so"):
        dummyio.open_runner(tmp_path / "model.onnx")
