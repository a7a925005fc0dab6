"""What the commands replace: nothing without ``--force``, some folders never, and they say so before the work."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from dummyio.cli import main
from dummyio.validation import Report, validate
from dummyio.validation.failing_cases import replay

CONFIG = str(Path(__file__).parents[2] / "examples/bert-base/config.json")
BROKEN = "broken.json"
"""Not a source: an error about the output shows that it was said before the source was read."""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(BROKEN).write_text("{")
    return tmp_path


def run(*arguments, code):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    return result.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["describe"], "spec.json"),
        (["generate"], "inputs.npz"),
        (["generate"], "inputs.safetensors"),
        (["generate", "--format", "npz"], "inputs"),
        (["generate", "--samples", "2"], "inputs.1.npz"),
    ],
)
def test_a_file_is_replaced_by_force_only(command, name):
    Path(name).write_text("precious")
    output = name.replace(".1.", ".")
    assert "would be lost" in run(command[0], BROKEN, *command[1:], "-o", output, code=2)
    assert Path(name).read_text() == "precious"
    run(command[0], CONFIG, *command[1:], "-o", output, "--force", code=0)
    assert Path(name).read_bytes() != b"precious"
    assert not list(Path().glob(".dummyio*"))


@pytest.mark.parametrize("name", ["inputs", "test_data_set_0"])
def test_a_folder_is_replaced_by_force_only(name):
    if name == "test_data_set_0":
        pytest.importorskip("onnxruntime")
    run("generate", CONFIG, "-o", name, code=0)
    before = {file: file.read_bytes() for file in Path(name).iterdir()}
    assert "not empty" in run("generate", BROKEN, "-o", name, code=2)
    assert {file: file.read_bytes() for file in Path(name).iterdir()} == before
    run("generate", CONFIG, "-o", name, "--force", "--seed", "5", code=0)
    assert {file: file.read_bytes() for file in Path(name).iterdir()} != before


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("output", ["", ".", "..", "/", "./", "inner/.."])
@pytest.mark.parametrize("command", ["describe", "generate"])
def test_the_working_folder_is_never_replaced(folder, command, output, force):
    (folder / "inner").mkdir()
    run(command, CONFIG, "-o", output, *force, code=2)
    run("export", CONFIG, output, *force, code=2)
    assert sorted(path.name for path in folder.iterdir()) == [BROKEN, "inner"]


def test_an_output_that_cannot_be_written_is_said_before_the_work():
    assert "Make its folder first" in run("describe", BROKEN, "-o", "missing/spec.json", code=2)
    assert "Make its folder first" in run("generate", BROKEN, "-o", "missing/inputs.npz", code=2)
    assert "too long" in run("describe", BROKEN, "-o", "n" * 300, code=2)


def test_an_export_says_clashes_before_it_loads_the_model():
    Path("model.onnx").write_text("precious")
    assert "model.onnx would be lost" in run("export", BROKEN, "model.onnx", code=2)
    Path("out").mkdir()
    Path("out/thesis").write_text("years")
    assert "not empty" in run("export", BROKEN, "out", code=2)
    assert (Path("model.onnx").read_text(), Path("out/thesis").read_text()) == ("precious", "years")


def save_graph(operator: str, path: str) -> str:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch_size", 3]) for name in "xy"]
    made = onnx.helper.make_graph([onnx.helper.make_node(operator, ["x"], ["y"])], "g", value[:1], value[1:])
    onnx.save(onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10), path)
    return path


@pytest.fixture
def graph():
    """An ONNX file, valid against itself."""
    return save_graph("Neg", "a.onnx")


@pytest.mark.parametrize("name", ["report.json", "report.html", "report.xml"])
def test_a_report_replaces_an_earlier_report(graph, name):
    """As in a pipeline that runs again; any other file needs force."""
    if name.endswith(".html"):
        pytest.importorskip("jinja2")
    Path(name).write_text('{"findings": "precious"}')
    command = ("validate", graph, "--reference", graph, "--report", name)
    assert "would be lost" in run(*command, code=2)
    assert "precious" in Path(name).read_text()
    run(*command, "--force", code=0)
    first = Path(name).stat()
    run(*command, code=0)
    assert Path(name).stat().st_ino != first.st_ino


def test_a_report_in_python_is_replaced_as_documented(graph):
    report = validate(graph, graph)
    Path("report.json").write_text("old")
    report.save("report.json")
    assert Report.load("report.json").ok


def test_a_folder_that_is_not_a_failing_case_stays(graph):
    """An earlier case is replaced; a folder of another content stays, and the case is in one of another name."""
    other = save_graph("Exp", "b.onnx")
    first = validate(graph, other, failing="failing").failing
    assert first
    assert validate(graph, other, failing="failing").failing == first
    for path in first:
        (Path(path) / "thesis").write_text("years")
    assert validate(graph, other, failing="failing").failing == tuple(f"{path}-2" for path in first)
    assert all((Path(path) / "thesis").read_text() == "years" for path in first)
    assert replay(f"{first[0]}-2").status == "failed"


@pytest.mark.parametrize("name", ["inputs.npz", "spec.json", "replay.py"])
def test_a_folder_with_files_of_the_names_of_a_case_stays(graph, name):
    other = save_graph("Exp", "b.onnx")
    first = Path(validate(graph, other, failing="failing").failing[0])
    for path in first.iterdir():
        path.unlink()
    (first / name).write_text("years")
    assert f"{first}-2" in [str(path) for path in validate(graph, other, failing="failing").failing]
    assert [path.name for path in first.iterdir()] == [name]
    assert (first / name).read_text() == "years"


@pytest.mark.parametrize(
    "arguments",
    [
        ("describe", CONFIG, "-o", "NAME"),
        ("describe", "NAME.json"),
        ("generate", CONFIG, "-o", "NAME"),
        ("generate", CONFIG, "-o", "NAME.npz"),
        ("validate", "NAME.onnx"),
        ("validate", CONFIG, "--reference", "NAME"),
        ("validate", CONFIG, "--report", "NAME.json"),
        ("export", "NAME", "out"),
    ],
)
def test_a_name_that_the_system_does_not_accept_is_said_plainly(arguments):
    said = run(*(word.replace("NAME", "n" * 300) for word in arguments), code=2)
    assert any(reason in said for reason in ("too long", "no such file"))
    assert "defect" not in said
