"""One tensor and nests of them, as data."""

import copy
import pickle

import numpy as np
import pytest

from dummyio.errors import DimError, DTypeError, SpecError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import MAX_NESTING, Nest, TensorSpec, iterate_leaves
from dummyio.spec.values import PaddingMask, Strings, TokenIds, Uniform

BATCH, LENGTH = Dim("batch_size", 2), Dim("sequence_length", 16)


def test_a_tensor_has_a_name_a_shape_a_dtype_and_values():
    spec = TensorSpec("input_ids", [BATCH, LENGTH + 1, 3], "long", TokenIds(99))
    assert spec.name == "input_ids"
    assert spec.shape == (BATCH, LENGTH + 1, 3)
    assert spec.dtype is DType.INT64
    assert spec.values == TokenIds(99)
    assert spec.rank == 3


@pytest.mark.parametrize(
    ("dtype", "rule"),
    [
        ("float32", Uniform(0, 1)),
        ("complex64", Uniform(0, 1)),
        ("int8", Uniform(0, 2)),
        ("bool", Uniform(0, 2)),
        ("int1", Uniform(0, 1)),
    ],
)
def test_values_are_uniform_where_nothing_is_said(dtype, rule):
    assert TensorSpec("x", (2,), dtype).values == rule
    assert TensorSpec("x", (2,), "string").values == Strings()


def test_a_tensor_prints_its_shape_as_one_would_write_it():
    spec = TensorSpec("ids", (BATCH, LENGTH // 2), "int64", TokenIds(99, reserved=(0,)))
    assert str(spec) == "int64[batch_size, sequence_length // 2] TokenIds(high=99, reserved=(0,))"
    assert "ids" in repr(spec)
    assert str(TensorSpec("x", ())) == "float32[] Uniform()"


@pytest.mark.parametrize("shape", [(1.5,), (-1,), (None,), ("a",), (True,), (2**63,)])
def test_a_shape_is_of_sizes(shape):
    with pytest.raises(DimError, match="is not a size"):
        TensorSpec("x", shape)


def test_a_dtype_is_one_of_those_there_are():
    with pytest.raises(DTypeError, match="Did you mean 'float32'"):
        TensorSpec("x", (1,), "flaot32")


def test_sizes_and_bytes():
    spec = TensorSpec("x", (BATCH, LENGTH * 2, 3), "float16")
    assert spec.sizes() == (2, 32, 3)
    assert spec.sizes({"batch_size": 5}) == (5, 32, 3)
    assert spec.nbytes() == 2 * 32 * 3 * 2
    assert spec.nbytes({"sequence_length": 0}) == 0
    assert TensorSpec("x", (), "int4").nbytes() == 1
    assert TensorSpec("x", (3,), "string").nbytes() == 3 * np.dtype(object).itemsize


def test_a_size_that_comes_out_wrong_is_named():
    spec = TensorSpec("x", (BATCH, 3 - LENGTH))
    with pytest.raises(DimError, match="input 'x', axis 1: -sequence_length \\+ 3 is -13 at these sizes"):
        spec.sizes()
    product = TensorSpec("x", (LENGTH * (1 << 62),))
    with pytest.raises(DimError, match=r"axis 0: .* is 73786976294838206464 at these sizes"):
        product.sizes()


def test_a_tensor_cannot_be_changed_but_replaced():
    spec = TensorSpec("x", (BATCH,), "float32")
    with pytest.raises(AttributeError):
        spec.name = "y"
    assert spec.replace(dtype="float16", shape=(3,)) == TensorSpec("x", (3,), "float16")
    assert spec == TensorSpec("x", (BATCH,), "float32")
    with pytest.raises(SpecError):
        spec.replace(dtype="string")


def test_tensors_that_are_alike_are_equal():
    one, other = (TensorSpec("x", [BATCH, LENGTH], np.float32, Uniform(0.0, 1.0)) for _ in range(2))
    assert one == other == pickle.loads(pickle.dumps(one)) == copy.deepcopy(one)
    assert len({one, other}) == 1
    for changed in ({"name": "y"}, {"shape": (BATCH,)}, {"dtype": "float64"}, {"values": Uniform(0, 2)}):
        assert one.replace(**changed) != one


# Nests.


def test_items_of_a_nest_are_named_by_their_place():
    nest = Nest.of("cache", [(TensorSpec("k", (2,)), TensorSpec("v", (2,)))] * 2)
    assert [name for name, _ in nest.items] == ["0", "1"]
    assert nest[0]["1"].name == nest["0"][1].name == "1"
    assert len(nest) == 2
    assert [path for path, _ in iterate_leaves([("past", nest)])] == ["past.0.0", "past.0.1", "past.1.0", "past.1.1"]


def test_plain_containers_become_nests():
    spec = InputSpec({"a": {"b": [TensorSpec("", (1,))], "c": (TensorSpec("", (1,)),)}})
    assert spec["a"].kind == "dict"
    assert spec["a"]["b"].kind == "list"
    assert spec["a"]["c"].kind == "tuple"
    assert [path for path, _ in spec.leaves] == ["a.b.0", "a.c.0"]
    assert [leaf.name for _, leaf in spec.leaves] == ["0", "0"]
    assert InputSpec({"outer": InputSpec({"inner": TensorSpec("", (1,))})})["outer"].kind == "dict"


def test_nests_are_data():
    nest = Nest.of("dict", {"a": TensorSpec("", (1,)), "b": [TensorSpec("", (2,))]})
    assert nest == pickle.loads(pickle.dumps(nest)) == copy.deepcopy(nest)
    assert hash(nest) == hash(copy.deepcopy(nest))
    halved = nest.map(lambda leaf: leaf.replace(dtype="float16"))
    assert {leaf.dtype for _, leaf in iterate_leaves(halved.items)} == {"float16"}
    assert halved != nest
    with pytest.raises(AttributeError):
        nest.kind = "list"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Nest("set", ()), "kind='set' is not a container: use one of dict, list, tuple, record, cache"),
        (lambda: Nest("dict", (("", TensorSpec("", ())),)), "a string with at least one character"),
        (lambda: Nest("dict", ((3, TensorSpec("", ())),)), "name=3"),
        (lambda: Nest("dict", (("a", TensorSpec("", ())),) * 2), "has two items of one name"),
        (lambda: Nest.of("dict", {"a\ud800": TensorSpec("", ())}), "without lone surrogates"),
        (lambda: Nest.of("list", [3]), "3 is not a description"),
        (lambda: Nest.of("list", ["text"]), "'text' is not a description"),
        (lambda: InputSpec({"a": None}), "None is not a description"),
        (lambda: InputSpec({"": TensorSpec("", ())}), "at least one character"),
        (lambda: InputSpec({1: TensorSpec("", ())}), "name=1"),
    ],
)
def test_what_is_no_nest_is_refused(make, message):
    with pytest.raises(SpecError, match=message):
        make()


def test_only_so_many_containers_stand_inside_each_other():
    nest = TensorSpec("", (1,))
    for _ in range(MAX_NESTING):
        nest = [nest]
    spec = InputSpec({"x": nest})
    assert InputSpec.from_json(spec.to_json()) == pickle.loads(pickle.dumps(spec)) == spec
    assert spec.generate()
    with pytest.raises(SpecError, match=f"{MAX_NESTING + 1} containers inside each other"):
        InputSpec({"x": [nest]})


def test_paths_that_are_alike_are_refused():
    mask = TensorSpec("", (1,), "int64", PaddingMask())
    with pytest.raises(
        SpecError, match=r"two inputs have the path a\.b: each path, names joined by dots, must be unique"
    ):
        InputSpec({"a": {"b": mask}, "a.b": mask})
    assert len(InputSpec({"a": {"c": mask}, "a.b": mask}).leaves) == 2
