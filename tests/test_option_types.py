"""Options with a declared type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from msgspec import Meta

from dummyio.errors import BrokenBackendError, OptionError
from dummyio.option_types import convert_option, convert_options, list_options
from dummyio.typing import Buckets, StaticDims

Opset = Annotated[int, Meta(ge=9, le=18)]
Kind = Literal["float16", "int8"]


@pytest.mark.parametrize(
    ("declared", "value", "converted"),
    [
        (bool, False, False),
        (bool, np.True_, True),
        (bool | None, None, None),
        (int, 3, 3),
        (int, np.int64(3), 3),
        (Opset | None, 9, 9),
        (Opset | None, 18, 18),
        (float, 1, 1.0),
        (float, np.float32(0.5), 0.5),
        (Kind | None, "int8", "int8"),
        (Kind | None, None, None),
        (StaticDims, "all", "all"),
        (StaticDims, ["a", "b"], ("a", "b")),
        (Buckets, {"length": range(3, 5)}, {"length": (3, 4)}),
        (Sequence[Kind] | Kind | None, ("int8", "float16"), ("int8", "float16")),
        (Mapping[str, float], {"x": 1}, {"x": 1.0}),
        (Path | None, "x", "x"),
        (Callable[..., int], len, len),
        (str, "", ""),
        (Any, 3, 3),
    ],
)
def test_a_value_of_the_declared_type_is_converted(declared, value, converted):
    made = convert_option("option", value, declared)
    assert made == converted
    assert type(made) is type(converted)


@pytest.mark.parametrize(
    ("declared", "value", "choices"),
    [
        (bool, "false", "give True or False"),
        (bool, "true", "On the command line: true or false"),
        (bool, 1, "give True or False"),
        (bool | None, "banana", "give True, False or None"),
        (int, True, "give a whole number"),
        (int, 1.0, "give a whole number"),
        (int, "3", "give a whole number"),
        (Opset | None, -3, "give a whole number from 9 to 18 or None"),
        (Opset | None, 19, "from 9 to 18"),
        (Annotated[int, Meta(ge=1)], 0, "of at least 1"),
        (float, "1.5", "give a number"),
        (float, True, "give a number"),
        (Kind | None, "int4", "give 'float16', 'int8' or None"),
        (Kind, True, "give 'float16' or 'int8'"),
        (Literal[1, 2], True, "give 1 or 2"),
        (StaticDims, 3, "give a string, a list"),
        (StaticDims, ("a", 1), "give a string, a list"),
        (Buckets, "banana", "give a mapping"),
        (Buckets, {"length": "16"}, "each value a list"),
        (Buckets, {"length": (-1,)}, "each value a list"),
        (Sequence[str], "abc", "give a list"),
        (Iterable[int], {"a": 1}, "give a list"),
        (Path, 3, "give a path"),
        (Callable[..., int], 3, "give a function"),
        (str | None, 3, "give a string or None"),
    ],
)
def test_any_other_value_is_refused_with_the_choices(declared, value, choices):
    with pytest.raises(OptionError) as caught:
        convert_option("option", value, declared)
    assert str(caught.value).startswith(f"option={value!r}: ")
    assert choices in str(caught.value)


def takes_options(model: object, *, opset: Opset = 9, quantize: Kind | None = None, anything=3) -> None:
    pass


def test_the_options_of_a_function_are_its_keyword_only_parameters():
    assert list_options(takes_options) == ["opset", "quantize", "anything"]
    assert convert_options(takes_options, {"opset": np.int8(12), "anything": "x"}) == {"opset": 12, "anything": "x"}
    with pytest.raises(OptionError, match="quantize='banana'"):
        convert_options(takes_options, {"quantize": "banana"})


def test_annotations_that_cannot_be_read_are_an_error_that_names_the_function():
    def write(*, size: Absent = 3) -> None:  # noqa: F821 - that is the test
        pass

    with pytest.raises(BrokenBackendError, match="write cannot be read"):
        convert_options(write, {"size": 3})
