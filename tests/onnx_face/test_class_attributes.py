"""What a subclass states in its attributes, and arguments of a wrong kind: read, or refused with the rule and the remedy."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

import dummyio
from dummyio.errors import OptionError
from dummyio.generators import DummyInputGenerator, register_generator
from dummyio.onnx import OnnxConfig, TextEncoderOnnxConfig, UniversalOnnxConfig

BERT = {
    "model_type": "bert",
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "vocab_size": 40,
}


@pytest.mark.parametrize("base", [UniversalOnnxConfig, OnnxConfig, TextEncoderOnnxConfig])
@pytest.mark.parametrize("stated", [5, None, "name", {}, DummyInputGenerator, (5,), ("name",)], ids=str)
def test_generators_that_a_class_states(base, stated):
    kind = type("Mine", (base,), {"DUMMY_INPUT_GENERATOR_CLASSES": stated})
    with pytest.raises(
        OptionError, match=r"Mine.DUMMY_INPUT_GENERATOR_CLASSES=.*: give a tuple|is not a class: give the"
    ):
        kind(BERT).get_input_names()


@pytest.mark.parametrize("names", [5, "points", [5], {"points": 1}], ids=str)
def test_names_that_a_generator_states(names):
    class Points(DummyInputGenerator):
        SUPPORTED_INPUT_NAMES: Any = names

        def describe_points(self) -> Any:
            return self.floats("points", (self.dim("batch_size"), 3))

    for use in (register_generator, lambda kind: dummyio.describe(BERT, generators=(kind,))):
        with pytest.raises(OptionError, match=r"Points: SUPPORTED_INPUT_NAMES=.*: give a tuple of names"):
            use(Points)


@pytest.mark.parametrize("given", [{}, {"a": DummyInputGenerator}, 5, "name"], ids=str)
def test_generators_that_are_given(given):
    for make in (dummyio.describe, UniversalOnnxConfig):
        with pytest.raises(OptionError, match=r"generators=.*: give a tuple of generator classes"):
            make(BERT, generators=given)


@pytest.mark.parametrize(
    ("option", "dtype", "kind"),
    [("float_dtype", "int64", "float"), ("float_dtype", "bool", "float"), ("int_dtype", "float32", "int or uint")],
)
def test_a_dtype_of_another_kind(option, dtype, kind):
    """Whether the model has an input of that kind or not: the names of two options are exchanged easily."""
    for make in (dummyio.describe, UniversalOnnxConfig):
        with pytest.raises(OptionError, match=rf"{option}={dtype!r}: give a dtype of {kind} numbers, such as "):
            make(BERT, **{option: dtype})


@pytest.mark.parametrize("given", [5, None, "ids", [1], {5: 3}], ids=str)
def test_inputs_for_validation_are_a_mapping(given):
    with pytest.raises(OptionError, match=r"reference_inputs=.*: give a mapping"):
        UniversalOnnxConfig(BERT).generate_dummy_inputs_for_validation(given)


@pytest.mark.parametrize("names", [5, "input_ids", [5]], ids=str)
def test_names_for_validation_are_a_list(names):
    config = UniversalOnnxConfig(BERT)
    with pytest.raises(OptionError, match=r"onnx_input_names=.*: give a list"):
        config.generate_dummy_inputs_for_validation(config.generate_dummy_inputs("np"), names)


def test_patching_specs_hold_during_an_export_alone():
    """As Optimum's: the function of a module is another one inside the context, and the old one after it, errors included."""
    old = math.floor
    specs = [
        SimpleNamespace(o=math, name="floor", custom_op=math.ceil, orig_op=None, op_wrapper=None),
        SimpleNamespace(
            o=math, name="sqrt", custom_op=math.sqrt, op_wrapper=lambda made: lambda value: made(value) + 1
        ),
    ]
    for base in (UniversalOnnxConfig, OnnxConfig):
        config = type("Mine", (base,), {"PATCHING_SPECS": specs})(BERT)
        with config.patch_model_for_export(SimpleNamespace(config=None)):
            assert (math.floor(1.5), math.sqrt(4.0)) == (2, 3.0)
        assert math.floor is old
        with pytest.raises(KeyError), config.patch_model_for_export(SimpleNamespace(config=None)):
            raise KeyError
        assert (math.floor(1.5), math.sqrt(4.0)) == (1, 2.0)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (5, r"Mine.PATCHING_SPECS=5: give a list of specs"),
        ([5], r"Mine.PATCHING_SPECS has 5: a spec has the attributes o, name and custom_op"),
        ([SimpleNamespace(o=math, name="flor", custom_op=math.ceil)], r"math has no 'flor' to replace"),
    ],
)
def test_patching_specs_that_are_none(specs, message):
    config = type("Mine", (UniversalOnnxConfig,), {"PATCHING_SPECS": specs})(BERT)
    with pytest.raises(OptionError, match=message), config.patch_model_for_export(SimpleNamespace()):
        pass
