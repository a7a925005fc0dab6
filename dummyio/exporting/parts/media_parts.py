"""The parts by which a model of text and images, or sounds, runs, each with its own spec.

============================  ==========================================================================
part                          inputs → outputs
============================  ==========================================================================
``embed_tokens``              ``input_ids`` → ``inputs_embeds``
``vision_encoder``            images → ``image_features``; ``audio_encoder`` likewise
``decoder_model_merged``      ``inputs_embeds``, mask and cache → ``logits`` and the longer cache
============================  ==========================================================================

Between them the features replace the embeddings of placeholders (`dummyio.exporting.parts.joined_parts`). The names are those of Transformers.js.
"""

from dataclasses import replace

import msgspec

from dummyio.errors import ExportError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Normal, PaddingMask, Rule, TokenIds

EMBEDDING, DECODER = "embed_tokens", "decoder_model_merged"
ENCODERS = {"image": "vision_encoder", "audio": "audio_encoder"}
"""Medium → the part that encodes it."""
IDS, MASK, PAST = "input_ids", "attention_mask", "past_key_values"
EMBEDS, LOGITS = "inputs_embeds", "logits"


def features_name(medium: str) -> str:
    """Return the name of the output of a medium's encoder."""
    return f"{medium}_features"


def list_media_inputs(plain: InputSpec) -> tuple[str, ...]:
    """Return the inputs of a model that are neither its text nor its cache."""
    return tuple(name for name in plain if name not in (IDS, MASK, PAST))


def has_placeholders(plain: InputSpec) -> bool:
    """Return whether a text holds places for what other inputs become."""
    ids = plain.get(IDS)
    rule = ids.values if isinstance(ids, TensorSpec) else None
    return isinstance(rule, TokenIds) and bool(rule.runs) and bool(list_media_inputs(plain))


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
    encoder = {name: plain[name] for name in list_media_inputs(plain)}
    decoder = {EMBEDS: embeds, MASK: mask.replace(values=_without_least(mask.values)), PAST: with_past[PAST]}
    text = {IDS: ids.replace(values=_without_runs(ids.values))}
    features, hidden = OutputSpec(features_name(medium), None, dtype), OutputSpec(EMBEDS, embeds.shape, dtype)
    return {
        ENCODERS[medium]: InputSpec(encoder, outputs=(features,), provenance=plain.provenance),
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
