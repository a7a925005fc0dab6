"""Every generator class that Optimum has: its inputs are described here too, with the same shapes and saner values."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import dummyio.generators as ours
from dummyio.errors import OptionError
from dummyio.generators.registry import OPTIONS, build_context, generator_for
from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import feeds
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, evaluate_size
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import iterate_leaves

ROWS = json.loads((Path(__file__).parents[1] / "data" / "optimum_generators.json").read_text())["rows"]
SIZES = {
    "batch_size": 3,
    "sequence_length": 7,
    "past_sequence_length": 6,
    "encoder_sequence_length": 9,
    "decoder_sequence_length": 4,
    "past_decoder_sequence_length": 5,
    "num_channels": 3,
    "height": 36,
    "width": 40,
    "visual_seq_length": 8,
    "point_batch_size": 2,
    "nb_points_per_image": 5,
    "num_boxes": 4,
    "max_patches": 6,
    "audio_sequence_length": 900,
    "nb_max_frames": 50,
    "spectrogram_length": 11,
}
SYMBOLS = {name: Dim(name, size) for name, size in SIZES.items()}
IDS = [f"{row['optimum']}-{row['ours']}" + ("-onnx" if row.get("package") == "optimum-onnx" else "") for row in ROWS]


def read(size):
    return size if isinstance(size, int) else evaluate_size(parse_size(size, SYMBOLS))


def keywords(row):
    """The sizes that the row's formulas speak of, and its options."""
    text = json.dumps(row["inputs"])
    return {name: size for name, size in SIZES.items() if name in text} | row.get("options", {})


def generator(row, config=None, **more):
    return getattr(ours, row["ours"])(row["task"], config or row["config"], **keywords(row), **more)


def as_object(config):
    parts = {
        key
        for key in config
        if key.endswith("config") or key in ("encoder", "decoder", "text_encoder", "audio_encoder")
    }
    return SimpleNamespace(**{key: as_object(value) if key in parts else value for key, value in config.items()})


def leaf(generator, path):
    spec = generator.spec(path)
    assert not hasattr(spec, "items"), path
    return spec


def test_all_classes_are_there():
    assert len({(row["optimum"], row.get("package")) for row in ROWS}) == 46


def test_every_generator_of_ours_is_called_for():
    unused = {cls.__name__ for cls in ours.GENERATORS} - {row["ours"] for row in ROWS}
    own = {"DummyVideoInputGenerator", "DummyPackedImagesInputGenerator", "DummyTextImagesInputGenerator"}
    own |= {"DummyRobotInputGenerator", "DummyCodedTextInputGenerator"}
    assert unused == own, "Optimum has none of these"


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_shapes_and_kinds(row):
    made = generator(row)
    for path, expected in row["inputs"].items():
        spec = leaf(made, path)
        assert spec.sizes() == tuple(map(read, expected["shape"])), path
        assert spec.dtype.kind == expected["kind"], path


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_values_are_in_bounds_and_not_all_alike(row):
    made = generator(row)
    for path, expected in row["inputs"].items():
        values = made.generate(path, framework="np")
        assert values.shape == tuple(map(read, expected["shape"]))
        low, high = read(expected["low"]), read(expected["high"])
        assert np.isfinite(values).all()
        assert values.min() >= low
        assert values.max() < high
        assert values.size == 1 or high - low == 1 or len(np.unique(values)) > 1, path


@pytest.mark.parametrize("row", ROWS, ids=IDS)
@pytest.mark.parametrize(("int_dtype", "float_dtype"), [("int32", "bf16"), ("int16", "fp16"), ("int64", "fp64")])
def test_dtypes_are_obeyed(row, int_dtype, float_dtype):
    made = generator(row)
    for path, expected in row["inputs"].items():
        values = made.generate(path, framework="np", int_dtype=int_dtype, float_dtype=float_dtype)
        assert values.dtype == DType.of(int_dtype if expected["kind"] == "int" else float_dtype).numpy, path


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_a_configuration_with_attributes_will_do(row):
    given, plain = generator(row, as_object(row["config"])), generator(row)
    for path in row["inputs"]:
        assert given.spec(path) == plain.spec(path)


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_rules_choose_that_class(row):
    names = frozenset(path.split(".")[0] for path in row["inputs"])
    made = build_context(
        row["task"], NormalizedConfig(row["config"]), keywords(row), OPTIONS, names=names, **row.get("context", {})
    )
    for name in names:
        found = generator_for(name, made)
        if row.get("chosen", True):
            assert name in found.SUPPORTED_INPUT_NAMES
            assert leaf_shapes(found.spec(name)) == leaf_shapes(generator(row).spec(name))


def leaf_shapes(node):
    return [(path, spec.sizes(SIZES), spec.dtype) for path, spec in iterate_leaves([("", node)])]


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_length_1_works(row):
    small = {name: 1 for name in keywords(row) if name in SIZES and name not in ("height", "width", "num_channels")}
    made = getattr(ours, row["ours"])(row["task"], row["config"], **small, **row.get("options", {}))
    for path in row["inputs"]:
        assert np.isfinite(made.generate(path, framework="np")).all()


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_a_keyword_that_nothing_knows_is_an_error(row):
    with pytest.raises(OptionError, match=r"Did you mean .*'batch_size'"):
        getattr(ours, row["ours"])(row["task"], row["config"], batch_sze=3)


@pytest.mark.parametrize("row", [row for row in ROWS if row["ours"] != "DummyIntGenerator"])  # their ids are another's
def test_a_spec_of_all_inputs_holds_together(row):
    """One context, so one batch; and the values of one input alone are those that it has among the others."""
    names = list(dict.fromkeys(path.split(".")[0] for path in row["inputs"]))
    made = generator(row)
    extra = [mask for mask in ("attention_mask", "decoder_attention_mask") if made.supports_input(mask)]
    spec = InputSpec({name: made.spec(name) for name in [*names, *(mask for mask in extra if mask not in names)]})
    values = feeds(spec, 0, 0, {})
    assert set(row["inputs"]) <= set(values)
    for path in row["inputs"]:
        if "." not in path:
            np.testing.assert_array_equal(values[path], made.generate(path, framework="np"))


def test_classes_with_the_same_job_are_one():
    """What took Optimum a class for each architecture takes here the same class and another configuration."""
    assert Counter(row["ours"] for row in ROWS)["DummyPastKeyValuesGenerator"] == 8
