"""The arithmetic of `__init__` and of properties, over a configuration's attributes and without running Python."""

import ast
import textwrap

import pytest

from dummyio.huggingface.config import computed_attributes as attributes
from dummyio.huggingface.source.evaluator import Interpreter, UnknownValueError

CONFIG = {"layers": 4, "width": 8, "expand": 1.5, "kinds": ["a", "b"], "every": None}


def interpreter(*, of_self=True):
    return Interpreter(CONFIG.get, of_self=of_self)


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
    assert interpreter().value(ast.parse(text, mode="eval").body) == value


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
        interpreter().value(ast.parse(text, mode="eval").body)


def run(text, **options):
    made = interpreter(**options)
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
    run = interpreter()
    run.run(ast.parse("self.first = 1\nfor kind in self.every:\n    self.first = kind").body)
    assert "self.first" not in run.names


def test_the_error_says_which_expression():
    with pytest.raises(UnknownValueError) as raised:
        interpreter().value(ast.parse("self.width + unknown(3)", mode="eval").body)
    assert str(raised.value) == "unknown(3)"


def test_methods_are_read_whatever_stands_at_their_margin():
    text = "class A:\n    def __init__(self, width=3):\n# a note\n        self.depth = 2 * self.width\n"
    body = attributes._body(text, "__init__", None)
    assert attributes._assigned(body) == {"depth"}


def test_methods_that_set_other_attributes_are_not_run(monkeypatch):
    body = tuple(ast.parse("self.depth = 2 * self.width").body)
    monkeypatch.setattr(attributes, "_preparing", lambda kind: (body,))
    asked = []
    known = lambda name: asked.append(name) or CONFIG.get(name)  # noqa: E731 - short
    assert attributes.computed_attribute("none", known, "height") is None
    assert asked == []
    assert attributes.computed_attribute("none", known, "depth") == 16
