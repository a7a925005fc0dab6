"""A model's own Python over sizes: exported with the sizes free, and right at all of them."""

import ast

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from symbolic_modules import ONE, Lengths, Pieces, Recurrent

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.errors import ExportError
from dummyio.spec.values import Uniform
from dummyio_torch.symbolic import symbolic_sizes
from dummyio_torch.symbolic.compiler.liveness import live_before
from dummyio_torch.symbolic.compiler.rewrite import rewrite
from dummyio_torch.symbolic.runtime.choices import compare, most, select, symbolic_int, symbolic_min
from dummyio_torch.symbolic.runtime.indexing import SymbolicIndex, SymbolicSlice, symbolic_getitem
from dummyio_torch.symbolic.runtime.symbolic_lists import StackedList, length, listed
from dummyio_torch.symbolic.runtime.torch_functions import SymbolicFunctions, _linspace

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


GUARDED = {"Halved", "Padded", "Written", "Remembering"}
"""A program carries what its trace took for granted: of sizes behind a model's own arithmetic, and that they are not the last ones."""


@pytest.mark.parametrize(
    "module", [each for each in ONE if each.__name__ not in GUARDED], ids=lambda module: module.__name__
)
def test_an_exported_program_has_the_same_sizes_free(module, tmp_path):
    passes(module(), SPEC, tmp_path, "model.pt2")


def test_a_slice_up_to_what_a_row_says(tmp_path):
    lengths = TensorSpec("lengths", (ROWS,), "int64", Uniform(1, 9))
    passes(Lengths(), InputSpec({"x": TensorSpec("x", (ROWS, 8, 4)), "lengths": lengths}), tmp_path)


def test_pieces_of_as_many_rows_as_a_tensor_says(tmp_path):
    counts = TensorSpec("counts", (ROWS,), "int64", Uniform(3, 4))
    passes(Pieces(), InputSpec({"x": TensorSpec("x", (3 * ROWS, 2, 4)), "counts": counts}), tmp_path)


def test_functions_have_their_own_code_again(tmp_path):
    module = Recurrent()
    before = Recurrent.forward.__code__
    with symbolic_sizes(module):
        assert Recurrent.forward.__code__ is not before
        x = torch.randn(2, 5, 4)
        inside = module(x)
    assert Recurrent.forward.__code__ is before
    for ours, theirs in zip(inside, module(x), strict=True):
        assert torch.equal(ours, theirs)
    with pytest.raises(RuntimeError), symbolic_sizes(module):
        raise RuntimeError
    assert Recurrent.forward.__code__ is before


class Leaving(torch.nn.Module):
    def forward(self, x):
        for step in range(x.shape[1]):
            if step > 3:
                break
            x = x + x[:, step : step + 1]
        return x


def test_a_loop_that_is_left_early_is_an_error_that_says_in_which_line(tmp_path, capfd):
    said = r"a size becomes a constant .*test_symbolic.py, line \d+: for step in range.* static="
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
    with pytest.raises(ExportError, match=r"decides by values.*test_symbolic.py, line \d+: if x.sum\(\) > 0:"):
        dummyio.export(Deciding(), tmp_path / "model.onnx", spec=SPEC)
    assert capfd.readouterr() == ("", "")


class Granting(torch.nn.Module):
    def forward(self, x):
        return x + 1 if x.shape[1] // 20 == 1 else x


def test_what_a_trace_takes_for_granted_is_a_note(tmp_path):
    artifact = dummyio.export(Granting(), tmp_path / "model.onnx", spec=SPEC)
    assert any("taken for granted" in note and "x.shape[1] // 20 == 1" in note for note in artifact.notes)
    assert not dummyio.validate(artifact.path, Granting(), spec=artifact.spec).ok


def rewritten(text):
    function = ast.parse(text).body[0]
    return rewrite(function)


@pytest.mark.parametrize(
    "body",
    [
        "for i in range(n):\n    yield i",
        "for i in range(n):\n    self.x = i",
        "for i in range(n):\n    x[i] += 1",
        "for i in range(n):\n    found.append((i, i + 1))",
        "for i in range(n):\n    found.append(x)\n    y = len_of(found)",
        "for a, b in pairs:\n    x = a",
        "for i in range(n):\n    pass\nelse:\n    x = 1",
        "x = [a for a in b if a]",
        "x = [(a, 1) for a in b]",
        "x = max(values)",
        "if x == 'text':\n    y = 1\nelse:\n    y = 2",
        "if x > 1:\n    y = call()\nelse:\n    y = 2",
        "self.__mine = int(x)",
    ],
)
def test_what_is_not_understood_keeps_its_code(body):
    lines = "\n".join("    " + line for line in body.splitlines())
    assert rewritten(f"def f(self, n, x, found, pairs, values, b):\n{lines}\n") is None


def test_a_name_matters_where_it_is_read_before_it_is_assigned():
    statements = ast.parse("a = b + 1\nif c:\n    d = a\nelse:\n    e = 1\nf[0] = d\n").body
    assert live_before(statements, frozenset({"e", "z"})) == {"b", "c", "d", "e", "f", "z"}


def test_numbers_are_what_python_makes_of_them():
    assert (symbolic_int(2.7), symbolic_min(3, 1, 2), most(3, 1.5), length([1, 2]), listed((1, 2))) == (
        2,
        1,
        3,
        2,
        [1, 2],
    )
    assert compare("<=", 2, 2) is True
    assert select(compare("!=", 2, 2), lambda: 1, lambda: 0) == 0
    with pytest.raises(ValueError, match="invalid literal"):
        symbolic_int("two")


@pytest.mark.parametrize(
    "key", [(1,), (..., 2), (slice(None), None, 1), (None, ..., slice(0, 2), 3), (slice(1, None), 0)]
)
def test_a_turns_number_picks_as_a_number_does(key):
    x = torch.arange(3 * 4 * 5).reshape(3, 4, 5)
    turned = [SymbolicSlice(part.start, part.stop) if isinstance(part, slice) else part for part in key]
    turned = [torch.tensor(part) if isinstance(part, int) else part for part in turned]
    assert torch.equal(symbolic_getitem(x, *turned), x[key])


def test_a_computed_number_may_count_from_the_end():
    x = torch.arange(6).reshape(2, 3)
    assert torch.equal(symbolic_getitem(x, SymbolicSlice(), SymbolicIndex(torch.tensor(-1))), x[:, -1])
    assert torch.equal(symbolic_getitem(x, SymbolicIndex(1), 2), x[1, 2])


@pytest.mark.parametrize("bounds", [(None, 2), (1, None), (None, -1), (-2, None), (1, 99), (3, 1)])
def test_a_slice_of_turns_numbers_is_pythons(bounds):
    x = torch.arange(12).reshape(2, 6)
    span = SymbolicSlice(*(bound if bound is None else torch.tensor(bound) for bound in bounds))
    assert torch.equal(span.cut(x, 1), x[:, slice(*bounds)])


@pytest.mark.parametrize(("start", "end", "steps"), [(0, 9, 10), (0.0, 1.0, 7), (3, 3, 1), (-1, 1, 2), (0.5, 19.5, 20)])
def test_linspace_counts_as_pytorchs_does(start, end, steps):
    assert torch.equal(_linspace(start, end, steps), torch.linspace(start, end, steps))


def test_a_list_of_symbolic_length_is_joined_and_nothing_else():
    rows = StackedList(torch.arange(6.0).reshape(3, 2))
    with SymbolicFunctions():
        assert torch.equal(torch.stack(rows, dim=1), rows.whole.T)
        assert torch.equal(torch.cat(rows), torch.arange(6.0))
    for use in (len, list, lambda values: values[0]):
        with pytest.raises(TypeError, match="whose length is a symbol"):
            use(rows)


def test_no_numbers_are_lost_between_numpy_and_the_graph(tmp_path):
    artifact = dummyio.export(Recurrent(), tmp_path / "model.onnx", spec=SPEC)
    run = dummyio.open_runner(artifact.path, artifact.spec)
    x = np.ones((1, 40, 4), np.float32)
    first = next(iter(run({"x": x}).values()))
    assert first.shape == (1, 40, 4)
