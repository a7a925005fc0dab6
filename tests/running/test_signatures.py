"""A file with several signatures: each is described, run and validated by its name."""

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.cli import main
from dummyio.errors import OptionError, SourceError
from dummyio.running.named_feeds import select_signatures

pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")

WIDTH, ROWS = 8, 50


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import tensorflow as tf

    class TwoParts(tf.Module):
        def __init__(self):
            super().__init__()
            self.table = tf.Variable(tf.reshape(tf.range(ROWS * 2, dtype=tf.float32), (ROWS, 2)))

        @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], tf.float32, name="x")])
        def encode(self, x):
            return {"total": tf.reduce_sum(x, 1)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="x")])
        def decode(self, x):
            return {"rows": tf.gather(self.table, x)}

    place, model = tmp_path_factory.mktemp("signatures"), TwoParts()
    names = ["encode", "decode"]
    tf.saved_model.save(model, str(place / "saved"), signatures={name: getattr(model, name) for name in names})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(place / "saved"), signature_keys=names)
    (place / "model.tflite").write_bytes(converter.convert())
    return place


@pytest.fixture(params=["saved", "model.tflite"])
def path(request, folder):
    if request.param.endswith(".tflite") and sys.platform == "win32":
        pytest.skip("LiteRT keeps the file open")
    return folder / request.param


def test_each_signature_has_its_own_inputs_and_results(path):
    encode, decode = (dummyio.describe(path, signature=name) for name in ("encode", "decode"))
    assert encode["x"].shape[1:] == (WIDTH,)
    assert (str(decode["x"].dtype), decode["x"].values.high) == ("int32", ROWS)
    found = dummyio.open_runner(path, signature="decode")({"x": np.array([0, 3], np.int32)})
    assert found["rows"].tolist() == [[0, 1], [6, 7]]
    assert list(dummyio.open_runner(path, encode)(encode.feeds())) == ["total"]


def test_a_signature_is_validated_against_itself_and_against_the_model(path):
    report = dummyio.validate(path, path, signature="decode")
    assert report.ok, report
    assert {name for outcome in report.outcomes for name in [each.output for each in outcome.comparisons]} == {"rows"}


def test_an_unknown_signature_lists_those_that_are_there(path):
    with pytest.raises(
        OptionError, match=r"Did you mean 'encode'.* It has the signatures decode, encode\.|Did you mean"
    ):
        dummyio.open_runner(path, signature="encoder")
    for call in (dummyio.describe, dummyio.open_runner, dummyio.validate):
        with pytest.raises(OptionError, match=r"has no signature of that name\. Known: decode, encode"):
            call(path, signature="zzzz")
    for call in (dummyio.describe, dummyio.open_runner):
        with pytest.raises(SourceError, match="has the signatures decode, encode: choose one with signature="):
            call(path)


def test_a_spec_that_a_person_wrote_chooses_the_signature_that_takes_it(path):
    spec = InputSpec({"x": TensorSpec("x", (Dim("batch", 2),), "int32")})
    with pytest.raises(SourceError, match="has the signatures"):  # both have an input of this name
        dummyio.open_runner(path, spec)


def test_the_command_line_takes_a_signature(path):
    described = CliRunner().invoke(main, ["describe", str(path), "--signature", "decode", "--json"])
    assert json.loads(described.stdout)["inputs"][0]["dtype"] == "int32"
    validated = CliRunner().invoke(
        main, ["validate", str(path), "--reference", str(path), "--signature", "decode", "-q"]
    )
    assert validated.exit_code == 0, validated.output
    assert CliRunner().invoke(main, ["generate", str(path), "--signature", "nothing"]).exit_code == 2


def test_other_targets_have_no_signatures():
    with pytest.raises(OptionError, match="a Python function has no signatures"):
        dummyio.open_runner(lambda x: x, signature="encode")
    with pytest.raises(OptionError, match=r"signature='encode': a .* has no signatures"):
        dummyio.validate(lambda x: x, lambda x: x, signature="encode")


@pytest.mark.parametrize(
    ("inputs", "chosen"),
    [(["a"], ["first", "third"]), (["b"], ["second"]), (["a.b"], ["fourth"])],
    ids=["usual", "other", "renamed"],
)
def test_signatures_with_the_inputs_of_a_spec_are_called(inputs, chosen):
    names = {"first": (["a"], ["y"]), "second": (["b"], ["y"]), "third": (["a"], ["y"]), "fourth": (["a_b"], ["z"])}
    spec = InputSpec({"a": {"b": TensorSpec("", (2,))}} if inputs == ["a.b"] else {inputs[0]: TensorSpec("", (2,))})
    assert select_signatures(names, spec, None, "file") == chosen
