"""What every program here is asked: is it described without a hand, is its sound export accepted, and is a defect found."""

import pytest
import torch

import dummyio


def describe_program(model):
    """Return the description of a program, all of whose inputs reach a result at their varying values."""
    spec = dummyio.describe(model)
    assert spec.proof.level == "values"
    assert spec.proof.ineffective == {}
    return spec


def assert_sound_export(model, spec, path):
    """Export a program, and assert that its file passes at every case."""
    require_onnx()
    artifact = dummyio.export(model, path, spec=spec)
    report = dummyio.validate(artifact.path, reference=model, spec=spec)
    assert report.ok, report.findings
    assert not report.findings
    assert all(outcome.status == "passed" for outcome in report.outcomes)


def require_onnx():
    """Skip a test that writes ONNX files where what that needs is not installed."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)


def list_defects(spec, sound, wrong):
    """Return the outputs in which a program with a planted defect differs from the sound one, if all else is equal."""
    wrong.load_state_dict(sound.state_dict())
    report = dummyio.validate(wrong, reference=sound, spec=spec)
    assert not report.ok
    return {(finding.kind, finding.where) for finding in report.errors}


def build(kind, *args, **kwargs):
    """Return a model in evaluation mode, with weights that are the same in every run."""
    torch.manual_seed(0)
    return kind(*args, **kwargs).eval()


def write_shapes(spec):
    """Return path → dtype and shape of a description, as text."""
    return {path: f"{leaf.dtype}[{', '.join(map(str, leaf.shape))}]" for path, leaf in spec.leaves}
