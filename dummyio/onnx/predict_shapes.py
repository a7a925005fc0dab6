"""Shapes of outputs at given sizes, predicted without running the model."""

from collections.abc import Mapping, Sequence

from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Size, collect_dims, evaluate_size
from dummyio.spec.spec_data import OutputSpec

Shape = tuple[int | None, ...] | None
"""Ints; None for an axis, or for the whole shape, that only a run tells."""


def predict_shapes(spec: InputSpec, outputs: Sequence[OutputSpec], sizes: Mapping[str, int]) -> dict[str, Shape]:
    """Return output → shape at sizes of the dims of a spec.

    An axis is None if no input has its symbol, such as one that depends on strides or queries of the model.
    """
    known = {dim for _, leaf in spec.leaves for dim in collect_dims(leaf.shape)}
    values = {name: size for name, size in sizes.items() if name in known}

    def predict(size: Size) -> int | None:
        return evaluate_size(size, values) if set(collect_dims([size])) <= known else None

    return {output.name: None if output.shape is None else tuple(map(predict, output.shape)) for output in outputs}
