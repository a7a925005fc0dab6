"""The score of a model: what counts as missing, as another kind, and as a wrong name of an axis."""

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import dummyio
from dummyio import Dim, TensorSpec

HERE = Path(__file__).parent
IMAGES = "float[batch_size, num_channels, height, width]"


@pytest.fixture
def score(monkeypatch):
    for folder in (HERE.parent, HERE):
        monkeypatch.syspath_prepend(str(folder))
    import score

    yield score
    for name in ("score", "scores"):
        sys.modules.pop(name, None)


class Mean(torch.nn.Module):
    """A convolution, and the mean of what it returns."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 4, 3)

    def forward(self, images):
        return self.layer(images).mean((2, 3))


class Picky(Mean):
    """It refuses images of another height than the usual."""

    def forward(self, images):
        if not torch.compiler.is_compiling() and images.shape[0] > 4:
            raise ValueError("too many")
        return super().forward(images)


@pytest.mark.slow
def test_a_model_that_is_described_well_reaches_the_end(score):
    row = score.measure("own", "Mean", lambda: score.Case(Mean().eval(), {"images": IMAGES}), 60)
    assert (row["runs"], row["full"], row["dynamic"], row["reason"]) == (True, True, True, "")
    assert row["resized"] >= 4
    assert row["mib_peak"] > 0


@pytest.mark.slow
def test_an_input_that_is_not_described_is_missing(score):
    inputs = {"images": IMAGES, "mask": "bool[batch_size]"}
    row = score.measure("own", "Mean", lambda: score.Case(Mean().eval(), inputs, needed=["images"]), 60)
    assert (row["runs"], row["full"], row["dynamic"], row["useful"]) == (True, False, False, True)
    assert row["reason"] == "mask is missing"


def test_what_a_model_refuses_is_the_reason(score):
    def build():
        spec = dummyio.InputSpec({"images": TensorSpec("images", (Dim("batch_size", 2), 3, 8, 8))})
        return score.Case(Picky().eval(), {"images": IMAGES}, source=spec)

    row = score.measure("own", "Picky", build, 60)
    assert (row["runs"], row["full"], row["dynamic"]) == (True, True, False)
    assert row["reason"] == "at batch_size=5: ValueError: too many"


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        (("batch_size", 3, "height", "width"), []),
        (("batch_size", 3, 64, 64), []),
        (
            ("width", 3, "height", "x_width"),
            ["x_width", "axis 0 is width, not batch_size", "axis 3 is x_width, not width"],
        ),
        ((2, 3, "height", "width"), ["axis 0 is 2, not batch_size"]),
        (("batch_size", 3, "height", "height"), ["a name twice", "axis 3 is height, not width"]),
        (("height", 3, "batch_size", "width"), ["the batch is not axis 0", "axis 0 is height", "axis 2 is batch_size"]),
    ],
)
def test_names_of_axes(score, shape, found):
    axes = tuple(Dim(axis, 8) if isinstance(axis, str) else axis for axis in shape)
    problems = list(score.find_misnamed({"x": IMAGES}, {"x": TensorSpec("x", axes)}))
    assert len(problems) == len(found)
    assert all(text in problem for text, problem in zip(found, problems, strict=True))


def test_tensors_in_containers_are_found_by_their_path(score):
    made = {
        "features": {"ids": torch.ones(2, 3, dtype=torch.int64)},
        "images": [torch.ones(3, 4, 4)],
        "t": torch.ones(()),
    }
    expected = {"features.ids": "int[*, *]", "images": "list of float[*, *, *]", "t": "int[batch_size]"}
    assert list(score.find_differences(expected, made)) == []
    wrong = {"features.ids": "float[*, *]", "features.mask": "bool[*]", "images": "list of float[*]", "more": "int[]"}
    assert list(score.find_differences(wrong, made)) == [
        "features.ids is int of rank 2, not float of rank 2",
        "features.mask is missing",
        "images is float of rank 3, not float of rank 1",
        "more is missing",
    ]


def test_a_model_that_takes_too_long_is_stopped(score):
    def build():
        while True:
            pass

    row = score.measure("own", "endless", build, 1)
    assert row["reason"] == "build: takes more than 1 s"


def test_the_page_names_the_models_that_were_not_measured(score):
    from measure import split_kept

    assert split_kept(["a", "b", "c"], {"a", "c"}) == (["a", "c"], "Not measured in this run, 1 of 3: b.")
    assert split_kept(["a"], {"a"}) == (["a"], "")
    with pytest.raises(ValueError, match="no model of this library"):
        split_kept(["a"], {"b"})
