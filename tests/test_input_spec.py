"""`InputSpec`: a mapping, a value, a set of references that hold."""

import copy
import pickle
import time

import numpy as np
import pytest

from dummyio.errors import DimError, DTypeError, OptionError, SpecError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Nest, TensorSpec
from dummyio.spec.values import Constant, Grid, Labels, PaddingMask, Positions, Strings, TokenIds

BATCH, LENGTH, PAST = Dim("batch_size", 2), Dim("sequence_length", 16, max=512), Dim("past_sequence_length", 0, min=0)
MASK = TensorSpec("", (BATCH, LENGTH), "int64", PaddingMask())
IDS = TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(99, mask="attention_mask"))


def bert(**changes):
    return InputSpec({"input_ids": IDS, "attention_mask": MASK}, **{"task": "fill-mask", **changes})


# A mapping.


def test_a_spec_is_a_mapping_of_names_in_the_models_order(zoo):
    assert list(bert()) == ["input_ids", "attention_mask"]
    assert len(bert()) == 2
    assert "input_ids" in bert()
    assert "input_id" not in bert()
    assert bert()["input_ids"] == IDS.replace(name="input_ids")
    assert bert().get("nothing") is None
    assert dict(bert().items()).keys() == bert().keys()
    assert [path for path, _ in zoo.leaves][-4:] == [f"past_key_values.{i}.{j}" for i in (0, 1) for j in (0, 1)]


def test_a_name_that_is_not_there_is_answered_with_the_near_ones():
    with pytest.raises(KeyError, match=r"no input is named 'inputs_ids'. Did you mean 'input_ids'"):
        bert()["inputs_ids"]


def test_an_input_has_the_name_under_which_it_stands():
    assert InputSpec({"x": IDS.replace(name="y", values=TokenIds(9))})["x"].name == "x"


def test_the_table_of_symbols(zoo):
    assert dict(bert().dims) == {"batch_size": BATCH, "sequence_length": LENGTH}
    assert bert(outputs=(OutputSpec("logits", (BATCH, Dim("n", 3))),)).dims["n"].size == 3
    with pytest.raises(TypeError):
        bert().dims["n"] = 3
    assert set(zoo.dims) == {"batch_size", "sequence_length", "past_sequence_length", "width"}


# A value.


def test_specs_that_say_the_same_are_equal():
    assert bert() == bert()
    assert hash(bert()) == hash(bert())
    assert len({bert(), bert(), bert(provenance={"source": "a file"})}) == 1
    assert bert() != "bert"
    assert bert() != dict(bert())


@pytest.mark.parametrize(
    "other",
    [
        bert(task="feature-extraction"),
        bert(task=None),
        bert(outputs=(OutputSpec("logits"),)),
        bert().with_dims(batch_size=3),
        InputSpec({"attention_mask": MASK, "input_ids": IDS}, task="fill-mask"),
        InputSpec({"input_ids": IDS, "attention_mask": MASK.replace(dtype="int32")}, task="fill-mask"),
        InputSpec(
            {"input_ids": IDS.replace(values=TokenIds(98, mask="attention_mask")), "attention_mask": MASK},
            task="fill-mask",
        ),
        InputSpec({"attention_mask": MASK}, task="fill-mask"),
    ],
    ids=repr,
)
def test_specs_that_say_something_else_differ(other):
    assert other != bert()
    assert other.sha256 != bert().sha256


def test_a_spec_cannot_be_changed():
    spec = bert()
    spec.feeds()
    for name in ("task", "outputs", "dims", "_inputs", "new"):
        with pytest.raises(AttributeError, match="InputSpec is immutable"):
            setattr(spec, name, None)
        with pytest.raises(AttributeError, match="InputSpec is immutable"):
            delattr(spec, name)
    for mapping in (spec, spec.dims, spec.provenance):
        with pytest.raises(TypeError):
            mapping["x"] = 1
    assert spec == bert()


def test_what_was_handed_over_can_change_afterwards():
    inputs, provenance = {"input_ids": IDS.replace(values=TokenIds(9))}, {"source": "here"}
    spec = InputSpec(inputs, provenance=provenance)
    inputs["more"] = MASK
    provenance["source"] = "there"
    assert list(spec) == ["input_ids"]
    assert spec.provenance == {"source": "here"}


def test_a_spec_is_pickled_and_copied(zoo):
    zoo.feeds()
    for made in (pickle.loads(pickle.dumps(zoo)), copy.deepcopy(zoo), copy.copy(zoo)):
        assert made == zoo
        assert made.provenance == zoo.provenance
        assert made.sha256 == zoo.sha256
        assert made.feeds(seed=3)["input_ids"].tolist() == zoo.feeds(seed=3)["input_ids"].tolist()


def test_a_spec_prints_for_people(zoo):
    assert repr(bert()) == (
        "InputSpec(input_ids: int64[batch_size, sequence_length] TokenIds(high=99, mask='attention_mask'), "
        "attention_mask: int64[batch_size, sequence_length] PaddingMask(); task=fill-mask)"
    )
    assert str(bert()).splitlines() == [
        "InputSpec of task fill-mask",
        "  input_ids       int64[batch_size, sequence_length] TokenIds(high=99, mask='attention_mask')",
        "  attention_mask  int64[batch_size, sequence_length] PaddingMask()",
        "  Dim('batch_size', 2)",
        "  Dim('sequence_length', 16, max=512)",
    ]
    assert "past_key_values: cache" in repr(zoo)
    assert "past_key_values.1.0" in str(zoo)
    assert str(InputSpec({})) == "InputSpec"


@pytest.mark.parametrize("wrong", [{"task": 5}, {"provenance": {"a": 1}}, {"provenance": {1: "a"}}])
def test_task_and_provenance_are_text(wrong):
    with pytest.raises(SpecError, match="is not a string"):
        bert(**wrong)


def test_outputs_have_one_form_too():
    one = OutputSpec("logits", [BATCH, np.int64(3)], np.float32)
    assert one == OutputSpec("logits", (BATCH, 3), DType.FLOAT32)
    assert hash(one) == hash(OutputSpec("logits", (BATCH, 3), "fp32"))
    assert bert(outputs=[one]) == bert(outputs=(one,))
    for wrong, error in (({"name": ""}, SpecError), ({"shape": (-1,)}, DimError), ({"dtype": "flaot"}, DTypeError)):
        with pytest.raises(error):
            OutputSpec(**{"name": "x", **wrong})


# References.


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"ids": IDS}, "input 'ids' follows mask='attention_mask', but no input has this path. Known: ids"),
        ({"ids": IDS, "attention_maks": MASK}, "Did you mean 'attention_maks'"),
        (
            {"ids": IDS, "attention_mask": MASK.replace(shape=(LENGTH, BATCH))},
            "its mask 'attention_mask' .* all axes but the last must be equal",
        ),
        ({"ids": IDS, "attention_mask": MASK.replace(shape=(LENGTH,))}, "all axes but the last must be equal"),
        ({"ids": IDS, "attention_mask": MASK.replace(shape=(BATCH + 1, LENGTH))}, "all axes but the last"),
        ({"attention_mask": IDS}, "which cannot be a mask: a mask must be numeric and must not follow another mask"),
        (
            {"ids": IDS, "attention_mask": IDS.replace(values=TokenIds(9, mask="m")), "m": MASK},
            "which cannot be a mask: a mask must be numeric and must not follow another mask",
        ),
        ({"ids": IDS, "attention_mask": MASK.replace(dtype="string", values=Strings())}, "which cannot be a mask"),
        ({"ids": IDS, "attention_mask": MASK.replace(dtype="complex64", values=Constant(1))}, "which cannot be a mask"),
        ({"ids": IDS, "attention_mask": [MASK]}, "but no input has this path. Did you mean 'attention_mask.0'"),
        (
            {"x": MASK, "p": MASK.replace(values=Positions(start="past_sequence_length"))},
            "input 'p': Positions.*no dim is named 'past_sequence_length'",
        ),
        ({"x": MASK, "p": MASK.replace(values=Positions(start="1 +"))}, "input 'p': .*write names, whole numbers"),
        ({"x": MASK, "p": MASK.replace(values=Grid("widht"))}, "input 'p': .*no dim is named 'widht'"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(inputs, message):
    with pytest.raises(SpecError, match=message):
        InputSpec(inputs)


def test_a_mask_is_found_by_its_path():
    spec = InputSpec({"masks": {"text": MASK}, "ids": IDS.replace(values=TokenIds(9, low=1, mask="masks.text"))})
    made = spec.feeds()
    assert ((made["ids"] == 0) == (made["masks.text"] == 0)).all()


def test_what_is_no_mask_by_rule_can_be_one():
    spec = InputSpec(
        {"ids": IDS.replace(values=TokenIds(9, low=1, mask="m")), "m": MASK.replace(dtype="float32", values=None)}
    )
    assert (spec.feeds()["ids"] != 0).all()


def test_thousands_of_inputs_are_checked_in_no_time():
    inputs = {f"ids_{i}": IDS for i in range(10_000)} | {"attention_mask": MASK}
    start = time.process_time()
    spec = InputSpec(inputs)
    assert InputSpec.from_json(spec.to_json()) == spec
    assert time.process_time() - start < 6


# Sizes.


def test_sizes_are_the_defaults_and_what_is_asked_for():
    assert bert().sizes() == {"batch_size": 2, "sequence_length": 16}
    assert bert().sizes(sequence_length=512) == {"batch_size": 2, "sequence_length": 512}
    assert bert().nbytes(batch_size=1, sequence_length=10) == 160
    for wrong, error in (({"sequence_length": 513}, "at most 512"), ({"batch_size": 0}, "at least 1")):
        with pytest.raises(DimError, match=error):
            bert().sizes(**wrong)
    with pytest.raises(OptionError, match=r"batch=1: no dim of this spec has that name. Did you mean 'batch_size'"):
        bert().sizes(batch=1)


def test_shapes_at_sizes(zoo):
    sizes = zoo.sizes(batch_size=2)
    assert zoo.shapes(sizes)["left_mask"] == (2, 11)
    assert zoo.shapes()["left_mask"] == (3, 11)


def test_with_dims_gives_other_defaults():
    spec = bert(outputs=(OutputSpec("logits", (BATCH, LENGTH + 1)), OutputSpec("unknown"))).with_dims(sequence_length=8)
    assert spec.dims["sequence_length"] == Dim("sequence_length", 8, max=512)
    assert spec.feeds()["input_ids"].shape == (2, 8)
    assert spec.outputs[0].shape == (BATCH, spec.dims["sequence_length"] + 1)
    assert spec.outputs[1].shape is None
    assert spec.task == "fill-mask"
    assert bert().with_dims() == bert()
    with pytest.raises(DimError, match="at most 512"):
        bert().with_dims(sequence_length=1000)
    with pytest.raises(OptionError, match="Did you mean 'batch_size'"):
        bert().with_dims(batch=3)
    with pytest.raises(OptionError, match="no dim of this spec"):
        bert().with_dims(batch=Dim("batch", 3))


def test_with_dims_gives_other_definitions():
    spec = bert().with_dims(sequence_length=Dim("sequence_length", 32, multiple_of=32))
    assert spec.dims["sequence_length"].multiple_of == 32
    assert spec.feeds()["attention_mask"].shape == (2, 32)


def test_with_dims_gives_other_names_in_rules_too():
    inputs = {
        "cache": TensorSpec("", (BATCH, PAST, LENGTH // 2)),
        "at": TensorSpec("", (LENGTH,), "int64", Positions(start="past_sequence_length * 2")),
        "cells": TensorSpec("", (8, 2), "int64", Grid("sequence_length // 4")),
    }
    spec = InputSpec(inputs).with_dims(past_sequence_length=Dim("past", 3), sequence_length=Dim("length", 8))
    assert set(spec.dims) == {"batch_size", "past", "length"}
    assert spec["at"].values == Positions(start="past * 2")
    assert spec["cells"].values == Grid("length // 4")
    assert spec.feeds()["at"].tolist() == [6, 7, 8, 9, 10, 11, 12, 13]
    assert InputSpec.from_json(spec.to_json()) == spec
    merged = InputSpec(inputs).with_dims(past_sequence_length=LENGTH)
    assert merged.feeds()["at"][0] == 32


# What exporters ask for.


def test_dynamic_axes_are_those_that_can_change():
    spec = InputSpec(
        {
            "ids": TensorSpec("", (BATCH, PAST + LENGTH, 4), "int64"),
            "fixed": TensorSpec("", (Dim("one", 1, max=1), Dim("some", 8, choices=(8,)))),
            "cache": Nest.of("cache", [{"k": TensorSpec("", (BATCH, LENGTH // 2))}]),
        }
    )
    assert spec.dynamic_axes() == {
        "ids": {0: "batch_size", 1: "past_sequence_length + sequence_length"},
        "fixed": {},
        "cache.0.k": {0: "batch_size", 1: "sequence_length // 2"},
    }
    assert spec.dynamic_shapes() == {
        "ids": {0: "batch_size", 1: "past_sequence_length + sequence_length"},
        "fixed": {},
        "cache": [{"k": {0: "batch_size", 1: "sequence_length // 2"}}],
    }


def test_abstract_arrays_hold_no_memory(zoo):
    shapes = zoo.abstract("np", batch_size=1 << 20)
    assert shapes["input_ids"].shape == (1 << 20, 7)
    assert shapes["input_ids"].strides == (0, 0)
    assert shapes["past_key_values"][1][1].dtype == np.float32


def test_labels_and_positions_follow_masks_of_other_inputs(zoo):
    made = zoo.feeds(batch_size=6)
    assert ((made["labels"] == -100) >= (made["attention_mask"] == 0)).all()
    assert isinstance(zoo["labels"].values, Labels)
    assert (made["position_ids"] == np.maximum(made["left_mask"].cumsum(-1)[:, 4:] - 1, 0)).all()
    assert made["cache_position"].tolist() == [4, 5, 6, 7, 8, 9, 10]
