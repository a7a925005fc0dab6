"""The outputs of a model under the names that a file for ONNX has."""

from collections.abc import Mapping

from dummyio.input_spec import InputSpec
from dummyio.spec.dims import is_static
from dummyio.spec.spec_data import OutputSpec


def list_outputs(spec: InputSpec) -> tuple[OutputSpec, ...]:
    """Return all outputs that the class of a spec returns, in its order."""
    return spec.outputs


def name_outputs(spec: InputSpec, outputs: tuple[OutputSpec, ...]) -> Mapping[str, str]:
    """Return output of the model → its name in a file, for those whose own name is that of an input too."""
    taken = {path for path, _ in spec.leaves}
    return {output.name: f"out_{output.name}" for output in outputs if output.name in taken}


def name_axes(output: OutputSpec) -> dict[int, str]:
    """Return axis → symbol for the dynamic axes of an output; none if its shape is not known."""
    return {axis: str(size) for axis, size in enumerate(output.shape or ()) if not is_static(size)}
