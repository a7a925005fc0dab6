"""What rewritten code calls: with numbers it does what Python does, with symbols it keeps them."""

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional

from dummyio_torch.symbolic.runtime.choices import compare_sizes, select_value, symbolic_int, symbolic_max, symbolic_min
from dummyio_torch.symbolic.runtime.indexing import SymbolicIndex, SymbolicSlice, symbolic_getitem
from dummyio_torch.symbolic.runtime.pooling import average_adaptively, maximize_adaptively
from dummyio_torch.symbolic.runtime.symbolic_lists import StackedList, symbolic_len, symbolic_list
from dummyio_torch.symbolic.runtime.torch_functions import SymbolicFunctions, _affine_grid, _linspace


def test_numbers_are_what_python_makes_of_them():
    assert (
        symbolic_int(2.7),
        symbolic_min(3, 1, 2),
        symbolic_max(3, 1.5),
        symbolic_len([1, 2]),
        symbolic_list((1, 2)),
    ) == (2, 1, 3, 2, [1, 2])
    assert compare_sizes("<=", 2, 2) is True
    assert select_value(compare_sizes("!=", 2, 2), lambda: 1, lambda: 0) == 0
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


@pytest.mark.parametrize("size", [(3, 1, 4, 7), (2, 5, 1, 6), (2, 1, 3, 4, 5)])
@pytest.mark.parametrize("align", [True, False])
@pytest.mark.filterwarnings("ignore:Since version 1.3.0, affine_grid:UserWarning")
def test_grids_are_those_of_pytorchs_affine_grid(size, align):
    axes = len(size) - 2
    theta = torch.randn(size[0], axes, axes + 1, generator=torch.Generator().manual_seed(0))
    expected = functional.affine_grid(theta, size, align_corners=align)
    torch.testing.assert_close(_affine_grid(theta, size, align), expected)


@pytest.mark.parametrize("count", [1, 2, 3, 7, (3, 2), (None, 4), (5, None)])
@pytest.mark.parametrize("sizes", [(6, 12), (7, 10), (2, 3)])
def test_windows_are_those_of_pytorchs_adaptive_pooling(count, sizes):
    x = torch.randn(2, 3, *sizes, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(average_adaptively(x, count, 2), functional.adaptive_avg_pool2d(x, count))


@pytest.mark.parametrize("count", [1, 2, 3, 7, (3, 2), (None, 4), (5, None)])
@pytest.mark.parametrize("sizes", [(6, 12), (7, 10), (2, 3)])
def test_maxima_and_their_places_are_those_of_pytorchs_adaptive_pooling(count, sizes):
    x = torch.randint(0, 9, (2, 3, *sizes), generator=torch.Generator().manual_seed(0)).float()
    expected = functional.adaptive_max_pool2d(x, count, return_indices=True)
    for found, values in zip(maximize_adaptively(x, count, axes=2, indexed=True), expected, strict=True):
        assert torch.equal(found, values)
    assert torch.equal(maximize_adaptively(x, count, axes=2), expected[0])


def test_pooling_of_sizes_that_are_no_symbols_is_pytorchs():
    x = torch.randn(2, 3, 7)
    with SymbolicFunctions():
        assert torch.equal(functional.adaptive_avg_pool1d(x, 3), torch.adaptive_avg_pool1d(x, 3))


def test_a_list_of_symbolic_length_is_joined_and_nothing_else():
    rows = StackedList(torch.arange(6.0).reshape(3, 2))
    with SymbolicFunctions():
        assert torch.equal(torch.stack(rows, dim=1), rows.whole.T)
        assert torch.equal(torch.cat(rows), torch.arange(6.0))
    for use in (len, list, lambda values: values[0]):
        with pytest.raises(TypeError, match="whose length is a symbol"):
            use(rows)
