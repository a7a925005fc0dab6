"""The parts of a model that compares texts with images: ``text_model`` and ``vision_model``, each in a batch of its own."""

from collections.abc import Mapping

from dummyio.input_spec import InputSpec
from dummyio.spec.dims import collect_dims
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Node, iterate_leaves

TEXT_MODEL, VISION_MODEL = "text_model", "vision_model"


def split_by_batch(plain: InputSpec) -> dict[str, InputSpec]:
    """Return the parts of a model whose texts and images share no dim, so that each can run without the other."""
    texts = {name: node for name, node in plain.items() if name in ("input_ids", "attention_mask", "token_type_ids")}
    images = {name: node for name, node in plain.items() if name.startswith("pixel_")}
    if not texts or not images or len(texts) + len(images) < len(plain):
        return {}
    if _find_dims(texts) & _find_dims(images):
        return {}
    return {
        name: InputSpec(
            nodes,
            task=plain.task,
            outputs=tuple(output for output in plain.outputs if _is_made_of(output, nodes)),
            provenance=plain.provenance,
        )
        for name, nodes in ((TEXT_MODEL, texts), (VISION_MODEL, images))
    }


def _find_dims(nodes: Mapping[str, Node]) -> set[str]:
    return set(collect_dims([size for _, leaf in iterate_leaves(nodes.items()) for size in leaf.shape]))


def _is_made_of(output: OutputSpec, nodes: Mapping[str, Node]) -> bool:
    """Whether all dims of an output are those of some inputs."""
    return output.shape is not None and set(collect_dims(output.shape)) <= _find_dims(nodes)
