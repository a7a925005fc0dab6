"""``dummyio export --dry-run``: what an export would write, and nothing is written; and what one has written, with sizes."""

import json
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from click.testing import CliRunner

from dummyio.cli import main
from dummyio.materialize.memory_budget import format_bytes

pytestmark = pytest.mark.slow

CODE = """
import torch
torch.manual_seed(0)

class Configuration:
    def save_pretrained(self, folder):
        (__import__("pathlib").Path(folder) / "config.json").write_text("mine")

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.linear(x)

model = Model().eval()
configured = Model().eval()
configured.config = Configuration()
"""
QUICK = ("--set", "exporter=torchscript")


@pytest.fixture
def code(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read_files(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def export(*arguments, code=0):
    done = CliRunner().invoke(main, ["export", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def test_a_dry_run_shows_files_inputs_dims_and_options_and_writes_nothing(code):
    before = read_files(code)
    output = export("mine.py:model", "out/model.onnx", "--dry-run", "--set", "opset=18", "--report", "report.html")
    assert read_files(code) == before
    rows = [" ".join(line.split()) for line in output.splitlines()]
    assert "x [batch_size, 4] [2, 4] float32 uniform [0, 1)" in rows
    assert "batch_size 2 1" in rows
    assert "opset 18" in rows
    assert "exporter dynamo" in rows
    assert rows[-4:] == [
        "Would write out/model.onnx",
        "Would write out/model.onnx.dummyio.json",
        "Would write report.html",
        "Nothing was written.",
    ]


def test_a_dry_run_as_json(code):
    plan = json.loads(export("mine.py:model", "out/model.onnx", "--dry-run", "--json", "--set", "static=batch_size"))
    assert plan["dry_run"] is True
    assert plan["files"] == ["out/model.onnx", "out/model.onnx.dummyio.json"]
    assert plan["replaced"] == []
    assert plan["inputs"][0] == {
        "name": "x",
        "shape": ["batch_size", 4],
        "size": [2, 4],
        "dtype": "float32",
        "holds": "uniform [0, 1)",
    }
    assert plan["dims"] == [{"name": "batch_size", "size": 2, "min": 2, "max": 2, "multiple_of": None}]
    assert plan["options"]["static"] == "batch_size"
    assert plan["options"]["opset"] is None
    assert plan["notes"] == ["static='batch_size': the artifact takes batch_size=2 only."]


@pytest.mark.parametrize(
    ("name", "options"),
    [("model.onnx", QUICK), ("model.onnx", (*QUICK, "--set", "external_data=true")), ("model.pt2", ())],
    ids=["one file", "external data", "pt2"],
)
@pytest.mark.parametrize("model", ["model", "configured"])
def test_the_planned_files_are_those_that_are_written(code, model, name, options):
    arguments = (f"mine.py:{model}", f"out/{name}", *options, "--no-validate", "--json")
    plan = json.loads(export(*arguments, "--dry-run"))
    assert not (code / "out").exists()
    written = json.loads(export(*arguments))
    assert plan["files"] == written["files"]
    assert plan["sha256"] == written["sha256"]
    assert sorted(plan["files"]) == sorted(str(file) for file in Path("out").iterdir())


def test_the_planned_files_of_a_folder_are_those_that_are_written(code):
    transformers = pytest.importorskip("transformers")
    size = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2, "vocab_size": 64}
    configuration = transformers.T5Config(
        **size, decoder_start_token_id=0, architectures=["T5ForConditionalGeneration"]
    )
    configuration.save_pretrained("t5")
    plan = json.loads(export("t5", "out", "--dry-run", "--json"))
    assert not (code / "out").exists()
    names = {Path(file).name for file in plan["files"]}
    parts = ("encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx")
    assert names == {
        *parts,
        *(f"{part}.dummyio.json" for part in parts),
        *("dummyio.json", "config.json", "generation_config.json"),
    }


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("out/model.onnx", "--set", "opsett=18"), "Did you mean 'opset'?"),
        (("out/model.onnx", "--set", "opset=99"), "opsets up to"),
        (("out/model.onnx", "--set", "opset=banana"), "a whole number"),
        (("out/model.onnx", "--set", "static=banana,batch_size"), "'banana' is not a dim of this model's inputs"),
        (("out/model.onx",), "no format has the suffix '.onx'"),
        (("out/model.tflite",), "is of framework 'pt', which writes"),
        (("out/model.onnx", "--format", "banana"), "format='banana' is unknown"),
        (("out/model.onnx", "--report", "report.pdf"), "report.pdf"),
        (("mine.py/model.onnx",), "mine.py"),
        (("there.onnx",), "there.onnx would be lost"),
    ],
)
def test_what_an_export_refuses_a_dry_run_refuses(code, arguments, reason):
    (code / "there.onnx").write_text("precious")
    before = read_files(code)
    for more in (["--dry-run"], []):
        output = export("mine.py:model", *arguments, *more, code=2)
        assert reason in output
        assert "error: " in output.lower()
        assert read_files(code) == before


def test_a_forced_dry_run_names_what_it_would_replace_and_keeps_it(code):
    for name in ("model.onnx", "model.onnx.dummyio.json", "config.json"):
        (code / name).write_text("precious")
    before = read_files(code)
    arguments = ("mine.py:configured", "model.onnx", "--dry-run", "--force")
    plan = json.loads(export(*arguments, "--json"))
    assert plan["replaced"] == plan["files"] == ["model.onnx", "model.onnx.dummyio.json"]
    assert "config.json: this file was there, with other content, and is unchanged" in plan["notes"][0]
    assert "Would write model.onnx (in place of the file that is there)" in export(*arguments)
    assert read_files(code) == before


def test_every_file_is_listed_at_the_end_with_its_size(code):
    output = export(
        "mine.py:model", "out/model.onnx", *QUICK, "--set", "external_data=true", "--report", "r.json", "-q"
    )
    lines = output.splitlines()[-4:]
    found = dict(re.fullmatch(r"Wrote (\S+) \((.+)\)", line).groups() for line in lines)
    assert list(found) == ["out/model.onnx", "out/model.onnx.data", "out/model.onnx.dummyio.json", "r.json"]
    assert all(size == format_bytes(Path(file).stat().st_size) for file, size in found.items() if file != "r.json")
    assert {str(file) for file in Path("out").iterdir()} == set(found) - {"r.json"}
    summary = json.loads(export("mine.py:model", "again/model.onnx", *QUICK, "--report", "s.json", "--json"))
    assert summary["sizes"] == {file: Path(file).stat().st_size for file in [*summary["files"], "s.json"]}


def test_what_was_written_is_listed_also_if_the_validation_is_not_possible(code):
    (code / "random.py").write_text(
        CODE.replace("return self.linear(x)", "return torch.nn.functional.dropout(self.linear(x), 0.5, training=True)")
    )
    done = CliRunner().invoke(main, ["export", "random.py:model", "out/model.onnx", *QUICK])
    assert done.exit_code == 2
    assert "Wrote out/model.onnx (" in done.output
    assert "not deterministic" in done.output


def test_force_replaces_exactly_what_the_export_writes(code):
    arguments = ("mine.py:configured", "out/model.onnx", *QUICK, "--no-validate")
    export(*arguments)
    others = {"notes.txt": b"years", "tokenizer.json": b"theirs", "other.bin": b"weights", "sub/model.txt": b"text"}
    for name, content in others.items():
        (code / "out" / name).parent.mkdir(exist_ok=True)
        (code / "out" / name).write_bytes(content)
    (code / "out/model.onnx").write_bytes(b"old")
    (code / "out/config.json").write_bytes(b"theirs")
    summary = json.loads(export(*arguments, "--force", "--json"))
    after = read_files(code / "out")
    assert {name: after[name] for name in others} == others
    assert after["config.json"] == b"theirs"  # weights of another model are there, so it may be theirs
    assert after["model.onnx"] != b"old"
    assert summary["files"] == ["out/model.onnx", "out/model.onnx.dummyio.json"]
    assert set(after) == {*others, "model.onnx", "model.onnx.dummyio.json", "config.json"}


def test_a_folder_is_replaced_as_a_whole_and_what_goes_is_named(code):
    transformers = pytest.importorskip("transformers")
    size = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 64,
    }
    transformers.BertConfig(**size, architectures=["BertModel"]).save_pretrained("bert")
    arguments = ("bert", "out", *QUICK, "--set", "attention=eager", "--no-validate", "--json")
    written = json.loads(export(*arguments))["files"]
    (code / "out/former.onnx").write_bytes((code / "out/model.onnx").read_bytes())
    before = read_files(code)
    export(*arguments, code=2)
    plan = json.loads(export(*arguments, "--force", "--dry-run"))
    assert sorted(plan["files"]) == sorted(plan["replaced"]) == sorted(written)
    assert read_files(code) == before
    (code / "out/notes.txt").write_text("years")
    assert "this folder contains notes.txt" in export(*arguments, "--force", code=2)
    (code / "out/notes.txt").unlink()
    assert read_files(code) == before
    summary = json.loads(export(*arguments, "--force"))
    note = "removed with the former content of the folder: former.onnx"
    assert note in plan["notes"]
    assert note in summary["notes"]
    assert sorted(str(file) for file in Path("out").iterdir()) == sorted(written)
