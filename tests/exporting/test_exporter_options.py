"""The options of all exporters: each has a declared type, and values of other types are refused before any work."""

import pytest

import dummyio
from dummyio.errors import NotInstalledError, OptionError
from dummyio.option_types import convert_options, list_options

SWITCH = ([True, False], ["false", "banana", 1, None])
OPTIONAL_SWITCH = ([True, False, None], ["false", "banana", 0])
TEXT = ([None, "eager"], [5, True, ["eager"]])
STATIC = ([None, "all", "all_but_batch", ["batch_size"], ("a", "b")], [3, True, [1], {"a": 1}])
BUCKETS = (
    [None, {"length": (16, 32)}, {"length": range(3)}],
    ["banana", 3, {"length": "16"}, {"length": (-1,)}, {3: (1,)}],
)
QUANTIZE = ([None, "float16", "fp16", "dynamic", "int8", "int16x8"], ["banana", "INT8", True, 8])
SAMPLES = ([1, 16], [0, -1, "16", 1.5, True, None])


def opset(*bounds):
    return list(bounds), ["banana", "18", 1.5, -3, True, *((bounds[0] - 1, bounds[1] + 1) if len(bounds) > 1 else ())]


TORCH = {"attention": TEXT, "experts": TEXT, "rewrite": SWITCH, "static": STATIC}
ONNX = TORCH | {
    "opset": ([None, 7, 18], ["banana", 1.5, -3, 6, True]),
    "exporter": (["dynamo", "torchscript"], ["banana", None, True]),
    "external_data": OPTIONAL_SWITCH,
    "optimize": SWITCH,
    "dtype": ([None, "fp16", "bf16"], ["banana", "float16", True, 16]),
    "quantize": ([None, "int8", "dynamic"], ["banana", "float16", True, 8]),
    "calibration_samples": SAMPLES,
}
TFLITE = {"quantize": QUANTIZE, "calibration_samples": SAMPLES, "static": STATIC, "buckets": BUCKETS}
OPTIONS = {
    ("pt", "onnx"): ONNX | {"weights": SWITCH},
    ("pt", "onnx_folder"): {"layout": (["optimum", "single", "transformers.js", "genai"], ["banana", None, 3])}
    | ONNX
    | {"past": SWITCH, "merge": SWITCH},
    ("pt", "pt2"): TORCH | {"strict": SWITCH},
    ("tf", "saved_model"): {"static": STATIC, "buckets": BUCKETS},
    ("tf", "pb"): {"static": STATIC},
    ("tf", "tflite"): TFLITE | {"int8_io": SWITCH},
    ("tf", "onnx"): {"static": STATIC, "opset": opset(9, 18)},
    ("jax", "stablehlo"): {
        "static": STATIC,
        "platforms": ([None, "cpu", ("cpu", "tpu"), ["cuda"]], ["banana", ("cpu", "banana"), 3, True]),
    },
    ("jax", "onnx"): {"static": STATIC, "opset": opset(17, 23)},
    ("jax", "saved_model"): {"static": STATIC, "buckets": BUCKETS},
    ("jax", "tflite"): TFLITE,
}
"""Exporter → option → values that it takes, and values that it refuses."""


def load(framework):
    try:
        return dummyio.load_backend(framework)
    except NotInstalledError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("framework", ["pt", "tf", "jax"])
def test_every_option_of_every_exporter_is_here(framework):
    exporters = load(framework).exporters
    assert {(framework, kind): sorted(list_options(exporter)) for kind, exporter in exporters.items()} == {
        key: sorted(options) for key, options in OPTIONS.items() if key[0] == framework
    }


@pytest.mark.parametrize(
    ("framework", "kind", "option"), [(*key, option) for key, options in OPTIONS.items() for option in options]
)
def test_an_option_takes_values_of_its_type_only(framework, kind, option):
    exporter = load(framework).exporters[kind]
    good, bad = OPTIONS[framework, kind][option]
    for value in good:
        made = convert_options(exporter, {option: value})[option]
        assert made == value or tuple(made) == tuple(value) or isinstance(made, dict)
    for value in bad:
        with pytest.raises(OptionError) as caught:
            convert_options(exporter, {option: value})
        assert str(caught.value).startswith(f"{option}={value!r}: give ")


def test_an_option_is_checked_before_the_model_is_described(tmp_path):
    torch = pytest.importorskip("torch")

    class Model(torch.nn.Module):
        def forward(self, x):
            raise AssertionError("the model was run")

    for options in ({"external_data": "false"}, {"opset": "18"}, {"static": 3}, {"exporter": "banana"}):
        (option, value), *_ = options.items()
        with pytest.raises(OptionError, match=f"{option}={value!r}: give "):
            dummyio.export(Model(), tmp_path / "model.onnx", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("force", ["false", "no", 1, None])
def test_force_is_true_or_false(force, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"precious")
    with pytest.raises(OptionError, match="give True or False"):
        dummyio.export(len, tmp_path / "model.onnx", force=force)
    assert (tmp_path / "model.onnx").read_bytes() == b"precious"


def test_trust_and_relations_are_true_or_false():
    for value in ("false", "no", 1):
        with pytest.raises(OptionError, match=f"trust={value!r}: give True or False"):
            dummyio.open_runner(len, trust=value)
        with pytest.raises(OptionError, match=f"relations={value!r}: give True or False"):
            dummyio.validate(len, len, relations=value)


def test_an_unknown_option_beside_a_spec_is_named_with_its_value(tmp_path):
    torch = pytest.importorskip("torch")
    spec = dummyio.InputSpec({"input": dummyio.TensorSpec("input", (2, 4))})
    with pytest.raises(OptionError, match=r"^opsett=18: no dim of this spec .* Did you mean 'opset'\?"):
        dummyio.export(torch.nn.Linear(4, 4), tmp_path / "model.onnx", spec=spec, opsett=18)
    with pytest.raises(OptionError, match=r"^height=3: no dim of this spec has that name"):
        spec.with_dims(height=3)
