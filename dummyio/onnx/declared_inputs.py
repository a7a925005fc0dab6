"""The spec of a configuration whose subclass declares its inputs: names and axes from it, all else from generators.

A declaration has only the dynamic axes, ``{name: {axis: symbol}}``. Rank, dtype, values and the sizes of all axes are those of the
generators, which are asked in this order: those of the subclass, registered ones, ours. A declared symbol is a dim, and the same symbol
is the same dim everywhere; an axis that is not declared is static.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dummyio.errors import DimError, OptionError, SpecError
from dummyio.generators.base.context import PAST, Context, build_context
from dummyio.generators.own_classes import collect_generators
from dummyio.generators.registry import OPTIONS, generator_for
from dummyio.huggingface.inputs.asked_inputs import check_sizes
from dummyio.huggingface.outputs.describe_outputs import describe_outputs
from dummyio.input_spec import InputSpec
from dummyio.model_config.attribute_types import shorten_value
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, Size, evaluate_size, find_dims
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec, iterate_leaves
from dummyio.spec.values import get_rule_expression, replace_rule_expression

Axes = Mapping[int, str]
_NAME = re.compile(r"[A-Za-z_]\w*")


def build_declared_spec(config: Any, keywords: Mapping[str, Any]) -> InputSpec:
    """Return the spec of a configuration whose class overrides `inputs`.

    Parameters
    ----------
    config
        The configuration; its generators are `DUMMY_INPUT_GENERATOR_CLASSES` and `DUMMY_PKV_GENERATOR_CLASS`.
    keywords
        Sizes and options, as `dummyio.describe` takes them, and sizes of declared symbols.

    Raises
    ------
    OptionError
        if a declaration has not the form ``{name: {axis: symbol}}``, no generator describes an input, or the two contradict each
        other; the message begins with the name of the class.
    """
    label = type(config).__name__
    declared = _check_declaration(label, config.inputs)
    context = _build_context(config, declared, keywords)
    nodes: dict[str, Node] = {}
    for root in dict.fromkeys(name.partition(".")[0] for name in declared):
        generator = generator_for(root, context)
        if generator is None:
            raise OptionError(
                f"{label}: no generator describes the input {root!r}. Add one to DUMMY_INPUT_GENERATOR_CLASSES: a subclass of "
                f"dummyio.generators.DummyInputGenerator with a method describe_{root}."
            )
        nodes[root] = generator.spec(root)
    given = {**context.sizes.given, **_list_own_sizes(declared, keywords)}
    symbols = _Symbols(label, context, _match_leaves(label, declared, nodes), given)
    inputs = {name: symbols.declare(name, node) for name, node in nodes.items()}
    try:
        task = context.task + (PAST if context.with_past else "")
        spec = InputSpec(inputs, task=task, provenance={"source": label, "names": f"inputs of {label}"})
        _check_given(context, spec, symbols)
        context.sizes.dims.update(spec.dims)
        found = describe_outputs(context, inputs, None)
        spec = InputSpec(inputs, task=task, outputs=found, provenance=spec.provenance)
    except SpecError as error:
        raise OptionError(f"{label}: {error} Correct the inputs that it declares, or its generators.") from error
    return _declare_outputs(config, spec) if config.declares_outputs else spec


def _check_declaration(label: str, declared: Any) -> dict[str, Axes]:
    """Return a declaration; raise `OptionError` if it has another form."""
    good = isinstance(declared, Mapping) and all(
        isinstance(name, str) and isinstance(axes, Mapping) and all(_is_axis(*item) for item in axes.items())
        for name, axes in declared.items()
    )
    if not good or not declared:
        raise OptionError(
            f"{label}.inputs is {shorten_value(declared)}: it must be a dict of names to axes, such as "
            "{'input_ids': {0: 'batch_size', 1: 'sequence_length'}}."
        )
    return {name: dict(axes) for name, axes in declared.items()}


def _is_axis(axis: Any, symbol: Any) -> bool:
    return type(axis) is int and axis >= 0 and isinstance(symbol, str) and bool(symbol.strip())


def _build_context(config: Any, declared: Mapping[str, Axes], keywords: Mapping[str, Any]) -> Context:
    roots = frozenset(name.partition(".")[0] for name in declared)
    past = bool(roots & {"past_key_values", "cache_params"})
    normalized = NormalizedConfig.of(config.normalized_config)
    task = config.task.removesuffix(PAST)
    kinds = collect_generators(config.generator_classes, normalized.raw("model_type"), task)
    own = {name for kind in kinds for name in getattr(kind, "OPTIONS", ())}
    options = {"int_dtype": config.int_dtype, "float_dtype": config.float_dtype, **keywords}
    # Our generators do not have sizes of symbols that only the declaration has.
    taken = {name: value for name, value in options.items() if kinds or name not in _list_own_sizes(declared, keywords)}
    return build_context(
        task + (PAST if past else ""),
        normalized,
        taken,
        {*OPTIONS, *own},
        own_generators=kinds,
        names=roots,
        encoder_decoder=bool(roots & {"decoder_input_ids", "encoder_outputs"}),
    )


def _list_own_sizes(declared: Mapping[str, Axes], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sizes that the caller gives of symbols which no default size has."""
    symbols = {name for axes in declared.values() for text in axes.values() for name in _NAME.findall(text)}
    return {name: keywords[name] for name in symbols if name in keywords and name not in DEFAULT_DUMMY_SHAPES}


def _match_leaves(
    label: str, declared: Mapping[str, Axes], nodes: Mapping[str, Node]
) -> dict[str, tuple[TensorSpec, Axes | None]]:
    """Return path → the tensor of the generator and the declared axes, None for those of the generator itself."""
    leaves = dict(iterate_leaves(nodes.items()))
    found: dict[str, tuple[TensorSpec, Axes | None]] = {}
    for root, node in nodes.items():
        paths = [path for path in leaves if path == root or path.startswith(f"{root}.")]
        names = [name for name in declared if name == root or name.startswith(f"{root}.")]
        if names == [root] and isinstance(node, Nest):
            found |= {path: (leaves[path], declared[root] if len(paths) == 1 else None) for path in paths}
            continue
        missing, extra = [name for name in names if name not in leaves], [path for path in paths if path not in names]
        if missing or extra:
            texts = [f"{label} declares {missing[0]}, and the generator describes none of this name"] if missing else []
            texts += [f"the generator describes {extra[0]}, and {label} declares none of this name"] if extra else []
            raise OptionError(
                f"{'; '.join(texts)}: names and number of the parts of {root} must be the same ({len(names)} declared, "
                f"{len(paths)} described)."
            )
        found |= {path: (leaves[path], declared[path]) for path in paths}
    for path, (leaf, axes) in found.items():
        beyond = [axis for axis in axes or () if axis >= leaf.rank]
        if beyond:
            raise OptionError(
                f"{label} declares axis {beyond[0]} of {path}, and the generator describes it as {leaf}, of rank {leaf.rank}: axes "
                f"are numbered from 0 to {leaf.rank - 1}. Correct the declaration or the generator."
            )
    return found


class _Symbols:
    """The dims of a declaration: each symbol once, with the size and bounds that the generators have for its axis."""

    def __init__(
        self,
        label: str,
        context: Context,
        leaves: Mapping[str, tuple[TensorSpec, Axes | None]],
        given: Mapping[str, Any],
    ) -> None:
        self._label, self._context, self._leaves, self._given = label, context, leaves, given
        self.dims: dict[str, Dim] = {}
        self._first: dict[str, str] = {}
        for path, (leaf, axes) in leaves.items():
            for axis, text in (axes or {}).items():
                if _NAME.fullmatch(text.strip()):
                    self._define(text.strip(), leaf.shape[axis], f"axis {axis} of {path}")
        for leaf, axes in leaves.values():
            if axes is None:
                for dim in (dim for size in leaf.shape for dim in find_dims(size)):
                    self.dims.setdefault(dim.name, dim)

    def _define(self, name: str, size: Size, place: str) -> None:
        given = self._given.get(name)
        known = self.dims.get(name)
        if known is None:
            dim = replace(size, name=name) if isinstance(size, Dim) else Dim(name, evaluate_size(size))
            self.dims[name] = dim if given is None else replace(dim, size=given)
            self._first[name] = place
        elif isinstance(size, int) and size != known.size:
            raise OptionError(
                f"{self._label}: the symbol {name} is {known.size} on {self._first[name]}, and {size} on {place}: one symbol has one "
                "size. Declare another symbol, or correct the generator."
            )

    def declare(self, name: str, node: Node) -> Node:
        """Return a description of a generator with the declared axes."""
        if isinstance(node, TensorSpec):
            return self._declare_leaf(name, node)
        items = tuple((key, self.declare(f"{name}.{key}", item)) for key, item in node.items)
        return replace(node, items=items)

    def _declare_leaf(self, path: str, leaf: TensorSpec) -> TensorSpec:
        axes = self._leaves[path][1]
        if axes is None:
            return leaf
        shape = [
            self._parse(path, axis, axes[axis]) if axis in axes else evaluate_size(size)
            for axis, size in enumerate(leaf.shape)
        ]
        rule, text = leaf.values, get_rule_expression(leaf.values)
        if text is not None:
            sizes = self._context.sizes.dims
            start = parse_size(text, {**sizes, **self.dims})
            known = {dim.name for dim in find_dims(start)} <= set(self.dims)
            rule = replace_rule_expression(rule, str(start) if known and find_dims(start) else evaluate_size(start))
        return leaf.replace(shape=shape, values=rule)

    def _parse(self, path: str, axis: int, text: str) -> Size:
        for name in _NAME.findall(text):
            self.dims.setdefault(name, self._context.sizes.dim(name))
        try:
            return parse_size(text, self.dims)
        except DimError as error:
            raise OptionError(f"{self._label}: axis {axis} of {path}: {error}") from None


def _check_given(context: Context, spec: InputSpec, symbols: _Symbols) -> None:
    for name in spec.dims:
        context.sizes.dims.setdefault(name, symbols.dims[name])
    check_sizes(context, spec)


def _declare_outputs(config: Any, spec: InputSpec) -> InputSpec:
    """Return a spec with the outputs that a class declares by name; shapes are those of the task's outputs of the same names."""
    # What a class declares may begin with super().outputs, which reads the spec.
    kept = vars(config)
    known = "spec" in kept
    kept.setdefault("spec", spec)
    declared = config.outputs
    if not known:
        for name in ("spec", "_outputs"):
            kept.pop(name, None)
    outputs = {output.name: output for output in spec.outputs}
    found = tuple(outputs.get(name, OutputSpec(name)) for name in declared)
    return InputSpec(spec, task=spec.task, outputs=found, provenance=spec.provenance)
