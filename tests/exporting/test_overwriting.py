"""What an export replaces, what it leaves, and when it says so."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import dummyio
from dummyio.errors import OutputError
from dummyio.exporting.artifact import find_spec_path, spec_path
from dummyio.exporting.companion_files import withdraw_taken_files
from dummyio.exporting.export import check_target

DIMS = (dummyio.Dim("batch_size", 2), 4)
SPEC = dummyio.InputSpec({"input": dummyio.TensorSpec("input", DIMS)})


QUICK = {"exporter": "torchscript"}


class Untouchable(torch.nn.Linear):
    """A model that must not be run: a clash is said before."""

    def forward(self, x):
        raise AssertionError("the model was run")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def two_formats(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    model = torch.nn.Linear(4, 3)
    for name in ("model.onnx", "model.pt2"):
        dummyio.export(model, folder / name, spec=SPEC)
    return folder, model


def test_two_formats_stand_in_one_folder(two_formats):
    folder, model = two_formats
    assert names(folder) == ["model.onnx", "model.onnx.dummyio.json", "model.pt2", "model.pt2.dummyio.json"]
    for name in ("model.onnx", "model.pt2"):
        assert dummyio.InputSpec.load(spec_path(folder / name)).sha256 == SPEC.sha256
        assert dummyio.validate(folder / name, reference=model).ok


def test_the_spec_under_its_former_name_is_found(tmp_path, two_formats):
    """A folder of an earlier version keeps validating, also if a second format joins it."""
    folder, model = two_formats
    artifact, former = tmp_path / "model.onnx", tmp_path / "model.dummyio.json"
    artifact.write_bytes((folder / "model.onnx").read_bytes())
    other = dummyio.InputSpec({"input": SPEC["input"]}, task="from-the-file")
    other.save(former)
    assert find_spec_path(artifact) == former
    assert dummyio.validate(artifact, reference=model).spec == other.sha256
    dummyio.export(model, tmp_path / "model.pt2", spec=SPEC)
    assert find_spec_path(artifact) == former
    assert find_spec_path(tmp_path / "model.pt2") == spec_path(tmp_path / "model.pt2")
    spec_path(tmp_path / "model.pt2").unlink()  # as earlier versions left it after a forced export
    assert find_spec_path(artifact) == former
    dummyio.InputSpec({"other": dummyio.TensorSpec("other", DIMS)}).save(former)
    assert find_spec_path(artifact) is None


def test_a_spec_that_may_belong_to_another_artifact_is_not_taken(tmp_path):
    (tmp_path / "model.dummyio.json").write_text("{}")
    for name in ("model.onnx", "model.tflite"):
        (tmp_path / name).write_bytes(b"")
    assert find_spec_path(tmp_path / "model.onnx") is None
    assert find_spec_path(tmp_path / "other.onnx") is None
    assert find_spec_path(tmp_path) is None
    SPEC.save(spec_path(tmp_path / "model.tflite"))
    assert find_spec_path(tmp_path / "model.onnx") == tmp_path / "model.dummyio.json"


@pytest.mark.parametrize("name", ["model.onnx", "model.onnx.dummyio.json", "model.onnx.data"])
def test_clashes_are_said_before_the_work(tmp_path, name):
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(OutputError, match=f"{name} would be lost"):
        dummyio.export(Untouchable(4, 3), tmp_path / "model.onnx", spec=SPEC)
    with pytest.raises(OutputError, match=f"{name} would be lost"):  # also before the inputs are described
        dummyio.export(Untouchable(4, 3), tmp_path / "model.onnx")
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"precious"


def test_a_data_file_may_wait_for_a_model_without_weights(tmp_path):
    (tmp_path / "model.onnx.data").write_bytes(b"weights")
    check_target(tmp_path / "model.onnx", weights=False)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("path", ["", ".", "..", "/", "inner/..", "link"])
def test_folders_that_are_never_replaced(tmp_path, monkeypatch, path, force):
    work = tmp_path / "work"
    (work / "inner").mkdir(parents=True)
    (work / "thesis").write_bytes(b"years")
    (work / "link").symlink_to(work / "inner")
    monkeypatch.chdir(work)
    for kind in ("onnx_folder", "saved_model"):
        with pytest.raises(OutputError, match=r"not even by force|the path is empty"):
            dummyio.export(Untouchable(4, 3), path, spec=SPEC, format=kind, force=force)
    assert names(work) == ["inner", "link", "thesis"]


class Configuration:
    def __init__(self, text):
        self.text = text

    def save_pretrained(self, folder):
        (Path(folder) / "config.json").write_text(self.text)


class Configured(torch.nn.Linear):
    """A model whose configuration writes its file as those of Transformers do."""

    def __init__(self, text, home=None):
        super().__init__(4, 3)
        self.config = Configuration(text)
        self.name_or_path = None if home is None else str(home)


def test_the_configuration_of_another_model_stays(tmp_path):
    (tmp_path / "config.json").write_text("another")
    for force in (False, True):
        artifact = dummyio.export(Configured("mine"), tmp_path / f"{force}.onnx", spec=SPEC, **QUICK, force=force)
        assert (tmp_path / "config.json").read_text() == "another"
        assert tmp_path / "config.json" not in artifact.files
        assert any("config.json: this file was there, with other content" in note for note in artifact.notes)
        assert all(file.is_file() for file in artifact.files)


def test_an_equal_configuration_is_fine(tmp_path):
    for name in ("model.onnx", "other.onnx"):
        artifact = dummyio.export(Configured("mine"), tmp_path / name, spec=SPEC, **QUICK)
        assert not any("config.json" in note for note in artifact.notes)
    assert names(tmp_path)[0] == "config.json"


def test_a_forced_export_replaces_its_own_configuration(tmp_path):
    dummyio.export(Configured("first"), tmp_path / "model.onnx", spec=SPEC, **QUICK)
    artifact = dummyio.export(Configured("second"), tmp_path / "model.onnx", spec=SPEC, **QUICK, force=True)
    assert (tmp_path / "config.json").read_text() == "second"
    assert tmp_path / "config.json" in artifact.files
    assert any(
        "config.json: this file of the former artifact had other content and is replaced" in note
        for note in artifact.notes
    )
    dummyio.export(Configured("second"), tmp_path / "other.onnx", spec=SPEC, **QUICK)
    dummyio.export(Configured("third"), tmp_path / "model.onnx", spec=SPEC, **QUICK, force=True)
    assert (tmp_path / "config.json").read_text() == "second"  # other.onnx may need it


@pytest.mark.parametrize(
    "other", ["model.onnx", "model.pt2", "MODEL.PB", "model.safetensors", "onnx/model.onnx", "spec.dummyio.json"]
)
def test_a_forced_export_leaves_the_configuration_if_another_model_is_there(tmp_path, other):
    dummyio.export(Configured("first"), tmp_path / "own.onnx", spec=SPEC, **QUICK)
    (tmp_path / other).parent.mkdir(exist_ok=True)
    (tmp_path / other).write_bytes(b"other")
    artifact = dummyio.export(Configured("second"), tmp_path / "own.onnx", spec=SPEC, **QUICK, force=True)
    assert (tmp_path / "config.json").read_text() == "first"
    assert any("config.json: this file was there, with other content" in note for note in artifact.notes)


@pytest.mark.parametrize("moment", ["before the export", "after the export"])
def test_a_forced_export_leaves_a_configuration_that_it_has_not_written(tmp_path, moment):
    """No other model is in the folder, but the file is older than the artifact, or has been written since."""
    made = tmp_path / "config.json"
    if moment == "before the export":
        made.write_text("precious")
    dummyio.export(Configured("first"), tmp_path / "own.onnx", spec=SPEC, **QUICK)
    if moment == "after the export":
        time.sleep(0.05)
        made.write_text("precious")
    artifact = dummyio.export(Configured("second"), tmp_path / "own.onnx", spec=SPEC, **QUICK, force=True)
    assert made.read_text() == "precious"
    assert any("config.json: this file was there, with other content" in note for note in artifact.notes)


def test_an_export_into_the_folder_that_the_model_was_loaded_from(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    files = {"config.json": "loaded", "model.safetensors": "weights", "vocab.txt": "a"}
    for name, text in files.items():
        (home / name).write_text(text)
    model = Configured("mine", home)
    for force in (False, True):
        for target in (home, tmp_path):
            with pytest.raises(OutputError, match=r"replaced|not empty"):
                dummyio.export(model, target, spec=SPEC, format="onnx_folder", force=force)
    for _ in range(2):
        dummyio.export(model, home / "model.onnx", spec=SPEC, force=True, **QUICK)
    assert {name: (home / name).read_text() for name in files} == files


def test_withdrawn_files(tmp_path):
    made, there = tmp_path / "made", tmp_path / "there"
    for folder in (made, there):
        folder.mkdir()
        (folder / "equal").write_text("1")
        (folder / "differs").write_text(folder.name)
    (made / "new").write_text("2")
    (there / "differs.d").mkdir()
    kept, notes = withdraw_taken_files(sorted(made.iterdir()), there, lambda _: False)
    assert [file.name for file in kept] == ["new"]
    assert [note.split(":")[0] for note in notes] == [str(there / "differs")]
    assert names(made) == ["new"]


PROGRAM = """
import sys, time
import torch
import dummyio

class Slow(torch.nn.Linear):
    def forward(self, input):
        return super().forward(input) * int(sys.argv[2])

spec = dummyio.InputSpec({"input": dummyio.TensorSpec("input", (dummyio.Dim("batch_size", 2), 4))})
try:
    dummyio.export(Slow(4, 3), sys.argv[1], spec=spec, force=sys.argv[3] == "True")
except dummyio.errors.OutputError as error:
    print(error)
"""


@pytest.mark.slow
def test_two_exports_to_one_target_at_once(tmp_path):
    target = tmp_path / "out" / "model.onnx"
    command = [sys.executable, "-c", PROGRAM, str(target)]
    jobs = [subprocess.Popen([*command, str(n), "False"], stdout=subprocess.PIPE, text=True) for n in (1, 2)]
    said = [job.communicate(timeout=200)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0]
    assert sum("would be lost" in text for text in said) == 1
    assert names(target.parent) == ["model.onnx", "model.onnx.dummyio.json"]
    dummyio.open_runner(target)(SPEC.feeds())
