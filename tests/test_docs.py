"""What the documents say is what the code does."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

import dummyio
from dummyio.spec.json_format import make_json_schema

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PACKAGES = {"np": "numpy", "pt": "torch", "tf": "tensorflow", "jax": "jax", "ort": "onnxruntime"}


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


def test_links_lead_somewhere():
    for page in (ROOT / "README.md", *ROOT.glob("docs/**/*.md"), ROOT / "backends/README.md"):
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"
