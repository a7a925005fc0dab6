"""Greedy generation with NumPy alone: the same tokens as Transformers' generation without beams and sampling."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dummyio.errors import OptionError
from dummyio.huggingface.facts.left_out_inputs import IN_ORDER
from dummyio.typing import Array
from dummyio_onnx.models.array_kinds import get_shape, to_array, to_result
from dummyio_onnx.models.flows import CACHE, STATES, EncoderDecoder, Flow
from dummyio_onnx.models.generation.check_inputs import check_inputs
from dummyio_onnx.models.generation.options import GreedyOptions, read_options


def generate_greedily(
    flow: Flow, config: Any, generation: Any, given: Mapping[str, Any], options: Mapping[str, Any]
) -> Array:
    """Return the tokens of each row: the prompt, or the decoder's start, and what follows.

    Parameters
    ----------
    flow
        The model.
    config, generation
        Its configuration and its generation options, with attributes.
    given
        The inputs by name.
    options
        What the caller wants else than `generation`: ``max_new_tokens``, ``eos_token_id`` ...

    Raises
    ------
    OptionError
        for an option that needs Transformers, such as beams, and for one that is missing.
    """
    check_inputs(given)
    arrays = {
        name: to_array(value, name) if name not in (STATES, CACHE) else value
        for name, value in given.items()
        if value is not None
    }
    if CACHE in arrays:
        raise OptionError(
            f"{CACHE} cannot be given to this loop, which makes its own: leave it out, or install transformers."
        )
    encoded = isinstance(flow, EncoderDecoder)
    main = arrays.get(flow.main_input)
    if main is None and not (encoded and STATES in arrays):
        raise OptionError(
            f"no {flow.main_input} was given: this model generates from {', '.join(flow.names)}. Give it."
        )
    chosen = read_options(config, generation, options)
    if isinstance(flow, EncoderDecoder):
        ids, arrays = _start_decoder(flow, arrays, chosen)
        ids_name, mask_name = "decoder_input_ids", "decoder_attention_mask"
    else:
        ids = arrays.pop("input_ids")
        ids_name, mask_name = "input_ids", "attention_mask"
        if mask_name in flow.names and mask_name not in arrays:
            arrays[mask_name] = _infer_mask(ids, chosen)
    return _loop(flow, ids.astype(np.int64), arrays, chosen, (ids_name, mask_name))


def _start_decoder(flow: EncoderDecoder, arrays: dict[str, Any], chosen: GreedyOptions) -> tuple[Array, dict[str, Any]]:
    if STATES not in arrays:
        inputs = {name: arrays.pop(name) for name in flow.encoder_names if name in arrays and name != "attention_mask"}
        own = {"attention_mask": arrays["attention_mask"]} if "attention_mask" in arrays else {}
        mask = own if "attention_mask" in flow.encoder_names else {}
        arrays[STATES] = flow.encode({**inputs, **mask})
    states = arrays[STATES]
    hidden = states[flow.encoder_outputs[0]] if isinstance(states, Mapping) else states[0]
    rows = get_shape(hidden)[0]
    ids = arrays.pop("decoder_input_ids", None)
    if ids is None:
        if chosen.start is None:
            raise OptionError("the configuration has no decoder_start_token_id: give decoder_input_ids or the option.")
        ids = np.full((rows, 1), chosen.start, np.int64)
    return ids, arrays


def _infer_mask(ids: Array, chosen: GreedyOptions) -> Array:
    """Return the mask that Transformers infers: padding is masked if it cannot be the end of a text."""
    if chosen.pad is None or chosen.pad in chosen.eos or not (ids == chosen.pad).any():
        return np.ones(ids.shape, np.int64)
    return (ids != chosen.pad).astype(np.int64)


def _loop(flow: Flow, ids: Array, arrays: dict[str, Any], chosen: GreedyOptions, names: tuple[str, str]) -> Array:
    ids_name, mask_name = names
    start, most = ids.shape[1], chosen.limit(ids.shape[1])
    if start >= most:
        raise OptionError(
            f"{ids_name} has {start} tokens, and max_length={most} leaves none to write: give max_new_tokens."
        )
    tokens = np.concatenate([ids, np.zeros((ids.shape[0], most - start), np.int64)], 1)
    own_mask = arrays.get(mask_name) if mask_name in flow.names else None
    mask = (
        None
        if own_mask is None
        else np.concatenate([own_mask, np.ones((ids.shape[0], most - start), own_mask.dtype)], 1)
    )
    rule = flow.left_out.positions or IN_ORDER
    places = None if mask is None else np.where(mask == 0, 0, mask.cumsum(1) - 1).astype(np.int64) + rule.first
    unfinished, cache, length = np.ones(ids.shape[0], bool), None, start
    cached = chosen.use_cache and flow.writes_with_cache
    takes_positions = "position_ids" in flow.names and ids_name == "input_ids" and places is not None
    while length < most and unfinished.any():
        first = length - 1 if cache is not None else 0
        step = dict(arrays)
        step[ids_name] = tokens[:, first:length]
        if mask is not None:
            step[mask_name] = mask[:, :length]
        if takes_positions and places is not None:
            step["position_ids"] = places[:, first:length]
        if cache is not None:
            step[CACHE] = cache
        found, cache = flow.run(step, use_cache=cached)
        scores = to_result(found["logits"], "np")[:, -1]
        chosen.mark_scores(scores := scores.astype(np.float32), length, start, most)
        following = scores.argmax(-1)
        tokens[:, length] = np.where(unfinished, following, chosen.padding)
        unfinished = unfinished & ~np.isin(tokens[:, length], chosen.eos)
        length += 1
    return tokens[:, :length]
