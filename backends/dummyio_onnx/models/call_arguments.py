"""What a caller of a model gives: inputs by position, switches, and inputs that the graph does not take and that change nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dummyio.errors import OptionError, suggest_names
from dummyio.model_config.attribute_types import shorten_value
from dummyio.sources.input_names import is_padding_mask, is_type_ids
from dummyio_onnx.models.array_kinds import is_tensor, is_torch_tensor, is_value, to_array
from dummyio_onnx.models.flows import CACHE, CACHE_NAMES, Flow

_KEPT_SCORES = "logits_to_keep"


class CallArguments:
    """Reads the arguments of a call.

    Parameters
    ----------
    flow
        The model.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self.names = frozenset(flow.names)
        """The inputs that the model takes."""

    def name(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return inputs that were given by position with those by name."""
        names = self._flow.names
        if len(args) > len(names):
            raise OptionError(
                f"{len(args)} inputs were given by position: this model takes {', '.join(names)}. Give these."
            )
        named = dict(zip(names, args, strict=False))
        twice = next((name for name in named if name in kwargs), None)
        if twice is not None:
            raise OptionError(
                f"{twice} was given by position and by name: each input is given once, in the order {', '.join(names)}. Leave one "
                "out."
            )
        return {**named, **kwargs}

    def drop_switches(self, kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        """Return the inputs without switches that are off, with the cache under one name; and which scores are kept, or None.

        Raises
        ------
        OptionError
            if a name is not an input, a switch is on, or a mask hides something that the graph would see.
        """
        kept, scores = {}, None
        for name, value in kwargs.items():
            if name in self.names:
                kept[name] = value
            elif name in CACHE_NAMES and CACHE in self.names:
                kept[CACHE] = value
            elif value is None or value is False:
                continue
            elif name == _KEPT_SCORES:
                scores = self._read_kept_scores(value)
            elif is_tensor(value) and (is_padding_mask(name) or is_type_ids(name)):
                self._check_meaning(name, value)
            elif value is True:
                raise OptionError(
                    f"{name}=True: the graph has no such switch, and returns {', '.join(self._flow.outputs)}. Leave it out, or "
                    "export the model so that it returns what you need."
                )
            else:
                raise OptionError(
                    f"{name} is not an input of this model: it takes {', '.join(self._flow.names)}. "
                    f"{suggest_names(name, self._flow.names)}"
                )
        return kept, scores

    def _read_kept_scores(self, value: Any) -> Any:
        """Return which scores are kept as an index of tokens, as Transformers has it; None for all of them."""
        shape = next(
            (each.shape for part in self._flow.parts for each in part.plain_outputs if each.name == "logits"), ()
        )
        if shape is None or len(shape) == 3:
            if is_tensor(value) and not is_value(value):
                index = np.asarray(to_array(value, _KEPT_SCORES))
                if index.ndim == 1 and index.dtype.kind in "iu":
                    return index
            elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
                return slice(-value, None) if value else None
        raise OptionError(
            f"{_KEPT_SCORES}={shorten_value(value)}: give how many scores at the end of each row are kept, 0 for all, or the "
            f"indices of their tokens; this model returns {', '.join(self._flow.outputs)}."
        )

    def _check_meaning(self, name: str, value: Any) -> None:
        """Raise `OptionError` if a mask that the graph does not take masks something, or token types differ from none."""
        array = to_array(value, name)
        if is_padding_mask(name) and not np.all(array):
            problem = f"{name} masks something"
        elif is_type_ids(name) and np.any(array):
            problem = f"{name} has other types than 0"
        elif is_type_ids(name) and not self._flow.left_out.types:
            problem = f"{name} means something to the class of this model, zeros too"
        else:
            return
        raise OptionError(
            f"{problem}, and this graph does not take it: it takes {', '.join(self._flow.names)}. Leave it out if the rows need "
            "it not, or export the model with it."
        )


def keep_scores(logits: Any, index: Any) -> Any:
    """Return the scores of some tokens of each row; raise `OptionError` if a row does not have them."""
    try:
        return logits[:, index]
    except IndexError:
        raise OptionError(
            f"{_KEPT_SCORES} has indices up to {index.max()}: the rows have {logits.shape[1]} tokens. Give indices below that."
        ) from None


def find_kind(given: Mapping[str, Any]) -> str:
    """Return which kind of tensors a call gives: ``pt`` for PyTorch's, else ``np``."""
    for value in given.values():
        if type(value) is np.ndarray:
            return "np"
        if is_torch_tensor(value):
            return "pt"
    nested = (each for value in given.values() if isinstance(value, (dict, list, tuple)) for each in _iterate(value))
    return "pt" if any(map(is_torch_tensor, nested)) else "np"


def _iterate(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value
