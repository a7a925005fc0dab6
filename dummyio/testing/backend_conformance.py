"""The conformance suite for backends: a subclass that sets `framework` runs it.

::

    from dummyio.testing import BackendConformance


    class TestMine(BackendConformance):
        framework = "mine"

Class attributes declare the intended differences of a framework, methods the way to ask its objects. Only this module
needs pytest.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import pytest

from dummyio.backend.frameworks import MODEL_ROOTS
from dummyio.backend.native_dtypes import find_nearest_dtype
from dummyio.backend.protocol import Backend
from dummyio.backend.registry import load_backend
from dummyio.errors import DTypeError, OptionError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim, is_static
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec
from dummyio.spec.values import Boxes, Normal, PaddingMask, Positions, TokenIds, Uniform
from dummyio.typing import Array

FRAMEWORKS = (*sorted(MODEL_ROOTS.keys() - {"jaxlib"}), "transformers")  # jaxlib comes with jax
"""The packages that only their own backend may import."""


def _make_values(dtype: DType, shape: tuple[int, ...]) -> Array:
    """Return values of dummyio; integers from their whole range."""
    whole = dtype.kind in ("int", "uint")
    rule = Uniform(dtype.limits.min, dtype.limits.max + 1) if whole else None
    return InputSpec({"x": TensorSpec("x", shape, dtype, rule)}).feeds(seed=3)["x"]


def _place_at_offset(values: Array, offset: int) -> Array:
    """Return a copy whose address is `offset` bytes past a multiple of 64; strings unchanged."""
    if values.dtype == object:
        return values
    raw = np.empty(values.nbytes + 128, np.uint8)
    start = -raw.ctypes.data % 64 + offset
    placed = raw[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    placed[...] = values
    return placed


def _large_values(dtype: DType) -> Array:
    """Return more than 1 MiB at an odd address; 5000 strings."""
    count = 5_000 if dtype is DType.STRING else (1 << 20) // dtype.itemsize + 3
    return _place_at_offset(_make_values(dtype, (count,)), 1)


def _edge_values(dtype: DType) -> Array:
    """Return all bit patterns of a narrow dtype, else values that arithmetic and copies often change."""
    if dtype is DType.STRING:
        return np.array(["", " ", "a\0b", "é", "𝔘𝔫𝔦", "line\nline"], object)
    if dtype.kind in ("float", "int", "uint") and dtype.bits <= 16:
        return np.arange(2**dtype.bits, dtype=f"uint{8 * dtype.itemsize}").view(dtype.numpy)
    if dtype.kind in ("float", "complex"):
        real = np.float32 if dtype in (DType.FLOAT32, DType.COMPLEX64) else np.float64
        limits = np.finfo(real)
        edges = [0.0, np.nan, np.inf, *map(float, (limits.max, limits.tiny, limits.smallest_subnormal))]
        return np.array([edges, [-edge for edge in edges]], real).view(dtype.numpy)
    return np.array([dtype.limits.min, 0, dtype.limits.max], dtype.numpy)


_LAYOUTS: dict[str, Callable[[DType], Array]] = {
    "whole": lambda dtype: _make_values(dtype, (4, 6)),
    "scalar": lambda dtype: _make_values(dtype, ()),
    "empty": lambda dtype: _make_values(dtype, (0, 3)),
    "strided": lambda dtype: _make_values(dtype, (8, 12))[::2, ::-3],
    "transposed": lambda dtype: _make_values(dtype, (4, 3, 2)).transpose(2, 0, 1),
    "broadcast": lambda dtype: np.broadcast_to(_make_values(dtype, (1, 5)), (4, 5)),
    "large": _large_values,
    "edges": _edge_values,
}


class BackendConformance:
    """The tests that every backend must pass; subclass it as ``TestX`` and set `framework`."""

    framework: ClassVar[str]
    """The framework's name."""
    imports: ClassVar[tuple[str, ...]] = ()
    """The packages of `FRAMEWORKS` that its import loads: itself and its dependencies."""
    copies: ClassVar[bool] = True
    """Whether tensors have their own memory, and do not share that of the array they were made from."""
    refused: ClassVar[frozenset[DType]] = frozenset()
    """Dtypes that it has but refuses in its current configuration, as it would change their values."""
    absent_device: ClassVar[Any] = "nonsense:7"
    """A device that does not exist."""

    def shape_of(self, signature: Any) -> tuple[Any, ...]:
        """Return a signature object's sizes; a symbolic size is not an int, or is its default size."""
        return tuple(signature.shape)

    def dtype_of(self, signature: Any) -> Any:
        """Return a signature object's dtype, as in `Backend.dtypes`."""
        return signature.dtype

    def layers_of(self, cache: Any) -> list[Any]:
        """Return the layers, one tuple each, of a cache made by `Backend.cache`."""
        return list(cache)

    @pytest.fixture
    def backend(self) -> Backend:
        """Return the backend under test."""
        return load_backend(self.framework)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize by the dtypes that the framework has (`held`) and lacks (`missing`)."""
        held = load_backend(self.framework).dtypes
        if "held" in metafunc.fixturenames:
            metafunc.parametrize("held", [d for d in DType if d in held and d not in self.refused], ids=str)
        if "missing" in metafunc.fixturenames:
            metafunc.parametrize("missing", [d for d in DType if d not in held], ids=str)

    def test_it_is_a_backend(self, backend: Backend) -> None:
        """It has the protocol's members and its registered name."""
        assert isinstance(backend, Backend)
        assert backend.name == self.framework
        assert isinstance(backend.flat, bool)

    def test_dtypes_have_an_inverse(self, backend: Backend) -> None:
        """No two dtypes share a native one."""
        natives = list(backend.dtypes.values())
        assert all(isinstance(dtype, DType) for dtype in backend.dtypes)
        assert all(natives.count(native) == 1 for native in natives)

    def test_missing_dtype_is_an_error(self, backend: Backend, missing: DType) -> None:
        """The error names the dtype, the framework and the nearest dtype that it has."""
        with pytest.raises(DTypeError) as caught:
            backend.from_numpy(_make_values(missing, (2, 3)), missing)
        other = find_nearest_dtype(missing, backend.dtypes)
        for part in (repr(missing.value), self.framework, repr(other.value) if other else missing.kind):
            assert part in str(caught.value)

    def test_refused_dtype_is_an_error(self, backend: Backend) -> None:
        """A dtype whose values the framework would change is refused."""
        for dtype in self.refused:
            with pytest.raises(DTypeError, match=dtype.value):
                backend.from_numpy(_make_values(dtype, (64,)), dtype)

    @pytest.mark.parametrize("layout", _LAYOUTS)
    def test_values_survive(self, backend: Backend, held: DType, layout: str) -> None:
        """Values are bitwise equal after both conversions, for all memory layouts of the array."""
        values = _LAYOUTS[layout](held)
        expected = values.copy()
        tensor = backend.from_numpy(values, held)
        assert backend.is_tensor(tensor)
        assert same_bits(backend.to_numpy(tensor), expected)

    def test_tensors_are_told_from_other_things(self, backend: Backend) -> None:
        """`is_tensor` is true for its tensors only."""
        dtype = _choose_dtype(backend, DType.FLOAT32, refused=self.refused)
        array = _make_values(dtype, (3,))
        tensor = backend.from_numpy(array.copy(), dtype)
        assert backend.is_tensor(tensor)
        assert backend.is_tensor(array) == isinstance(tensor, np.ndarray)
        for other in (None, True, 1, 1.5, "text", b"bytes", [tensor], (tensor,), {"x": tensor}, object(), type(tensor)):
            assert not backend.is_tensor(other)

    @pytest.mark.parametrize("offset", [0, 4, 16])
    @pytest.mark.parametrize("count", [10, 1 << 16, 1 << 21])
    def test_memory_is_shared_as_declared(self, backend: Backend, count: int, offset: int) -> None:
        """A later change of an array changes its tensor only if `copies` is false."""
        dtype = _choose_dtype(backend, DType.FLOAT32, refused=self.refused)
        values = _place_at_offset(np.zeros(count, dtype.numpy), offset)
        tensor = backend.from_numpy(values, dtype)
        values[...] = 1
        expected = np.zeros(count, dtype.numpy) if self.copies else values
        assert same_bits(backend.to_numpy(tensor), expected)

    def test_generate_equals_numpy(self, backend: Backend) -> None:
        """A sample with masks, ids, positions, nests and a past is bitwise equal to that of NumPy."""
        spec = _model_inputs(backend, self.refused)
        for dims in ({}, {"batch_size": 3, "past_sequence_length": 0}, {"sequence_length": 1}):
            made = spec.generate(self.framework, seed=7, sample=2, **dims)
            self._check(spec, made, spec.feeds(seed=7, sample=2, **dims), backend)

    def test_samples_equal_generate(self, backend: Backend) -> None:
        """Sample n is the same alone and in a series."""
        spec = _model_inputs(backend, self.refused)
        made = list(spec.samples(3, self.framework, seed=1, start=4))
        assert len(made) == 3
        for sample, tensors in enumerate(made, 4):
            self._check(spec, tensors, spec.feeds(seed=1, sample=sample), backend)

    def test_samples_are_fresh(self, backend: Backend) -> None:
        """Samples and inputs do not share memory."""
        spec = _model_inputs(backend, self.refused)
        arrays = [
            {path: backend.to_numpy(tensor) for path, tensor in self._leaves(spec, tensors, backend)}
            for tensors in (*(spec.generate(self.framework) for _ in range(2)), *spec.samples(2, self.framework))
        ]
        every = [array for sample in arrays for array in sample.values()]
        assert not any(np.shares_memory(one, other) for one, other in combinations(every, 2))

    def test_abstract_follows_the_spec(self, backend: Backend) -> None:
        """Signatures have the spec's nest, ranks, dtypes and static sizes; sizes given by the caller are static too."""
        spec = _model_inputs(backend, self.refused)
        for dims in ({}, {"batch_size": 3, "past_sequence_length": 5}):
            given = spec.with_dims(**{name: Dim.static(name, size) for name, size in dims.items()})
            found = dict(self._leaves(spec, spec.abstract(self.framework, **dims), backend))
            for path, leaf in given.leaves:
                assert self.dtype_of(found[path]) == backend.dtypes[leaf.dtype]
                self._check_shape(self.shape_of(found[path]), leaf)

    def test_absent_device_is_an_error(self, backend: Backend) -> None:
        """The error names a device that does not exist; no other device is used instead."""
        dtype = _choose_dtype(backend, DType.FLOAT32, refused=self.refused)
        for device in (self.absent_device, 7.5):
            with pytest.raises(OptionError, match="device="):
                backend.from_numpy(_make_values(dtype, (2,)), dtype, device)
        spec = InputSpec({"x": TensorSpec("x", (2,), dtype)})
        with pytest.raises(OptionError, match=str(self.absent_device)):
            spec.generate(self.framework, device=self.absent_device)

    def test_import_brings_no_other_framework(self) -> None:
        """Loading the backend in a new process imports its own framework only."""
        code = (
            "import sys; from dummyio.backend import load_backend; load_backend(sys.argv[1]); "
            f"print(*(name for name in {FRAMEWORKS!r} if name in sys.modules))"
        )
        command = [sys.executable, "-c", code, self.framework]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603
        assert done.returncode == 0, done.stderr
        assert set(done.stdout.split()) <= set(self.imports)

    def _check(
        self, spec: InputSpec, tensors: Mapping[str, Any], expected: Mapping[str, Array], backend: Backend
    ) -> None:
        found = dict(self._leaves(spec, tensors, backend))
        assert list(found) == list(expected)
        for path, tensor in found.items():
            assert backend.is_tensor(tensor)
            assert same_bits(backend.to_numpy(tensor), expected[path]), path

    def _leaves(self, spec: InputSpec, tree: Mapping[str, Any], backend: Backend) -> Iterator[tuple[str, Any]]:
        """Yield (path, object), and check that the tree is nested as the spec."""
        if backend.flat:
            yield from tree.items()
            return
        assert list(tree) == list(spec)
        for name, node in spec.items():
            yield from self._walk(node, tree[name], name)

    def _walk(self, node: Node, value: Any, path: str) -> Iterator[tuple[str, Any]]:
        if isinstance(node, TensorSpec):
            yield path, value
            return
        if node.kind == "none":
            assert value is None, path
            return
        if node.kind == "cache":
            items = self.layers_of(value)
        else:
            assert type(value).__name__ == node.kind, path
            items = list(value.values()) if node.kind == "dict" else list(value)
        assert len(items) == len(node)
        for (name, child), item in zip(node.items, items, strict=True):
            yield from self._walk(child, item, f"{path}.{name}")

    def _check_shape(self, shape: tuple[Any, ...], leaf: TensorSpec) -> None:
        assert len(shape) == leaf.rank
        for found, size, default in zip(shape, leaf.shape, leaf.sizes(), strict=True):
            if is_static(size) or isinstance(found, int):
                assert found == default, (leaf.name, shape)


def same_bits(found: Array, expected: Array) -> bool:
    """Whether two arrays have equal dtypes, shapes and bits; for strings, equal characters."""
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return False
    if expected.dtype == object:
        return bool(found.tolist() == expected.tolist())
    return found.tobytes() == expected.tobytes()


def _choose_dtype(backend: Backend, *wanted: DType, refused: frozenset[DType]) -> DType:
    """Return the first of the dtypes `wanted` that the backend takes, else any numeric one."""
    for dtype in (*wanted, *backend.dtypes):
        if dtype in backend.dtypes and dtype not in refused and dtype.kind in ("float", "int", "uint"):
            return dtype
    pytest.fail(f"{backend.name} has no numeric dtype.")


def _model_inputs(backend: Backend, refused: frozenset[DType]) -> InputSpec:
    """Return the inputs of a decoder, in all containers, with dtypes that the backend has."""
    ids = _choose_dtype(backend, DType.INT64, DType.INT32, refused=refused - {DType.INT64})
    real = _choose_dtype(backend, DType.FLOAT32, refused=refused)
    half = _choose_dtype(backend, DType.BFLOAT16, DType.FLOAT16, real, refused=refused)
    batch, length = Dim("batch_size", 2, max=64), Dim("sequence_length", 5, max=32)
    past, heads = Dim("past_sequence_length", 3, min=0), Dim.static("heads", 2)
    state = {name: TensorSpec(name, (batch, heads, past, 4), half, Normal()) for name in ("key", "value")}
    return InputSpec(
        {
            "input_ids": TensorSpec("input_ids", (batch, length), ids, TokenIds(100, mask="attention_mask", pad=1)),
            "attention_mask": TensorSpec("attention_mask", (batch, past + length), ids, PaddingMask("left")),
            "position_ids": TensorSpec("position_ids", (batch, length), ids, Positions("attention_mask")),
            "image": {
                "pixel_values": TensorSpec("", (batch, 3, 8, 2 * length), real, Normal()),
                "scale": TensorSpec("", (), real),
            },
            "boxes": [TensorSpec("", (batch, n, 4), real, Boxes()) for n in (1, 2)],
            "pair": (TensorSpec("", (0, 3), real), {"deep": TensorSpec("", (length // 2, batch), ids)}),
            "past_key_values": Nest.of("cache", [Nest.of("tuple", state), Nest.of("tuple", state)]),
        }
    )
