"""The operators that an exported program may have without trust: those that compute tensors and sizes, and do nothing else."""

import re

import torch

_ATEN = re.compile(r"torch\.ops\.aten\.(\w+)\.(\w+)")
_OTHERS = re.compile(
    r"torch\.ops\.(?:prims|quantized|quantized_decomposed|onnx|torchvision)\.\w+\.\w+"
    r"|torch\.ops\.higher_order\.(?:cond|while_loop|scan|map_impl|associative_scan|wrap_with_set_grad_enabled"
    r"|wrap_with_autocast|invoke_subgraph|strict_mode|auto_functionalized|auto_functionalized_v2|flex_attention|out_dtype"
    r"|tag_activation_checkpoint|wrap_activation_checkpoint|wrap)"
    r"|_operator\.(?:add|and_|eq|floordiv|ge|gt|le|lshift|lt|mod|mul|ne|neg|or_|pos|pow|rshift|sub|truediv|getitem|xor|not_|abs)"
    r"|math\.(?:trunc|floor|ceil|sqrt)"
    r"|torch\.(?:_sym_\w+|sym_\w+)"
    r"|torch\._functorch\.predispatch\.(?:lazy_load_decompositions|_vmap_increment_nesting|_add_batch_dim|_remove_batch_dim"
    r"|_vmap_decrement_nesting)"
)
_ON_FILES = frozenset({"from_file", "save"})
_ON_SIZES = re.compile(r"sym_\w+|_assert_scalar|_assert_async")


def is_plain_operator(target: str) -> bool:
    """Whether an operator, by its name in a ``.pt2`` file, only computes.

    PyTorch takes the name for a path of attributes from the package ``torch``, where ``torch.os.system`` lies as well.
    """
    match = _ATEN.fullmatch(target)
    if match is None:
        return _OTHERS.fullmatch(target) is not None
    name, overload = match.groups()
    if name in _ON_FILES:
        return False
    found = getattr(getattr(torch.ops.aten, name, None), overload, None)
    if found is None or _ON_SIZES.fullmatch(name):
        return True  # one that this version lacks is refused when it is read
    schema = getattr(found, "_schema", None)
    # Those without a tensor are operators of TorchScript on text, the generator of random numbers and the like.
    return schema is not None and any("Tensor" in str(part.type) for part in (*schema.arguments, *schema.returns))
