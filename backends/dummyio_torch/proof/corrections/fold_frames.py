"""Conditions with a row for each frame: models that look at frames one by one put them into the batch."""

from collections.abc import Iterator

from dummyio.errors import DummyioError
from dummyio.input_spec import InputSpec
from dummyio.sources.proof.spec_changes import map_leaves
from dummyio.spec.tensor_spec import TensorSpec
from dummyio_torch.proof.attempts import Attempt, Attempts

_FRAMES = "num_frames"


def fold_frames(_: Attempts, attempt: Attempt) -> Iterator[InputSpec]:
    """Yield the spec with as many rows as there are frames in the batch, for one input that has no frames of its own."""
    dims = attempt.spec.dims
    frames, batch = dims.get(_FRAMES), dims.get("batch_size")
    if frames is None or batch is None:
        return
    for chosen, leaf in attempt.spec.leaves:
        if leaf.rank < 2 or leaf.shape[0] != batch or frames in leaf.shape:
            continue

        def fold(path: str, old: TensorSpec, chosen: str = chosen, rows: object = batch * frames) -> TensorSpec:
            return old.replace(shape=(rows, *old.shape[1:])) if path == chosen else old

        try:
            yield map_leaves(attempt.spec, fold)
        except DummyioError:  # another input follows this one
            continue
