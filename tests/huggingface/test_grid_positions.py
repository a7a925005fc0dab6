"""Positions on the grid of an image: those of Transformers' own models."""

import numpy as np
import pytest

from dummyio.huggingface.parts.grid_positions import count_grid_positions

IMAGE, START = 97, 95


def test_positions_go_on_behind_the_longer_side():
    ids = np.array([[5, *[IMAGE] * 6, 7, 8]])
    positions, shifts = count_grid_positions(ids, np.ones_like(ids), {IMAGE}, (1, 2, 3))
    assert positions[:, 0].tolist() == [
        [0, 1, 1, 1, 1, 1, 1, 4, 5],
        [0, 1, 1, 1, 2, 2, 2, 4, 5],
        [0, 1, 2, 3, 1, 2, 3, 4, 5],
    ]
    assert shifts.tolist() == [6 - 9]


def test_a_row_of_padding_has_no_positions():
    positions, shifts = count_grid_positions(np.full((1, 4), 5), np.zeros((1, 4), int), {IMAGE}, (1, 2, 2))
    assert not positions.any()
    assert shifts.tolist() == [0]


@pytest.mark.parametrize("padding", [0, 3])
def test_they_are_those_of_a_model(padding):
    torch = pytest.importorskip("torch")
    hf = pytest.importorskip("transformers")
    config = hf.Qwen2_5_VLConfig(
        text_config={"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 99},
        vision_config={"depth": 1, "hidden_size": 16, "num_heads": 2, "spatial_merge_size": 2},
        image_token_id=IMAGE,
        vision_start_token_id=START,
    )
    with torch.device("meta"):
        model = hf.Qwen2_5_VLModel(config)
    row = [*[0] * padding, 5, START, *[IMAGE] * 6, 8, START, *[IMAGE] * 6, 9]
    ids = np.array([row, [*range(1, len(row) + 1)]])
    mask = np.ones_like(ids)
    mask[0, :padding] = 0
    grids = torch.tensor([[1, 4, 6]] * 2)
    types = torch.tensor((ids == IMAGE).astype(int))
    expected, deltas = model.get_rope_index(
        torch.tensor(ids), types, image_grid_thw=grids, attention_mask=torch.tensor(mask)
    )
    positions, shifts = count_grid_positions(ids, mask, {IMAGE}, (1, 2, 3))
    np.testing.assert_array_equal(positions, expected.numpy())
    np.testing.assert_array_equal(shifts[:, None], deltas.numpy())
