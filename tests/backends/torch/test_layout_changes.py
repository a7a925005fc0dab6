"""Changes of a layout in a search: each with a module that no other change describes."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import dummyio
from dummyio.input_spec import InputSpec
from dummyio.sources.proof.budget import Budget
from dummyio.spec.dims import Dim
from dummyio.spec.tensor_spec import TensorSpec
from dummyio_torch.description.asked_arguments import find_asked_arguments
from dummyio_torch.description.signature_arguments import list_arguments
from dummyio_torch.discovery.layout import BATCH as BATCH_AXIS
from dummyio_torch.discovery.layout import Branch, InputLayout, Leaf
from dummyio_torch.proof.attempts import Attempts
from dummyio_torch.proof.model_call import ModelCall
from dummyio_torch.proof.prove_spec import prove_spec

BATCH = Dim("batch_size", 2)


def shapes(spec):
    return {path: [str(size) for size in leaf.shape] for path, leaf in spec.leaves}


def float_tensor(*shape):
    return TensorSpec("", (BATCH, *shape), "float32")


def prove(module, call=None, budget=None, **inputs):
    return prove_spec(module.eval(), InputSpec(inputs), "auto", call or ModelCall(), budget or Budget())


class Documented(nn.Module):
    """Scales of tokens: by names alone, `scales` has features for each sample."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 4)

    def forward(self, rows, scales):
        """Scale rows.

        Args:
            rows: Rows [B, num_tokens, D]
            scales: One scale for each token [num_tokens]
        """
        return self.layer(rows) * torch.stack(scales.split(1)).view(1, rows.shape[1], 1)


def test_a_word_of_two_documented_shapes_is_one_axis():
    assert shapes(dummyio.describe(Documented())) == {
        "rows": ["batch_size", "sequence_length", "6"],
        "scales": ["sequence_length"],
    }


class OwnRows(nn.Module):
    """A mask of one row, which is repeated for the batch."""

    def forward(self, sample, mask):
        return torch.cat([sample, mask.repeat(sample.shape[0], 1, 1, 1)], dim=1)


def test_what_a_module_repeats_for_the_batch_has_one_row():
    edges = Dim("height", 8), Dim("width", 8)
    spec = prove(OwnRows(), sample=float_tensor(3, *edges), mask=float_tensor(1, *edges))
    assert shapes(spec)["mask"] == ["1", "1", "height", "width"]


class TimeOfFrames(nn.Module):
    """A time step for each frame."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 3)

    def forward(self, sample, timestep):
        rows, frames = timestep.shape
        times = self.layer(timestep.reshape(-1, 1)).unflatten(0, (rows, frames))
        cells = times.repeat_interleave(sample.shape[3] * sample.shape[4], dim=1)
        return sample.flatten(2).transpose(1, 2) * cells


def test_an_axis_may_be_that_of_another_input():
    size = (3, Dim("num_frames", 4), Dim("height", 8), Dim("width", 8))
    spec = prove(TimeOfFrames(), sample=float_tensor(*size), timestep=float_tensor())
    assert shapes(spec)["timestep"] == ["batch_size", "num_frames"]


def list_two_images():
    layout, features = InputLayout(batches=frozenset({BATCH_AXIS})).new_axis(size=3)
    layout, features = layout.new_axis(size=5)
    items = tuple((key, Leaf(f"x.{key}", torch.float32, (BATCH_AXIS, features))) for key in "01")
    return replace(layout, trees=(("x", Branch("list", items)), ("t", Leaf("t", torch.float32, (BATCH_AXIS,)))))


def sizes_of(layout):
    return {path: layout.shape(leaf) for path, leaf in layout.leaves.items()}


def test_items_of_a_list_change_together():
    layout = list_two_images()
    assert sizes_of(layout.with_items_alone("x.1")) == {"x.0": (7, 5), "x.1": (7, 5), "t": (3,)}
    longer = layout.with_rank("x.0", 3)
    assert longer.leaves["x.0"].axes == longer.leaves["x.1"].axes
    assert layout.with_items_alone("t") is None


def test_an_axis_before_the_batch_and_a_single_row():
    layout = list_two_images()
    assert sizes_of(layout.with_leading_axis("t"))["t"] == (7, 3)
    single = layout.with_single_row("t")
    assert sizes_of(single)["t"] == (1,)
    assert single.leaves["t"].axes[0] in single.fixed


def test_a_guessed_size_is_not_what_a_layer_asks_for():
    layout = list_two_images()
    features = layout.leaves["x.0"].axes[1]
    assert layout.with_guessed_sizes((features,), 8).guessed == {features}
    assert not layout.with_sizes((features,), 8).guessed


class Samples(nn.Module):
    """Images of any size in a list, and a number for each."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 8)

    def forward(self, x: list[torch.Tensor], t):
        rows = []
        for image in x:
            channels, frames, height, width = image.size()
            cells = image.view(channels, frames, height // 2, 2, width // 2, 2).permute(1, 2, 4, 3, 5, 0)
            rows.append(self.layer(cells.reshape(-1, 4 * channels)).mean(0))
        return torch.stack(rows) + t[:, None]


def test_items_of_a_list_are_samples_without_a_batch():
    spec = dummyio.describe(Samples())
    assert spec["x"]["1"].shape[0] == 16
    assert spec["x"]["0"].shape[0] == 16  # 64 features of 4 pixels
    assert spec["t"].shape == (2,)  # as many as there are items


class Pixels(nn.Module):
    """Attention between all pixels, on a way that depends on values."""

    def forward(self, sample):
        if sample.sum() > 1e9:
            return sample
        rows = sample.flatten(2).transpose(1, 2)
        return rows @ rows.transpose(1, 2)


def prove_pixels(*given):
    size = (3, Dim("height", 64), Dim("width", 64))
    call = ModelCall(given=frozenset(given))
    return prove(Pixels(), call, Budget(memory=1 << 21), sample=float_tensor(*size))


def test_images_that_exceed_the_memory_of_a_run_get_smaller():
    spec = prove_pixels()
    assert (spec.dims["height"].size, spec.dims["width"].size) == (16, 16)
    assert spec.proof.level == "values"
    assert "smaller images" in spec.proof.corrections[0]


def test_sizes_that_a_caller_gives_stay():
    spec = prove_pixels("height", "width")
    assert spec.dims["height"].size == 64
    assert spec.proof.level == "rules"
    assert "the limit of a run is 2" in spec.proof.unproved[0]


class Guided(nn.Module):
    """An optional input without an annotation, which it cannot do without; another that it hands on."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, sample, style=None, extra=None, scale=1.0):
        return self.layer(sample) * self.join(style, extra) * scale

    def join(self, style, extra):
        return style.sum(-1, keepdim=True) if extra is None else extra


def test_what_a_run_finds_to_be_none_is_an_input_whatever_its_kind():
    spec = dummyio.describe(Guided())
    assert list(spec)[:2] == ["sample", "style"]
    assert "scale" not in spec


def test_a_line_that_hands_none_on_asks_for_nothing():
    module = Guided()
    offered = {argument.name: argument for argument in list_arguments(module, {})}

    def fail(error):
        style = extra = None
        raise error(f"{(style, extra) == ()}")

    with pytest.raises(ValueError, match="False") as unpacked:
        fail(ValueError)
    assert [each.name for each in find_asked_arguments(unpacked.value, offered)] == ["style", "extra"]

    def hand_on(error):
        style = None
        return fail_inside(style, error)

    def fail_inside(_, error):
        raise error("too few")

    with pytest.raises(ValueError, match="too few") as outer:
        hand_on(ValueError)
    assert find_asked_arguments(outer.value, offered) == []
    with pytest.raises(TypeError) as failed:
        hand_on(TypeError)
    assert [each.name for each in find_asked_arguments(failed.value, offered)] == ["style"]


def test_a_run_on_shapes_is_made_once():
    attempts = Attempts(OwnRows(), ModelCall(), Budget())
    edges = Dim("height", 8), Dim("width", 8)
    spec = InputSpec({"sample": float_tensor(3, *edges), "mask": float_tensor(1, *edges)})
    bounded = spec.with_dims(height=Dim("height", 8, min=2))
    first, again = (attempts.run_on_shapes(each, each.sizes()) for each in (spec, bounded))
    assert again.error is first.error
    assert again.spec is bounded
    assert attempts.run_on_shapes(spec, {**spec.sizes(), "height": 4}).error is not first.error
