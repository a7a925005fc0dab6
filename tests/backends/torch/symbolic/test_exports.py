"""A model's own Python over sizes: exported with the sizes free, and right at all of them."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from symbolic_modules import ONE, Lengths, Pieces, Recurrent
from torch_modules import Function

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.errors import ExportError, RunError
from dummyio.spec.values import Uniform

pytestmark = pytest.mark.slow

ROWS, LONG = Dim("batch_size", 2), Dim("sequence_length", 24, min=1, max=40)
SPEC = InputSpec({"x": TensorSpec("x", (ROWS, LONG, 4))})


def passes(module, spec, path, file="model.onnx", **options):
    artifact = dummyio.export(module, path / file, spec=spec, **options)
    report = dummyio.validate(artifact.path, module, spec=artifact.spec)
    assert report.ok, [finding.message for finding in report.errors]
    assert all(outcome.status == "passed" for outcome in report.outcomes)


@pytest.mark.parametrize("module", ONE, ids=lambda module: module.__name__)
def test_a_size_that_python_looks_at_stays_free(module, tmp_path):
    passes(module(), SPEC, tmp_path)


@pytest.mark.parametrize("module", ONE, ids=lambda module: module.__name__)
def test_an_exported_program_has_the_same_sizes_free(module, tmp_path):
    passes(module(), SPEC, tmp_path, "model.pt2")


def test_a_slice_up_to_what_a_row_says(tmp_path):
    lengths = TensorSpec("lengths", (ROWS,), "int64", Uniform(1, 9))
    passes(Lengths(), InputSpec({"x": TensorSpec("x", (ROWS, 8, 4)), "lengths": lengths}), tmp_path)


def test_pieces_of_as_many_rows_as_a_tensor_says(tmp_path):
    counts = TensorSpec("counts", (ROWS,), "int64", Uniform(3, 4))
    passes(Pieces(), InputSpec({"x": TensorSpec("x", (3 * ROWS, 2, 4)), "counts": counts}), tmp_path)


class Leaving(torch.nn.Module):
    def forward(self, x):
        for step in range(x.shape[1]):
            if step > 3:
                break
            x = x + x[:, step : step + 1]
        return x


def test_a_loop_that_is_left_early_is_an_error_that_says_in_which_line(tmp_path, capfd):
    said = r"a size becomes a constant .*test_exports.py, line \d+: for step in range.* static="
    with pytest.raises(ExportError, match=said):
        dummyio.export(Leaving(), tmp_path / "model.onnx", spec=SPEC)
    assert capfd.readouterr() == ("", "")
    passes(Leaving(), SPEC, tmp_path, static="sequence_length")


class Deciding(torch.nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        return x + 1


def test_a_decision_by_values_is_an_error_that_says_in_which_line(tmp_path, capfd):
    with pytest.raises(ExportError, match=r"decides by values.*test_exports.py, line \d+: if x.sum\(\) > 0:"):
        dummyio.export(Deciding(), tmp_path / "model.onnx", spec=SPEC)
    assert capfd.readouterr() == ("", "")


class Granting(torch.nn.Module):
    def forward(self, x):
        return x + 1 if x.shape[1] // 20 == 1 else x


def test_what_a_trace_takes_for_granted_is_tried_at_sizes_that_contradict_it(tmp_path):
    wrong = r"is wrong at .*'output' is off by 1.* decides by sizes: test_exports.py, line \d+: return x \+ 1 if x.shape\[1\] // 20 == 1"
    with pytest.raises(ExportError, match=wrong):
        dummyio.export(Granting(), tmp_path / "model.onnx", spec=SPEC)
    assert list(tmp_path.iterdir()) == []
    passes(Granting(), SPEC, tmp_path, static="sequence_length")


class OddOnes(torch.nn.Module):
    def forward(self, x):
        return x + 1 if x.shape[1] % 2 == 0 else x


class NeverFour(torch.nn.Module):
    def forward(self, x):
        return x if x.shape[1] != 4 else x + 1


class ManyRows(torch.nn.Module):
    def forward(self, x):
        return x + 1 if x.shape[0] > 2 else x


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [(OddOnes, ".onnx"), (NeverFour, ".onnx"), (ManyRows, ".onnx"), (OddOnes, ".pt2"), (ManyRows, ".pt2")],
)
def test_no_kind_of_decision_by_a_size_is_exported_as_one_of_its_ways(kind, suffix, tmp_path):
    with pytest.raises(ExportError, match=r"decides by sizes: test_exports.py, line \d+: return x"):
        dummyio.export(kind(), tmp_path / f"model{suffix}", spec=SPEC)
    assert list(tmp_path.iterdir()) == []


def test_a_program_refuses_a_size_that_contradicts_its_trace(tmp_path):
    artifact = dummyio.export(NeverFour(), tmp_path / "model.pt2", spec=SPEC)
    run = dummyio.open_runner(artifact.path, artifact.spec)
    with pytest.raises(RunError, match=r"Guard failed: .*!= 4"):
        run(SPEC.feeds(sequence_length=4))


class Patches(torch.nn.Module):
    """PyTorch asks of an image's patches whether there is one row of them, and adds a guard for more."""

    def __init__(self):
        super().__init__()
        self.cut = torch.nn.Conv2d(3, 4, 32, stride=32)
        self.scale = torch.nn.Linear(4, 4)

    def forward(self, pixels):
        return self.scale(self.cut(pixels).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def test_a_program_takes_the_sizes_that_only_a_guard_refused(tmp_path):
    rows, height, width = Dim("rows", 2), Dim("height", 224, min=32), Dim("width", 224, min=32)
    spec = InputSpec({"pixels": TensorSpec("float32", (rows, 3, height, width))})
    artifact = dummyio.export(Patches(), tmp_path / "model.pt2", spec=spec)
    module = torch.export.load(artifact.path).module()
    (found,) = module(torch.zeros(1, 3, 32, 40))
    assert found.shape == (1, 4, 1, 1)
    with pytest.raises(AssertionError, match=r"size\(\)\[2\] >= 32"):
        module(torch.zeros(1, 3, 31, 40))


OF_SIZES = {
    "hann": lambda x: x * torch.hann_window(x.shape[1])[:, None],
    "hamming": lambda x: x * torch.hamming_window(x.shape[1], False, 0.6)[:, None],
    "blackman": lambda x: x * torch.blackman_window(x.shape[1], periodic=False)[:, None],
    "triu": lambda x: x[:, torch.triu_indices(x.shape[1], x.shape[1], 1)[0]],
    "tril": lambda x: x[:, torch.tril_indices(x.shape[1], x.shape[1])[1]],
}


@pytest.mark.parametrize("kind", OF_SIZES)
@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_a_tensor_made_of_a_size_alone_follows_it(kind, suffix, tmp_path):
    passes(Function(OF_SIZES[kind]), SPEC, tmp_path, f"model{suffix}")


class Harmless(torch.nn.Module):
    def forward(self, x):
        return x * 1 if x.shape[1] % 20 == 0 else x


def test_a_decision_by_a_size_that_changes_nothing_needs_no_note(tmp_path):
    artifact = dummyio.export(Harmless(), tmp_path / "model.onnx", spec=SPEC)
    assert not any("assumed of sizes" in note for note in artifact.notes)
    assert dummyio.validate(artifact.path, Harmless(), spec=artifact.spec).ok


class Streams(torch.nn.Module):
    def forward(self, x):
        first, second, third = torch.cat([x, x * 2, x * 3], 1).chunk(3, dim=1)
        return first + second * third


@pytest.mark.parametrize("file", ["model.onnx", "model.pt2"])
def test_a_free_size_is_cut_into_equal_chunks(file, tmp_path):
    passes(Streams(), SPEC, tmp_path, file)


class Stages(torch.nn.Module):
    def forward(self, x):
        parts = torch.cat([x, x * 2, x * 3], 0).split(x.shape[0], dim=0)
        return sum(part * number for number, part in enumerate(parts))


@pytest.mark.parametrize("file", ["model.onnx", "model.pt2"])
def test_a_free_size_is_split_by_another(file, tmp_path):
    passes(Stages(), SPEC, tmp_path, file)
    assert not any(
        "assumed of sizes" in note for note in dummyio.export(Stages(), tmp_path / f"again_{file}", spec=SPEC).notes
    )


class Padding(torch.nn.Module):
    def forward(self, x):
        rest = x.shape[1] % 4
        return torch.nn.functional.pad(x, (0, 0, 0, 4 - rest)) if rest != 0 else x


def test_a_decision_that_follows_from_the_multiples_of_a_dim_needs_no_note(tmp_path):
    spec = InputSpec({"x": TensorSpec("x", (ROWS, Dim("side", 24, multiple_of=8), 4))})
    artifact = dummyio.export(Padding(), tmp_path / "model.onnx", spec=spec)
    assert artifact.notes == ()


class Windows(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x):
        chunks = []
        for start in range(0, x.shape[1], self.width):
            chunks.append((start, min(x.shape[1], start + self.width)))  # noqa: PERF401 - as models write it
        return torch.cat([x[:, start:end] - x[:, start:end].mean(1, keepdim=True) for start, end in chunks], 1)


@pytest.mark.parametrize("file", ["model.onnx", "model.pt2"])
def test_a_text_that_is_no_longer_than_a_window_is_one_chunk_at_each_length(file, tmp_path):
    passes(Windows(40), SPEC, tmp_path, file)


def test_a_text_of_several_windows_is_refused_with_the_line(tmp_path):
    with pytest.raises(ExportError, match=r"a size becomes a constant .*test_exports.py, line \d+: .* static="):
        dummyio.export(Windows(20), tmp_path / "model.onnx", spec=SPEC)


def test_no_numbers_are_lost_between_numpy_and_the_graph(tmp_path):
    artifact = dummyio.export(Recurrent(), tmp_path / "model.onnx", spec=SPEC)
    run = dummyio.open_runner(artifact.path, artifact.spec)
    x = np.ones((1, 40, 4), np.float32)
    first = next(iter(run({"x": x}).values()))
    assert first.shape == (1, 40, 4)
