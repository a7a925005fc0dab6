"""The command line: ``dummyio describe``, ``generate``, ``export``, ``doctor``, ``validate`` and ``backends``.

Exit codes: 0, done; 1, a validation found a mismatch, or a diagnosis what stops an export; 2, not possible (wrong usage, bad input, a missing framework, output
that cannot be written). Only this package prints, and only here errors become a line of text.
"""

from dummyio.cli.command_group import main

__all__ = ["main"]
