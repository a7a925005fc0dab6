"""The parts by which a model of text and images, or sounds, runs, each with its own spec.

============================  ==========================================================================
part                          inputs → outputs
============================  ==========================================================================
``embed_tokens``              ``input_ids`` → ``inputs_embeds``
``vision_encoder``            images → ``image_features``; ``audio_encoder`` likewise
``decoder_model_merged``      ``inputs_embeds``, mask and cache → ``logits`` and the longer cache
============================  ==========================================================================

Between them the features replace the embeddings of placeholders (`dummyio.exporting.parts.joined_parts`). The names are those of Transformers.js.

An input with the same values in each row, such as the grid of an image, decides the shapes of the features: the encoder then takes one image at
a time, of that grid. A model whose positions follow the grid takes them as ``position_ids`` [3, batch, sequence], which the caller computes.
"""

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from dummyio.errors import ExportError
from dummyio.huggingface.parts.wiring import connect_parts
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio.spec.model_parts import Wire
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Node, TensorSpec
from dummyio.spec.values import Normal, PaddingMask, Rows, Rule, TokenIds, Uniform

EMBEDDING, DECODER = "embed_tokens", "decoder_model_merged"
ENCODERS = {"image": "vision_encoder", "audio": "audio_encoder"}
"""Medium → the part that encodes it."""
IDS, MASK, PAST = "input_ids", "attention_mask", "past_key_values"
EMBEDS, LOGITS, POSITIONS = "inputs_embeds", "logits", "position_ids"
_GRID_AXES = 3
"""The axes of a position: time, height, width."""


def features_name(medium: str) -> str:
    """Return the name of the output of a medium's encoder."""
    return f"{medium}_features"


def list_media_inputs(plain: InputSpec) -> tuple[str, ...]:
    """Return the inputs of a model that are neither its text, or as long as it, nor its cache."""
    ids = plain.get(IDS)
    length = ids.shape if isinstance(ids, TensorSpec) else None
    return tuple(
        name
        for name, node in plain.items()
        if name not in (IDS, MASK, PAST) and not (isinstance(node, TensorSpec) and node.shape == length)
    )


def list_fixed_inputs(plain: InputSpec) -> dict[str, tuple[float, ...]]:
    """Return the inputs of another medium that have the same values in each row, and these values."""
    nodes = {name: plain[name] for name in list_media_inputs(plain)}
    return {
        name: tuple(node.values.values)
        for name, node in nodes.items()
        if isinstance(node, TensorSpec) and isinstance(node.values, Rows)
    }


def has_placeholders(plain: InputSpec) -> bool:
    """Return whether a text holds places for what other inputs become."""
    ids = plain.get(IDS)
    rule = ids.values if isinstance(ids, TensorSpec) else None
    return isinstance(rule, TokenIds) and bool(rule.runs) and bool(list_media_inputs(plain))


def find_medium(plain: InputSpec) -> str:
    """Return ``"image"`` or ``"audio"``: the medium of a model's other inputs."""
    return "image" if any(name.startswith("pixel_") for name in list_media_inputs(plain)) else "audio"


def has_grid_positions(plain: InputSpec) -> bool:
    """Return whether positions follow the grid of an image: only then does a model ask of which medium each token is."""
    return "mm_token_type_ids" in plain


def connect_media_parts(plain: InputSpec, specs: Mapping[str, InputSpec]) -> tuple[Wire, ...]:
    """Return the sources of all inputs of the parts of `split_media`; none for other parts.

    Two wires lead to the embeddings: the features replace those of the placeholders. Positions on a grid are computed by the caller.
    """
    if not {EMBEDDING, DECODER} < set(specs):
        return ()
    whole = InputSpec({**plain, **({POSITIONS: specs[DECODER][POSITIONS]} if POSITIONS in specs[DECODER] else {})})
    (encoder,) = specs.keys() - {EMBEDDING, DECODER}
    features = tuple(Wire(encoder, output.name, DECODER, EMBEDS) for output in specs[encoder].outputs)
    return (*connect_parts(whole, specs), *features)


def split_media(plain: InputSpec, with_past: InputSpec, medium: str, width: int) -> dict[str, InputSpec]:
    """Return the specs of the parts.

    Parameters
    ----------
    plain, with_past
        The specs of the whole model, without and with its past.
    medium
        ``"image"`` or ``"audio"``.
    width
        The size of an embedding.

    Raises
    ------
    ExportError
        if the text has more inputs than ids and a mask: how the decoder alone gets them is not known.
    """
    missing = [name for name in (IDS, MASK, PAST) if name not in with_past]
    if missing:
        raise ExportError(
            f"the model takes no {', '.join(missing)}: its parts are known only for text with a mask and a cache. Export it whole."
        )
    ids, mask = with_past[IDS], with_past[MASK]
    assert isinstance(ids, TensorSpec)
    assert isinstance(mask, TensorSpec)
    dtype = next(leaf.dtype for path, leaf in with_past.leaves if path.startswith(PAST))
    embeds = TensorSpec(EMBEDS, (*ids.shape, width), dtype, Normal())
    fixed = list_fixed_inputs(plain)
    encoder = InputSpec({name: plain[name] for name in list_media_inputs(plain) if name not in fixed})
    if fixed and "batch_size" in encoder.dims:
        encoder = encoder.with_dims(batch_size=Dim.static("batch_size", 1))
    decoder: dict[str, Node] = {EMBEDS: embeds, MASK: mask.replace(values=_without_least(mask.values))}
    if has_grid_positions(plain):
        most = ids.shape[-1].max if isinstance(ids.shape[-1], Dim) else None
        decoder[POSITIONS] = TensorSpec(POSITIONS, (_GRID_AXES, *ids.shape), ids.dtype, Uniform(0, most or 512))
    decoder[PAST] = with_past[PAST]
    text = {IDS: ids.replace(values=_without_runs(ids.values))}
    features, hidden = OutputSpec(features_name(medium), None, dtype), OutputSpec(EMBEDS, embeds.shape, dtype)
    return {
        ENCODERS[medium]: InputSpec(dict(encoder), outputs=(features,), provenance=plain.provenance),
        EMBEDDING: _take_short_texts(InputSpec(text, outputs=(hidden,), provenance=plain.provenance), ids),
        DECODER: _take_short_texts(
            InputSpec(decoder, task=with_past.task, outputs=with_past.outputs, provenance=with_past.provenance), ids
        ),
    }


def _without_runs(rule: Rule) -> Rule:
    return msgspec.structs.replace(rule, runs=(), mask=None) if isinstance(rule, TokenIds) else rule


def _without_least(rule: Rule) -> Rule:
    return msgspec.structs.replace(rule, least=1) if isinstance(rule, PaddingMask) else rule


def _take_short_texts(spec: InputSpec, ids: TensorSpec) -> InputSpec:
    """Return the spec of a part that takes texts too short for placeholders: a step of generation has one token."""
    free = {size.name: replace(size, min=1) for size in ids.shape if isinstance(size, Dim) and not size.fixed}
    return spec.with_dims(**free)
