"""The language of the code: names of functions, and phrases that a reader must decode.

``docs/architecture.md`` has the rules. A function that only its own module uses may have any name.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "dummyio").rglob("*.py"), *(ROOT / "backends").rglob("*.py")])
PHRASES = {
    r"\b(?:is|are) no (?!longer\b)": "say `is not a ...`",
    r"Return (?:what|where|whose)\b": "name the thing: `Return the ...`",
    r"\bas above\b": "each line says its own reason",
    r"\b(?:JAX|Keras|PyTorch|TensorFlow|Optimum|Transformers)'s own\b|\bof (?:JAX|Keras|PyTorch|TensorFlow|Transformers)'s?(?=[\s.,:;)])(?! [a-z])": "say `a JAX function`",
    r"\bfor want of\b|\bis thought\b": "say it in plain words",
}

INTERFACES = {
    "describe", "capture", "generate", "export", "validate",  # the public functions
    "applies", "spec", "check",  # Optimum's generators; value rules
    "exporters", "abstract",  # a backend's members
    "read", "write",  # file formats of feeds, one module each
    "main",  # command line
}  # fmt: skip
"""Functions of one word that implement an interface: every module of a kind has them under the same name."""


def module_name(path: Path) -> str:
    base = ROOT / "backends" if path.is_relative_to(ROOT / "backends") else ROOT
    return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


TREES = {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def imported_functions() -> set[tuple[str, str]]:
    """Return module and name of each function that another module of the product imports or takes from its module."""
    own = {(name, node.name) for name, tree in TREES.items() for node in tree.body if isinstance(node, ast.FunctionDef)}
    used = set()
    for tree in TREES.values():
        modules = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    used.add((node.module, alias.name))
                    modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
                used.add((modules[node.value.id], node.attr))
    return own & used


def test_functions_are_verb_and_noun():
    """At most 15 % of the functions that another module imports have one word, those of an interface among them."""
    functions = imported_functions()
    one_word = sorted((module, name) for module, name in functions if "_" not in name.strip("_"))
    assert len(functions) > 300
    assert len(one_word) <= 0.15 * len(functions), one_word


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_phrases_are_plain(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [
        f"{number}: {line.strip()} ({remedy})"
        for number, line in enumerate(lines, 1)
        for phrase, remedy in PHRASES.items()
        if re.search(phrase, line)
    ]
    assert found == []
