"""Kinds of modules that people bring: what exports is validated, and what cannot be exported says why and writes nothing."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from torch import nn
from torch.nn import functional
from torch_modules import Function

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.errors import ExportError, SourceError, TrustError
from dummyio.spec.values import Uniform
from dummyio_torch.exporting import save_graph

ROWS, LONG, HEIGHT, WIDTH = Dim("rows", 3), Dim("long", 8), Dim("height", 9), Dim("width", 12)


def spec_of(**shapes):
    return InputSpec({name: TensorSpec(name, shape) for name, shape in shapes.items()})


class Adaptive(nn.Module):
    """Maxima with their places, and averages over volumes; a grid of the image's own size."""

    def forward(self, x, theta):
        values, places = functional.adaptive_max_pool2d(x, (2, None), return_indices=True)
        grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
        moved = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
        return values, places, functional.adaptive_avg_pool3d(x, 2), moved


class Chosen(nn.Module):
    """Results whose sizes depend on values, and a choice by sizes."""

    def forward(self, x):
        half = torch.where(torch.arange(x.shape[1]) < x.shape[1] // 2, x, x.cumsum(1))
        rows, columns = torch.where(x > 0)
        return half, torch.nonzero(x > 0.5), x[rows, columns], torch.unique((x * 4).long())


class Windows(nn.Module):
    """Maxima of windows, and parts of which the first are longer."""

    def forward(self, x):
        return functional.max_pool1d(x, 3, 2, padding=1, ceil_mode=True), *x.tensor_split(3, dim=-1)


class Branching(nn.Module):
    """One of two layers, by values."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return torch.cond(x.sum() > 0, self.left, lambda t: self.right(t) * 2, (x,))


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x, mask, scale=None):
        y = self.query(x) * mask[..., None] + self.key(x)
        return y if scale is None else y * scale


class LowRank(nn.Module):
    """A layer with an adapter, which hands on what it does not name."""

    def __init__(self, base):
        super().__init__()
        self.base = base
        self.down, self.up = nn.Linear(4, 2, bias=False), nn.Linear(2, 4, bias=False)

    def forward(self, x, **kwargs):
        return self.base(x, **kwargs) + self.up(self.down(x))


class Tied(nn.Module):
    """A table that embeds and classifies."""

    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(50, 8), nn.Linear(8, 50, bias=False)
        self.head.weight = self.table.weight

    def forward(self, ids):
        return self.head(self.table(ids))


def hooked():
    layer = nn.Linear(4, 4)
    layer.register_forward_pre_hook(lambda _, inputs: (inputs[0] * 2,))
    layer.register_forward_hook(lambda _layer, _inputs, output: output + 1)
    return layer


def encoder():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1, enable_nested_tensor=False)


class Attending(nn.Module):
    """The rows of the others are taken apart by the number of rows of one, as in attention of Diffusers."""

    def forward(self, x, y, mask):
        count = y.shape[0]
        query, key = x.reshape(count, -1, 2, 4).transpose(1, 2), y.reshape(count, -1, 2, 4).transpose(1, 2)
        bias = mask[:, None].repeat_interleave(2, 0).view(count, 2, -1, mask.shape[1])
        made = (query @ key.mT + bias).softmax(-1) @ key
        return x + made.transpose(1, 2).reshape(count, -1, 8)


KINDS = {
    "adaptive pooling and grids": (Adaptive, spec_of(x=(ROWS, 4, HEIGHT, WIDTH), theta=(ROWS, 2, 3))),
    "sizes by values": (Chosen, spec_of(x=(ROWS, LONG))),
    "windows and parts": (Windows, spec_of(x=(ROWS, 4, LONG))),
    "a branch": (Branching, None),
    "an adapter": (lambda: LowRank(Base()), None),
    "tied weights": (Tied, None),
    "a transformer with all its masks": (encoder, None),
    "hooks": (hooked, None),
    "sizes of one input on another": (Attending, spec_of(x=(ROWS, LONG, 8), y=(ROWS, HEIGHT, 8), mask=(ROWS, HEIGHT))),
    "an exported program as a module": (
        lambda: torch.export.export(
            nn.Linear(4, 4), (torch.rand(3, 4),), dynamic_shapes=({0: torch.export.Dim("rows")},)
        ).module(),
        spec_of(input=(ROWS, 4)),
    ),
}


def check(module, path, spec=None, **options):
    artifact = dummyio.export(module, path, spec=spec, **options)
    report = dummyio.validate(artifact.path, reference=module)
    assert report.ok, report
    return artifact


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*treespec:FutureWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_module_is_exported_and_validated(tmp_path, kind):
    make, spec = KINDS[kind]
    torch.manual_seed(0)
    artifact = check(make(), tmp_path / "m.onnx", spec)
    assert artifact.notes == ()


@pytest.mark.slow
def test_no_input_is_lost_behind_keyword_arguments(tmp_path):
    artifact = dummyio.export(LowRank(LowRank(Base())), tmp_path / "m.pt2")
    assert [path for path, _ in artifact.spec.leaves] == ["x", "mask"]


@pytest.mark.slow
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_module_is_exported_as_it_was_before(tmp_path, in_place):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    reference = nn.Sequential(*module)
    compiled = module if in_place else torch.compile(module, backend="eager")
    if in_place:
        module.compile(backend="eager")
    artifact = dummyio.export(compiled, tmp_path / "m.onnx")
    assert artifact.notes == ()
    assert dummyio.validate(artifact.path, reference=reference).ok
    assert {tensor.name for tensor in onnx.load(artifact.path).graph.initializer} == {"0.weight", "0.bias"}


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_a_module_in_torchscript_is_exported_by_the_older_exporter_with_a_note(tmp_path, whole):
    layer = torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
    module = layer if whole else nn.Sequential(layer, nn.Tanh())
    artifact = check(module, tmp_path / "m.onnx")
    (note,) = artifact.notes
    assert note.startswith("exported with exporter='torchscript': a part of the model is TorchScript")
    with pytest.raises(
        ExportError, match=r"TorchScript, which torch.export does not trace. Give the module that it was"
    ):
        dummyio.export(module, tmp_path / "m.pt2", spec=artifact.spec)
    assert not (tmp_path / "m.pt2").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_torchscript_whose_loop_is_as_long_as_its_input_is_refused_or_right(tmp_path):
    class Loop(nn.Module):
        def forward(self, x):
            total = x[:, 0]
            for i in range(x.shape[1]):
                total = torch.tanh(total + x[:, i])
            return total

    check(torch.jit.script(Loop()), tmp_path / "m.onnx", spec_of(x=(ROWS, LONG)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM], ids=lambda kind: kind.__name__)
def test_a_recurrent_layer_keeps_its_length_in_an_exported_program(tmp_path, kind):
    torch.manual_seed(0)
    artifact = check(kind(4, 5, batch_first=True), tmp_path / "m.pt2", spec_of(input=(ROWS, LONG, 4)))
    assert artifact.notes == ()


# Weights.


def test_weights_on_meta_are_refused_unless_none_are_asked_for(tmp_path):
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    module[1].to("meta")
    spec = spec_of(input=(ROWS, 4))
    remedies = {".onnx": r"or export the structure alone with weights=False\.", ".pt2": r"load_state_dict\(\.\.\.\)\."}
    for suffix, remedy in remedies.items():
        with pytest.raises(
            ExportError, match=rf"2 of the 4 weights .* on the meta device, '1.weight' first.*{remedy}$"
        ):
            dummyio.export(module, tmp_path / f"m{suffix}", spec=spec)
    assert list(tmp_path.iterdir()) == []


class Packed(nn.Parameter):
    """Weights of 4 bits in bytes, as libraries for quantization have them."""


class Quantized(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = Packed(torch.zeros(4, 2, dtype=torch.uint8), requires_grad=False)

    def forward(self, x):
        return torch._weight_int4pack_mm_for_cpu(x, self.weight, 32, x)


def test_weights_of_an_unknown_class_are_named(tmp_path):
    with pytest.raises(ExportError, match=r"'weight' is a [\w.]*Packed, .*Export the model before it is quantized"):
        dummyio.export(Quantized(), tmp_path / "m.onnx", spec=spec_of(x=(ROWS, 4)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore")
def test_weights_that_are_packed_for_quantized_kernels_are_refused(tmp_path):
    module = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 4)), {nn.Linear})
    for error, options in ((SourceError, {}), (SourceError, {"spec": spec_of(input=(ROWS, 4))})):
        with pytest.raises(error, match=r"'0._packed_params' .*LinearPackedParams, has weights that are packed"):
            dummyio.export(module, tmp_path / "m.onnx", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_weights_above_the_limit_of_one_file_are_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(save_graph, "LARGEST_FILE", 1 << 10)
    module, spec = nn.Linear(32, 32), spec_of(input=(ROWS, 32))
    with pytest.raises(ExportError, match=r"external_data=False: the weights are too large for one file \(2 GB\)"):
        dummyio.export(module, tmp_path / "m.onnx", spec=spec, external_data=False)
    assert list(tmp_path.iterdir()) == []
    artifact = check(module, tmp_path / "m.onnx", spec)
    assert [file.name for file in artifact.files[:2]] == ["m.onnx", "m.onnx.data"]
    assert artifact.files[1].stat().st_size >= 4 * 32 * 32


# What is refused.


class Complex(nn.Module):
    def forward(self, x):
        return torch.fft.fft(x)


def test_complex_results_are_refused_for_onnx_with_a_remedy(tmp_path):
    spec = spec_of(x=(ROWS, LONG))
    with pytest.raises(ExportError, match=r"'output' is complex64: ONNX Runtime has no complex numbers.*view_as_real"):
        dummyio.export(Complex(), tmp_path / "m.onnx", spec=spec)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_complex_results_are_in_an_exported_program(tmp_path):
    spec = spec_of(x=(ROWS, LONG))
    artifact = dummyio.export(Complex(), tmp_path / "m.pt2", spec=spec)
    found = dummyio.open_runner(artifact.path)(spec.feeds())["output"]
    np.testing.assert_allclose(found, np.fft.fft(spec.feeds()["x"]), rtol=1e-4, atol=1e-4)


class PackedSequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(4, 6, batch_first=True)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(self.layer(packed)[0], batch_first=True)[0]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_packed_sequences_are_refused_by_name(tmp_path, suffix):
    lengths = TensorSpec("lengths", (ROWS,), "int64", Uniform(1, 8))
    spec = InputSpec({"x": TensorSpec("x", (ROWS, LONG, 4)), "lengths": lengths})
    with pytest.raises(ExportError, match=r"packed sequences \(pack_padded_sequence\).*Run the layer on the padded"):
        dummyio.export(PackedSequence(), tmp_path / f"m{suffix}", spec=spec)
    assert list(tmp_path.iterdir()) == []


@torch.library.custom_op("dummyio_tests::double", mutates_args=())
def double(x: torch.Tensor) -> torch.Tensor:
    return x * 2


double.register_fake(torch.empty_like)


class Doubling(nn.Module):
    def forward(self, x):
        return double(x) + 1


@pytest.mark.slow
def test_an_operator_of_ones_own_is_in_a_program_that_opens_with_trust(tmp_path):
    spec = spec_of(x=(ROWS, 4))
    with pytest.raises(ExportError, match=r"no translation of dummyio_tests\.double\. .* write a \.pt2 file"):
        dummyio.export(Doubling(), tmp_path / "m.onnx", spec=spec)
    artifact = dummyio.export(Doubling(), tmp_path / "m.pt2", spec=spec)
    (note,) = artifact.notes
    assert "the file opens with trust=True alone" in note
    with pytest.raises(TrustError, match=r"dummyio_tests\.double"):
        dummyio.open_runner(artifact.path)
    assert dummyio.validate(artifact.path, reference=Doubling(), trust=True).ok


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(4))

    def forward(self, x):
        self.total += x.mean(0)
        return x + self.total


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_a_buffer_that_each_run_changes_is_noted_and_left_as_it_was(tmp_path, suffix):
    module = Counting()
    artifact = dummyio.export(module, tmp_path / f"m{suffix}", spec=spec_of(x=(ROWS, 4)))
    (note,) = artifact.notes
    assert note.startswith("each run of the model changes its buffers (total)")
    assert module.total.eq(0).all()
    x = np.ones((3, 4), np.float32)
    for _ in range(2):
        np.testing.assert_array_equal(dummyio.open_runner(artifact.path)({"x": x})["output"], 2 * x)


REFUSED = {
    "torch.linalg.qr": (lambda x: torch.linalg.qr(x)[1], r"ONNX has no translation of aten\.linalg_qr\."),
    "complex exp": (
        lambda x: torch.view_as_real(torch.view_as_complex(x.reshape(-1, 2, 2)).exp()),
        r"no translation of aten\.exp for complex numbers\.",
    ),
    "sparse": (
        lambda x: torch.sparse.mm(x.to_sparse(), torch.ones(4, 2)),
        r"^torch\.export cannot trace the operator aten\._to_sparse\.default, which states no shapes of its results\.",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_exported_is_named(tmp_path, kind):
    function, message = REFUSED[kind]
    with pytest.raises(ExportError, match=message):
        dummyio.export(Function(function), tmp_path / "m.onnx", spec=spec_of(x=(ROWS, 4)))
    assert list(tmp_path.iterdir()) == []


def test_lazy_weights_are_refused_before_their_first_run(tmp_path):
    module = nn.Sequential(nn.LazyLinear(3))
    with pytest.raises(ExportError, match=r"2 of the 2 weights .* no shape yet, '0.weight' first: a lazy layer"):
        dummyio.export(module, tmp_path / "m.onnx", spec=spec_of(input=(ROWS, 4)))
    assert list(tmp_path.iterdir()) == []
