"""The commands of the README, as a user calls them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import dummyio
from dummyio.cli import main
from dummyio.cli.shared_options import Setting

CONFIG = str(Path(__file__).parents[2] / "examples/bert-base/config.json")


def run(*arguments, code=0):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    return result


def test_describe_prints_a_table():
    output = run("describe", CONFIG, "--set", "batch_size=4").stdout
    assert "input_ids" in output
    assert "[batch_size, sequence_length]" in output
    assert "[4, 16]" in output
    assert "ids [0, 30522)" in output
    assert "\x1b" not in output


def test_describe_writes_a_spec(tmp_path):
    run("describe", CONFIG, "-o", str(tmp_path / "spec.json"))
    spec = dummyio.InputSpec.load(tmp_path / "spec.json")
    assert spec == dummyio.describe(CONFIG)
    printed = json.loads(run("describe", str(tmp_path / "spec.json"), "--json").stdout)
    assert printed["sha256"] == spec.sha256


def test_generate_writes_what_the_library_makes(tmp_path):
    out = tmp_path / "inputs.npz"
    result = run("generate", CONFIG, "-o", str(out), "--seed", "5", "--set", "sequence-length=7")
    assert f"Wrote {out}" in result.stdout.replace("\n", "")
    with np.load(out) as file:
        made = {name: file[name].tolist() for name in file}
    expected = dummyio.generate(CONFIG, seed=5, sequence_length=7)
    assert made == {name: values.tolist() for name, values in expected.items()}


def test_generate_prints_json_for_programs():
    printed = json.loads(run("generate", CONFIG, "--json").stdout)
    row = printed["inputs"][1]
    assert (row["name"], row["size"], row["smallest"], row["largest"]) == ("attention_mask", [2, 16], 0, 1)
    assert printed["sha256"] == dummyio.describe(CONFIG).sha256


def test_several_samples_are_several_files(tmp_path):
    printed = json.loads(run("generate", CONFIG, "--samples", "3", "-o", str(tmp_path / "x.npz"), "--json").stdout)
    assert len(printed["files"]) == 3
    assert all(Path(path).exists() for path in printed["files"])


def test_backends_are_listed():
    rows = json.loads(run("backends", "--json").stdout)
    assert {"np", "pt", "tf", "jax", "ort"} <= {row["name"] for row in rows}
    assert next(row for row in rows if row["name"] == "np")["installed"]
    assert "np" in run("backends").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["describe", "nowhere.json"], "Nothing is downloaded"),
        (["describe", CONFIG, "--task", "fill-msk"], "fill-mask"),
        (["describe", CONFIG, "--set", "batch_sze=2"], "batch_size"),
        (["describe", CONFIG, "--set", "batch_size=2", "--set", "batch_size=3"], "twice"),
        (["generate", CONFIG, "--framework", "tensrflow"], "tensorflow"),
        (["generate", CONFIG, "-o", "nowhere/inputs.npz"], "nowhere"),
        (["generate", CONFIG, "-o", "inputs.xyz"], "xyz"),
        (["describe", CONFIG, "--set", "batch_size"], "name=value"),
        (["describe"], "SOURCE"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments, code=2)
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_contradicted_configuration_is_a_warning(tmp_path):
    vit = {"model_type": "vit", "architectures": ["ViTModel"], "image_size": 224, "patch_size": 16}
    (tmp_path / "config.json").write_text(json.dumps({**vit, "hidden_size": 768, "num_attention_heads": 12}))
    result = run("describe", str(tmp_path), "--set", "height=64")
    assert "warning: height=64 contradicts" in result.stderr


def test_the_module_runs_as_a_program():
    result = subprocess.run([sys.executable, "-m", "dummyio", "--help"], capture_output=True, text=True, check=True)
    assert "Exit codes" in result.stdout


HOSTILE = "[/] [bold]x \x1b[2J\u202e\u2028\x9b y"
SHOWN = r"[/] [bold]x \x1b[2J\u202e\u2028\x9b y"


@pytest.mark.parametrize("command", ["describe", "generate"])
def test_names_from_files_control_no_terminal(command, tmp_path):
    size = dummyio.Dim("batch_size", 2)
    spec = dummyio.InputSpec(
        {HOSTILE: dummyio.TensorSpec(HOSTILE, (size, 3))}, task=HOSTILE, provenance={"source": HOSTILE}
    )
    spec.save(tmp_path / "spec.json")
    result = run(command, str(tmp_path / "spec.json"))
    lines = result.output.splitlines()
    assert [line for line in lines if not line.isprintable()] == []
    assert f"task {SHOWN}" in lines[0]
    assert sum(SHOWN in line for line in lines) == 3
    failed = run(command, str(tmp_path / "spec.json"), "--set", f"{HOSTILE}=2", code=2)
    assert failed.stderr.removesuffix("\n").isprintable()


@pytest.mark.parametrize(
    "arguments",
    [
        ("describe", ""),
        ("describe", CONFIG, "--task", ""),
        ("describe", CONFIG, "--set", "=3"),
        ("describe", CONFIG, "--set", " =3"),
        ("describe", CONFIG, "--set", "batch_size="),
        ("describe", CONFIG, "--set", "batch_size=--5"),
        ("describe", CONFIG, "--set", "batch_size=1.5"),
        ("describe", CONFIG, "--set", "batch_size=" + "9" * 5000),
        ("describe", CONFIG, "--set", "source=x"),
        ("describe", CONFIG, "--set", "task=fill-mask"),
        ("describe", CONFIG, "--set", "padding_side=banana"),
        ("describe", CONFIG, "--set", "mask_policy=3"),
        ("describe", CONFIG, "--set", "optional_inputs=banana"),
        ("generate", CONFIG, "--framework", ""),
        ("generate", CONFIG, "--seed", "1.5"),
        ("generate", CONFIG, "--seed", "nan"),
        ("generate", CONFIG, "--seed", "9" * 5000),
        ("generate", CONFIG, "--samples", "0"),
        ("generate", CONFIG, "--samples", "-1"),
        ("export", "", "out.onnx"),
        ("export", "model.py:model", ""),
        ("validate", ""),
        ("validate", "x.onnx", "--reference", ""),
        ("validate", "x.onnx", "--atol", "nan"),
        ("validate", "x.onnx", "--atol", "-1"),
        ("validate", "x.onnx", "--rtol", "inf"),
        ("validate", "x.onnx", "--rtol", "banana"),
        ("validate", "x.onnx", "--tolerance", ""),
        ("validate", "x.onnx", "--report", ""),
    ],
    ids=lambda arguments: " ".join(arguments)[-40:],
)
def test_values_of_a_wrong_kind_are_exit_code_2(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments, code=2)
    assert "rror: " in result.stderr
    assert "defect" not in result.stderr
    assert len(result.stderr) < 7000  # a value of 5,000 digits is printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", ["-5", "0", str(1 << 70)])
def test_any_whole_number_is_a_seed(seed):
    printed = json.loads(run("generate", CONFIG, "--seed", seed, "--json").stdout)
    assert printed["seed"] == int(seed)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("4", 4),
        ("2,-8", (2, -8)),
        ("left", "left"),
        ("falsey", "falsey"),
        ("cpu,tpu", ("cpu", "tpu")),
        ("a,", "a,"),
        ("1.5", "1.5"),
        ("-3", -3),
    ],
)
def test_a_setting_is_a_number_a_truth_value_or_a_word(text, value):
    (name, found) = Setting().convert(f"padding-side={text}", None, None)
    assert (name, found, type(found)) == ("padding_side", value, type(value))
