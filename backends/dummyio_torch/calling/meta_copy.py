"""A copy of a module that can be run without touching the module: its weights have shapes but no memory.

The copy is in evaluation mode and keeps only the hooks of the libraries that its layers are from. A *meta* copy, on the meta device, is the fastest; a *fake* one is for modules
that create tensors on a certain device; a *real* one, with the weights of the module and copies of its buffers, is for modules
whose control flow depends on values.
"""

import copy
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode  # the import path in the documentation of PyTorch
from torch.nn.parameter import is_lazy

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import SourceError, format_error_line
from dummyio.process_state import hold_process_state, replace_functions, silence_thread

Kind = Literal["meta", "fake", "real"]

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class MetaCopy:
    """A copy of a module, and a way to run it; raises `SourceError` if the module cannot be copied."""

    def __init__(self, module: nn.Module, kind: Kind = "meta") -> None:
        self.kind = kind
        self.real = kind == "real"
        self._mode = FakeTensorMode(allow_non_fake_inputs=True) if kind == "fake" else None
        self._device = "meta" if kind == "meta" else "cpu"
        self.module = self._copy(module).eval()
        _remove_foreign_hooks(self.module)

    def _copy(self, module: nn.Module) -> nn.Module:
        with self._run_context():
            memo: dict[int, Any] = {id(tensor): self._make_weight(tensor) for tensor in iterate_weights(module)}
        try:
            return copy.deepcopy(module, memo)
        except Exception as error:
            raise SourceError(
                f"{type(module).__name__} cannot be copied for probing ({format_error_line(error)}). Record calls of it "
                "with dummyio.capture, or describe its inputs by hand with InputSpec."
            ) from error

    def _make_weight(self, tensor: torch.Tensor) -> torch.Tensor:
        is_weight = isinstance(tensor, nn.Parameter)
        if self.real:
            new = tensor.detach() if is_weight else tensor.detach().clone()
            new = new.to("cpu")
        elif tensor.layout is torch.strided:
            new = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device=self._device)
        else:
            new = torch.empty(tensor.size(), dtype=tensor.dtype, device=self._device)
        return nn.Parameter(new, requires_grad=False) if is_weight else new

    @contextmanager
    def _run_context(self) -> Generator[None]:
        """Run without gradients, without values, and without a change of the random state."""
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            if self._mode is not None:
                stack.enter_context(self._mode)
            elif self.real:
                stack.enter_context(hold_process_state())
                stack.enter_context(torch.random.fork_rng(devices=[]))
            else:
                stack.enter_context(torch.device("meta"))
            yield

    def tensor(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """Return an input: without values, or of ones, which are valid ids, lengths, masks and numbers."""
        with self._run_context():
            return torch.ones(shape, dtype=dtype) if self.real else torch.empty(shape, dtype=dtype)

    def run(self, context: Any, positional: tuple[str, ...], arguments: Mapping[str, Any]) -> Any:
        """Call the copy in a context, with the named arguments; those in `positional` are passed by position."""
        named = dict(arguments)
        first = [named.pop(name) for name in positional if name in named]
        return self.enter(lambda: self.module(*first, **named), context)

    def enter(self, call: Callable[[], Any], context: Any = None) -> Any:
        """Return the result of a call of the copy that somebody else makes, as `run` would make it."""
        with ExitStack() as stack:
            # The user did not request this run, and a search consists of runs that fail.
            stack.enter_context(silence_thread(("torch._subclasses.fake_tensor",), streams=()))
            # The fast path fuses layers into an operator without a shape function.
            stack.enter_context(replace_functions(torch.backends.mha, get_fastpath_enabled=lambda: False))
            # What is compiled runs as it was before: a search consists of runs that differ, and each would be compiled.
            stack.enter_context(torch.compiler.set_stance("force_eager"))
            stack.enter_context(self._run_context())
            if context is not None:
                stack.enter_context(context)
            return call()


def _remove_foreign_hooks(module: nn.Module) -> None:
    """Remove the hooks that are not part of the model, which could note the run: a library may compute with its own ones."""
    libraries = {type(part).__module__.partition(".")[0] for part in module.modules()} - {"__main__"}
    for part in module.modules():
        for name in _HOOKS:
            hooks = getattr(part, name)
            for key, hook in list(hooks.items()):
                owner = getattr(hook, "__module__", None) or type(hook).__module__
                if owner.partition(".")[0] not in libraries:
                    del hooks[key]


def check_sizes(module: nn.Module) -> None:
    """Raise `SourceError` for lazy layers, which do not have sizes yet."""
    if any(is_lazy(tensor) for tensor in iterate_weights(module)):
        raise SourceError(
            f"{type(module).__name__} has lazy layers, which get their sizes in the first call: call the module once before."
        )


def check_packed_weights(module: nn.Module) -> None:
    """Raise `SourceError` for layers whose weights are packed for quantized kernels: these exist for the CPU alone."""
    for name, part in module.named_modules():
        is_script = isinstance(part, torch.jit.ScriptModule)
        if not is_script and any(isinstance(value, torch.ScriptObject) for value in vars(part).values()):
            raise SourceError(
                f"the part {name!r} of {type(module).__name__}, a {qualified_name(part)}, has weights "
                "that are packed for quantized kernels, which have no shape functions and no translation. Describe and export "
                "the model before it is quantized, and quantize the file."
            )


def iterate_weights(module: nn.Module) -> Iterator[torch.Tensor]:
    """Yield all tensors of a module: parameters, buffers, and tensors in attributes."""
    for part in module.modules():
        held = vars(part)
        for value in (*part._parameters.values(), *part._buffers.values(), *held.values()):  # noqa: SLF001 - the public methods skip duplicates
            if isinstance(value, torch.Tensor):
                yield value
            elif isinstance(value, (list, tuple)):
                yield from (item for item in value if isinstance(item, torch.Tensor))


def has_small_weights(module: nn.Module, most: int) -> bool:
    """Whether a module has at most so many weights, all of them with values."""
    weights = list(iterate_weights(module))
    return sum(tensor.numel() for tensor in weights) <= most and not any(tensor.is_meta for tensor in weights)
