"""Caches of Transformers as trees: structure, order, copies, and what an export by hand makes of them."""

import copy

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from torch.utils import _pytree as pytree
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from dummyio_torch.calling.cache_trees import register_caches


@pytest.fixture(autouse=True)
def registered():
    register_caches()
    register_caches()  # again: nothing happens


def fill(layers=2, start=0):
    cache = DynamicCache()
    for number in range(layers):
        values = torch.arange(12.0).reshape(1, 2, 3, 2) + start + 100 * number
        cache.update(values, values + 50, number)
    return cache


def test_the_leaves_of_a_cache_are_keys_and_values_layer_by_layer():
    cache = fill()
    leaves, tree = pytree.tree_flatten(cache)
    assert [leaf[0, 0, 0, 0].item() for leaf in leaves] == [0, 50, 100, 150]
    back = pytree.tree_unflatten([leaf + 1 for leaf in leaves], tree)
    assert type(back) is DynamicCache
    assert back.get_seq_length() == 3
    assert back.layers[1].values[0, 0, 0, 0].item() == 151
    assert cache.layers[1].values[0, 0, 0, 0].item() == 150
    back.update(torch.zeros(1, 2, 1, 2), torch.zeros(1, 2, 1, 2), 0)
    assert (back.get_seq_length(), cache.get_seq_length()) == (4, 3)


def test_a_cache_of_an_encoder_decoder_has_its_own_tensors_before_those_of_the_encoder():
    both = EncoderDecoderCache(fill(1), fill(1, start=1000))
    leaves, tree = pytree.tree_flatten(both)
    assert [leaf[0, 0, 0, 0].item() for leaf in leaves] == [0, 50, 1000, 1050]
    back = pytree.tree_unflatten(leaves, tree)
    assert back.is_updated == {0: True}
    assert torch.equal(back.cross_attention_cache.layers[0].values, both.cross_attention_cache.layers[0].values)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # PyTorch's own, of a copy
def test_trees_of_the_same_names_are_equal_and_survive_a_copy():
    trees = [pytree.tree_structure(cache) for cache in (fill(), fill(start=7), fill(1))]
    assert trees[0] == trees[1]
    assert trees[0] != trees[2]
    assert copy.deepcopy(trees[0]) == trees[0]


def test_a_tree_has_the_structure_of_a_specs_dynamic_shapes():
    import dummyio

    spec = dummyio.describe(transformers.GPT2Config(n_layer=2), "text-generation-with-past")
    shapes = spec.dynamic_shapes()["past_key_values"]
    children = pytree.tree_structure(spec.generate("pt")["past_key_values"]).children()
    assert [child.num_children for child in children] == [len(layer) for layer in shapes]
    assert {child.type for child in children} == {tuple} == {type(layer) for layer in shapes}


def test_states_of_a_recurrence_are_leaves_too():
    import dummyio

    values = {"model_type": "mamba", "hidden_size": 16, "num_hidden_layers": 1, "vocab_size": 99}
    cache = dummyio.describe(values, "text-generation-with-past").generate("pt")["cache_params"]
    leaves, tree = pytree.tree_flatten(cache)
    assert [leaf.dim() for leaf in leaves] == [3, 3]
    back = pytree.tree_unflatten([leaf * 0 for leaf in leaves], tree)
    assert not back.layers[0].conv_states[0].any()
    assert cache.layers[0].conv_states[0].any()
