"""The check of a written artifact: what it accepts, what it refuses, and what it leaves as a note."""

from pathlib import Path

import numpy as np
import pytest

from dummyio import Dim, DType, InputSpec, TensorSpec
from dummyio.errors import ExportError, NotInstalledError, RunError, SourceError
from dummyio.exporting.artifact_check import COARSE_TOLERANCE, check_artifact
from dummyio.running.runner import DeclaredTensor

BATCH, LENGTH = Dim("batch_size", 2), Dim("sequence_length", 8)
SPEC = InputSpec({"x": TensorSpec("x", (BATCH, 4)), "y": TensorSpec("y", (BATCH, LENGTH))})
DECLARED = {"x": ("b", 4), "y": ("b", "s")}


def model(feeds):
    return {"sum": feeds["x"].sum(-1), "ids": np.arange(feeds["y"].size)}


class Artifact:
    """A runner that declares and computes what a test wants."""

    engine = "a test"

    def __init__(self, shapes=DECLARED, run=model, dtype=DType.FLOAT32, outputs=("sum", "ids")):
        self.inputs = tuple(DeclaredTensor(name, shape, dtype) for name, shape in shapes.items())
        self.outputs = tuple(map(DeclaredTensor, outputs))
        self.run, self.seen = run, []

    def __call__(self, feeds):
        self.seen.append(feeds["y"].shape)
        return self.run(feeds)


def check(artifact, **options):
    options = {"reference": model} | options
    return check_artifact(Path("model"), SPEC, ["sum", "ids"], opener=lambda _path, _spec: artifact, **options)


def test_a_sound_artifact_runs_at_default_and_at_other_sizes():
    artifact = Artifact()
    assert check(artifact) == ()
    assert artifact.seen[-1] == (2, 8)
    assert len({*artifact.seen}) == 2


def test_without_a_reference_nothing_is_run():
    artifact = Artifact()
    assert check(artifact, reference=None) == ()
    assert artifact.seen == []


@pytest.mark.parametrize(
    ("artifact", "reason"),
    [
        (Artifact({"x": ("b", 4)}), "its inputs are x, and must be x, y"),
        (Artifact(dict(reversed(DECLARED.items()))), "its inputs are y, x, and must be x, y"),
        (Artifact(outputs=("sum",)), "its outputs are sum, and must be sum, ids"),
        (Artifact(dtype=DType.FLOAT16), "dtype float16, and must have float32"),
        (Artifact(DECLARED | {"y": ("b",)}), "1 axes"),
        (Artifact(DECLARED | {"x": ("b", 5)}), "size 5, and must have 4"),
        (Artifact(DECLARED | {"y": ("b", 8)}), r"constant 8.*static=\('sequence_length',\)"),
        (Artifact(DECLARED | {"y": ("b", "b")}), "same dim as batch_size"),
    ],
)
def test_other_declarations_are_refused(artifact, reason):
    with pytest.raises(ExportError, match=reason):
        check(artifact)


def test_formats_that_sort_names_are_compared_without_order():
    shapes = dict(reversed(DECLARED.items()))
    assert check(Artifact(shapes, outputs=("ids", "sum")), ordered=False) == ()


def test_what_is_not_declared_is_not_compared():
    assert check(Artifact({"x": None, "y": (None, None)})) == ()


def refuse(feeds):
    raise RunError("no")


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (refuse, "does not run at batch_size=3.*where the model does: no"),
        (lambda feeds: model(feeds) | {"sum": feeds["x"].sum(-1) * 1.1}, "off by"),
        (lambda feeds: model(feeds) | {"sum": feeds["x"].sum(-1) * np.nan}, "not finite"),
        (lambda feeds: model(feeds) | {"sum": feeds["x"].sum()}, r"float32\[\], and in the model float32\[3\]"),
        (lambda feeds: model(feeds) | {"ids": np.zeros(feeds["y"].size, int)}, "differs in 9"),
        (lambda feeds: {"sum": feeds["x"].sum(-1)}, "it returns sum, and the model sum, ids"),
    ],
)
def test_other_results_are_refused(run, reason):
    with pytest.raises(ExportError, match=reason):
        check(Artifact(run=run))


@pytest.mark.parametrize(("value", "reason"), [(-np.inf, None), (np.inf, "another infinity"), (0.0, "not finite")])
def test_infinities_are_compared_without_a_warning(value, reason):
    """As scores behind a mask have them; a warning would be an error here."""

    def masked(fill):
        return lambda feeds: model(feeds) | {"sum": np.append(feeds["x"].sum(-1)[1:], np.float32(fill))}

    artifact = Artifact(run=masked(value))
    if reason is None:
        assert check(artifact, reference=masked(-np.inf)) == ()
    else:
        with pytest.raises(ExportError, match=reason):
            check(artifact, reference=masked(-np.inf))


def test_the_tolerance_can_be_wider_and_none():
    almost = Artifact(run=lambda feeds: model(feeds) | {"sum": feeds["x"].sum(-1) * 1.05})
    assert check(almost, tolerance=COARSE_TOLERANCE) == ()
    assert check(Artifact(run=lambda feeds: model(feeds) | {"sum": -feeds["x"].sum(-1)}), tolerance=None) == ()


def test_what_cannot_be_checked_is_a_note():
    def missing(path, spec):
        raise NotInstalledError("onnxruntime is not installed")

    def for_another_device(path, spec):
        raise SourceError("NOT_IMPLEMENTED: no kernel")

    for opener, reason in ((missing, "not installed"), (for_another_device, "no kernel")):
        (note,) = check_artifact(Path("model"), SPEC, ["sum", "ids"], opener=opener)
        assert reason in note
    (note,) = check(Artifact(), reference=refuse)
    assert "does not run" in note
    noise = np.random.default_rng(0)
    (note,) = check(
        Artifact(), reference=lambda feeds: model(feeds) | {"sum": noise.normal(size=len(feeds["x"])).astype("float32")}
    )
    assert "returns others each time" in note


def test_what_does_not_open_is_refused():
    def damaged(path, spec):
        raise SourceError("damaged")

    with pytest.raises(ExportError, match="does not open: damaged"):
        check_artifact(Path("model"), SPEC, ["sum", "ids"], opener=damaged)


class Chooser:
    """A model whose result in double precision is another one, as rounding chooses between equal scores."""

    def __call__(self, feeds):
        return model(feeds)

    def in_double(self, feeds):
        return {name: values[::-1].astype("float64") for name, values in model(feeds).items()}


def test_a_model_that_differs_from_itself_in_double_precision_is_not_compared():
    swapped = Artifact(run=lambda feeds: {name: values[::-1] for name, values in model(feeds).items()})
    with pytest.raises(ExportError, match="'sum' is off by"):
        check(swapped)
    (note,) = check(swapped, reference=Chooser())
    assert "in double precision differ as much" in note
    short = Artifact(run=lambda feeds: {name: values[:1] for name, values in model(feeds).items()})
    with pytest.raises(ExportError, match=r"'sum' is float32\[1\], and in the model float32\[3\]"):
        check(short, reference=Chooser())
