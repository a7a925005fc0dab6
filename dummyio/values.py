"""The public name of `dummyio.spec.values`: both are one module."""

import sys

from dummyio.spec import values
from dummyio.spec.values import *  # noqa: F403 - for type checkers

sys.modules[__name__] = values
