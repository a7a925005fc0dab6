"""The results of Transformers models by the names that files for ONNX have for them."""

import torch


def name_tensors(results, prefix=""):
    """Return name → tensor, in the order in which a model returns them: of outputs inside of outputs, and of caches."""
    found = {}
    for name, value in results.items():
        if isinstance(value, torch.Tensor):
            found[f"{prefix}{name}"] = value
        elif hasattr(value, "layers") or hasattr(value, "cross_attention_cache"):
            found |= _name_cache(value)
        elif hasattr(value, "items"):
            found |= name_tensors(value, f"{prefix}{name}.")
    return found


def _name_cache(cache):
    sides = {"": cache}
    if hasattr(cache, "cross_attention_cache"):
        sides = {"decoder.": cache.self_attention_cache, "encoder.": cache.cross_attention_cache}
    count = max(len(side.layers) for side in sides.values())
    return {
        f"present.{place}.{side}{part}": getattr(each.layers[place], f"{part}s")
        for place in range(count)
        for side, each in sides.items()
        for part in ("key", "value")
    }
