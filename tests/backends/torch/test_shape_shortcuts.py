"""What is worked out without running an operation has the shape that the operation gives."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from dummyio_torch.discovery.shape_shortcuts import call_on_shapes

META = {"device": "meta"}


class Compared(TorchFunctionMode):
    """Compares every result with what is worked out, and keeps the names of the operations that need not run a second time."""

    def __init__(self):
        super().__init__()
        self.known, self.counted, self.calls = [], {}, 0

    def count(self, func):
        """Return a function that counts its calls, the same for the same function."""

        def counted(*args, **kwargs):
            self.calls += 1
            return func(*args, **kwargs)

        return self.counted.setdefault(func, counted)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if name == "__get__" or kwargs.get("inplace"):
            return func(*args, **kwargs)
        real = func(*args, **kwargs)
        first, before = call_on_shapes(self.count(func), name, args, kwargs), self.calls
        second = call_on_shapes(self.count(func), name, args, kwargs)
        assert shapes(first) == shapes(second) == shapes(real), name
        if self.calls == before and isinstance(second, (torch.Tensor, tuple)):
            self.known.append(name)
        return real


def shapes(value):
    if isinstance(value, (tuple, list)):
        return [shapes(item) for item in value]
    return (tuple(value.shape), value.dtype, value.device.type) if isinstance(value, torch.Tensor) else value


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


@pytest.mark.parametrize(("name", "shape"), [("attn_mask", (5, 7)), ("key_padding_mask", (3, 7))])
def test_an_operation_that_refuses_its_operands_raises(name, shape):
    module = nn.MultiheadAttention(8, 2, batch_first=True, **META).eval()
    query, key = torch.empty(3, 7, 8, **META), torch.empty(3, 5, 8, **META)
    for _ in range(2):
        with pytest.raises((RuntimeError, AssertionError)):
            compared(module, query, key, key, **{name: torch.empty(shape, dtype=torch.bool, **META)})


@pytest.mark.parametrize("given", [{"size": (7, 9)}, {"size": 7}, {"scale_factor": 2}, {"scale_factor": (1.5, 0.5)}])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_images_of_another_size(given, mode):
    assert compared(functional.interpolate, torch.empty(2, 3, 8, 10, **META), mode=mode, **given) == ["interpolate"]


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
    assert compared(lambda: x * x[:, :1]) == ["mul"]
    whole = x.int()
    assert compared(lambda: (whole * 2, whole * 2.0)) == ["mul", "mul"]


def test_views_and_changes_in_place_run():
    x = torch.empty(3, 9, 4, **META)
    assert compared(lambda: (x.view(27, 4), x[0], x.transpose(0, 1), x.chunk(3))) == []
    with torch.no_grad(), Compared():
        assert x.add_(1) is x


def test_tensors_with_values_are_left_alone():
    assert compared(nn.Linear(4, 5), torch.zeros(2, 4)) == []
