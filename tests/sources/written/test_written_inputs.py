"""Inputs that a person writes: names, dtypes, axes, ranges."""

import json

import pytest
from click.testing import CliRunner

from dummyio.cli import main
from dummyio.errors import OptionError
from dummyio.sources.written.inputs import describe_written
from dummyio.spec.values import PaddingMask, TokenIds, Uniform

IDS, MASK = "ids:int64[batch,seq]:0..30522", "attention_mask:int64[batch,seq]"


def test_names_of_axes_are_shared_and_ids_follow_their_mask():
    spec = describe_written([IDS, MASK], {"batch": 4, "padding_side": "left"})
    assert spec["ids"].values == TokenIds(30522, mask="attention_mask")
    assert spec["attention_mask"].values == PaddingMask(side="left")
    assert list(spec.dims) == ["batch", "seq"]
    assert spec.feeds(seq=7)["ids"].shape == (4, 7)


def test_sizes_ranges_and_free_axes():
    spec = describe_written(["x:float32[batch,3,?]:-1..0.5", "n:int32[batch]:5..9", "scale:float16"])
    assert [str(size) for size in spec["x"].shape] == ["batch", "3", "x_dim_2"]
    assert (spec["x"].values, spec["n"].values) == (Uniform(-1, 0.5), Uniform(5, 9))
    assert spec["scale"].shape == ()


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["ids"], r"'ids' is not understood: write name:dtype\[axes\]:low\.\.high"),
        (["ids:int7[b]"], "dtype='int7' is unknown"),
        (["x:float32[b]:1..1"], r"1\.\.1 is empty"),
        (["x:float32[b]:-..e"], "is not a range of numbers"),
        ([IDS, IDS], "another input is named 'ids' too"),
    ],
)
def test_other_texts_are_refused(texts, said):
    with pytest.raises(OptionError, match=said):
        describe_written(texts)


def test_the_command_line_takes_a_source_or_inputs():
    done = CliRunner().invoke(main, ["generate", "--input", IDS, "--input", MASK, "--json"])
    assert done.exit_code == 0, done.output
    assert [row["holds"] for row in json.loads(done.output)["inputs"]] == [
        "ids [0, 30522), 0 where attention_mask is 0",
        "mask, ragged, padded right",
    ]
    for arguments in (
        ["describe"],
        ["describe", "config.json", "--input", IDS],
        ["describe", "--input", IDS, "--task", "fill-mask"],
    ):
        refused = CliRunner().invoke(main, arguments)
        assert refused.exit_code == 2
        assert "give a SOURCE, or inputs with --input" in refused.output
