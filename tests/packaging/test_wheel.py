"""The sdist and the wheel built from it: their files and metadata."""

import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import dummyio

pytestmark = pytest.mark.slow

pytest.importorskip("build")
pytest.importorskip("hatchling")

ROOT = Path(__file__).parents[2]
PACKAGES = ["dummyio", "dummyio_jax", "dummyio_numpy", "dummyio_onnx", "dummyio_tensorflow", "dummyio_torch"]
SUFFIXES = {".py", ".typed", ".json", ".css", ".j2", ".js"}


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(dist):
    (path,) = dist.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def shipped(archive):
    return [name for name in archive.namelist() if ".dist-info/" not in name]


def test_the_import_names_are_ours(wheel):
    assert sorted({name.split("/")[0] for name in shipped(wheel)}) == PACKAGES


def test_the_wheel_is_for_every_platform(wheel):
    assert wheel.filename.endswith("-py3-none-any.whl")


def test_every_source_file_is_in_the_wheel(wheel):
    folders = [ROOT / "dummyio", *(ROOT / "backends").glob("*/")]
    sources = {path.relative_to(folder.parent).as_posix() for folder in folders for path in folder.rglob("*.py")}
    assert {name for name in shipped(wheel) if name.endswith(".py")} == sources


def test_nothing_strays_into_the_wheel(wheel):
    strays = [
        name for name in shipped(wheel) if Path(name).suffix not in SUFFIXES or Path(name).name.startswith("test_")
    ]
    assert strays == []


@pytest.mark.parametrize("name", ["report.html.j2", "report.css", "report.js"])
def test_the_files_of_the_html_report_are_in_both(wheel, dist, name):
    assert wheel.read(f"dummyio/validation/report/{name}") == (ROOT / "dummyio/validation/report" / name).read_bytes()
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        assert any(member.endswith(f"/dummyio/validation/report/{name}") for member in archive.getnames())


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_typed(wheel, package):
    assert f"{package}/py.typed" in wheel.namelist()


def test_the_license_is_in_the_wheel(wheel, metadata):
    (name,) = (name for name in wheel.namelist() if name.endswith("/licenses/LICENSE"))
    assert wheel.read(name) == (ROOT / "LICENSE").read_bytes()
    assert metadata["License-Expression"] == "Apache-2.0"


def test_the_metadata_name_python_and_extras(metadata):
    assert metadata["Name"] == "dummyio"
    assert metadata["Version"] == dummyio.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert {"torch", "tensorflow", "jax", "onnx", "hf", "all"} <= set(metadata.get_all("Provides-Extra"))
    assert metadata.get_payload().strip() == (ROOT / "README.md").read_text().strip()


def test_the_core_needs_no_framework(metadata):
    needs = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    names = {line.split(">")[0].split("=")[0].strip() for line in needs}
    assert names == {"click", "ml-dtypes", "msgspec", "numpy", "psutil", "rich"}


def test_the_sdist_has_what_a_rebuild_and_its_tests_need(dist):
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {"/".join(name.split("/")[1:]) for name in archive.getnames()}
    tops = {name.split("/")[0] for name in names}
    assert {"pyproject.toml", "README.md", "LICENSE", "dummyio", "backends", "tests", "noxfile.py"} <= tops
    caches = [name for name in names if "__pycache__" in name or "_cache/" in name]
    assert caches == []
