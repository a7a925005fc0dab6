"""The context in which a model has another ``forward`` during an export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any


class ModelPatcher:
    """A context in which a model has another ``forward``; what a subclass sets as `_MODEL_PATCHER`.

    Parameters
    ----------
    config
        The configuration of the export.
    model
        The model to patch.
    model_kwargs
        Arguments for each call of ``forward`` in the context.
    """

    def __init__(self, config: Any, model: Any, model_kwargs: Mapping[str, Any] | None = None) -> None:
        """Change nothing yet; a subclass sets `patched_forward` afterwards."""
        self._model, self.config, self.model_kwargs = model, config, dict(model_kwargs or {})
        self.orig_forward_name = "forward" if hasattr(model, "forward") else "call"
        self.orig_forward: Callable[..., Any] = getattr(model, self.orig_forward_name)
        self.patched_forward: Callable[..., Any] = self.orig_forward

    def __enter__(self) -> Any:
        setattr(self._model, self.orig_forward_name, self._make_forward())
        return self

    def __exit__(self, *exception: object) -> None:
        delattr(self._model, self.orig_forward_name)  # that of the class is there again

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call the patched model."""
        return self._model(*arguments, **keywords)

    def _make_forward(self) -> Callable[..., Any]:
        """Return the new ``forward``: with the signature of the old one, so that exporters find the inputs."""
        if not self.model_kwargs:
            return self.patched_forward
        return wraps(self.orig_forward)(partial(self.patched_forward, **self.model_kwargs))
