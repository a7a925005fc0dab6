"""The documents agree with the code: examples, links, named paths and definitions."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

import dummyio
from dummyio.spec.json_format import make_json_schema

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("backends/**/*.md")])
SOURCES = sorted([*ROOT.glob("dummyio/**/*.py"), *ROOT.glob("backends/**/*.py")])
FOLDERS = "dummyio|backends|benchmarks|docs|examples|tests"
FILES = {
    path.name
    for folder in (".", *FOLDERS.split("|"))
    for path in (ROOT / folder).glob("**/*" if folder != "." else "*")
}
ELSEWHERE = {"dummyio_memoryview.py", "test_memoryview.py", "replay.py", "modeling_canine.py", "modeling_led.py"}
"""Files that pages name and that are not in the tree: of an example, made by a validation, of another library."""
NOT_MODULES = {"dummyio.backends", "dummyio.json"}
"""The group of entry points; the spec of a folder."""
PACKAGES = {"np": "numpy", "pt": "torch", "tf": "tensorflow", "jax": "jax", "ort": "onnxruntime"}


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_published_schema_is_the_one_that_is_checked():
    published = json.loads((ROOT / "docs/reference/spec.schema.json").read_text())
    assert published == json.loads(json.dumps(make_json_schema())), (
        "write docs/reference/spec.schema.json anew from dummyio.spec.json_format.make_json_schema()"
    )


def test_the_example_of_a_spec_file_is_valid():
    example = re.search(r"```json\n(.*?)```", (ROOT / "docs/reference/spec-file.md").read_text(), re.DOTALL)
    assert dummyio.InputSpec.from_json(example[1]).task == "fill-mask"


@pytest.mark.parametrize("framework", PACKAGES)
def test_the_values_in_the_readme_are_those_that_are_made(framework):
    if importlib.util.find_spec(PACKAGES[framework]) is None:
        pytest.skip(f"could not import '{PACKAGES[framework]}'")
    kind, numbers = re.search(rf"^{framework} (\w+) \[([\d ]+)\]$", README, re.MULTILINE).groups()
    spec = dummyio.describe(ROOT / "examples/bert-base/config.json", batch_size=4)
    ids = spec.generate(framework, seed=0, sequence_length=32)["input_ids"]
    assert type(ids).__name__ == kind
    assert dummyio.load_backend(framework).to_numpy(ids)[0, :6].tolist() == [int(n) for n in numbers.split()]


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_anchors_are_headings(page):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        text = (page.parent / target if target else page).read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_named_paths_exist(page):
    """A file that has moved is named by its new path: the old one does not exist."""
    text = page.read_text(encoding="utf-8")
    paths = {path.rstrip(".") for path in re.findall(rf"(?<![\w./-])(?:{FOLDERS})/[\w./*<>-]*", text)}
    assert [path for path in sorted(paths) if not any(ROOT.glob(re.sub(r"<\w+>", "*", path).rstrip("/")))] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_named_files_exist(page):
    names = set(re.findall(r"`([\w-]+\.(?:py|toml|json\.gz|ini|yaml))`", page.read_text(encoding="utf-8")))
    assert sorted(names - FILES - ELSEWHERE) == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_named_sessions_are_in_the_noxfile(page):
    named = set(re.findall(r"nox -s (\w+)", page.read_text(encoding="utf-8")))
    declared = set(re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE))
    assert sorted(named - declared) == []


@pytest.mark.parametrize("path", [*PAGES, *SOURCES], ids=page_id)
def test_named_definitions_exist(path):
    """`dummyio.room.module.name` in text or docstrings names a module, or a definition in it."""
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w./])(dummyio(?:_[a-z]+)?(?:\.[A-Za-z_]\w*)+)", text))
    assert [name for name in sorted(named - NOT_MODULES) if not is_defined(name)] == []


def is_defined(name: str) -> bool:
    """Whether a dotted name is a module of this tree, or a name that the module's text contains."""
    parts = name.split(".")
    place = (ROOT if parts[0] == "dummyio" else ROOT / "backends") / parts.pop(0)
    if not place.is_dir():
        return True  # another package, such as the one of an example
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    if parts and place.joinpath(f"{parts[0]}.py").is_file():
        place /= f"{parts.pop(0)}.py"
    text = (place / "__init__.py" if place.is_dir() else place).read_text(encoding="utf-8")
    return not parts or re.search(rf"\b{re.escape(parts[0])}\b", text) is not None
