"""What is fed: kinds and dtypes of tensors, inputs that may be left out, and inputs that no graph would take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

import onnx
import onnxruntime as ort
from onnx import TensorProto
from small_onnx_graphs import (
    save_classifier,
    save_config,
    save_decoder,
    save_encoder,
    save_image_classifier,
    save_seq2seq_decoder,
)

import dummyio
from dummyio.errors import DTypeError, OptionError, RunError
from dummyio_onnx.models.auto_model import AutoModelForONNX

IDS = np.array([[5, 6, 7], [8, 9, 10]])


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> AutoModelForONNX:
    return AutoModelForONNX.from_pretrained(save_classifier(tmp_path_factory.mktemp("classifier") / "model.onnx"))


def test_types_of_a_model_without_a_table_of_them_must_be_given(tmp_path):
    """GPT-2 adds the embedding of a token as a type: zeros are not the same as none."""
    save_classifier(tmp_path / "model.onnx")
    save_config(tmp_path, model_type="gpt2", architectures=["GPT2ForSequenceClassification"], vocab_size=11)
    model = AutoModelForONNX.from_pretrained(tmp_path)
    with pytest.raises(RunError, match="no value for token_type_ids: "):
        model(input_ids=IDS)
    assert model(input_ids=IDS, token_type_ids=np.zeros_like(IDS))["logits"].shape == (2, 2)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> AutoModelForONNX:
    return AutoModelForONNX.from_pretrained(save_decoder(tmp_path_factory.mktemp("decoder") / "model.onnx"))


def test_what_is_left_out_is_a_mask_of_ones_and_types_of_zeros(classifier):
    whole = classifier(input_ids=IDS, attention_mask=np.ones_like(IDS), token_type_ids=np.zeros_like(IDS))
    np.testing.assert_array_equal(classifier(input_ids=IDS)["logits"], whole["logits"])
    masked = classifier(input_ids=IDS, attention_mask=np.array([[1, 1, 0], [1, 1, 1]]))
    assert not np.allclose(masked["logits"][0], whole["logits"][0])
    np.testing.assert_array_equal(masked["logits"][1], whole["logits"][1])


def test_inputs_by_position_have_the_order_of_the_graph(classifier):
    mask = np.array([[1, 1, 0], [1, 1, 1]])
    found, named = classifier(IDS, mask), classifier(input_ids=IDS, attention_mask=mask)
    np.testing.assert_array_equal(found["logits"], named["logits"])
    with pytest.raises(OptionError, match="input_ids was given by position and by name"):
        classifier(IDS, input_ids=IDS)
    with pytest.raises(
        OptionError, match=r"4 inputs were given by position: .*input_ids, attention_mask, token_type_ids"
    ):
        classifier(IDS, IDS, IDS, IDS)


def test_what_comes_out_outlives_the_run_and_can_be_written(classifier):
    logits = classifier(input_ids=IDS)["logits"]
    before = logits.copy()
    for _ in range(3):
        classifier(input_ids=IDS + 0)
    np.testing.assert_array_equal(logits, before)
    logits += 1
    np.testing.assert_array_equal(logits, before + 1)


def test_a_view_with_gaps_is_read_as_it_is(classifier):
    wide = np.arange(24).reshape(2, 12) % 11
    np.testing.assert_array_equal(
        classifier(input_ids=wide[:, ::4])["logits"], classifier(input_ids=wide[:, ::4].copy())["logits"]
    )


@pytest.mark.parametrize("dtype", ["int32", "int16", "uint8"])
def test_narrower_integers_are_widened(classifier, dtype):
    np.testing.assert_array_equal(
        classifier(input_ids=IDS.astype(dtype))["logits"], classifier(input_ids=IDS)["logits"]
    )


def test_a_graph_of_narrower_integers_takes_those_that_fit(tmp_path):
    model = AutoModelForONNX.from_pretrained(save_classifier(tmp_path / "model.onnx", ids=TensorProto.INT32))
    assert model(input_ids=IDS)["logits"].shape == (2, 2)
    with pytest.raises(DTypeError, match=r"input_ids has values from 5 to 4294967296: the model takes int32"):
        model(input_ids=np.array([[5, 1 << 32]]))


def test_values_that_a_conversion_would_change_are_refused(classifier, tmp_path):
    with pytest.raises(DTypeError, match="input_ids is float64: the model takes int64, and a conversion would change"):
        classifier(input_ids=IDS.astype(float))
    vision = AutoModelForONNX.from_pretrained(save_image_classifier(tmp_path / "model.onnx"))
    assert vision(pixel_values=np.ones((1, 3, 8, 8)))["logits"].dtype == np.float32  # from float64
    assert vision(pixel_values=np.ones((1, 3, 8, 8), bool))["logits"].shape == (1, 5)


def test_torch_in_is_torch_out(classifier):
    torch = pytest.importorskip("torch")
    found = classifier(input_ids=torch.tensor(IDS))["logits"]
    assert isinstance(found, torch.Tensor)
    np.testing.assert_array_equal(found.numpy(), classifier(input_ids=IDS)["logits"])
    assert isinstance(classifier(input_ids=torch.tensor(IDS), attention_mask=np.ones_like(IDS))["logits"], torch.Tensor)
    with pytest.raises(DTypeError, match=r"input_ids is a tensor on meta: give it on the CPU"):
        classifier(input_ids=torch.empty((1, 2), dtype=torch.int64, device="meta"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"input_ids": IDS[0]}, r"input_ids has the shape \(3,\): the model takes rank 2, .* one row is array\[None\]"),
        ({"input_ids": IDS[None]}, r"input_ids has the shape \(1, 2, 3\): the model takes rank 2"),
        (
            {"attention_mask": IDS},
            r"no value for input_ids: .* makes attention_mask, token_type_ids if they are left out",
        ),
        (
            {"input_ids": IDS, "attention_mask": np.ones((2, 4), int)},
            r"sequence_length is 3 in input_ids and 4 in attention_mask",
        ),
    ],
)
def test_tensors_of_another_shape_say_what_came_and_the_rule(classifier, given, message):
    with pytest.raises(RunError, match=message):
        classifier(**given)


def test_a_fixed_size_is_part_of_the_rule(tmp_path):
    model = AutoModelForONNX.from_pretrained(save_image_classifier(tmp_path / "model.onnx"))
    with pytest.raises(
        RunError, match=r"pixel_values has the shape \(1, 3, 9, 8\): the model takes \(batch_size, 3, 8, 8\)"
    ):
        model(pixel_values=np.ones((1, 3, 9, 8), np.float32))


def test_lists_are_not_tensors(classifier):
    with pytest.raises(DTypeError, match="input_ids is a list: give a NumPy array"):
        classifier(input_ids=[[5, 6]])


def test_unknown_names_and_switches(classifier):
    with pytest.raises(OptionError, match=r"input_idz is not an input of this model: .* Did you mean 'input_ids'"):
        classifier(input_ids=IDS, input_idz=IDS)
    with pytest.raises(OptionError, match=r"output_attentions=True: the graph has no such switch"):
        classifier(input_ids=IDS, output_attentions=True)
    with pytest.raises(OptionError, match=r"use_cache=True: these files keep no past"):
        classifier(input_ids=IDS, use_cache=True)
    found = classifier(input_ids=IDS, output_attentions=False, labels=None, use_cache=False, return_dict=False)
    assert isinstance(found, tuple)
    assert found[0].shape == (2, 2)


def test_a_mask_that_the_graph_does_not_take_may_mask_nothing(classifier):
    classifier(input_ids=IDS, decoder_attention_mask=np.ones((2, 1), int))
    with pytest.raises(OptionError, match="decoder_attention_mask masks something, and this graph does not take it"):
        classifier(input_ids=IDS, decoder_attention_mask=np.zeros((2, 1), int))


def test_a_step_continues_the_past(decoder):
    whole = decoder(input_ids=IDS)
    first = decoder(input_ids=IDS[:, :1])
    second = decoder(input_ids=IDS[:, 1:2], past_key_values=first["past_key_values"])
    third = decoder(input_ids=IDS[:, 2:], past_key_values=second["past_key_values"])
    np.testing.assert_allclose(third["logits"][:, -1], whole["logits"][:, -1], rtol=1e-5)
    cache = third["past_key_values"]
    assert (cache.get_seq_length(), cache.batch_size, len(cache)) == (3, 2, 2)
    expected = whole["past_key_values"].to_numpy()
    for name, values in cache.to_numpy().items():
        np.testing.assert_array_equal(values, expected[name])
    np.testing.assert_array_equal(first["past_key_values"].to_numpy()["past_key_values.0.key"].shape, (2, 2, 1, 4))


def test_a_cache_holds_values_of_the_runtime(decoder):
    cache = decoder(input_ids=IDS)["past_key_values"]
    assert all(
        isinstance(ort.OrtValue(value), ort.OrtValue) and value.shape() == [2, 2, 3, 4] for value in cache.values
    )
    alone = decoder(input_ids=IDS, use_cache=False)
    assert list(alone) == ["logits"]


def test_rows_of_a_cache_are_reordered_and_tokens_taken_away(decoder):
    cache = decoder(input_ids=IDS)["past_key_values"]
    arrays, swapped = cache.to_numpy(), cache.reorder([1, 0]).to_numpy()
    for name, values in arrays.items():
        np.testing.assert_array_equal(swapped[name], values[::-1])
    shorter = cache.crop(-1)
    assert shorter.get_seq_length() == 2
    again = decoder(input_ids=IDS[:, 2:], past_key_values=shorter)
    np.testing.assert_allclose(again["logits"][:, -1], decoder(input_ids=IDS)["logits"][:, -1], rtol=1e-5)
    with pytest.raises(OptionError, match=r"crop\(7\): the cache has 3 tokens"):
        cache.crop(7)


def test_tuples_and_caches_of_transformers_are_taken(decoder):
    first = decoder(input_ids=IDS[:, :2])
    expected = decoder(input_ids=IDS[:, 2:], past_key_values=first["past_key_values"])["logits"]
    legacy = first["past_key_values"].to_legacy()
    np.testing.assert_array_equal(decoder(input_ids=IDS[:, 2:], past_key_values=legacy)["logits"], expected)
    with pytest.raises(OptionError, match=r"past_key_values has 2 tensors, .* takes 4"):
        decoder(input_ids=IDS[:, 2:], past_key_values=legacy[:1])
    with pytest.raises(
        RunError, match=r"past_key_values.0.key has the shape \(2, 4, 2, 2\): the model takes \(batch_size, 2, "
    ):
        decoder(
            input_ids=IDS[:, 2:],
            past_key_values=[[tensor.transpose(0, 3, 2, 1) for tensor in layer] for layer in legacy],
        )
    with pytest.raises(OptionError, match="past_key_values is a int"):
        decoder(input_ids=IDS[:, 2:], past_key_values=3)
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    own = transformers.DynamicCache()
    for at, (key, value) in enumerate(legacy):
        own.update(torch.from_numpy(key), torch.from_numpy(value), at)
    np.testing.assert_array_equal(decoder(input_ids=IDS[:, 2:], past_key_values=own)["logits"], expected)


def test_a_graph_that_does_not_return_all_it_keeps_has_no_cache(tmp_path):
    """A state that no run returns would be that of the step before, so that the tokens after it would be wrong."""
    path = save_decoder(tmp_path / "model.onnx")
    model = onnx.load(path)
    del model.graph.output[-1]
    onnx.save(model, path)
    loaded = AutoModelForONNX.from_pretrained(path)
    assert list(loaded(input_ids=IDS)) == ["logits"]
    with pytest.raises(OptionError, match="use_cache=True: these files keep no past"):
        loaded(input_ids=IDS, use_cache=True)


def test_an_encoder_runs_once_for_all_steps(tmp_path):
    save_encoder(tmp_path / "encoder_model.onnx", mask=True)
    save_seq2seq_decoder(tmp_path / "decoder_model.onnx")
    model = AutoModelForONNX.from_pretrained(tmp_path)
    assert model.can_generate()
    start = np.array([[1], [2]])
    whole = model(input_ids=IDS, decoder_input_ids=start)
    states = whole["encoder_last_hidden_state"]
    assert states.shape == (2, 3, 4)
    for given in (states, (states,), {"last_hidden_state": states}):
        again = model(encoder_outputs=given, decoder_input_ids=start)
        np.testing.assert_array_equal(again["logits"], whole["logits"])
    with pytest.raises(OptionError, match="decoder_input_ids was left out, and the class of this model does not make"):
        model(input_ids=IDS)
    with pytest.raises(
        OptionError, match=r"attention_mask masks something, and decoder_model.onnx takes no mask of the encoder"
    ):
        model(input_ids=IDS, attention_mask=np.array([[1, 1, 0], [1, 1, 1]]), decoder_input_ids=start)
    tokens = model.generate(IDS, decoder_input_ids=start, max_new_tokens=3)
    expected = start
    for _ in range(3):
        scores = model(input_ids=IDS, decoder_input_ids=expected)["logits"][:, -1]
        expected = np.concatenate([expected, scores.argmax(-1)[:, None]], 1)
    np.testing.assert_array_equal(tokens, expected)


def test_without_binding_the_results_are_the_same(tmp_path):
    path = save_decoder(tmp_path / "model.onnx")
    plain, bound = (AutoModelForONNX.from_pretrained(path, use_io_binding=choice) for choice in (False, True))
    for model in (plain, bound):
        model._flow.parts[0]._in_place = model is plain  # the CPU needs no binding, so that it is asked for here
    first = [model(input_ids=IDS[:, :2]) for model in (plain, bound)]
    found = [
        model(input_ids=IDS[:, 2:], past_key_values=step["past_key_values"])["logits"]
        for model, step in zip((plain, bound), first, strict=True)
    ]
    np.testing.assert_array_equal(*found)


def test_a_sample_is_bound_to_a_session(tmp_path: Path):
    path = save_decoder(tmp_path / "model.onnx")
    spec, session = dummyio.describe(path), ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    binding = spec.generate("ort", binding=session, batch_size=3)
    session.run_with_iobinding(binding)
    expected = session.run(["logits"], spec.feeds(batch_size=3))[0]
    np.testing.assert_array_equal(binding.get_outputs()[0].numpy(), expected)
    with pytest.raises(OptionError, match=r"the framework 'np' has no bindings. Give framework='ort'"):
        spec.generate("np", binding=session)
    other = ort.InferenceSession(save_classifier(tmp_path / "c.onnx"), providers=["CPUExecutionProvider"])
    with pytest.raises(OptionError, match="is an input of this spec, and not of the session"):
        spec.generate("ort", binding=other)
    with pytest.raises(OptionError, match=r"binding=int: give an onnxruntime.InferenceSession"):
        spec.generate("ort", binding=3)
