"""The description of a TFLite file: from its declared inputs, and the tables that they index."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dummyio.input_spec import InputSpec
from dummyio.sources.graph.describe_declared import describe_untraced
from dummyio.sources.options import apply_sizes, check_options
from dummyio.tflite.declared_inputs import declared_from_tflite

_OPTIONS = ("shapes", "signature")


def describe(path: Path, *, dims: Mapping[str, Any] | None = None) -> InputSpec:
    """Return the description of a file's inputs; nothing of the file is run.

    Parameters
    ----------
    path
        The file.
    dims
        Default sizes of dims, by name. Options: ``padding_side``, ``mask_policy``: as in `PaddingMask`; ``shapes``: input →
        sizes and names of its axes; ``signature``: the name of one, for a file with several.

    Raises
    ------
    SourceError
        for a file that LiteRT does not read.
    OptionError
        for a name that is neither a dim nor an option; the message suggests similar names.
    """
    options, sizes = check_options(dims, _OPTIONS)
    spec = describe_untraced(declared_from_tflite(path, options.get("signature")), options)
    return apply_sizes(spec, sizes, _OPTIONS, "model")
