"""Reports of real validations: small ONNX models, and NumPy functions as references."""

import numpy as np
import pytest

from dummyio import Dim, InputSpec, TensorSpec
from dummyio.spec.tensor_spec import DType
from dummyio.spec.values import Uniform

WEIGHT = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>\"'&]]>"
CACHES = 56


def spec_of(**dims):
    sizes = (Dim("batch_size", size=2, min=1, max=8), Dim("sequence_length", size=5, min=1, max=12))
    return InputSpec({"x": TensorSpec("x", (*sizes, 4), DType.FLOAT32, Uniform(-2, 2))}).with_dims(**dims)


def build(path, nodes, outputs):
    """Write a model of one input `x`; `nodes` are (type, inputs, outputs, attributes)."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, types = onnx.helper, onnx.TensorProto
    shape = ["batch_size", "sequence_length", 4]
    constants = {"weight": WEIGHT, "baked": np.array([3, -1, 3]), "tiny": np.float32(2e-4)}
    graph = helper.make_graph(
        [helper.make_node(kind, ins, outs, **attributes) for kind, ins, outs, attributes in nodes],
        "model",
        [helper.make_tensor_value_info("x", types.FLOAT, shape)],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


LINEAR = ("MatMul", ["x", "weight"], ["logits"], {})


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="session")
def sound(folder):
    """One output, all cases pass."""
    from dummyio import validate

    path = build(folder / "sound.onnx", [LINEAR], [("logits", 1)])
    return validate(path, lambda x: {"logits": x @ WEIGHT}, spec=spec_of())


@pytest.fixture(scope="session")
def wrong(folder):
    """Three outputs with different defects, a correct one, a specialized batch size, and a saved failing case."""
    from dummyio import validate

    nodes = [
        LINEAR,
        ("Add", ["logits", "tiny"], ["shifted"], {}),
        ("Sqrt", ["x"], ["root"], {}),
        ("ArgMin", ["logits"], ["ids"], {"axis": -1, "keepdims": 0}),
        ("Reshape", ["logits", "baked"], ["fixed"], {}),
    ]
    outputs = [("logits", 1), ("shifted", 1), ("root", 1), ("ids", 7), ("fixed", 1)]
    path = build(folder / "wrong.onnx", nodes, outputs)

    def reference(x):
        logits = x @ WEIGHT
        ids = logits.argmin(-1).copy()
        ids[..., 0] = 2
        return {"logits": logits, "shifted": logits, "root": np.sqrt(np.abs(x)), "ids": ids, "fixed": logits}

    return validate(path, reference, spec=spec_of(), failing=folder / "failing")


@pytest.fixture(scope="session")
def large(folder):
    """Dozens of caches; one of them, with a name that is an attack, differs."""
    from dummyio import validate

    names = [f"present.{i // 2}.{('key', 'value')[i % 2]}" for i in range(CACHES)]
    nodes = [LINEAR, *(("Identity", ["logits"], [name], {}) for name in names)]
    nodes.append(("Add", ["logits", "tiny"], [HOSTILE], {}))
    names = ["logits", *names, HOSTILE]
    path = build(folder / "large.onnx", nodes, [(name, 1) for name in names])
    return validate(path, lambda x: dict.fromkeys(names, x @ WEIGHT), spec=spec_of())


@pytest.fixture(scope="session")
def alone(folder):
    """Without a reference."""
    from dummyio import validate

    return validate(build(folder / "alone.onnx", [LINEAR], [("logits", 1)]), spec=spec_of())
