"""Proves the spec of a Keras model, a function, a module or a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dummyio.input_spec import InputSpec
from dummyio.sources.proof.prove_spec import prove_spec
from dummyio_tensorflow.description.describe_model import read_declared
from dummyio_tensorflow.proof.graph_file import GraphFile
from dummyio_tensorflow.proof.live_model import LiveModel


def prove(source: Any, spec: InputSpec, level: str, keywords: Mapping[str, Any]) -> InputSpec:
    """Return a spec that a source takes, with its proof; parameters and errors as in `dummyio.sources.prove_model.prove_source`."""
    given = keywords.keys() & spec.dims.keys()
    if not isinstance(source, (str, Path)):
        return prove_spec(LiveModel(read_declared(source, keywords.get("signature"))), spec, level, given=given)
    path = Path(source)
    declared = read_declared(path, keywords.get("signature"))
    return prove_spec(GraphFile(path, declared, spec), spec, level, given=given)
