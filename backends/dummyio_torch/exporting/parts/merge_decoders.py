"""The first step of a decoder and its later steps as one file, which chooses between them by the input ``use_cache_branch``.

The weights that both have are kept once. The first step ignores the past, which may have a length of 0.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
import torch
from onnx import helper
from torch import nn

from dummyio.exporting.artifact_check import check_artifact
from dummyio.input_spec import InputSpec
from dummyio.sources.input_names import present_name
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Constant
from dummyio_torch.exporting.parts.optimum_components import DecoderStep
from dummyio_torch.exporting.save_graph import save_graph
from dummyio_torch.running.module_runner import ModuleRunner

MERGED = "decoder_model_merged.onnx"
_SWITCH = "use_cache_branch"
_LATER, _FIRST = "with_past/", "no_past/"


class MergedDecoder(nn.Module):
    """A decoder's first step, or a later one if `use_cache_branch` is true."""

    def __init__(self, step: DecoderStep) -> None:
        super().__init__()
        self.step = step

    def forward(self, *, use_cache_branch: torch.Tensor, past_key_values: Any, **inputs: torch.Tensor) -> Any:
        """Return logits and the caches."""
        return self.step(**inputs, past_key_values=past_key_values if bool(use_cache_branch) else None)


def merge_decoders(
    step: DecoderStep,
    first: tuple[Path, InputSpec],
    later: tuple[Path, InputSpec],
    external_data: bool | None,
    tolerance: float | None,
) -> tuple[nn.Module, InputSpec, tuple[str, ...]]:
    """Write one file beside those of the first and of the later steps; return its module, its spec and notes.

    Parameters
    ----------
    step
        The decoder.
    first, later
        The file of the first step and of the later ones, each with the spec of its inputs and outputs.
    external_data
        As in `dummyio_torch.exporting.export_onnx.export_onnx`.
    tolerance
        As in `dummyio.exporting.artifact_check.check_artifact`.

    Raises
    ------
    ExportError
        if the merged file does not compute what the decoder does, in one of the two ways.
    """
    spec = _describe(first[1], later[1])
    merged = ir.from_proto(_merge(onnx.load(first[0]), onnx.load(later[0]), spec))
    target = first[0].with_name(MERGED)
    save_graph(merged, target, external_data=external_data, weights=True)
    module = MergedDecoder(step).eval()
    outputs = [output.name for output in spec.outputs]
    notes: tuple[str, ...] = ()
    for way in (True, False):
        asked = _choose_way(spec, way=way)
        notes += check_artifact(target, asked, outputs, reference=ModuleRunner(module, asked), tolerance=tolerance)
    return module, spec, notes


def _describe(first: InputSpec, later: InputSpec) -> InputSpec:
    switch = TensorSpec(_SWITCH, (1,), "bool", Constant(value=True))
    declared = {output.name: output for output in later.outputs}
    # The first step returns a cache of another length, so no shape is declared for it.
    outputs = tuple(
        declared[o.name] if o.name == "logits" else OutputSpec(o.name, None, o.dtype) for o in first.outputs
    )
    return InputSpec({**later, _SWITCH: switch}, task=later.task, outputs=outputs, provenance=later.provenance)


def _choose_way(spec: InputSpec, *, way: bool) -> InputSpec:
    switch = spec[_SWITCH]
    assert isinstance(switch, TensorSpec)
    inputs = {**spec, _SWITCH: switch.replace(values=Constant(value=way))}
    return InputSpec(inputs, task=spec.task, outputs=spec.outputs, provenance=spec.provenance)


def _merge(first: onnx.ModelProto, later: onnx.ModelProto, spec: InputSpec) -> onnx.ModelProto:
    known = {_content(each): each.name for each in first.graph.initializer}
    shared = {each.name: name for each in later.graph.initializer if (name := known.get(_content(each)))}
    kept = {name: name for name in shared.values()}
    wanted = [output.name for output in first.graph.output]
    branches: dict[str, Any] = {
        "then_branch": _make_branch(later.graph, _LATER, shared, wanted),
        "else_branch": _make_branch(first.graph, _FIRST, kept, wanted),
    }
    weights = [each for each in first.graph.initializer if each.name in kept]
    choice = helper.make_node("If", [_SWITCH], wanted, name="choose_step", **branches)
    switch = helper.make_tensor_value_info(_SWITCH, onnx.TensorProto.BOOL, [1])
    outputs = [_free_lengths(each, spec) for each in first.graph.output]
    graph = helper.make_graph([choice], "merged_decoder", [*later.graph.input, switch], outputs, weights)
    return helper.make_model(graph, opset_imports=later.opset_import, ir_version=later.ir_version)


def _content(tensor: onnx.TensorProto) -> bytes:
    """Return the digest of a tensor without its name: exporters name a weight that they transposed by a number."""
    unnamed = onnx.TensorProto()
    unnamed.CopyFrom(tensor)
    unnamed.name = ""
    return hashlib.sha256(unnamed.SerializeToString(deterministic=True)).digest()


def _make_branch(graph: onnx.GraphProto, prefix: str, shared: Mapping[str, str], wanted: list[str]) -> onnx.GraphProto:
    """Return a graph as a branch, with names of its own, and with all outputs: those that it lacks are parts of its past.

    `shared` has the names of its weights that are kept outside, and their names there.
    """
    names = {name: shared.get(name, f"{prefix}{name}") for name in _iterate_names(graph)}
    branch = onnx.GraphProto(name=f"{prefix}step")
    branch.initializer.extend(each for each in graph.initializer if each.name not in shared)
    branch.node.extend(graph.node)
    _rename(branch, names)
    made = {output.name: output.type for output in graph.output}
    past = {present_name(each.name): each for each in graph.input}
    for name in wanted:
        if name not in made:
            branch.node.append(
                helper.make_node("Identity", [past[name].name], [f"{prefix}{name}"], name=f"{prefix}{name}")
            )
        kind = made[name] if name in made else past[name].type
        branch.output.append(onnx.ValueInfoProto(name=f"{prefix}{name}", type=kind))
    return branch


def _iterate_names(graph: onnx.GraphProto) -> Iterator[str]:
    """Yield the names of all values that a graph makes or holds, in its own branches too."""
    yield from (each.name for each in graph.initializer)
    for node in graph.node:
        yield from (name for name in node.output if name)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from (each.name for each in attribute.g.input)
                yield from _iterate_names(attribute.g)


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    for each in (*graph.initializer, *graph.input, *graph.output):
        each.name = names.get(each.name, each.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _rename(attribute.g, names)


def _free_lengths(output: onnx.ValueInfoProto, spec: InputSpec) -> onnx.ValueInfoProto:
    """Return an output whose cache has a length of its own: it differs between the two ways."""
    free = onnx.ValueInfoProto()
    free.CopyFrom(output)
    for dim in free.type.tensor_type.shape.dim if output.name != "logits" else ():
        if dim.dim_param and dim.dim_param != "batch_size":
            dim.dim_param = f"present_{dim.dim_param}" if dim.dim_param in spec.dims else dim.dim_param
    return free
