"""Models that PyTorch exports, by both of its exporters: described from the file alone, fed at many sizes, run."""

import warnings
from typing import ClassVar

import numpy as np
import pytest

from dummyio.spec import dims
from dummyio.spec.values import PaddingMask, Positions, TokenIds, Uniform

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from dummyio_onnx.description import describe

pytestmark = pytest.mark.slow

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 37}
TEXT = {**SMALL, "vocab_size": 99, "max_position_embeddings": 64}
TOKENS = {0: "batch_size", 1: "sequence_length"}
PAST = {0: "batch_size", 2: "past_sequence_length"}


class _Bert(torch.nn.Module):
    """An encoder with three inputs of one shape."""

    names = ("input_ids", "attention_mask", "token_type_ids")
    outputs = ("last_hidden_state",)
    axes: ClassVar = dict.fromkeys(names, TOKENS)

    def __init__(self):
        super().__init__()
        self.model = transformers.BertModel(transformers.BertConfig(**TEXT))

    def forward(self, input_ids, attention_mask, token_type_ids):
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        return self.model(**inputs).last_hidden_state

    def arguments(self):
        return tuple(torch.ones(2, 5, dtype=torch.int64) for _ in self.names)


class _Llama(torch.nn.Module):
    """A decoder with its past, as pairs of tensors."""

    past = tuple(f"past_key_values.{layer}.{part}" for layer in range(2) for part in ("key", "value"))
    names = ("input_ids", "attention_mask", "position_ids", *past)
    outputs = ("logits", *(name.replace("past_key_values", "present") for name in past))
    axes: ClassVar = {
        "input_ids": TOKENS,
        "attention_mask": {0: "batch_size", 1: "total_sequence_length"},
        "position_ids": TOKENS,
        **dict.fromkeys(past, PAST),
    }

    def __init__(self):
        super().__init__()
        self.model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**TEXT, num_key_value_heads=2))

    def forward(self, input_ids, attention_mask, position_ids, past_key_values):
        out = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=transformers.DynamicCache(ddp_cache_data=past_key_values),
            use_cache=True,
        )
        return out.logits, [(layer.keys, layer.values) for layer in out.past_key_values.layers]

    def arguments(self):
        ids = torch.ones(2, 5, dtype=torch.int64)
        past = [(torch.rand(2, 2, 3, 8), torch.rand(2, 2, 3, 8)) for _ in range(2)]
        return ids, torch.ones(2, 8, dtype=torch.int64), torch.arange(3, 8).repeat(2, 1), past


class _Vit(torch.nn.Module):
    """An encoder of images of one size."""

    names = ("pixel_values",)
    outputs = ("last_hidden_state",)
    axes: ClassVar = {"pixel_values": {0: "batch_size"}}

    def __init__(self):
        super().__init__()
        self.model = transformers.ViTModel(transformers.ViTConfig(**SMALL, image_size=30, patch_size=10))

    def forward(self, pixel_values):
        return self.model(pixel_values=pixel_values).last_hidden_state

    def arguments(self):
        return (torch.rand(2, 3, 30, 30),)


class _Convolutions(torch.nn.Sequential):
    """A network for images of any size from 13 on."""

    names = ("pixel_values",)
    outputs = ("features",)
    axes: ClassVar = {"pixel_values": {0: "batch_size", 2: "height", 3: "width"}}

    def __init__(self):
        nn = torch.nn
        super().__init__(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3))

    def arguments(self):
        return (torch.rand(2, 3, 64, 48),)


MODELS = {"bert": _Bert, "llama": _Llama, "vit": _Vit, "convolutions": _Convolutions}


def _nested(axes, arguments):
    """Return the axes of flat names nested as the arguments are."""
    flat = iter(axes)
    return tuple(
        [tuple(next(flat) for _ in pair) for pair in argument] if isinstance(argument, list) else next(flat)
        for argument in arguments
    )


@pytest.fixture(scope="module", params=[f"{name}-{way}" for name in MODELS for way in ("dynamo", "script")])
def exported(request, tmp_path_factory):
    name, way = request.param.split("-")
    if way == "dynamo":
        pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    path = tmp_path_factory.mktemp("exported") / f"{name}.onnx"
    arguments = model.arguments()
    options = {"dynamic_axes": model.axes, "dynamo": False}
    if way == "dynamo":
        shapes = _nested([model.axes[n] for n in model.names], arguments)
        options = {"dynamic_shapes": shapes, "dynamo": True, "external_data": False, "verbose": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters' own
        torch.onnx.export(
            model, arguments, path, input_names=list(model.names), output_names=list(model.outputs), **options
        )
    return name, path


EXPECTED = {
    "bert": {
        "input_ids": TokenIds(99, mask="attention_mask"),
        "attention_mask": PaddingMask(),
        "token_type_ids": Uniform(0, 2),
    },
    "llama": {
        "input_ids": TokenIds(99, mask="attention_mask"),
        "attention_mask": PaddingMask(side="left"),
        "position_ids": Positions(mask="attention_mask"),
        **dict.fromkeys(_Llama.past, Uniform()),
    },
    "vit": {"pixel_values": Uniform()},
    "convolutions": {"pixel_values": Uniform()},
}


def test_values(exported):
    name, path = exported
    assert {leaf: tensor.values for leaf, tensor in describe(path).leaves} == EXPECTED[name]


def test_axes_and_bounds(exported):
    name, path = exported
    spec = describe(path)
    text = {axis: str(size) for _, leaf in spec.leaves for axis, size in enumerate(leaf.shape)}
    bounds = {
        dim.name: (dim.min, dim.max)
        for dim in dims.collect_dims(s for _, leaf in spec.leaves for s in leaf.shape).values()
    }
    assert (
        bounds
        == {
            "bert": {"batch_size": (1, None), "sequence_length": (1, 64)},
            "llama": {"batch_size": (1, None), "sequence_length": (1, None), "past_sequence_length": (0, None)},
            "vit": {"batch_size": (1, None)},
            "convolutions": {"batch_size": (1, None), "height": (13, None), "width": (13, None)},
        }[name]
    )
    assert text[0] == "batch_size"
    if name == "llama":
        assert str(spec["attention_mask"].shape[1]) == "past_sequence_length + sequence_length"


def test_feeds_run_at_every_probe(exported):
    _, path = exported
    spec = describe(path)
    session = ort.InferenceSession(path)
    chosen = [spec.sizes(), *spec.probes()]
    assert len(chosen) > 3
    inputs = set(dims.collect_dims(size for _, leaf in spec.leaves for size in leaf.shape))
    for sample, sizes in enumerate(chosen):
        values = session.run(None, spec.feeds(sample=sample, **sizes))
        for output, value in zip(spec.outputs, values, strict=True):
            assert np.isfinite(value).all()
            assert output.dtype == value.dtype.name
            for size, actual in zip(output.shape, value.shape, strict=True):
                if {dim.name for dim in dims.find_dims(size)} <= inputs:
                    assert dims.evaluate_size(size, sizes) == actual
