"""The context of a description, which all generators of one spec share, and how keywords become one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dummyio.errors import OptionError, suggest_names
from dummyio.generators.base.dim_sizes import DimSizes
from dummyio.generators.base.model_facts import ModelFacts
from dummyio.model_config.attribute_types import shorten_value
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.sources.options import check_choice, check_keywords
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES
from dummyio.spec.dtypes import DType

PAST = "-with-past"
"""The ending of a task whose model gets a cache."""


@dataclass(frozen=True)
class Context:
    """Everything a description depends on apart from the input's name: task, configuration, sizes, options and model facts."""

    task: str
    """The task without ``-with-past``."""
    config: NormalizedConfig
    sizes: DimSizes
    with_past: bool = False
    """Whether the model gets a cache."""
    int_dtype: DType = DType.INT64
    float_dtype: DType = DType.FLOAT32
    padding_side: Literal["left", "right"] = "right"
    mask_policy: Literal["ragged", "full", "shortest"] = "ragged"
    names: frozenset[str] | None = None
    """The inputs that the spec will have; None where any may be there."""
    encoder_decoder: bool = False
    """Whether the text inputs are an encoder's, beside a decoder's."""
    dual: bool = False
    """Whether texts and images come in batches of their own."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """A generator's own options."""
    own_generators: tuple[type, ...] = ()
    """Classes of the user's that are asked before ours, the first one first."""
    facts: ModelFacts = field(default_factory=ModelFacts)
    """Facts that the configuration does not state."""
    memo: dict[str, Any] = field(init=False, default_factory=dict, compare=False, repr=False)
    """Results that several inputs need and that take long to compute; a changed copy starts without them."""

    def has(self, name: str) -> bool:
        """Whether the spec has, or may have, that input."""
        return self.names is None or name in self.names


_KINDS = {"int_dtype": ("int", "uint"), "float_dtype": ("float",)}
"""Option → the kinds of dtypes that it takes."""

_COMMON = ("padding_side", "mask_policy", "int_dtype", "float_dtype", "seed")


def build_context(
    task: str, config: NormalizedConfig, keywords: Mapping[str, Any], own: Iterable[str] = (), **fields: Any
) -> Context:
    """Return the context that `keywords` (sizes, ranges, options) ask for; raise `OptionError` for unknown ones.

    The user's own generators may name dims of their own: any whole number is then a size. One that no dim has is found later.
    """
    sizes: dict[str, int] = {}
    ranges: dict[str, tuple[int, int]] = {}
    common: dict[str, Any] = {}
    options: dict[str, Any] = {}
    own = tuple(own)
    check_keywords(task, keywords)
    for key, value in keywords.items():
        if key in own:
            options[key] = value
        elif key in _COMMON:
            check_choice(key, value)
            common[key] = value
        elif key in DEFAULT_DUMMY_SHAPES:
            if value is not None:
                sizes[key] = value
        elif fields.get("own_generators") and type(value) is int:
            sizes[key] = value
        elif key.startswith("random_") and key.endswith("_range"):
            if value is not None:
                ranges[_range_name(key)] = value
        else:
            known = [*DEFAULT_DUMMY_SHAPES, *_COMMON, *own, *(f"random_{name}_range" for name in DEFAULT_DUMMY_SHAPES)]
            raise OptionError(
                f"{key}={shorten_value(value)}: neither a size nor an option. {suggest_names(key, known)}"
            )
    seed = common.pop("seed", 0)
    chosen: dict[str, Any] = {key: _read_dtype(key, value) if key in _KINDS else value for key, value in common.items()}
    return Context(
        task=task.removesuffix(PAST),
        with_past=task.endswith(PAST),
        config=config,
        sizes=DimSizes(
            config, sizes, ranges, seed, with_past=task.endswith(PAST), static=options.get("cache") == "static"
        ),
        options=options,
        **chosen,
        **fields,
    )


def _read_dtype(key: str, value: Any) -> DType:
    """Return the dtype of an option; raise `OptionError` if it is of another kind than the inputs that it is for."""
    found = DType.of(value)
    if found.kind not in _KINDS[key]:
        example = "float16" if key == "float_dtype" else "int32"
        raise OptionError(
            f"{key}={shorten_value(value)}: give a dtype of {' or '.join(_KINDS[key])} numbers, such as {example!r}."
        )
    return found


def _range_name(key: str) -> str:
    name = key.removeprefix("random_").removesuffix("_range")
    if name not in DEFAULT_DUMMY_SHAPES:
        raise OptionError(f"{key}: no size is named {name!r}. {suggest_names(name, DEFAULT_DUMMY_SHAPES)}")
    return name
