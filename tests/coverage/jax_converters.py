"""The converters alone, as a user would call them: what the times of the routes are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.export

from dummyio_jax.calling.pure_function import to_pure_function
from dummyio_jax.calling.pytrees import name_results


def write_stablehlo(model: Any, spec: Any, path: Path) -> None:
    """Export with `jax.export`."""
    function = to_pure_function(model)
    exported = jax.export.export(jax.jit(partial(function)))(
        spec.abstract("jax")
    )  # a new function, of which nothing is known
    path.write_bytes(bytes(exported.serialize()))


def write_onnx(model: Any, spec: Any, path: Path) -> None:
    """Convert with jax2onnx."""
    import jax2onnx

    function, (inputs, tree) = to_pure_function(model), jax.tree.flatten(spec.abstract("jax"))

    def flat(*leaves: Any) -> tuple[Any, ...]:
        return tuple(jax.tree.leaves(function(jax.tree.unflatten(tree, leaves))))

    path.write_bytes(jax2onnx.to_onnx(flat, inputs, model_name="model").SerializeToString())


def write_saved_model(model: Any, spec: Any, path: Path) -> None:
    """Convert with jax2tf, and save."""
    import tensorflow as tf

    module = tf.Module()
    module.f = _to_tensorflow(model, spec)
    tf.saved_model.save(module, str(path), signatures=module.f)


def write_tflite(model: Any, spec: Any, path: Path) -> None:
    """Convert with jax2tf, and with the converter of TensorFlow Lite."""
    import tensorflow as tf

    function = _to_tensorflow(model, spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    path.write_bytes(converter.convert())


def _to_tensorflow(model: Any, spec: Any) -> Any:
    import tensorflow as tf
    from jax.experimental import jax2tf

    function, (inputs, tree) = to_pure_function(model), jax.tree.flatten(spec.abstract("jax"))

    def flat(*leaves: Any) -> dict[str, Any]:
        return name_results(function(jax.tree.unflatten(tree, leaves)))

    shapes = [f"({', '.join(map(str, leaf.shape))}{',' if len(leaf.shape) == 1 else ''})" for leaf in inputs]
    bounds = [
        c.debug_str
        for leaf in inputs
        for size in leaf.shape
        if not isinstance(size, int)
        for c in size.scope._explicit_constraints
    ]
    converted = jax2tf.convert(
        flat, polymorphic_shapes=shapes, polymorphic_constraints=sorted(set(bounds)), with_gradient=False
    )
    signature = [
        tf.TensorSpec([size if isinstance(size, int) else None for size in leaf.shape], leaf.dtype, name=f"arg{place}")
        for place, leaf in enumerate(inputs)
    ]
    return tf.function(converted, autograph=False, input_signature=signature).get_concrete_function()


CONVERTERS: Mapping[str, Callable[[Any, Any, Path], None]] = {
    "StableHLO": write_stablehlo,
    "ONNX": write_onnx,
    "SavedModel": write_saved_model,
    "TFLite": write_tflite,
}
