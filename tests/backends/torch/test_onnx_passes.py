"""Operators that PyTorch's exporter, or ONNX Runtime, gets wrong without a word: exported, and right."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from torch import nn

import dummyio
from dummyio import Dim, InputSpec, TensorSpec, open_runner
from dummyio.spec.values import Uniform

ROWS, LONG = Dim("batch_size", 3), Dim("sequence_length", 8)


def both(module, spec, path, feeds, **options):
    """What a module returns, and what its file returns."""
    artifact = dummyio.export(module, path / "model.onnx", spec=spec, **options)
    return open_runner(module, spec)(feeds), open_runner(artifact.path, spec)(feeds)


def same(expected, found):
    assert list(expected) == list(found)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


class Powers(nn.Module):
    def forward(self, x, y):
        return {"power": x**y, "square": (x * x).sum(-1), "kept": (x * y).sum(dim=(0, 1), keepdim=True)}


def test_integers_are_raised_and_summed_as_integers(tmp_path):
    spec = InputSpec({name: TensorSpec(name, (ROWS, LONG), "int64") for name in ("x", "y")})
    x = np.array([[3, -3, 2**40 + 1, 9576890767], [1, -1, 0, 2], [-2, 7, 2**33 + 5, -(2**31) - 1]])
    y = np.array([[40, 39, 3, 9], [-5, -5, 0, -1], [63, 21, 4, 2]])
    same(*both(Powers(), spec, tmp_path, {"x": x, "y": y}))


class Means(nn.Module):
    def __init__(self, include_self):
        super().__init__()
        self.include_self = include_self

    def forward(self, x, places):
        held = torch.full((x.shape[0], 5), 7.0)
        return held.scatter_reduce(1, places, x, reduce="mean", include_self=self.include_self)


@pytest.mark.parametrize("include_self", [False, True])
def test_a_mean_of_what_is_scattered_to_one_place(tmp_path, include_self):
    spec = InputSpec(
        {"x": TensorSpec("x", (ROWS, LONG)), "places": TensorSpec("places", (ROWS, LONG), "int64", Uniform(0, 4))}
    )
    expected, found = both(Means(include_self), spec, tmp_path, spec.feeds())
    np.testing.assert_allclose(found["output"], expected["output"], rtol=1e-6)
    assert (expected["output"][:, 4] == 7).all() or include_self


class Biased(nn.Module):
    def forward(self, x, hidden):
        bias = torch.zeros(x.shape[0], 1, x.shape[1], x.shape[1]).masked_fill(hidden[:, None, :, None] > 0, -torch.inf)
        heads = x[:, None]
        return nn.functional.scaled_dot_product_attention(heads, heads, heads, attn_mask=bias)


@pytest.mark.parametrize("opset", [18, 20])
def test_a_row_that_numbers_hide_all_of_attends_to_nothing(tmp_path, opset):
    hidden = TensorSpec("hidden", (ROWS, LONG), "int64", Uniform(0, 2))
    spec = InputSpec({"x": TensorSpec("x", (ROWS, LONG, 4)), "hidden": hidden})
    expected, found = both(Biased(), spec, tmp_path, spec.feeds(), opset=opset)
    assert (expected["output"] == 0).all(-1).any()
    np.testing.assert_allclose(found["output"], expected["output"], atol=1e-6)


class Scaled(nn.Module):
    def forward(self, x, n):
        part = x.shape[1] / 3
        return {"times": n * part, "power": x.abs() ** part, "remainder": x % part}


def test_numbers_that_are_made_of_sizes(tmp_path):
    spec = InputSpec({"x": TensorSpec("x", (ROWS, LONG)), "n": TensorSpec("n", (ROWS, LONG), "int64", Uniform(-9, 9))})
    for sizes in spec.probes():
        expected, found = both(Scaled(), spec, tmp_path / f"{sizes}", spec.feeds(**sizes))
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-5, err_msg=name)


class Pooled(nn.Module):
    def forward(self, x):
        return nn.functional.max_pool2d(nn.functional.pad(x, (1, 1, 1, 1)), 3, stride=2)


def test_a_pad_before_a_maximum_counts(tmp_path):
    spec = InputSpec({"x": TensorSpec("x", (ROWS, 2, LONG, LONG), "float32", Uniform(-2.0, -1.0))})
    expected, found = both(Pooled(), spec, tmp_path, spec.feeds())
    assert (expected["output"] == 0).any()
    same(expected, found)


class Selecting(nn.Module):
    def forward(self, x, keep, features):
        chosen = (keep > 0)[:, :, None].expand_as(x)
        torch._check(x[chosen].numel() == features.numel())
        return x.masked_scatter(chosen, features)


def test_a_models_check_of_how_many_a_mask_selects(tmp_path):
    spec = InputSpec(
        {
            "x": TensorSpec("x", (ROWS, LONG, 4)),
            "keep": TensorSpec("keep", (ROWS, LONG), "int64", Uniform(1, 2)),
            "features": TensorSpec("features", (ROWS * LONG, 4)),
        }
    )
    same(*both(Selecting(), spec, tmp_path, spec.feeds()))
