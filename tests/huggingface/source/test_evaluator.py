"""The arithmetic of `__init__` and of properties, over a configuration's attributes and without running Python."""

import ast
import textwrap

import pytest

from dummyio.huggingface.config import computed_attributes as attributes
from dummyio.huggingface.source.evaluator import (
    Evaluator,
    UnknownValueError,
    attributes_of,
    evaluate,
    evaluate_constant,
    evaluate_text,
    names_in_text,
)
from dummyio.huggingface.source.functions import assigned_attributes
from dummyio.huggingface.source.statements import parse_method

CONFIG = {"layers": 4, "width": 8, "expand": 1.5, "kinds": ["a", "b"], "every": None}


def evaluator(*, of_self=True):
    owners = ("config", "self.config", "self") if of_self else ("config", "self.config")
    return Evaluator(attribute=attributes_of(CONFIG.get, *owners))


def parsed(text):
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("self.width * 2 + 1", 17),
        ("-int(self.expand * self.width) // 5", -3),
        ("self.every or self.width % 3", 2),
        ("self.every if self.every is not None else [self.width] * 2", [8, 8]),
        ("['x' if i % 2 else 'y' for i in range(self.layers) if i > 0]", ["x", "y", "x"]),
        ("[k for i, k in enumerate(self.kinds) if i in {1}]", ["b"]),
        ("(self.kinds * 3)[: self.layers]", ["a", "b", "a", "b"]),
        ("getattr(self, 'missing', 5) + kwargs.pop('width', 0)", 13),
        ("['width' in kwargs, 'height' in kwargs]", [True, False]),
        ("math.ceil(self.width / 3)", 3),
        ("self.width > 3 and not self.kinds == []", True),
        ("max(len(self.kinds), 1)", 2),
    ],
)
def test_values(text, value):
    assert evaluator().value(parsed(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        "self.width / 0",
        "self.every + 1",
        "open('x')",
        "self.kinds[7]",
        "other",
        "layer.width",
        "[0] * 100_000_000",
        "list(range(10 ** 9))",
        "range(1_000_000_000)[0:5] if [i for i in range(1_000_000_000)] else 0",
        "().__class__",
        "1 < 2 < 3",
        "'a' * 1_000_000",
        "sorted(self.kinds, key=len)",
    ],
)
def test_what_is_not_known(text):
    with pytest.raises(UnknownValueError):
        evaluator().value(parsed(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-1", -1),
        ("3 * 2560", 7680),
        ("1 / 4", 0.25),
        ("(0.0, float('inf'))", (0.0, float("inf"))),
        ("{'a': [1, {2}], **{'b': None}}", {"a": [1, {2}], "b": None}),
        ("OrderedDict[str, str]([*list(T.items()), ('b', 2)])", {"a": 1, "b": 2}),
        ("dict(**T, b=2)", {"a": 1, "b": 2}),
        ("2 if 1 else 3", 2),
    ],
)
def test_constants_and_names(text, value):
    assert evaluate(parsed(text), {"T": {"a": 1}}) == value


@pytest.mark.parametrize(
    "text",
    ["name", "f(1)", "f'{x}'", "1 / 0", "'a' * 100_000", "'%99999d' % 1", "-'a'", "int('x')", "{[]: 1}", "self.width"],
)
def test_what_is_not_constant(text):
    assert evaluate_constant(parsed(text), otherwise="other") == "other"


def test_a_formula_as_text():
    assert set(names_in_text("2 * a + b")) == {"a", "b"}
    assert evaluate_text("2 * a + b", {"a": 3, "b": 1}) == 7
    with pytest.raises(UnknownValueError, match=r"^b$"):
        evaluate_text("2 * a + b", {"a": 3})


def run(text, **options):
    made = evaluator(**options)
    return made.run(ast.parse(textwrap.dedent(text)).body[0].body), made.names


def test_statements():
    value, names = run(
        """
        def made(self):
            kinds: list = ["a"] * self.layers
            for i in range(self.layers):
                if i % 2 == 1:
                    kinds[i] = "b"
            self.first, last = kinds[0], kinds[-1]
            if self.every is None:
                return [*reversed(kinds)] if last == "c" else kinds
            return None
        """
    )
    assert value == ["a", "b", "a", "b"]
    assert names["self.first"] == "a"


def test_what_follows_from_the_unknown_is_unknown():
    value, names = run(
        """
        def made(self, config):
            self.width = open("x")
            self.known = config.width
            twice = self.width * 2
            if unknown:
                self.known = 3
            return twice
        """
    )
    assert value is None
    assert names == {}  # what an unknown condition may have changed is not known either


def test_a_layer_is_not_its_configuration():
    _, names = run("def made(self, config):\n    self.a = config.width\n    self.b = self.width", of_self=False)
    assert names == {"self.a": 8}


def test_a_loop_over_what_is_not_there_assigns_nothing():
    run = evaluator()
    run.run(ast.parse("self.first = 1\nfor kind in self.every:\n    self.first = kind").body)
    assert "self.first" not in run.names


def test_the_error_says_which_expression():
    with pytest.raises(UnknownValueError) as raised:
        evaluator().value(ast.parse("self.width + unknown(3)", mode="eval").body)
    assert str(raised.value) == "unknown(3)"


def test_methods_are_read_whatever_stands_at_their_margin():
    text = "class A:\n    def __init__(self, width=3):\n# a note\n        self.depth = 2 * self.width\n"
    assert assigned_attributes(parse_method(text, "__init__")) == {"depth"}


def test_methods_that_set_other_attributes_are_not_run(monkeypatch):
    method = parse_method("    def __post_init__(self):\n        self.depth = 2 * self.width\n", "__post_init__")
    monkeypatch.setattr(attributes, "_preparing", lambda kind: (method,))
    asked = []
    known = lambda name: asked.append(name) or CONFIG.get(name)  # noqa: E731 - short
    assert attributes.computed_attribute("none", known, "height") is None
    assert asked == []
    assert attributes.computed_attribute("none", known, "depth") == 16
