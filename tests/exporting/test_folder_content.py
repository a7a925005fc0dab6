"""Which folders force replaces: those that consist of what an export writes, and no other one."""

import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

import dummyio
from dummyio.atomic_files import atomic_folder
from dummyio.errors import OutputError
from dummyio.exporting.companion_files import COPIED
from dummyio.exporting.export import check_target
from dummyio.exporting.folder_content import check_folder_content
from dummyio.feeds.save_load import save_samples

SPEC = dummyio.InputSpec({"input": dummyio.TensorSpec("input", (2, 4))})
TEXT = SPEC.to_json()
ONNX = {"dummyio.json": TEXT, "model.onnx": "", "config.json": "{}"}
SAVED_MODEL = {
    "dummyio.json": TEXT,
    "saved_model.pb": "graph with words.txt",
    "fingerprint.pb": "",
    "variables/variables.index": "",
    "variables/variables.data-00000-of-00001": "",
    "assets/words.txt": "a b",
}


def fill(folder: Path, content: dict[str, str]) -> Path:
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def compute_size(input):  # noqa: A002 - the name of the input
    return np.abs(input)


def list_content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "content",
    [
        {},
        ONNX,
        {"model.onnx": "", "model.onnx.data": "", **dict.fromkeys(COPIED, "")},
        {
            "model.onnx": "",
            "model.onnx_data": "",
            "model.onnx_data_1": "",
            "ort_config.json": "",
            "generation_config.json": "",
        },
        ONNX | {"encoder_model.onnx": "", "encoder_model.onnx.dummyio.json": TEXT, "decoder_model.dummyio.json": TEXT},
        SAVED_MODEL,
        {"saved_model.pb": "", "variables/variables.index": ""},
    ],
)
def test_what_exports_write_is_replaced_by_force(tmp_path, content):
    folder = tmp_path / "out"
    folder.mkdir()
    check_target(fill(folder, content), force=True)
    if content:
        with pytest.raises(OutputError, match="not empty"):
            check_target(folder)


@pytest.mark.parametrize("written", [{"dummyio.json": TEXT}, ONNX, SAVED_MODEL, {"config.json": "{}"}])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("thesis.tex", "thesis.tex"),
        ("weights.safetensors", "weights.safetensors"),
        ("pytorch_model.bin", "pytorch_model.bin"),
        ("model.keras", "model.keras"),
        ("keras_metadata.pb", "keras_metadata.pb"),
        ("README", "README"),
        ("other.json", "other.json"),
        ("page.html", "page.html"),
        ("inputs.npz", "inputs.npz"),
        ("other.onnx.data", "other.onnx.data"),
        ("model.pt2", "model.pt2"),
        ("Config.json", "Config.json"),
        (".hidden", ".hidden"),
        (".onnx", ".onnx"),
        (".git/HEAD", "the folder .git"),
        ("src/a.py", "the folder src"),
        ("onnx/model.onnx", "the folder onnx"),
        ("variables/thesis.tex", "the folder variables"),
        ("assets/photo.jpg", "the folder assets"),
        ("assets.extra/a", "the folder assets.extra"),
        ("part.dummyio.json", r"part.dummyio.json \(not a spec\)"),
        ("a\nb", r"a\\nb"),
    ],
)
def test_any_other_content_is_named_and_kept(tmp_path, written, name, said):
    folder = fill(tmp_path / "out", written | {name: "{}"})
    before = list_content(folder)
    for kind in ("onnx_folder", "saved_model"):
        with pytest.raises(
            OutputError, match=rf"{said}.* not even by force\. Choose another name, or remove the folder"
        ):
            check_target(folder, kind, force=True)
    assert list_content(folder) == before


@pytest.mark.parametrize("name", ["dummyio.json", "config.json", "vocab.txt", "fingerprint.pb"])
def test_a_folder_without_an_artifact_is_kept(tmp_path, name):
    folder = fill(tmp_path / "out", {name: TEXT})
    with pytest.raises(OutputError, match=f"contains {name}, .*not even by force"):
        check_target(folder, force=True)


def test_a_project_with_any_dummyio_json_is_kept(tmp_path):
    content = {".git/HEAD": "", "src/a.py": "", "thesis.tex": "", "weights.safetensors": "", "dummyio.json": "{}"}
    folder = fill(tmp_path / "project", content | {"model.onnx": ""})
    with pytest.raises(OutputError, match=r"the folder \.git, dummyio\.json \(not a spec\), the folder src and 2 more"):
        check_target(folder, force=True)


@pytest.mark.parametrize("name", ["model.onnx", "variables", "config.json"])
def test_links_are_kept(tmp_path, name):
    folder = fill(tmp_path / "out", {"other.onnx": "", "saved_model.pb": ""})
    fill(tmp_path / "elsewhere", {"a": ""})
    (folder / name).symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(OutputError, match=f"the link {name}"):
        check_target(folder, force=True)


def test_pipes_are_kept_and_not_read(tmp_path):
    folder = fill(tmp_path / "out", ONNX)
    os.mkfifo(folder / "report.json")
    with pytest.raises(OutputError, match=r"report\.json"):
        check_target(folder, force=True)


def test_an_earlier_report_is_replaced(tmp_path):
    pytest.importorskip("jinja2")
    report = dummyio.validate(compute_size, compute_size, spec=SPEC)
    for suffix in (".json", ".xml", ".html"):
        report.save(fill(tmp_path / "out", ONNX) / f"report{suffix}")
    check_target(tmp_path / "out", force=True)


def test_content_that_comes_during_the_work_is_kept(tmp_path):
    folder = fill(tmp_path / "out", ONNX)
    with ExitStack() as writing:
        made = writing.enter_context(atomic_folder(folder, force=True, check=check_folder_content))
        (made / "model.onnx").write_bytes(b"new")
        fill(folder, {"thesis.tex": "years"})
        with pytest.raises(OutputError, match=r"thesis\.tex"):
            writing.close()
    assert (folder / "thesis.tex").read_bytes() == b"years"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_path_of_a_folder_is_not_taken_for_a_file(tmp_path):
    with pytest.raises(OutputError, match="the name of a folder"):
        check_target(f"{tmp_path}/model.onnx/")
    with pytest.raises(OutputError, match="the name of a folder"):
        SPEC.save(f"{tmp_path}/spec.json/")
    with pytest.raises(OutputError, match="the name of a folder"):
        save_samples(SPEC, f"{tmp_path}/in.npz/")
    assert not list(tmp_path.iterdir())
