"""What Optimum generates for the default configurations of its model types: the same names, axes and sizes come out here."""

import json
from pathlib import Path

import pytest

from dummyio.generators.registry import OPTIONS, build_context, generator_for
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, evaluate_size
from dummyio.spec.tensor_spec import Nest

CASES = json.loads((Path(__file__).parents[1] / "data" / "optimum_golden.json").read_text())["cases"]

OTHER_NAMES = {
    ("input_values", "sequence_length"): "audio_sequence_length",  # samples of a wave are no tokens
    ("past_values", "sequence_length"): "context_length",  # the model fixes it
    ("audio_codes", "chunk_length"): "sequence_length",
    ("timestep", "step"): "batch_size",  # a step for each row
    ("input_ids", "batch_size_x_num_codebooks"): "batch_size * 4",  # said as an expression
    ("decoder_input_ids", "total_batch_size_x_num_codebooks"): "batch_size * 4",
    ("encoder_outputs.last_hidden_state", "total_batch_size"): "batch_size",
}
"""(input, Optimum's name for an axis) → ours, where they differ."""


def context(case):
    inputs = case["inputs"]
    axes = {axis for entry in inputs.values() for axis in entry["axes"].values()}
    return build_context(
        case["task"] if any(path.startswith("past_") for path in inputs) else case["task"].removesuffix("-with-past"),
        NormalizedConfig(case["config"]),
        case["sizes"],
        OPTIONS,
        names=frozenset(path.split(".")[0] for path in inputs),
        encoder_decoder="encoder_sequence_length" in axes,
        dual="text_batch_size" in axes,
    )


def size(axis, number, sizes):
    """The size that an axis's own formula gives, where it is one: their masks are shorter than it for some tasks."""
    if "+" not in axis:
        return number
    names = axis.split(" + ")
    return evaluate_size(parse_size(axis, {name: Dim(name, sizes[name], min=0) for name in names}))


@pytest.mark.parametrize("key", CASES)
def test_same_sizes_and_axes(key):
    case = CASES[key]
    shared = context(case)
    for path, entry in case["inputs"].items():
        found = generator_for(path, shared).spec(path)
        assert not isinstance(found, Nest)
        assert found.dtype.kind == entry["dtype"]
        shape = [size(entry["axes"].get(str(i), ""), n, case["sizes"]) for i, n in enumerate(entry["shape"])]
        assert list(found.sizes()) == shape, path
        for place, axis in entry["axes"].items():
            assert str(found.shape[int(place)]) == OTHER_NAMES.get((path, axis), axis), path


def test_every_difference_in_names_is_still_one():
    seen = {
        (path, axis)
        for case in CASES.values()
        for path, entry in case["inputs"].items()
        for axis in entry["axes"].values()
    }
    assert set(OTHER_NAMES) <= seen
