"""Exports, descriptions and recordings in several threads, while another thread runs the same models."""

import logging
import sys
import threading
import warnings

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import onnxscript.rewriter._matcher as matcher
from torch.fx.experimental.symbolic_shapes import ShapeEnv

import dummyio
from dummyio.process_state import record_warnings, silence_thread
from dummyio_torch.calling.call_module import evaluation_mode


class Looped(torch.nn.Module):
    """Its loop and its choice are rewritten during a trace."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)

    def forward(self, x):
        made = torch.zeros_like(x)
        for row in range(x.shape[1]):
            made[:, row] = self.layer(x[:, row])
        return made[:, : max(int(x.shape[1] / 2), 1)]


class Attending(torch.nn.Module):
    """It has a fast path, and computes in another way in an export and in training."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
        self.norm = torch.nn.BatchNorm1d(4)

    def forward(self, x):
        result = self.norm(self.layer(x).transpose(1, 2))
        return result * 2 if torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export() else result * 2.0


def make_spec():
    shape = (dummyio.Dim("batch_size", 2), dummyio.Dim("length", 5), 4)
    return dummyio.InputSpec({"x": dummyio.TensorSpec("x", shape, "float32")})


def take_state(models):
    loggers = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    return {
        "streams": (sys.stdout, sys.stderr),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "loggers": {each.name: (each.level, each.disabled, list(each.filters), each.propagate) for each in loggers if each.level},
        "handlers": (logging.Logger.callHandlers, list(logging.root.handlers)),
        "code": [type(model).forward.__code__ for model in models],
        "classes": [dict(vars(owner)) for owner in (ShapeEnv, torch.nn.Module, *map(type, models))],
        "modules": [{name: value for name, value in vars(owner).items() if callable(value)}
                    for owner in (torch, torch.nn.functional, torch.compiler, torch.onnx, torch.backends.mha)],
        "matcher": matcher.math,
        "modes": [part.training for model in models for part in model.modules()],
        "weights": [id(weight) for model in models for weight in model.parameters()],
        "dtype": torch.get_default_dtype(),
        "fast path": torch.backends.mha.get_fastpath_enabled(),
    }  # fmt: skip


def run_in_threads(count, action):
    errors = []

    def run(number):
        try:
            action(number)
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def export_once(model, folder):
    """Import what exports import: this is not a change of the state."""
    for suffix in (".onnx", ".pt2"):
        dummyio.export(model, folder / f"first{suffix}", spec=make_spec())


def export_while_running(folder, threads, exports):
    torch.manual_seed(0)
    models = [Looped().eval(), Attending().eval(), Attending().train()]
    models[2].norm.eval()  # else each run changes it
    spec, feeds = make_spec(), torch.rand(2, 5, 4)
    with torch.no_grad():
        expected = [model(feeds) for model in models]
    export_once(models[0], folder)
    before = take_state(models)
    done, runs = threading.Event(), []

    def run_models():
        while not done.wait(0.01):
            for model, wanted in zip(models, expected, strict=True):
                with torch.no_grad():
                    result = model(feeds)
                runs.append(type(result) is torch.Tensor and torch.equal(result, wanted))

    def export(number):
        for job in range(number, exports, threads):
            suffix = ".pt2" if job % 3 == 0 else ".onnx"
            dummyio.export(models[job % len(models)], folder / f"{job}{suffix}", spec=spec)

    runner = threading.Thread(target=run_models)
    runner.start()
    try:
        run_in_threads(threads, export)
    finally:
        done.set()
        runner.join()
    assert len(runs) > exports
    assert all(runs), f"{runs.count(False)} of {len(runs)} results differ"
    after = take_state(models)
    assert [name for name in before if before[name] != after[name]] == []
    for job in range(exports):
        suffix = ".pt2" if job % 3 == 0 else ".onnx"
        result = dummyio.open_runner(folder / f"{job}{suffix}", spec)({"x": feeds.numpy()})
        reference = dummyio.open_runner(models[job % len(models)], spec)({"x": feeds.numpy()})
        for name, values in result.items():
            assert abs(values - reference[name]).max() < 1e-5


def test_models_that_run_meanwhile_give_the_same_results(tmp_path):
    export_while_running(tmp_path, threads=3, exports=4)


@pytest.mark.slow
def test_eight_threads_export(tmp_path, request):
    whole = request.config.getoption("--fuzz-share") >= 1
    export_while_running(tmp_path, threads=8, exports=50 if whole else 12)


def test_one_module_is_described_in_several_threads():
    module, found = torch.nn.Sequential(torch.nn.Linear(7, 5), torch.nn.ReLU()).train(), []
    run_in_threads(4, lambda _: found.append(dummyio.describe(module).sha256))
    assert len(set(found)) == 1
    assert len(found) == 4
    assert module.training


@pytest.mark.parametrize("method", [None, "predict"])
def test_recordings_in_several_threads_have_their_own_calls(method):
    class Predicting(torch.nn.Linear):
        def predict(self, x):
            return self.forward(x)

    module, together = Predicting(4, 4), threading.Barrier(4)
    sizes = {}

    def record(number):
        with dummyio.capture(module, method) as recording:
            together.wait()
            for _ in range(20):
                (module if method is None else module.predict)(torch.rand(number + 2, 4))
            together.wait()
        sizes[number] = (len(recording), recording.spec().leaves[0][1].shape)

    run_in_threads(4, record)
    assert {number: count for number, (count, _) in sizes.items()} == dict.fromkeys(range(4), 20)
    if method is not None:
        assert {number: shape[0] for number, (_, shape) in sizes.items()} == {n: n + 2 for n in range(4)}
    assert not module._forward_pre_hooks
    assert "predict" not in vars(module)


def test_a_recording_sees_the_calls_of_threads_that_record_nothing():
    module = torch.nn.Linear(4, 4)
    with dummyio.capture(module) as recording:
        run_in_threads(3, lambda _: module(torch.rand(2, 4)))
    assert len(recording) == 3


def test_modes_are_restored_by_the_last_thread():
    module, together = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Linear(2, 2).eval()), threading.Barrier(4)

    def evaluate(_):
        for _ in range(50):
            with evaluation_mode(module):
                together.wait()
                assert not any(part.training for part in module.modules())

    run_in_threads(4, evaluate)
    assert [part.training for part in module.modules()] == [True, True, False]


def test_what_other_threads_print_and_warn_is_kept(capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_: shown.append(str(message)))

    def report():
        sys.stderr.write("printed elsewhere\n")
        logging.getLogger("torch.onnx.x").error("logged elsewhere")
        warnings.warn("warned elsewhere", UserWarning, stacklevel=1)

    handler = logging.StreamHandler(sys.stderr)
    logging.getLogger("torch.onnx").addHandler(handler)
    try:
        with record_warnings(UserWarning) as outer, silence_thread(("torch.onnx",)) as records:
            sys.stderr.write("printed here\n")
            logging.getLogger("torch.onnx.x").error("logged here")
            warnings.warn("warned here", UserWarning, stacklevel=1)
            with warnings.catch_warnings():
                warnings.simplefilter("default")
                thread = threading.Thread(target=report)
                thread.start()
                thread.join()
    finally:
        logging.getLogger("torch.onnx").removeHandler(handler)
    text = capsys.readouterr().err
    assert "printed elsewhere" in text
    assert "logged elsewhere" in text
    assert "here\n" not in text.replace("elsewhere\n", "")
    assert shown == ["warned elsewhere"]
    assert [record.getMessage() for record in records] == ["logged here"]
    assert outer == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_everything_is_restored_after_an_interrupt(error, tmp_path, tmp_path_factory):
    class Interrupted(torch.nn.Module):
        def forward(self, x):
            if isinstance(x.shape[0], torch.SymInt):
                raise error
            return x

    export_once(Attending().eval(), tmp_path_factory.mktemp("first"))
    models = [Interrupted()]
    before = take_state(models)
    with pytest.raises((KeyboardInterrupt, dummyio.DummyioError)):
        dummyio.export(models[0], tmp_path / "model.pt2", spec=make_spec())
    after = take_state(models)
    assert [name for name in before if before[name] != after[name]] == []
    assert list(tmp_path.iterdir()) == []
