"""Classes are found in files, their base classes followed, and nothing is imported for it."""

import ast
import importlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dummyio.huggingface.source.class_lookup import ClassSource, base_classes, class_in_file, class_names, resolve_class
from dummyio.huggingface.source.installed import transformers_root
from dummyio.huggingface.source.statements import (
    find_class,
    find_method,
    find_statements,
    parse_header,
    without_methods,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture
def package(tmp_path: Path):
    """Write a package from a dict of relative paths to contents, and give its folder."""

    def write(**files: str) -> Path:
        for name, text in files.items():
            path = tmp_path / f"{name.replace('.', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        return tmp_path

    return write


def names(sources: tuple[ClassSource, ...]) -> list[str]:
    return [source.name for source in sources]


def test_class_with_a_docstring_that_looks_like_code():
    text = 'class A:\n    """Says:\n\nclass B:\n    def forward(self, x): ...\n"""\n\n    size = 1\n\n\nclass C:\n    size = 2\n'
    assert find_class(text, "A").rstrip().endswith("size = 1")
    assert find_class(text, "C") == "class C:\n    size = 2\n"


@pytest.mark.parametrize(
    ("text", "bases"),
    [
        ("class A: pass\n", 0),
        ("class A(B): ...\n", 1),
        ("class A(B, metaclass=M):  # why: because\n    x = 1\n", 1),
        ("class A(\n    B,  # first:\n    C,\n):\n    x: int = 1\n", 2),
    ],
)
def test_class_headers(text: str, bases: int):
    header = parse_header(find_class(text, "A"))
    assert isinstance(header, ast.ClassDef)
    assert len(header.bases) == bases


def test_a_name_that_only_begins_like_the_class_is_not_the_class():
    assert find_class("class AB:\n    pass\n", "A") is None


def test_method_over_several_lines():
    text = find_class(
        textwrap.dedent('''
        class A:
            @first(
                "x",
            )
            def forward(
                self,
                ids: "dict[str, int]" = None,  # which:
                *,
                mask=None,
            ) -> int:
                """Text
            at the class's own indentation.
                """
                return ids

            def other(self): return 1
        '''),
        "A",
    )
    method = find_method(text, "forward")
    assert method.rstrip().endswith("return ids")
    assert [argument.arg for argument in parse_header(method).args.args] == ["self", "ids"]
    assert [argument.arg for argument in parse_header(find_method(text, "other")).args.args] == ["self"]
    assert find_method(text, "absent") is None


def test_without_methods_keeps_what_stands_after_them():
    text = "class A(B):\n    x: int = 1\n\n    @p\n    def f(self):\n        return 2\n\n    def __init__(self, z=3): ...\n\n    y = 4\n"
    body = ast.parse(without_methods(text)).body[0].body
    assert [type(statement).__name__ for statement in body] == ["AnnAssign", "FunctionDef", "Assign"]


def test_statements_in_the_order_of_the_source():
    text = "T.update(\n    {1: 2}\n)\nT = dict()\nTT = 0\nT.update({3: 4})\n"
    assert [s.split("(")[0] for s in find_statements(text, "T = ", "T.update(")] == ["T.update", "T = dict", "T.update"]


def test_bases_through_imports_stars_and_other_names(package):
    root = package(
        **{
            "pkg.base": "class Root: ...\n\n\nOldRoot = Root  # kept for old code\n",
            "pkg.__init__": "if TYPE_CHECKING:\n    from .base import *\n",
            "pkg.one.model": "from .. import OldRoot as Older\nfrom ..base import (\n    Root,  # the (only) one\n)\nclass A(Older, nn.Module): ...\n",
        }
    )
    # A bracket in a comment ends the list early; what stands before it counts.
    assert names(base_classes(class_in_file(root / "pkg/one/model.py", "A"))) == ["A", "Root"]


def test_diamonds_are_ordered_as_python_orders_them(package):
    text = "class O: ...\nclass A(O): ...\nclass B(O): ...\nclass C(O): ...\nclass D(A, B): ...\nclass E(C, D): ...\nclass F(D, B): ...\n"
    path = package(m=text) / "m.py"
    space: dict[str, type] = {}
    exec(text, space)
    for name in class_names(path):
        assert names(base_classes(class_in_file(path, name))) == [base.__name__ for base in space[name].__mro__[:-1]]


def test_circular_imports_end(package):
    root = package(a="from .b import X\nfrom .b import *\n", b="from .a import X\nfrom .a import *\n")
    assert resolve_class(root / "a.py", "X") is None
    assert resolve_class(root / "a.py", "Y") is None


@pytest.mark.parametrize("name", ["LlamaForSequenceClassification", "LlamaForCausalLM", "LlamaPreTrainedModel"])
def test_lineage_is_the_method_resolution_order(name: str):
    pytest.importorskip("transformers")
    pytest.importorskip("torch", reason="the library imports its models with PyTorch only")
    module = importlib.import_module("transformers.models.llama.modeling_llama")
    real = [base.__name__ for base in getattr(module, name).__mro__ if base.__module__.startswith("transformers.")]
    path = transformers_root() / "models/llama/modeling_llama.py"
    assert names(base_classes(class_in_file(path, name))) == real


def test_reading_imports_neither_transformers_nor_torch():
    pytest.importorskip("transformers")
    code = """
        import sys
        from dummyio.huggingface.source.auto_tables import auto_tables, class_for, tables_of
        from dummyio.huggingface.config.class_defaults import attribute_map, configuration_defaults, sub_config_defaults
        from dummyio.huggingface.source.installed import transformers_version
        from dummyio.huggingface.source.forward_signatures import forward_parameters, module_source
        assert transformers_version()
        assert forward_parameters("BertForMaskedLM", "bert")
        assert forward_parameters("LlamaForSequenceClassification")
        assert module_source("BertModel", "bert")
        assert auto_tables() and class_for("bert", "MODEL_MAPPING_NAMES") and tables_of("BertModel")
        assert configuration_defaults("bert") and attribute_map("gpt2") and sub_config_defaults("clip")
        loaded = {name.partition(".")[0] for name in sys.modules}
        assert not loaded & {"torch", "transformers", "tensorflow", "jax"}, loaded
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
