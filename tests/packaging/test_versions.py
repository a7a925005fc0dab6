"""The table of versions in ``docs/reference/versions.md`` has the bounds of pyproject.toml and the sessions of the noxfile.

``python tests/packaging/test_versions.py`` writes the table again.
"""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "versions.md"
EXTRAS = (
    "torch",
    "tensorflow",
    "litert",
    "quantize",
    "jax",
    "flax",
    "jax2onnx",
    "onnx",
    "hf",
    "diffusers",
    "safetensors",
    "report",
    "yaml",
)
"""The extras for users; those of the tests and tools are not claims about what dummyio works with."""
UNTESTED = "declared, not tested"


def read_project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read_sessions():
    """Return the table `OLDEST` of the noxfile: session → extras and tests."""
    for node in ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "OLDEST":
            return ast.literal_eval(node.value)
    raise AssertionError("noxfile.py has no table OLDEST")


def make_table():
    project = read_project()
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    sessions = {"": ["core"]}
    for name, (extras, _) in read_sessions().items():
        for extra in extras:
            sessions.setdefault(extra, []).append(name)
    groups = {"": project["dependencies"]} | {extra: project["optional-dependencies"][extra] for extra in EXTRAS}
    rows = []
    for extra, needs in groups.items():
        tested = ", ".join(f"`oldest({name})`" for name in sessions.get(extra, ())) or UNTESTED
        for need in needs:
            name, bound = re.fullmatch(r"([\w-]+)>=([\w.]+)", need).groups()
            rows.append(
                f"| {name} | {f'`{extra}`' if extra else 'always'} | {bound} | {tested} | {pins.get(name, '')} |"
            )
    head = ["| package | extra | lower bound | tested by | version of all other checks |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


def replace_table(page):
    begin, end = "<!-- versions: begin -->", "<!-- versions: end -->"
    return f"{page[: page.index(begin)]}{begin}\n\n{make_table()}\n\n{page[page.index(end) :]}"


def test_the_page_has_the_bounds_and_the_sessions():
    page = PAGE.read_text(encoding="utf-8")
    assert page == replace_table(page), "run `python tests/packaging/test_versions.py`"


def test_every_extra_for_users_is_in_the_table():
    (everything,) = read_project()["optional-dependencies"]["all"]
    assert set(everything.removeprefix("dummyio[").removesuffix("]").split(",")) <= set(EXTRAS)


def test_every_session_has_tests_that_exist():
    for _, tests in read_sessions().values():
        paths = [test for test in tests if not test.startswith("-")]
        assert [path for path in paths if not (ROOT / path).exists()] == []


if __name__ == "__main__":
    PAGE.write_text(replace_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
