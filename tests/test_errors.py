"""The error tree, and the sentence that names what is near."""

import time

import pytest

from dummyio import errors
from dummyio.errors import MAX_MESSAGE, DummyioError, ExportError, escape_controls, format_error_line, suggest_names

BUILTINS = {
    "DimError": ValueError,
    "DTypeError": ValueError,
    "SpecError": ValueError,
    "SourceError": ValueError,
    "TrustError": ValueError,
    "OptionError": ValueError,
    "FrameworkError": LookupError,
    "NotInstalledError": ImportError,
    "BrokenBackendError": ImportError,
    "MemoryBudgetError": MemoryError,
    "ExportError": RuntimeError,
    "RunError": RuntimeError,
    "OutputError": OSError,
}


def test_no_error_is_missing_here():
    named = {name for name in vars(errors) if name.endswith("Error")}
    assert named == {*BUILTINS, "DummyioError"}


@pytest.mark.parametrize("name", BUILTINS)
def test_an_error_is_ours_and_the_builtin_that_it_says(name):
    error = getattr(errors, name)
    assert issubclass(error, DummyioError)
    assert issubclass(error, BUILTINS[name])
    assert str(error("a message")) == "a message"


@pytest.mark.parametrize("name", [*BUILTINS, "DummyioError"])
def test_the_tree_in_the_docs_has_every_error(name):
    line = next(line for line in errors.__doc__.splitlines() if name in line)
    if name in BUILTINS:
        assert BUILTINS[name].__name__ in line


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("batch", ["batch_size", "height"], "Did you mean 'batch_size'?"),
        ("height", ["heights", "weight", "z"], "Did you mean 'heights' or 'weight'?"),
        ("x", ["b", "a", "b"], "Known: a, b."),
        ("x", [], "None are known here."),
        ("", ["a"], "Known: a."),
    ],
)
def test_near_names_what_was_meant_else_all_there_is(name, known, sentence):
    assert suggest_names(name, known) == sentence


def test_near_does_not_compare_a_name_of_a_million_characters():
    start = time.process_time()
    assert suggest_names("x" * 10_000_000, ["batch_size"]) == "Known: batch_size."
    assert time.process_time() - start < 0.2


def test_near_lists_only_so_many():
    sentence = suggest_names("zzz", [f"name_{i}" for i in range(10_000)])
    assert sentence.endswith("and 9940 more.")
    assert len(sentence) < 1000


def caused(error, *causes):
    """Return `error` with a chain of causes, as `raise ... from` makes it."""
    inner = error
    for cause in causes:
        inner.__cause__ = cause
        inner = cause
    return error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a\n  b\tc"), "ValueError: a b c"),
        (KeyError("x"), "KeyError: 'x'"),
        (AssertionError(), "AssertionError"),
        (ExportError("the reason. The remedy."), "the reason. The remedy."),
        (ExportError(), "ExportError"),
        (RuntimeError("\x1b[1;96mred\x1b[0m"), "RuntimeError: red"),
        (caused(RuntimeError("outer"), TypeError("between"), ValueError("root")), "ValueError: root"),
        (caused(RuntimeError("outer"), ExportError("ours"), ValueError("root")), "ours"),
        (ValueError("a" * 400), "ValueError: " + "a" * 400),
        (ValueError("a" * 500 + "b" * 100), "ValueError: " + "a" * 300 + " ... " + "b" * 100),
    ],
)
def test_an_exception_as_one_line_is_its_root_cause(error, line):
    assert format_error_line(error) == line


def test_a_cause_that_prints_the_exception_again_is_not_the_root_cause():
    error = TypeError("bad shape")
    error.__cause__ = RuntimeError("TypeError: bad shape\n\nThe preceding stack trace is ...")
    assert format_error_line(error) == "TypeError: bad shape"


def test_an_exception_as_one_line_is_cut_in_the_middle():
    assert format_error_line(ValueError("abcdefgh"), limit=4) == "ValueError: abc ... h"


CONTROLS = [
    "\x00",
    "\a",
    "\r",
    "\n",
    "\x1b[2J",
    "\x7f",
    "\x85",
    "\x9b",
    "\u200b",
    "\u200f",
    "\u2028",
    "\u2029",
    "\ufeff",
    "\udc80",
]
CONTROLS += [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xE0041)]


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
def test_characters_that_control_a_terminal_are_escaped(control):
    text = escape_controls(f"größe {control} 日本 e\u0301")
    assert text.isprintable()
    assert text.startswith("größe \\")
    assert text.endswith(" 日本 e\u0301")
    assert text.encode()
    assert str(DummyioError(f"größe {control} 日本 e\u0301")) == text
    assert control not in format_error_line(ValueError(control))


@pytest.mark.parametrize("name", [*BUILTINS, "DummyioError"])
@pytest.mark.parametrize("text", ["x" * 3_000_000, "\x1b" * 500_000, "y" * 1999 + "\U000e0041", "\n" * 2001], ids=len)
def test_a_message_has_at_most_2000_characters(name, text):
    error = getattr(errors, name)(f"first {text} last")
    start = time.process_time()
    assert len(str(error)) <= MAX_MESSAGE == 2000
    assert str(error).startswith("first ")
    assert str(error).endswith(" last")
    assert time.process_time() - start < 1
    assert len(format_error_line(error)) <= 405


def test_a_short_message_is_unchanged():
    assert str(DummyioError("x" * 1990)) == "x" * 1990
    assert str(DummyioError("a b\u00a0c")) == "a b\u00a0c"
    assert str(DummyioError()) == ""
