"""Every function that takes a path refuses what is not one, by the same message."""

import pytest

from dummyio import InputSpec, TensorSpec, export
from dummyio.errors import DummyioError, OptionError
from dummyio.feeds import load_feeds, save_samples
from dummyio.validation import Report
from dummyio.validation.failing_cases import replay

SPEC = InputSpec({"x": TensorSpec("x", (2, 3))})
FUNCTIONS = {
    "InputSpec.save": SPEC.save,
    "save_samples": lambda path: save_samples(SPEC, path),
    "load_feeds": load_feeds,
    "export": lambda path: export(SPEC, path),
    "Report.load": Report.load,
    "replay": replay,
}


@pytest.mark.parametrize("path", [None, 5, b"inputs.npz", []], ids=repr)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_not_a_path_is_refused(name, path):
    with pytest.raises(OptionError, match="is not a path: give a str"):
        FUNCTIONS[name](path)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_path_that_the_system_does_not_accept_is_an_error_of_ours(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DummyioError, match=r"NUL|null|suffix"):
        FUNCTIONS[name]("a\0b")
    assert list(tmp_path.iterdir()) == []
