"""Specs that a person writes as YAML, and the lines that their errors name."""

import json
import sys

import pytest
from click.testing import CliRunner

import dummyio
from dummyio import Dim, values
from dummyio.cli import main
from dummyio.errors import NotInstalledError, OptionError, SourceError, SpecError

TEXT = """\
task: fill-mask
dims:
  batch: 3
  seq: {size: 8, max: 512}
inputs:
  ids: int64[batch, seq]:0..30522
  attention_mask: int64[batch, seq]
  pixels:
    dtype: float32
    shape: [batch, 3, 32, "?"]
    range: -1..1
  step: {dtype: int64, min: 1, max: 5}
  color: {dtype: string, shape: [batch], choices: [red, green]}
  lengths: {dtype: int32, axes: [batch], values: {rule: lengths, size: seq}}
"""


@pytest.fixture
def write(tmp_path):
    pytest.importorskip("yaml")

    def write(text, name="spec.yaml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def test_inputs_dims_and_task_are_read(write):
    spec = dummyio.describe(write(TEXT), batch=4, padding_side="left")
    assert spec.task == "fill-mask"
    assert (spec.dims["batch"].size, spec.dims["seq"]) == (4, Dim("seq", 8, max=512))
    assert spec["ids"].values == values.TokenIds(30522, mask="attention_mask")
    assert spec["attention_mask"].values == values.PaddingMask("left")
    assert [str(size) for size in spec["pixels"].shape] == ["batch", "3", "32", "pixels_dim_3"]
    assert (spec["pixels"].values, spec["step"].values) == (values.Uniform(-1, 1), values.Uniform(1, 6))
    assert spec["color"].values == values.Choices(("red", "green"))
    assert spec["lengths"].values == values.Lengths("seq")


def test_a_list_of_inputs_and_a_saved_spec_are_read(write):
    first = write("inputs:\n- {name: ids, dtype: int64, shape: 'batch, seq', range: [0, 9]}\n- mask:int64[batch,seq]\n")
    spec = dummyio.describe(first)
    assert list(spec) == ["ids", "mask"]
    saved = write(spec.to_json().decode(), "saved.yml")  # JSON is YAML
    assert dummyio.describe(saved, batch=7) == spec.with_dims(batch=7)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("inputs:\n  x: float31[b]", 2, "dtype='float31' is unknown"),
        ("inputs:\n  x: float32[b", 2, "is not understood"),
        ("inputs:\n  x:\n    dtype: float32\n    shap: [b]", 4, "'shap' is not a key here. Did you mean 'shape'"),
        ("input:\n  x: float32[b]", 1, "'input' is not a key here. Did you mean 'inputs'"),
        ("inputs:\n  x: float32[b]\ndims:\n  c: 3", 4, "no axis is named 'c'"),
        ("inputs:\n  x: float32[b]\ndims:\n  b: {size: 3, max: 2}", 4, "b=3: this size must be at most 2"),
        ("inputs:\n  x: float32[b]\n  x: int8[b]", 3, "'x' comes twice"),
        ("inputs:\n- {name: x}\n- {name: x}", 3, "another input is named 'x' too"),
        ("inputs:\n- {dtype: int8}", 2, "needs a name"),
        ("inputs: [a, b", 1, "not valid YAML"),
        ("inputs:\n  x: {dtype: int64, shape: [b], range: [5, 5]}", 2, "5..5 is empty"),
        ("inputs:\n  x: {dtype: int64, shape: [b], range: x}", 2, "a range is low..high"),
        ("inputs:\n  x: {dtype: int64, shape: [b], choices: 3}", 2, "choices is a list"),
        ("inputs:\n  x: {dtype: int64, shape: [b], values: {rule: nope}}", 2, "not a rule: Invalid value 'nope'"),
        ("inputs:\n  x: {dtype: int64, shape: [b], max: big}", 2, "'big' is not a number"),
        ("inputs:\n  x: {dtype: int64, shape: [b], max: -3}", 2, "none is left"),
        ("inputs:\n  x: [1]", 2, "x is a list"),
        ("inputs: 3", 1, "inputs are a mapping"),
        ("task: [1]\ninputs:\n  x: int8[2]", 1, "a task is a word"),
        ("- x", 1, "write a mapping at the top"),
        ("", 1, "the file is empty"),
        (
            "dummyio: 1\ninputs:\n- name: x\n  kind: tensor\n  dtype: int46\n  shape: [2]\n  values: {rule: uniform}",
            3,
            "int46",
        ),
    ],
)
def test_an_error_names_the_line(write, text, line, message):
    with pytest.raises(SpecError) as caught:
        dummyio.describe(write(text))
    assert f"spec.yaml, line {line}: " in str(caught.value)
    assert message in str(caught.value)


def test_aliases_circles_and_depths_have_limits(write):
    laughs = "".join(f"k{level}: &k{level} [{', '.join([f'*k{level - 1}'] * 9)}]\n" for level in range(1, 10))
    for text, message in [
        (f"k0: &k0 [x]\n{laughs}", "more than 100000 parts"),
        ("inputs: &a\n  x: *a\n", "nested too deeply"),
        ("inputs: " + "[" * 5000, "nested too deeply"),
        ("inputs: " + "[" * 100 + "]" * 100, "nested too deeply"),
    ]:
        with pytest.raises(SpecError, match=message):
            dummyio.describe(write(text))
    with pytest.raises(SourceError, match="more than 1048576 bytes"):
        dummyio.describe(write("#" * (2 << 20)))


def test_an_object_of_python_is_not_made(write):
    with pytest.raises(SpecError, match="line 2: x is a list"):
        dummyio.describe(write("inputs:\n  x: !!python/object/apply:os.system [ls]\n"))


def test_unknown_names_of_the_caller_and_other_tasks_are_refused(write):
    path = write(TEXT)
    with pytest.raises(
        OptionError, match=r"bach=3: no dim or option of this spec has that name\. Did you mean 'batch'"
    ):
        dummyio.describe(path, bach=3)
    with pytest.raises(OptionError, match="this spec has the task 'fill-mask'"):
        dummyio.describe(path, "text-generation")


def test_commands_read_it(write):
    path = write("inputs:\n  x: float32[batch, 3]\n  ids: int64[batch]:0..50\n")
    done = CliRunner().invoke(main, ["generate", str(path), "--set", "x=[5,3]", "--set", "ids.max=3", "--json"])
    assert done.exit_code == 0, done.output
    x, ids = json.loads(done.stdout)["inputs"]
    assert (x["size"], ids["size"], ids["largest"] <= 3) == ([5, 3], [5], True)


def test_without_pyyaml_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    (tmp_path / "spec.yaml").write_text("inputs: {}")
    with pytest.raises(NotInstalledError, match=r"pip install 'dummyio\[yaml\]', or write the spec as JSON"):
        dummyio.describe(tmp_path / "spec.yaml")


def test_a_range_that_the_dtype_lacks_is_refused(write):
    with pytest.raises(SpecError, match="line 1: input 'x'"):
        dummyio.describe(write("inputs: {x: {dtype: int8, shape: [b], range: 0..1000}}"))
