"""The pages agree with the data of the tests."""

import json
from pathlib import Path

import dummyio.generators as ours

ROOT = Path(__file__).parents[2]


def test_every_generator_of_optimum_is_on_the_page():
    page = (ROOT / "docs" / "reference" / "optimum.md").read_text(encoding="utf-8")
    table = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| `") and line.count("|") == 5]
    mapped = {
        (left.split("`")[1], "optimum-onnx" in left): set(right.replace("`", " ").replace(",", " ").split())
        for left, right, *_ in table
    }
    rows = json.loads((ROOT / "tests" / "data" / "optimum_generators.json").read_text(encoding="utf-8"))["rows"]
    for row in rows:
        assert row["ours"] in mapped[row["optimum"], row.get("package") == "optimum-onnx"], row["optimum"]
    assert len([key for key in mapped if key[0].endswith("Generator")]) == 46
    assert {name for names in mapped.values() for name in names if name.startswith("Dummy")} <= set(ours.__all__)


def test_the_page_of_coverage_can_be_written_to():
    page = (ROOT / "docs" / "reference" / "coverage.md").read_text(encoding="utf-8")
    assert page.index("<!-- measured: begin -->") < page.index("<!-- measured: end -->")
