"""Corrections of specs and layouts, by what a run shows: each with a module that is refused without it."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import dummyio
from dummyio.input_spec import InputSpec
from dummyio.sources.proof.budget import Budget
from dummyio.spec.dims import Dim
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.values import PaddingMask, Run, TokenIds
from dummyio_torch.proof.model_call import ModelCall
from dummyio_torch.proof.prove_spec import prove_spec

BATCH = Dim("batch_size", 2)


def shapes(spec):
    return {path: [str(size) for size in leaf.shape] for path, leaf in spec.leaves}


def prove(module, **inputs):
    return prove_spec(module.eval(), InputSpec(inputs), "auto", ModelCall(), Budget())


class Frames(nn.Module):
    """Frames in the batch, each with a condition."""

    def forward(self, sample, condition):
        return sample.transpose(1, 2).flatten(0, 1).sum((1, 2, 3)) + condition.sum(1)


def test_conditions_have_a_row_for_each_frame():
    size = (BATCH, 3, Dim("num_frames", 4), Dim("height", 8), Dim("width", 8))
    spec = prove(Frames(), sample=TensorSpec("", size, "float32"), condition=TensorSpec("", (BATCH, 5), "float32"))
    assert shapes(spec)["condition"] == ["batch_size * num_frames", "5"]
    assert "a row for each frame" in spec.proof.corrections[0]


class Wave(nn.Module):
    """One channel of samples."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(1, 2, 3)

    def forward(self, sample):
        if sample.ndim != 3 or sample.shape[1] != 1:
            raise ValueError(f"`sample` must have shape [batch_size, 1, samples], got {tuple(sample.shape)}.")
        return self.layer(sample)


def test_a_shape_in_an_errors_words_is_tried():
    spec = prove(Wave(), sample=TensorSpec("", (BATCH, 3, Dim("height", 16), Dim("width", 16)), "float32"))
    assert shapes(spec) == {"sample": ["batch_size", "1", "sequence_length"]}


class Patches(nn.Module):
    """Patches of two by two pixels of four channels, and tokens; those that are dropped become zero."""

    def __init__(self):
        super().__init__()
        self.patches, self.words = nn.Linear(16, 8), nn.Embedding(10, 8)

    def forward(self, hidden_states, prior_token_id, prior_token_drop):
        batch, channels, height, width = hidden_states.shape
        rows = hidden_states.reshape(batch, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
        words = self.words(prior_token_id)
        words[prior_token_drop] *= 0.0
        return self.patches(rows.flatten(3)).sum((1, 2)) + words


def test_channels_follow_from_a_size_behind_them_and_a_mask_has_the_axes_that_it_chooses_from():
    spec = dummyio.describe(Patches())
    assert shapes(spec)["hidden_states"] == ["batch_size", "num_channels", "height", "width"]
    assert spec.dims["num_channels"] == Dim("num_channels", 4, min=4, max=4)
    assert (shapes(spec)["prior_token_drop"], str(spec["prior_token_drop"].dtype)) == (["batch_size"], "bool")


class Asking(nn.Module):
    """Weights that may be left out by the signature, and are needed all the same."""

    def forward(self, hidden_states, weights: torch.Tensor | None = None):
        return (hidden_states * weights.unsqueeze(-1)).sum(1)


def test_arguments_that_are_none_where_a_run_fails_are_inputs():
    assert set(dummyio.describe(Asking())) == {"hidden_states", "weights"}


class Interrupted(nn.Module):
    """A module during which the caller's time is over."""

    def forward(self, hidden_states):
        raise TimeoutError("the caller's time is over")


class Placed(nn.Module):
    """Makes positions of ids and mask, which fails if the mask also covers a past."""

    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(9, 4), nn.Embedding(64, 4)

    def place(self, ids, mask):
        places = mask.cumsum(1) - 1
        if places.shape != ids.shape:
            raise IndexError(f"a mask of {tuple(mask.shape)} for ids of {tuple(ids.shape)}")
        return places

    def forward(self, input_ids, mask, position_ids=None):
        if position_ids is None:
            position_ids = self.place(input_ids, mask)
        return self.words(input_ids) + self.places(position_ids)


def test_an_argument_that_a_failing_statement_was_to_make_is_an_input():
    length = Dim("length", 6)
    spec = prove(
        Placed(),
        input_ids=TensorSpec("", (BATCH, length), "int64", TokenIds(9)),
        mask=TensorSpec("", (BATCH, length + 5), "int64"),
    )
    assert shapes(spec)["position_ids"] == ["batch_size", "length"]
    assert "inputs that are needed" in spec.proof.corrections[0]


def test_a_time_out_of_the_caller_is_no_answer_of_the_module():
    with pytest.raises(TimeoutError, match="the caller's time is over"):
        prove(Interrupted(), hidden_states=TensorSpec("", (BATCH, 4), "float32"))


def test_hooks_of_a_library_compute_hidden_states_in_the_copy_too():
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=8
    )

    class Middle(nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = transformers.BertModel(config)

        def forward(self, input_ids):
            return self.bert(input_ids, output_hidden_states=True).hidden_states[1]

    module = Middle().eval()
    module(torch.ones(1, 3, dtype=torch.long))  # installs them
    assert dummyio.describe(module).proof.level == "values"


def test_positions_up_to_the_padding_id_are_no_tokens():
    transformers = pytest.importorskip("transformers")
    config = transformers.RobertaConfig(max_position_embeddings=40, pad_token_id=1)
    assert dummyio.describe(config).dims["sequence_length"].max == 38


class Looking(nn.Module):
    """Each image is three rows of features, each of which takes the place of a placeholder."""

    def __init__(self):
        super().__init__()
        self.embed, self.layer = nn.Embedding(50, 4), nn.Linear(5, 4)
        self.config = {"image_token_id": 7}

    def get_image_features(self, pixel_values):
        return self.layer(pixel_values).flatten(0, 1)

    def forward(self, input_ids, attention_mask, pixel_values):
        hidden, places = self.embed(input_ids), (input_ids == 7) & (attention_mask != 0)
        features = self.get_image_features(pixel_values)
        if places.sum() != len(features):
            raise ValueError(f"{places.sum()} image tokens for {len(features)} features")
        return hidden.masked_scatter(places.unsqueeze(-1), features)


def test_no_placeholder_that_was_counted_is_padding():
    length = Dim("sequence_length", 8)
    ids = TokenIds(50, reserved=(7,), mask="attention_mask", runs=(Run(7, 1, 2),))
    spec = prove(
        Looking(),
        input_ids=TensorSpec("", (BATCH, length), "int64", ids),
        attention_mask=TensorSpec("", (BATCH, length), "int64", PaddingMask(least=3)),
        pixel_values=TensorSpec("", (BATCH, 3, 5), "float32"),
    )
    rules = {path: leaf.values for path, leaf in spec.leaves}
    assert rules["input_ids"].runs == (Run(7, 1, 3),)
    assert rules["attention_mask"].least == spec.dims["sequence_length"].min == 5
    assert spec.proof.level == "values"
