"""``dummyio optimum export onnx``: all options of Optimum's command, each with an effect or refused with what to use."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("transformers")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

import click
from click.testing import CliRunner
from transformers_cases import build_model

from dummyio.cli import main
from dummyio.cli.optimum import export_onnx_command
from dummyio.cli.optimum.option_table import OPTIONS, PART, REFUSED, SAME, render_table

ROOT = Path(__file__).parents[2]
THEIRS = json.loads((ROOT / "tests" / "data" / "optimum_cli_options.json").read_text(encoding="utf-8"))["options"]
BY_NAME = {option.names[-1]: option for option in OPTIONS}
SIZES = [option.names[-1] for option in OPTIONS if option.setting == option.key and option.key != "opset"]

REFUSALS = {
    "--device": ("cuda", "the graph does not depend on the device"),
    "--optimize": ("O2", "runs on no other runtime"),
    "--variant": ("large", "spec=..."),
    "--cache_dir": ("cache", "nothing is downloaded"),
    "--trust-remote-code": (None, "is not run"),
    "--pad_token_id": ("0", "into the config.json"),
    "--library-name": ("timm", "as an object"),
    "--model-kwargs": ('{"output_attentions": true}', "config.json"),
    "--slim": (None, "onnxslim"),
    "--model": ("no/such-model", "nothing is downloaded"),
}
"""Option → a value that is refused, and what the message says of it."""

EFFECTS = {
    ("--task", "fill-mask"): {"task": "fill-mask", "past": False},
    ("--task", "text-generation-with-past"): {"task": "text-generation-with-past"},
    ("--task", "auto"): {"task": None},
    ("--opset", "18"): {"opset": 18},
    ("--device", "cpu"): {},
    ("--dtype", "fp32"): {},
    ("--dtype", "fp16"): {"dtype": "fp16"},
    ("--dtype", "bf16"): {"dtype": "bf16"},
    ("--monolith", None): {"past": False},
    ("--no-post-process", None): {},
    ("--variant", "default"): {},
    ("--framework", "pt"): {},
    ("--atol", "0.5"): {"atol": 0.5},
    ("--library-name", "transformers"): {},
    ("--no-dynamic-axes", None): {"static": "all"},
    ("--no-constant-folding", None): {"optimize": False},
    **{(name, "3"): {BY_NAME[name].key: 3} for name in SIZES},
}
"""Option and value → what an export of our own gets."""


def run(*arguments):
    return CliRunner().invoke(main, ["optimum", "export", "onnx", *map(str, arguments)])


def as_arguments(name, value):
    return (name,) if value is None else (name, value)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Class → the folder of a tiny model."""
    made = {}
    for name in ("BertForMaskedLM", "LlamaForCausalLM", "T5ForConditionalGeneration"):
        made[name] = tmp_path_factory.mktemp(name)
        build_model(name).save_pretrained(made[name])
    return made


@pytest.fixture
def received(monkeypatch):
    """What the command of our own gets, which does nothing."""
    found = {}

    @click.command(params=export_onnx_command.export.params)
    def record(**given):
        settings = dict(given["settings"])
        assert not settings.keys() & {"task", "atol"}
        found.update(settings, task=given["task"], out=given["out"], format_=given["format_"])
        found.update({"atol": given["atol"]} if given["atol"] is not None else {})
        return 0

    monkeypatch.setattr(export_onnx_command, "export", record)
    return found


def test_the_table_has_each_option_with_its_values():
    assert [[*option.names] for option in OPTIONS] == [option["names"] for option in THEIRS]
    for ours, theirs in zip(OPTIONS, THEIRS, strict=True):
        assert ours.flag == theirs["flag"], ours.names
        choices = list(ours.type.choices) if isinstance(ours.type, click.Choice) else None
        assert choices == theirs["choices"], ours.names
        if ours.default is not None:
            assert ours.default == theirs["default"], ours.names


def test_each_row_is_tested():
    tested = {
        SAME: {name for name, _ in EFFECTS},
        REFUSED: {*REFUSALS},
        PART: {name for name, _ in EFFECTS} & {*REFUSALS} | {"--model"},
    }
    for name, option in BY_NAME.items():
        assert name in tested[option.does], name


def test_the_page_has_the_table():
    assert render_table() in (ROOT / "docs" / "reference" / "optimum.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_value_says_why_and_what_to_use(name, folders, tmp_path):
    value, reason = REFUSALS[name]
    model = () if name == "--model" else ("--model", folders["BertForMaskedLM"])
    result = run(*model, *as_arguments(name, value), tmp_path / "out")
    assert result.exit_code == 2, result.output
    assert f"error: {name}" in result.output
    assert reason.lower() in result.output.lower()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(("name", "value"), EFFECTS)
def test_an_option_reaches_the_export(name, value, folders, tmp_path, received):
    result = run("-m", folders["BertForMaskedLM"], *as_arguments(name, value), tmp_path / "out")
    assert result.exit_code == 0, result.output
    expected = {"task": None, "out": str(tmp_path / "out"), "format_": "onnx_folder"} | EFFECTS[name, value]
    if expected.get("past") is not False and name != "--no-post-process":
        expected["merge"] = True
    assert received == expected


def test_an_unknown_option_is_not_possible(folders, tmp_path):
    result = run("--model", folders["BertForMaskedLM"], "--batch-size", "2", tmp_path / "out")
    assert result.exit_code == 2
    assert "--batch_size" in result.output


def test_the_past_and_one_file_exclude_each_other(folders, tmp_path):
    result = run("-m", folders["LlamaForCausalLM"], "--task", "text-generation-with-past", "--monolith", tmp_path / "o")
    assert result.exit_code == 2
    assert "Use --task text-generation, or leave --monolith out" in result.output


def test_a_decoder_without_its_past_is_refused(folders, tmp_path):
    result = run("-m", folders["T5ForConditionalGeneration"], "--task", "text2text-generation", tmp_path / "out")
    assert result.exit_code == 2
    assert "Use --task text2text-generation-with-past, or --monolith" in result.output
    assert [*tmp_path.iterdir()] == []


def test_a_size_that_the_model_does_not_have_is_refused(folders, tmp_path):
    result = run("-m", folders["BertForMaskedLM"], "--width", "64", tmp_path / "out")
    assert result.exit_code == 2
    assert "width=64: no dim of input_ids" in result.output
    assert [*tmp_path.iterdir()] == []


def test_a_folder_with_other_files_is_kept(folders, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"of another export")
    result = run("-m", folders["BertForMaskedLM"], tmp_path)
    assert result.exit_code == 2
    assert str(tmp_path) in result.output
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"of another export"]


def inputs_of(file):
    """Name → axes of the inputs of a file."""
    return {
        entry.name: [dim.dim_param or dim.dim_value for dim in entry.type.tensor_type.shape.dim]
        for entry in onnx.load(file).graph.input
    }


@pytest.mark.slow
def test_the_file_has_opset_precision_and_sizes(folders, tmp_path):
    options = ["--task", "fill-mask", "--opset", "18", "--dtype", "fp16", "--no-post-process", "--framework", "pt"]
    sizes = ["--batch_size", "3", "--sequence_length", "9", "--no-dynamic-axes"]
    result = run("--model", folders["BertForMaskedLM"], *options, *sizes, tmp_path / "out")
    assert result.exit_code == 0, result.output
    model = onnx.load(tmp_path / "out" / "model.onnx")
    assert [entry.version for entry in model.opset_import if not entry.domain] == [18]
    weights = {entry.data_type for entry in model.graph.initializer if len(entry.dims) == 2}
    assert weights == {onnx.TensorProto.FLOAT16}
    assert {*map(tuple, inputs_of(tmp_path / "out" / "model.onnx").values())} == {(3, 9)}


@pytest.mark.slow
def test_text_generation_takes_the_past_by_default(folders, tmp_path):
    assert run("-m", folders["LlamaForCausalLM"], tmp_path / "auto").exit_code == 0
    assert run("-m", folders["LlamaForCausalLM"], "--task", "text-generation", tmp_path / "plain").exit_code == 0
    assert "past_key_values.0.key" in inputs_of(tmp_path / "auto" / "model.onnx")
    assert "past_key_values.0.key" not in inputs_of(tmp_path / "plain" / "model.onnx")


@pytest.mark.slow
def test_an_encoder_decoder_has_files_by_the_same_names(folders, tmp_path):
    model = folders["T5ForConditionalGeneration"]
    result = run("-m", model, "--task", "text2text-generation-with-past", tmp_path / "parts")
    assert result.exit_code == 0, result.output
    assert {file.name for file in (tmp_path / "parts").glob("*.onnx")} == {
        "encoder_model.onnx",
        "decoder_model.onnx",
        "decoder_with_past_model.onnx",
        "decoder_model_merged.onnx",
    }
    assert "use_cache_branch" in inputs_of(tmp_path / "parts" / "decoder_model_merged.onnx")
    result = run("-m", model, "--no-post-process", tmp_path / "two")
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "two" / "decoder_model_merged.onnx").exists()
    result = run("-m", model, "--task", "text2text-generation", "--monolith", tmp_path / "whole")
    assert result.exit_code == 0, result.output
    assert [file.name for file in (tmp_path / "whole").glob("*.onnx")] == ["model.onnx"]


@pytest.mark.slow
def test_a_mismatch_is_the_exit_code_of_a_validation(folders, tmp_path):
    result = run("-m", folders["BertForMaskedLM"], "--dtype", "fp16", "--atol", "0", tmp_path / "out")
    assert result.exit_code == 1, result.output
    assert (tmp_path / "out" / "model.onnx").exists()
