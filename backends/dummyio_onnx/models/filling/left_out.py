"""What a model makes itself of inputs that a caller leaves out, where classes of models differ."""

from dataclasses import dataclass

import numpy as np

from dummyio.errors import OptionError
from dummyio.huggingface.config.configuration import Configuration
from dummyio.huggingface.facts.left_out_inputs import IN_ORDER, PositionRule, Shift, read_position_rule, read_shift
from dummyio.huggingface.source.forward_signatures import forward_parameters
from dummyio.typing import Array


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What stands for types, positions and a decoder's ids."""

    types: bool = True
    """Whether zeros as types of tokens mean the same as none.

    They do not where a class takes types and has no table of them: it adds the embedding of any token that it gets as a type, and
    nothing if it gets none, or it attends in both directions to tokens of type 0.
    """

    positions: PositionRule | None = IN_ORDER
    """How tokens are numbered; None if positions must be given."""

    shift: Shift | None = None
    """How the ids of the decoder are made of those of the encoder; None if they must be given."""

    start: int | None = None
    padding: int | None = None
    """The token before the first of a decoder, and the one that fills rows."""


def read_left_out(configuration: Configuration | None, class_name: str | None) -> LeftOut:
    """Return the rules of a class for inputs that are left out; without a configuration, those of most classes."""
    if configuration is None:
        return LeftOut()
    config = configuration.normalized({})
    types = config.raw("type_vocab_size") is not None or config.inner("type_vocab_size") is not None
    if class_name is None:
        return LeftOut(types)
    kind = configuration.model_type
    types = types or not _takes(class_name, kind, "token_type_ids")
    ids = [config.get(name) for name in ("decoder_start_token_id", "pad_token_id")]
    start, padding = (each if isinstance(each, int) and not isinstance(each, bool) else None for each in ids)
    return LeftOut(types, read_position_rule(class_name, kind), read_shift(class_name, kind), start, padding)


def _takes(class_name: str, model_type: str | None, argument: str) -> bool:
    parameters = forward_parameters(class_name, model_type)
    return not parameters or any(parameter.name == argument for parameter in parameters)


def shift_ids(ids: Array, left_out: LeftOut) -> Array:
    """Return the ids of a decoder, made of those of the encoder as the model's class makes them.

    Raises
    ------
    OptionError
        if the class makes none, or the configuration lacks the token that it needs.
    """
    if left_out.shift is None:
        raise OptionError(
            "decoder_input_ids was left out, and the class of this model does not make them of input_ids: give decoder_input_ids, "
            "which begin with the configuration's decoder_start_token_id, or call generate."
        )
    token, name = (
        (left_out.start, "decoder_start_token_id") if left_out.shift == "start" else (left_out.padding, "pad_token_id")
    )
    if token is None:
        raise OptionError(
            f"decoder_input_ids was left out, and the configuration has no {name}, from which the class of this model would make "
            "them: give decoder_input_ids."
        )
    shifted = np.empty_like(ids)
    shifted[:, 1:] = ids[:, :-1]
    if left_out.shift == "start":
        shifted[:, 0] = token
    else:
        last = (ids != token).sum(1) - 1
        shifted[:, 0] = ids[np.arange(len(ids)), last]
    return shifted


def count_positions(mask: Array, rule: PositionRule, past: int) -> Array:
    """Return the position of each new token, by the padding mask of all tokens.

    Parameters
    ----------
    mask
        Rows of ones and zeros, as long as the past and the new tokens.
    rule
        How the class counts.
    past
        How many of them are in the past.
    """
    ones = mask.astype(np.int64)
    positions: Array = ones.cumsum(1) - 1
    if rule.hidden is not None:
        positions = np.where(ones == 0, rule.hidden, positions)
    return positions[:, past:]
