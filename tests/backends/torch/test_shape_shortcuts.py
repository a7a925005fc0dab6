"""What is worked out without running an operation has the shape that the operation gives."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from dummyio_torch.discovery.shape_shortcuts import infer_result_shape

META = {"device": "meta"}


class Compared(TorchFunctionMode):
    """Compares every result with what is worked out, and keeps the names of the operations that were."""

    def __init__(self):
        super().__init__()
        self.known = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        quick = infer_result_shape(name, args, kwargs or {})
        real = func(*args, **(kwargs or {}))
        if quick is not None:
            self.known.append(name)
            assert shapes(quick) == shapes(real), name
        return real


def shapes(value):
    if isinstance(value, (tuple, list)):
        return [shapes(item) for item in value]
    return None if value is None else (tuple(value.shape), value.dtype, value.device.type)


def compared(module, *args, **kwargs):
    with torch.no_grad(), Compared() as mode:
        module(*args, **kwargs)
    return [name.strip("_").replace("truediv", "div") for name in mode.known]  # releases differ in who says it


@pytest.mark.parametrize("weights", [{}, {"average_attn_weights": False}, {"need_weights": False}])
@pytest.mark.parametrize("masks", [{}, {"attn_mask": (7, 5)}, {"attn_mask": (6, 7, 5)}, {"key_padding_mask": (3, 5)}])
def test_attention(weights, masks):
    module = nn.MultiheadAttention(8, 2, batch_first=True, **META).eval()
    query, key = torch.empty(3, 7, 8, **META), torch.empty(3, 5, 8, **META)
    given = {name: torch.empty(shape, dtype=torch.bool, **META) for name, shape in masks.items()}
    assert "multi_head_attention_forward" in compared(module, query, key, key, **given, **weights)


@pytest.mark.parametrize(
    ("settings", "masks"),
    [
        ({"kdim": 6, "vdim": 6}, {}),
        ({"add_bias_kv": True}, {}),
        ({"add_zero_attn": True}, {}),
        ({}, {"attn_mask": (5, 7)}),
        ({}, {"key_padding_mask": (3, 7)}),
    ],
)
def test_attention_that_is_not_as_usual_is_left_to_the_operation(settings, masks):
    module = nn.MultiheadAttention(8, 2, batch_first=True, **settings, **META).eval()
    query, key = torch.empty(3, 7, 8, **META), torch.empty(3, 5, settings.get("kdim", 8), **META)
    given = {name: torch.empty(shape, dtype=torch.bool, **META) for name, shape in masks.items()}
    if masks:
        with pytest.raises((RuntimeError, AssertionError)):
            compared(module, query, key, key, **given)
    else:
        assert "multi_head_attention_forward" not in compared(module, query, key, key)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("both", [False, True])
def test_recurrent_layers(kind, both):
    module = kind(4, 6, 2, bidirectional=both, batch_first=True, **META).eval()
    assert compared(module, torch.empty(3, 9, 4, **META))


def test_layers_and_sums():
    x = torch.empty(3, 9, 4, **META)
    layers = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 5), nn.GELU(), nn.Dropout()).to("meta")
    assert compared(layers, x) == ["layer_norm", "linear", "gelu", "dropout"]
    assert compared(lambda: x + x) == ["add"]
    assert compared(lambda: (x / 2) @ x.transpose(-2, -1)) == ["div", "matmul"]
    assert compared(lambda: x @ x[0].T) == []
    assert compared(lambda: x.int() / 2) == []
    assert compared(lambda: x * x[:, :1]) == []  # sizes that do not simply agree
    assert compared(lambda: F.relu(x, inplace=True)) == []
    assert compared(lambda: x.int() + x.int()) == []


def test_tensors_with_values_are_left_alone():
    assert compared(nn.Linear(4, 5), torch.zeros(2, 4)) == []
