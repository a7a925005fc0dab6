"""When a model's functions are rewritten, and that they always get their own code back."""

import importlib.util
import sys
import threading

import pytest

torch = pytest.importorskip("torch")

from symbolic_modules import Recurrent

from dummyio.errors import ExportError
from dummyio_torch.symbolic.rewritten_code import rewrite_code
from dummyio_torch.symbolic.symbolic_sizes import swap_code, trace_symbolic_sizes

OWN = Recurrent.forward.__code__
FREE = ({1: torch.export.Dim.AUTO},)


def export(module, *, rewrite=True):
    x = torch.randn(2, 5, 4)
    seen = []

    def trace():
        seen.append(type(module).forward.__code__ is not OWN)
        return torch.export.export(module, (x,), dynamic_shapes=FREE, strict=False)

    with torch.no_grad():
        program, log = trace_symbolic_sizes(module, trace, rewrite=rewrite)
    return program, log, seen


def free_axis(program):
    (value,) = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name == "x"]
    return not str(value.shape[1]).isdigit()  # a size that became a constant is a SymInt with that value


def test_a_size_that_became_a_constant_is_traced_again_with_rewritten_functions():
    program, log, seen = export(Recurrent())
    assert seen == [False, True]
    assert free_axis(program)
    assert not any("range(" in line for line in log.list_fixed())
    assert Recurrent.forward.__code__ is OWN


class Linear(torch.nn.Module):
    def forward(self, x):
        return x * 2 if max(x.shape[-1], 2) > 3 else x


def test_a_trace_that_keeps_its_sizes_is_the_only_one():
    calls = []

    def trace():
        calls.append(1)
        return torch.export.export(Linear(), (torch.randn(2, 5, 4),), dynamic_shapes=FREE, strict=False)

    program, _ = trace_symbolic_sizes(Linear(), trace)
    assert calls == [1]
    assert free_axis(program)


@pytest.mark.parametrize("way", ["option", "environment"])
def test_rewriting_can_be_switched_off(way, monkeypatch):
    if way == "environment":
        monkeypatch.setenv("DUMMYIO_REWRITE", "0")
    program, log, seen = export(Recurrent(), rewrite=way != "option")
    assert seen == [False]
    assert not free_axis(program)
    assert any("for step in range(x.shape[1]):" in line for line in log.list_fixed())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_functions_get_their_own_code_back(error):
    other, inside = rewrite_code(OWN), []

    def fail():
        inside.append(Recurrent.forward.__code__)
        raise error

    with pytest.raises(error), swap_code({OWN: other}):
        fail()
    assert inside == [other]
    assert Recurrent.forward.__code__ is OWN


def test_an_interrupt_of_the_second_trace_leaves_nothing_rewritten():
    traces = []

    def trace():
        traces.append(Recurrent.forward.__code__)
        if len(traces) == 2:
            raise KeyboardInterrupt
        return torch.export.export(Recurrent(), (torch.randn(2, 5, 4),), dynamic_shapes=FREE, strict=False)

    with pytest.raises(KeyboardInterrupt):
        trace_symbolic_sizes(Recurrent(), trace)
    assert traces[1] is not OWN
    assert Recurrent.forward.__code__ is OWN


def test_a_trace_in_another_thread_never_runs_rewritten_code():
    """The second thread asks for its trace while the first one's functions have rewritten code."""
    inside, other_code, threads = threading.Event(), [], []

    def other():
        inside.wait(60)
        trace_symbolic_sizes(Linear(), lambda: other_code.append(Recurrent.forward.__code__) or 1, rewrite=False)

    def trace():
        if Recurrent.forward.__code__ is not OWN:
            inside.set()
            threads[0].join(0.5)  # it must still wait for this trace to end
            assert other_code == []
        return torch.export.export(Recurrent(), (torch.randn(2, 5, 4),), dynamic_shapes=FREE, strict=False)

    threads.append(threading.Thread(target=other))
    threads[0].start()
    trace_symbolic_sizes(Recurrent(), trace)
    threads[0].join(60)
    assert inside.is_set()
    assert other_code == [OWN]


def load_module(path, text):
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def test_code_is_found_by_its_content_and_not_by_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    text = "def half(size):\n    return int(size / 2)\n"
    code = load_module(tmp_path / "edited_model.py", text).half.__code__
    assert rewrite_code(code) is not None
    (tmp_path / "edited_model.py").write_text(text.replace("/ 2", "/ 3"), encoding="utf-8")
    assert rewrite_code(code) is None
    (tmp_path / "edited_model.py").unlink()
    assert rewrite_code(code) is None


class Deciding(torch.nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        return x + 1


def test_a_failure_names_the_models_line():
    with pytest.raises(ExportError, match=r"decides by values.*test_symbolic_sizes.py, line \d+: if x.sum\(\) > 0:"):
        export(Deciding())
