"""Random numbers of Python, NumPy and PyTorch that are the same every time, for code of the user's that draws them."""

import random
import sys
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np

from dummyio.process_state import undo_at_end


@contextmanager
def seed_random_numbers(seed: int = 0) -> Generator[None]:
    """Seed the global generators inside the context, and give them their states back after it; PyTorch's if it is imported."""
    plain, array = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global generator is what such code uses
    torch = sys.modules.get("torch")
    tensor = None if torch is None else torch.random.get_rng_state()

    def restore() -> None:
        random.setstate(plain)
        np.random.set_state(array)  # noqa: NPY002
        if torch is not None:
            torch.random.set_rng_state(tensor)

    with undo_at_end(restore):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        if torch is not None:
            torch.default_generator.manual_seed(seed)
        yield
