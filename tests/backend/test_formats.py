"""The table of formats agrees with the backends, and its choices with paths."""

import importlib.util
import os

import pytest

import dummyio
from dummyio.backend.formats import FORMATS, choose_format, detect_path_format, list_suffixes
from dummyio.backend.frameworks import FRAMEWORKS
from dummyio.backend.registry import load_backend
from dummyio.errors import OptionError, SourceError
from dummyio.running.load_model import load_model


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_backend_has_the_capabilities_of_its_rows(framework):
    if importlib.util.find_spec(FRAMEWORKS[framework].module) is None:
        pytest.skip(f"could not import {FRAMEWORKS[framework].module!r}")
    backend = load_backend(framework)
    exported = {name for name, kind in FORMATS.items() if framework in kind.exported_by}
    assert set(getattr(backend, "exporters", ())) == exported
    for field, member in (("described_by", "describe"), ("run_by", "runner"), ("loaded_by", "load")):
        if framework in {getattr(kind, field) for kind in FORMATS.values()}:
            assert callable(getattr(backend, member))


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (["saved_model.pb", "model.onnx"], "saved_model"),
        (["model.onnx", "config.json"], "onnx_folder"),
        (["config.json"], "configuration"),
        (["weights.bin"], None),
    ],
)
def test_the_content_of_a_folder_decides(tmp_path, files, name):
    for file in files:
        (tmp_path / file).write_bytes(b"")
    found = detect_path_format(tmp_path)
    assert (found and found.name) == name


@pytest.mark.parametrize(
    ("path", "framework", "name"),
    [
        ("model.onnx", "jax", "onnx"),
        ("folder", "pt", "onnx_folder"),
        ("folder", "jax", "saved_model"),
        ("folder", None, "saved_model"),
    ],
)
def test_the_suffix_and_the_framework_choose_the_exported_format(path, framework, name):
    assert choose_format(path, framework=framework).name == name


@pytest.mark.parametrize("path", ["model.keras", "model.json", "model.bin"])
def test_a_suffix_that_is_not_exported_names_those_that_are(path):
    with pytest.raises(SourceError, match=r"\.onnx, \.pt2, \.tflite, \.pb, \.stablehlo, or no suffix"):
        choose_format(path)


def test_an_unknown_format_names_the_known_ones():
    with pytest.raises(OptionError, match="Did you mean 'onnx'"):
        choose_format("model.onnx", "onx")
    with pytest.raises(OptionError, match="'keras' is unknown"):
        choose_format("model.onnx", "keras")


def test_suffixes_for_messages():
    assert list_suffixes("described_by") == ".onnx, .ort, .tflite, .pb, .stablehlo"


PIPES = {
    **{f"model{kind.suffix}": f"model{kind.suffix}" for kind in FORMATS.values() if kind.suffix},
    "saved/saved_model.pb": "saved",
    "saved/variables/variables.index": "saved",
    "saved/assets/part/words.txt": "saved",
    "folder/config.json": "folder",
    "folder/model.safetensors": "folder",
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are of POSIX")
@pytest.mark.parametrize("use", [dummyio.describe, dummyio.open_runner, load_model])
@pytest.mark.parametrize("name", PIPES)
def test_a_pipe_or_a_device_is_not_read(tmp_path, name, use):
    """Opening one would wait for ever: the file itself, or one of its folder; a link to a device too."""
    place = tmp_path / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if name.startswith("saved"):
        (tmp_path / "saved" / "saved_model.pb").touch()
    if name.startswith("folder"):
        (tmp_path / "folder" / "config.json").touch()
    place.unlink(missing_ok=True)
    is_configuration = use is dummyio.describe and name == "folder/model.safetensors"  # which this does not open
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        make(place)
        with pytest.raises(SourceError, match="not a regular file" if not is_configuration else "config.json"):
            use(str(tmp_path / PIPES[name]))
        place.unlink()
