"""The base class of all generators."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

from dummyio.errors import OptionError, suggest_names
from dummyio.generators.base import single_tensors as helpers
from dummyio.generators.base.context import Context, build_context
from dummyio.input_spec import InputSpec
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, Size, evaluate_size, find_dims
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec, iterate_leaves, map_node
from dummyio.spec.values import Positions, Rule, get_mask_path, get_rule_expression, replace_rule_expression


class DummyInputGenerator:
    """Describes inputs by their names.

    Parameters
    ----------
    task
        The task, such as ``"text-classification"``; with ``-with-past`` the model gets a cache.
    normalized_config
        A `NormalizedConfig`, or any configuration (dict or object).
    shapes
        Sizes by name (`DEFAULT_DUMMY_SHAPES` lists the usual ones), ``random_<name>_range=(low, high)``, and options:
        ``padding_side``, ``mask_policy``, ``int_dtype``, ``float_dtype``, ``seed``, and the class's own `OPTIONS`.

    Raises
    ------
    OptionError
        for a keyword that is none of these.
    """

    SUPPORTED_INPUT_NAMES: ClassVar[tuple[str, ...]] = ()
    """The inputs that it describes: those for which a class has a method ``describe_<name>``, unless it states them itself."""
    OPTIONS: ClassVar[tuple[str, ...]] = ()
    NEEDS: ClassVar[tuple[str, ...]] = ()
    """Attributes of the configurations of models that it is for; none if it is for all."""

    random_int_tensor = staticmethod(helpers.random_int_tensor)
    random_mask_tensor = staticmethod(helpers.random_mask_tensor)
    random_float_tensor = staticmethod(helpers.random_float_tensor)
    constant_tensor = staticmethod(helpers.constant_tensor)
    concat_inputs = staticmethod(helpers.concat_inputs)
    pad_input_on_dim = staticmethod(helpers.pad_input_on_dim)

    def __init_subclass__(cls) -> None:
        """Collect the names of the inputs."""
        super().__init_subclass__()
        if "SUPPORTED_INPUT_NAMES" not in vars(cls):
            own = (name.removeprefix("describe_") for name in vars(cls) if name.startswith("describe_"))
            inherited = (
                name for base in reversed(cls.__bases__) for name in getattr(base, "SUPPORTED_INPUT_NAMES", ())
            )
            cls.SUPPORTED_INPUT_NAMES = tuple(dict.fromkeys((*inherited, *own)))  # pyright: ignore[reportConstantRedefinition]

    def __init__(self, task: str = "", normalized_config: Any = None, **shapes: Any) -> None:
        """Sort the keywords; nothing is described yet. A subclass written for Optimum calls this without arguments, or not at all."""
        self.context = build_context(task, NormalizedConfig.of(normalized_config), shapes, type(self).OPTIONS)

    @classmethod
    def of(cls, context: Context) -> Self:
        """Return a generator that shares a spec's context with others."""
        generator = cls.__new__(cls)
        generator.context = context
        return generator

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Whether this is the generator of an input in a model of that kind, where several describe one of that name."""
        del name
        return all(context.config.has(attribute) for attribute in cls.NEEDS)

    def supports_input(self, input_name: str) -> bool:
        """Whether this generator describes the input of that name: the name itself, or a path into it."""
        return input_name.partition(".")[0] in self.SUPPORTED_INPUT_NAMES

    def spec(self, input_name: str) -> Node:
        """Return the description of an input; raise `OptionError` for a name that is not supported."""
        name, _, path = input_name.partition(".")
        if name not in self.SUPPORTED_INPUT_NAMES:
            raise OptionError(
                f"{type(self).__name__} describes no input {input_name!r}. {suggest_names(name, self.SUPPORTED_INPUT_NAMES)}"
            )
        node = self.describe(name)
        return _find_part(node, path, input_name) if path else node

    def describe(self, name: str) -> Node:
        """Return the description of an input whose name is supported; what a subclass writes."""
        method = getattr(self, f"describe_{name}")
        node: Node = method()
        return node

    def generate(
        self,
        input_name: str,
        framework: str = "pt",
        int_dtype: str = "int64",
        float_dtype: str = "fp32",
        *,
        seed: int = 0,
        sample: int = 0,
    ) -> Any:
        """Return an input as that framework's tensors; caches as lists of tuples.

        The values are those that a whole spec of these inputs has under the same seed and sample.
        """
        typed = copy.copy(self)
        typed.context = replace(self.context, int_dtype=DType.of(int_dtype), float_dtype=DType.of(float_dtype))
        node = map_node(
            _as_list(typed.spec(input_name)), lambda leaf: _without_foreign_dims(leaf, self.context.sizes.dims)
        )
        inputs: dict[str, Node] = {input_name: node}
        for _, leaf in list(iterate_leaves(inputs.items())):
            mask = get_mask_path(leaf.values)
            if mask is not None and mask not in inputs:
                inputs[mask] = typed.spec(mask)
        return InputSpec(inputs).generate(framework, seed=seed, sample=sample)[input_name]

    # What subclasses that make tensors read: sizes and attributes of the configuration, as attributes of their own.

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "context":
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")
        context = self.context
        if name in ("task", "normalized_config"):
            return context.config if name == "normalized_config" else context.task
        found = context.sizes.wanted(name)
        if found is None:
            edges = context.config.size() if name in ("height", "width") else None
            found = context.config.get(name) if edges is None else edges[name == "width"]
        found = DEFAULT_DUMMY_SHAPES.get(name) if found is None else found
        if found is None:
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r}, and neither sizes nor the configuration have it."
            )
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; a size, such as ``generator.sequence_length = 1``, is one of those that are described from then on."""
        super().__setattr__(name, value)
        context = vars(self).get("context")
        if context is not None and name in DEFAULT_DUMMY_SHAPES and type(value) is int:
            super().__setattr__("context", replace(context, sizes=context.sizes.resize({name: value})))

    # What subclasses write descriptions with.

    @property
    def config(self) -> NormalizedConfig:
        """The model's configuration."""
        return self.context.config

    def dim(self, name: str, **bounds: Any) -> Dim:
        """Return the spec's symbol of that name; see `Sizes.dim`."""
        return self.context.sizes.dim(name, **bounds)

    def option(self, name: str, default: Any = None) -> Any:
        """Return one of the generator's own options."""
        return self.context.options.get(name, default)

    def follow(self, mask: str) -> str | None:
        """Return `mask` where the spec has it, for a rule to follow."""
        return mask if self.context.has(mask) else None

    def fixed(self, name: str, size: int, reason: str) -> Dim:
        """Return a symbol that the model fixes; see `Sizes.fixed`."""
        return self.context.sizes.fixed(name, size, reason)

    def given_or_fixed(self, name: str, size: int | None, attribute: str | None = None) -> Dim:
        """Return a symbol that every model fixes: at what an attribute says, else at the usual size or the caller's."""
        sizes = self.context.sizes
        if size is None:
            size = sizes.wanted(name) or DEFAULT_DUMMY_SHAPES[name]
        return sizes.fixed(name, size, f"{attribute or name} of the configuration")

    def ints(self, name: str, shape: Iterable[Size], rule: Rule) -> TensorSpec:
        """Return a tensor of the spec's int dtype."""
        return TensorSpec(name, shape, self.context.int_dtype, rule)

    def floats(self, name: str, shape: Iterable[Size], rule: Rule | None = None) -> TensorSpec:
        """Return a tensor of the spec's float dtype."""
        return TensorSpec(name, shape, self.context.float_dtype, rule)


def _find_part(node: Node, path: str, input_name: str) -> Node:
    """Return the node at `path` below another; names of items may hold dots themselves."""
    if isinstance(node, Nest):
        for name, item in node.items:
            if path == name:
                return item
            if path.startswith(f"{name}."):
                return _find_part(item, path[len(name) + 1 :], input_name)
    raise OptionError(f"{input_name!r}: the input has no part {path!r}. Give the path of one of its tensors.")


def _without_foreign_dims(leaf: TensorSpec, known: Mapping[str, Dim]) -> TensorSpec:
    """Return a tensor whose values refer to no symbol of other inputs."""
    text = get_rule_expression(leaf.values)
    if text is None or not isinstance(leaf.values, Positions):  # a grid's columns are part of its own shape
        return leaf
    own = {dim.name for size in leaf.shape for dim in find_dims(size)}
    start = parse_size(text, known)
    if {dim.name for dim in find_dims(start)} <= own:
        return leaf
    return leaf.replace(values=replace_rule_expression(leaf.values, evaluate_size(start)))


def _as_list(node: Node) -> Node:
    return replace(node, kind="list") if isinstance(node, Nest) and node.kind == "cache" else node
