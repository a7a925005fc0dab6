"""``AdjustContrastv2``, which TFLite does not have, as what it computes: distances from the mean of an image, times the factor."""

from typing import Any

import tensorflow as tf


def expand_contrasts(nodes: Any, reference: str) -> None:
    """Replace `tf.image.adjust_contrast` in the nodes of a graph or of a function, which refers to results by `reference`."""
    for node in [
        each for each in nodes if each.op == "AdjustContrastv2" and each.attr["T"].type == tf.float32.as_datatype_enum
    ]:
        image, factor, *waited = node.input
        nodes.remove(node)
        axes = nodes.add(name=f"{node.name}/axes", op="Const")
        axes.attr["dtype"].type = tf.int32.as_datatype_enum
        axes.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([-3, -2], tf.int32))
        mean = nodes.add(name=f"{node.name}/mean", op="Mean", input=[image, reference.format(axes.name, "output")])
        mean.attr["Tidx"].type = tf.int32.as_datatype_enum
        mean.attr["keep_dims"].b = True
        middle = reference.format(mean.name, "output")
        apart = nodes.add(name=f"{node.name}/apart", op="Sub", input=[image, middle])
        scaled = nodes.add(name=f"{node.name}/scaled", op="Mul", input=[reference.format(apart.name, "z"), factor])
        total = nodes.add(name=node.name, op="AddV2", input=[reference.format(scaled.name, "z"), middle, *waited])
        for new in (mean, apart, scaled, total):
            new.attr["T"].type = tf.float32.as_datatype_enum
