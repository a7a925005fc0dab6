"""Each fact is stated in one module: ``docs/architecture.md`` lists them. A pattern finds the statements of a fact in the code."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").splitlines()
    for folder in ("dummyio", "backends")
    for path in sorted((ROOT / folder).rglob("*.py"))
}

FACTS = {
    "role of an input by its name": ("dummyio/sources/input_names.py", r'r".*(?:mask|ids)\$'),
    "name of a dynamic axis": ("dummyio/sources/axis_names.py", r"_dim_\{"),
    "default size of a dim": (
        "dummyio/spec/default_sizes.py",
        r'^\s+"(?:sequence_length|past_sequence_length|height|width|num_channels)": \d',
    ),
    "check of a written artifact": (
        "dummyio/exporting/artifact_check.py",
        r"\bdef _?check_(?:artifact|file|written)\b|artifact was written and",
    ),
    "an exception as one line": (
        "dummyio/errors.py",
        r"type\((?:error|caught|exception)\)\.__name__\}: \{|str\((?:error|caught|exception)\)(?:\[|\.split)",
    ),
    "formats: suffixes and folders": (
        "dummyio/backend/formats.py",
        r'"(?:\*?\.(?:onnx|pt2|tflite|stablehlo|keras|h5)|saved_model\.pb)"',
    ),
    "frameworks: aliases, extras, root modules": (
        "dummyio/backend/frameworks.py",
        r'"(?:pytorch|flax)"|"(?:torch|tensorflow|onnxruntime)": "|"(?:pt|tf|ort)": "',
    ),
    "options of all readers": (
        "dummyio/sources/options.py",
        r'\("left", "right"\)|\("ragged", "full", "shortest"\)|get\("(?:padding_side|mask_policy)", "',
    ),
    "value of Python text": (
        "dummyio/huggingface/source/evaluator.py",
        r"\bast\.(?:Mult|FloorDiv|Pow)\b|literal_eval\(",
    ),
    "suffix of tasks with a past": ("dummyio/generators/base/context.py", r'"-with-past"'),
    "present output of a past input": ("dummyio/sources/input_names.py", r'"present\b'),
    "a dim of one size": (
        "dummyio/spec/dims.py",
        r"\bDim\([^()]*\bmin=([a-z][\w.]*), max=\1\b|\bDim\([^()]*, ([a-z][\w.]*), \2, \2\b|\bcls\(name, size, ",
    ),
    "NumPy array of any dtype": ("dummyio/typing.py", r"np\.ndarray\[Any, Any\]"),
    "name of an object for messages": ("dummyio/backend/frameworks.py", r"__module__\}\.\{"),
}
"""Fact → its home, and a pattern that only its home matches."""

OTHER_FACTS = {
    ("value of Python text", "dummyio/feeds/npy.py"): "the header of a .npy file",
    ("value of Python text", "dummyio/spec/dim_parser.py"): "the grammar of sizes in a saved spec",
    ("value of Python text", "backends/dummyio_jax/calling/symbolic_dims.py"): "the grammar of symbolic sizes in JAX",
    ("value of Python text", "backends/dummyio_torch/onnx_passes/unwrap_names.py"): "a list of scopes in ONNX metadata",
    (
        "value of Python text",
        "backends/dummyio_torch/program_file/expressions.py",
    ): "the grammar of sizes in a .pt2 file",
    (
        "role of an input by its name",
        "dummyio/sources/graph/input_roles.py",
    ): "the values of masks that hide no padding",
    ("role of an input by its name", "backends/dummyio_torch/discovery/input_roles.py"): "the first layout of a search",
}
"""Fact and module → the other fact that the same pattern finds there."""


def find_statements(pattern):
    lines = {
        module: [n for n, line in enumerate(text, 1) if re.search(pattern, line)] for module, text in SOURCES.items()
    }
    return {module: numbers for module, numbers in lines.items() if numbers}


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_is_stated_in_its_home_alone(fact):
    home, pattern = FACTS[fact]
    found = find_statements(pattern)
    assert found.pop(home, None), f"{home} does not state it"
    assert {module: lines for module, lines in found.items() if (fact, module) not in OTHER_FACTS} == {}


def test_the_other_facts_are_still_there():
    assert [(fact, module) for fact, module in OTHER_FACTS if module not in find_statements(FACTS[fact][1])] == []
