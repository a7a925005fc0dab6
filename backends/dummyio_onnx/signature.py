"""The declarations of inputs that ONNX graphs use: `onnx.ValueInfoProto`."""

from collections.abc import Mapping

from onnx import ValueInfoProto, helper

from dummyio.spec.dims import evaluate_size, is_static
from dummyio.spec.tensor_spec import TensorSpec
from dummyio_onnx.dtypes import to_native


def abstract(leaves: Mapping[str, TensorSpec]) -> dict[str, ValueInfoProto]:
    """Return one value info per path, under that name; dims and their expressions become ``dim_param``."""
    return {
        path: helper.make_tensor_value_info(
            path, to_native(leaf.dtype), [evaluate_size(size) if is_static(size) else str(size) for size in leaf.shape]
        )
        for path, leaf in leaves.items()
    }
