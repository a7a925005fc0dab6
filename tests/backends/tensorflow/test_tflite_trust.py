"""TFLite files that need code of others, or whose numbers lead out of the file."""

import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")

import flatbuffers
from ai_edge_litert import schema_py_generated as schema
from tf_models import made

import dummyio
from dummyio.errors import SourceError, TrustError


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    model, spec = made("subclassed")
    return dummyio.export(model, tmp_path_factory.mktemp("sound") / "model.tflite", spec=spec).path.read_bytes()


def write(path, blob, change):
    """Write a file with a change of its parts."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(blob, 0))
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def call_operator(name):
    def change(model):
        code = model.operatorCodes[0]
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = name

    return change


@pytest.mark.parametrize("name", ["FlexWriteFile", "FlexPyFunc", "FlexUnheardOf", "MyOperator", "ADD"])
def test_operators_of_others_need_trust(name, sound, tmp_path):
    path = write(tmp_path / "model.tflite", sound, call_operator(name))
    with pytest.raises(TrustError, match=name):
        dummyio.open_runner(path)
    assert dummyio.describe(path)


def test_operators_of_tensorflow_that_compute_need_no_trust(sound, tmp_path):
    runner = dummyio.open_runner(write(tmp_path / "model.tflite", sound, call_operator("FlexErfinv")))
    assert runner.inputs


def test_weights_in_other_files_need_trust(sound, tmp_path):
    def change(model):
        group = schema.ExternalBufferGroupT()
        group.name = "/etc/hostname"
        model.externalBufferGroups = [group]

    with pytest.raises(TrustError, match="weights in the file '/etc/hostname'"):
        dummyio.open_runner(write(tmp_path / "model.tflite", sound, change))


def set_graph(model):
    model.signatureDefs[0].subgraphIndex = 9


def set_tensor(model):
    model.signatureDefs[0].inputs[0].tensorIndex = 2**31


def set_input(model):
    model.subgraphs[0].operators[0].inputs = [999, 0]


def set_code(model):
    model.subgraphs[0].operators[0].opcodeIndex = 999


def set_buffer(model):
    model.subgraphs[0].tensors[0].buffer = 999


def repeat_name(model):
    inputs = model.signatureDefs[0].inputs
    inputs[0].name = inputs[1].name


def remove_name(model):
    model.signatureDefs[0].signatureKey = None


def remove_graphs(model):
    model.subgraphs = []


NUMBERS = (set_graph, set_tensor, set_input, set_code, set_buffer, repeat_name, remove_name, remove_graphs)


@pytest.mark.parametrize("change", NUMBERS)
def test_numbers_that_lead_out_of_the_file(change, sound, tmp_path):
    """LiteRT would follow some of them, and end the process."""
    path = write(tmp_path / "model.tflite", sound, change)
    for use in (dummyio.describe, dummyio.open_runner):
        with pytest.raises(SourceError, match=r"model\.tflite"):
            use(path)
