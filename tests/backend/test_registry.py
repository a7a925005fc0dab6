import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dummyio.backend import registry as backend
from dummyio.errors import BrokenBackendError, FrameworkError, NotInstalledError

PAGE = Path(__file__).parents[2] / "docs" / "how" / "add-a-backend.md"

WHOLE = """
class Backend:
    name, dtypes, flat = "fake", {}, False
    def from_numpy(self, values, dtype, device=None): return values
    def to_numpy(self, tensor): return tensor
    def is_tensor(self, value): return True
    def abstract(self, leaves): return {}
    def cache(self, layers): return layers

BACKEND = Backend()
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install packages into a folder that is on the path for this test only; forget what the registry has found."""

    def install(dist, code, *, name="fake", module=None):
        module = module or dist.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(code)
        write_metadata(tmp_path, dist, f"{name} = {module}:BACKEND")
        monkeypatch.delitem(sys.modules, module, raising=False)
        backend._found.cache_clear()

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(backend, "_LOADED", {})
    backend._found.cache_clear()
    yield install
    backend._found.cache_clear()
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


def write_metadata(folder, dist, point):
    info = folder / f"{dist.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{backend.GROUP}]\n{point}\n")


# Names.


def test_every_framework_is_declared():
    assert set(backend.available_backends()) >= {"np", "pt", "tf", "jax", "ort"}


@pytest.mark.parametrize(("alias", "name"), [*backend.ALIASES.items(), ("np", "np")])
def test_an_alias_is_a_name(alias, name):
    assert backend.framework_name(alias) == name


@pytest.mark.parametrize(
    ("unknown", "near"),
    [("tenserflow", "'tensorflow'"), ("nump", "'numpy'"), ("pytroch", "'pytorch'"), ("qqq", "Known: ")],
)
def test_an_unknown_name_suggests_similar_ones(unknown, near):
    with pytest.raises(FrameworkError, match=f"framework='{unknown}' is unknown. .*{near}"):
        backend.load_backend(unknown)


@pytest.mark.parametrize("value", [None, 5, sys])
def test_a_name_that_is_not_a_string_is_an_error(value):
    with pytest.raises(FrameworkError, match="is not a string: use one of"):
        backend.framework_name(value)


# Loading.


def test_a_backend_is_imported_once_and_only_when_used(installed, monkeypatch):
    monkeypatch.setattr(sys, "imported_fake", [], raising=False)
    installed("fake-one", "import sys; sys.imported_fake.append(1)" + WHOLE)
    assert "fake" in backend.available_backends()
    assert sys.imported_fake == []
    assert backend.load_backend("fake") is backend.load_backend("fake")
    assert sys.imported_fake == [1]


@pytest.mark.parametrize(
    ("name", "package", "missing", "extra"),
    [
        ("pt", "dummyio_torch", "torch", "torch"),
        ("tensorflow", "dummyio_tensorflow", "tensorflow", "tensorflow"),
        ("jax", "dummyio_jax", "jax", "jax"),
        ("ort", "dummyio_onnx", "onnx", "onnx"),
        ("ort", "dummyio_onnx", "onnxruntime", "onnx"),
    ],
)
def test_a_missing_framework_is_an_error_with_the_install_command(monkeypatch, name, package, missing, extra):
    monkeypatch.setattr(backend, "_LOADED", {})
    for module in [module for module in sys.modules if module.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    if missing == "onnxruntime":
        pytest.importorskip("onnx")
    monkeypatch.setitem(sys.modules, missing, None)  # Python's mark for a module that cannot be imported
    with pytest.raises(NotInstalledError, match=rf"needs {missing}, .* pip install 'dummyio\[{extra}\]'") as caught:
        backend.load_backend(name)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_third_party_s_missing_framework_names_its_package(installed):
    installed("fake-missing", "import framework_that_is_nowhere")
    with pytest.raises(NotInstalledError, match=r"needs framework_that_is_nowhere, .* pip install 'fake-missing'"):
        backend.load_backend("fake")


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import numpy.part_that_is_lost", ModuleNotFoundError),
        ("import dummyio.part_that_is_lost", ModuleNotFoundError),
        ("import fake_broken.part_that_is_lost", ModuleNotFoundError),
        ("raise ImportError('libframework.so: cannot open shared object file')", ImportError),
        ("raise RuntimeError('no driver')", RuntimeError),
        ("OTHER = 1", AttributeError),
        ("this is no Python", SyntaxError),
    ],
)
def test_a_broken_backend_is_not_reported_as_missing(installed, code, cause):
    installed("fake-broken", code)
    with pytest.raises(BrokenBackendError, match="fake_broken:BACKEND") as caught:
        backend.load_backend("fake")
    assert isinstance(caught.value.__cause__, cause)


def test_a_backend_without_the_members_is_broken(installed):
    installed("fake-thin", "BACKEND = object()")
    with pytest.raises(BrokenBackendError, match="lacks members"):
        backend.load_backend("fake")


def test_a_failed_import_is_tried_again(installed):
    installed("fake-late", "raise RuntimeError('not yet')")
    with pytest.raises(BrokenBackendError):
        backend.load_backend("fake")
    Path(backend._found()["fake"][0].dist.locate_file("fake_late.py")).write_text(WHOLE + "# and longer")
    assert backend.load_backend("fake").name == "fake"


def test_two_packages_that_claim_a_name_are_an_error(installed):
    installed("fake-one", WHOLE)
    installed("fake-two", WHOLE)
    with pytest.raises(FrameworkError, match="fake_one:BACKEND of fake-one") as caught:
        backend.load_backend("fake")
    assert "fake_two:BACKEND of fake-two" in str(caught.value)
    assert backend.load_backend("np").name == "np"


def test_no_package_replaces_an_own_backend(installed):
    installed("fake-numpy", WHOLE, name="np")
    with pytest.raises(FrameworkError, match="claimed by"):
        backend.load_backend("np")


# Backends of third parties.


@pytest.mark.slow
def test_the_example_of_the_page_conforms(tmp_path):
    files = dict(re.findall(r"^`([\w.]+)`\n\n```\w+\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))
    assert set(files) == {"dummyio_memoryview.py", "pyproject.toml", "test_memoryview.py"}
    for name, text in files.items():
        if name.endswith(".py"):
            (tmp_path / name).write_text(text)
    project = tomllib.loads(files["pyproject.toml"])["project"]
    ((name, value),) = project["entry-points"][backend.GROUP].items()
    write_metadata(tmp_path, project["name"], f"{name} = {value}")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_memoryview.py"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d\d+ passed", done.stdout)
    assert "failed" not in done.stdout
