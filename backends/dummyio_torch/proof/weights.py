"""The weights of a module, which decide whether the budget of a proof has runs with values."""

from torch import nn

from dummyio_torch.calling.meta_copy import iterate_weights


def count_weight_bytes(module: nn.Module) -> int:
    """Return the bytes of a module's weights."""
    return sum(tensor.nbytes for tensor in iterate_weights(module))


def has_values(module: nn.Module) -> bool:
    """Whether all weights of a module have values; those on the meta device have none."""
    return not any(tensor.is_meta for tensor in iterate_weights(module))
