"""Any module is a source: what is found of its inputs, and that it runs with them."""

import time

import pytest

torch = pytest.importorskip("torch")

import torch_modules as zoo
from torch import nn

import dummyio
from dummyio.errors import DimError, OptionError, SourceError
from dummyio.spec.dtypes import DType
from dummyio.spec.values import Constant, PaddingMask, TokenIds
from dummyio_torch.description import describe_module as source

SHAPES = {
    "Perceptron": {"x": "float32[batch_size, 10]"},
    "Convolutional": {"x": "float32[batch_size, num_channels, height, width]"},
    "Digits": {"x": "float32[batch_size, num_channels, height, width]"},
    "ResidualNetwork": {"images": "float32[batch_size, num_channels, height, width]"},
    "Tagger": {"tokens": "int64[batch_size, sequence_length]"},
    "Translator": {
        "src": "int64[batch_size, src_sequence_length]",
        "tgt": "int64[batch_size, tgt_sequence_length]",
        "src_key_padding_mask": "bool[batch_size, src_sequence_length]",
    },
    "Denoiser": {"sample": "float32[batch_size, num_channels, height, width]", "timestep": "int64[batch_size]"},
    "Towers": {
        "user_id": "int64[batch_size]",
        "item_id": "int64[batch_size]",
        "item_features": "float32[batch_size, 5]",
    },
    "Contrast": {"a": "float32[batch_size, 6]", "b": "float32[b_batch_size, 7]"},
    "FromDict": {"batch.features": "float32[batch_size, 6]", "batch.category": "int64[batch_size]"},
    "FromTuple": {
        "x": "float32[batch_size, sequence_length, 6]",
        "state.0": "float32[2, batch_size, 8]",
        "state.1": "float32[2, batch_size, 8]",
    },
    "Named": {"left": "float32[batch_size, 6]", "right": "float32[batch_size, 6]"},
    "Optional": {
        "input_ids": "int64[batch_size, sequence_length]",
        "attention_mask": "int64[batch_size, sequence_length]",
        "weights": "float32[batch_size]",
    },
    "Kept": {"x": "float32[batch_size, sequence_length, 8]", "mask": "bool[batch_size, sequence_length]"},
    "Hidden": {"x": "float32[batch_size, sequence_length, 8]", "ignored": "bool[batch_size, sequence_length]"},
    "Half": {"x": "bfloat16[batch_size, 10]"},
    "Patches": {"x": "float32[batch_size, num_channels, height, width]"},
    "Decoder": {"idx": "int64[batch_size, sequence_length]"},
    "Branching": {"x": "float32[batch_size, 6]"},
    "Packing": {"tokens": "int64[batch_size, sequence_length]", "lengths": "int64[batch_size]"},
    "Fields": {"x": "int64[batch_size, 3]"},
    "Wave": {"waveform": "float32[batch_size, audio_sequence_length]"},
    "OnTheCpu": {"x": "float32[batch_size, 4]"},
    "Remembering": {"x": "float32[batch_size, 4]"},
}


def shown(spec):
    return {path: str(leaf).rpartition("] ")[0] + "]" for path, leaf in spec.leaves}


def runs(module, spec):
    """Run the module with the spec's values, at its default sizes and all of its probe plan."""
    module.eval()
    with torch.no_grad():
        for sizes in ({}, *spec.probes()):
            out = module(**spec.generate("pt", **sizes))
            out = out[0] if isinstance(out, tuple) else out
            assert not (isinstance(out, torch.Tensor) and out.isnan().any()), sizes


@pytest.mark.filterwarnings("ignore:.*nested tensors")  # of the module itself
@pytest.mark.parametrize("name", SHAPES)
def test_the_inputs_are_found_and_the_module_takes_them(name):
    module = getattr(zoo, name)()
    spec = dummyio.describe(module)
    assert shown(spec) == SHAPES[name]
    runs(module, spec)


def test_a_list_of_inputs():
    module = zoo.FromList()
    spec = dummyio.describe(module)
    assert [leaf.shape[1] for path, leaf in spec.leaves if path != "maps.0"] == [3, 5]
    assert spec["maps"].kind == "list"
    runs(module, spec)


@pytest.mark.parametrize(
    ("name", "dim", "least", "most", "step"),
    [
        ("Convolutional", "height", 3, None, 1),
        ("Digits", "height", 28, 28, 1),
        ("Patches", "width", 32, 32, 1),
        ("Denoiser", "height", 4, None, 4),
        ("Translator", "src_sequence_length", 1, 40, 1),
        ("Decoder", "sequence_length", 1, 32, 1),
        ("Wave", "audio_sequence_length", 45, None, 1),
        ("Tagger", "batch_size", 1, None, 1),
    ],
)
def test_the_bounds_of_sizes_are_found_by_trying(name, dim, least, most, step):
    found = dummyio.describe(getattr(zoo, name)()).dims[dim]
    assert (found.min, found.max, found.multiple_of) == (least, most, step)


def test_layers_without_a_leading_batch():
    spec = dummyio.describe(zoo.Tagger(batch_first=False))
    assert shown(spec) == {"tokens": "int64[sequence_length, batch_size]"}


def test_ids_stay_inside_of_their_table():
    assert dummyio.describe(zoo.Tagger())["tokens"].values == TokenIds(50, reserved=(0,))
    assert dummyio.describe(zoo.Fields())["x"].values.high <= 30
    assert dummyio.describe(zoo.Optional())["input_ids"].values.mask == "attention_mask"


def test_the_two_senses_of_a_mask():
    assert isinstance(dummyio.describe(zoo.Kept())["mask"].values, PaddingMask)
    assert dummyio.describe(zoo.Hidden())["ignored"].values == PaddingMask(pad=1)
    assert dummyio.describe(zoo.Hidden(), padding_side="left")["ignored"].values == PaddingMask("left", pad=1)


@pytest.mark.filterwarnings("ignore:.*nested tensors")  # of the module itself
def test_rows_are_padded_where_their_mask_says_so():
    spec = dummyio.describe(zoo.Translator())
    assert spec["src_key_padding_mask"].values == PaddingMask(pad=1)
    assert spec["src"].values.mask == "src_key_padding_mask"
    assert spec["tgt"].values.mask is None
    made = spec.generate("pt", batch_size=8)
    assert made["src_key_padding_mask"].any()
    assert not made["src"][made["src_key_padding_mask"]].any()


STACKS = {
    "src": "float32[{src}, 16]",
    "tgt": "float32[{tgt}, 16]",
    "src_mask": "bool[src_sequence_length, src_sequence_length]",
    "tgt_mask": "bool[tgt_sequence_length, tgt_sequence_length]",
    "memory_mask": "bool[tgt_sequence_length, src_sequence_length]",
    "src_key_padding_mask": "bool[batch_size, src_sequence_length]",
    "tgt_key_padding_mask": "bool[batch_size, tgt_sequence_length]",
    "memory_key_padding_mask": "bool[batch_size, src_sequence_length]",
}


@pytest.mark.filterwarnings("ignore:.*(nested tensor|enable_nested)")  # of the module itself
@pytest.mark.parametrize("batch_first", [True, False])
def test_an_encoder_and_a_decoder_with_all_their_masks(batch_first):
    module = nn.Transformer(16, 2, 2, 2, 32, batch_first=batch_first)
    source._CACHE.clear()
    start = time.process_time()
    spec = dummyio.describe(module)
    assert time.process_time() - start < 3
    axes = "batch_size, {}_sequence_length" if batch_first else "{}_sequence_length, batch_size"
    shapes = {side: axes.format(side) for side in ("src", "tgt")}
    assert shown(spec) == {name: shape.format(**shapes) for name, shape in STACKS.items()}
    padded = {path for path, leaf in spec.leaves if leaf.values == PaddingMask(pad=1)}
    assert padded == {name for name in STACKS if "padding" in name}
    assert all(spec[name].values == Constant(0) for name in ("src_mask", "tgt_mask", "memory_mask"))
    runs(module, spec)


@pytest.mark.parametrize(
    ("module", "shapes"),
    [
        (nn.Bilinear(3, 4, 5), {"input1": "float32[batch_size, 3]", "input2": "float32[batch_size, 4]"}),
        (
            nn.LSTMCell(3, 4),
            {"input": "float32[batch_size, 3]", "hx.0": "float32[batch_size, 4]", "hx.1": "float32[batch_size, 4]"},
        ),
    ],
    ids=["Bilinear", "LSTMCell"],
)
def test_layers_check_operands_by_keyword(module, shapes):
    spec = dummyio.describe(module)
    assert shown(spec) == shapes
    runs(module, spec)


def test_cross_attention_has_two_lengths():
    module = nn.MultiheadAttention(16, 2, batch_first=True)
    spec = dummyio.describe(module)
    assert shown(spec)["attn_mask"] == "bool[query_sequence_length, key_sequence_length]"
    runs(module, spec)


def test_provenance_says_how_it_is_known():
    known = dummyio.describe(zoo.Optional()).provenance
    assert "forward signature" in known["names"]
    assert "20 rows" in known["input input_ids"]
    assert "shape-only" in known["inputs"]
    assert "depends on values" in dummyio.describe(zoo.Branching()).provenance["inputs"]


def test_only_what_is_needed():
    assert list(dummyio.describe(zoo.Optional(), optional_inputs=False)) == ["input_ids"]


def test_the_callers_sizes_win():
    spec = dummyio.describe(zoo.Convolutional(), batch_size=5, height=20)
    assert spec.generate("pt")["x"].shape == (5, 3, 20, 64)
    with pytest.raises(DimError, match="at most 28"):
        dummyio.describe(zoo.Digits(), height=30)
    with pytest.raises(OptionError, match="batch_size"):
        dummyio.describe(zoo.Perceptron(), batch_sze=3)
    with pytest.raises(OptionError, match="task"):
        dummyio.describe(zoo.Perceptron(), task="text-classification")


def test_a_shape_that_the_caller_says():
    spec = dummyio.describe(zoo.Perceptron(), shapes={"x": ("batch_size", "steps", 10)}, steps=4)
    assert spec.generate("pt")["x"].shape == (2, 4, 10)
    with pytest.raises(OptionError, match="mapping"):
        dummyio.describe(zoo.Perceptron(), shapes=3)


def test_arguments_that_are_no_tensors():
    with pytest.raises(SourceError, match=r"steps=\.\.\."):
        dummyio.describe(zoo.Repeated())
    assert shown(dummyio.describe(zoo.Repeated(), steps=2)) == {"x": "float32[batch_size, 6]"}


@pytest.mark.parametrize("module", [zoo.Opaque(), nn.ModuleList()])
def test_what_has_no_names_is_an_error(module):
    with pytest.raises(SourceError, match=r"dummyio\.capture"):
        dummyio.describe(module)


def test_what_nothing_explains_is_an_error():
    class Refusing(nn.Module):
        def forward(self, x):
            raise RuntimeError("not with me")

    with pytest.raises(SourceError, match=r"not with me.*InputSpec"):
        dummyio.describe(Refusing())


def test_lazy_layers_are_an_error():
    with pytest.raises(SourceError, match="lazy"):
        dummyio.describe(nn.Sequential(nn.LazyLinear(3)))


def test_the_module_is_left_as_it_was():
    module = zoo.Remembering().train()
    seen = []
    module.layer.register_forward_hook(lambda *_: seen.append(1))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = torch.get_rng_state()
    dummyio.describe(module)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert (module.history, module.last, module.training, module.norm.training, seen) == ([], None, True, True, [])


def test_describing_is_quick():
    source._CACHE.clear()
    dummyio.describe(zoo.Convolutional())  # what PyTorch imports for the first run without memory is not ours
    module = zoo.Denoiser()
    start = time.process_time()
    dummyio.describe(module)
    first = time.process_time() - start
    start = time.process_time()
    dummyio.describe(zoo.Denoiser())
    assert time.process_time() - start < first / 3
    assert first < 5


def test_half_precision_is_the_modules():
    assert dummyio.describe(zoo.Half())["x"].dtype is DType.BFLOAT16
