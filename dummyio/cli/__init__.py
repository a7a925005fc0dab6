"""The command line: ``dummyio describe``, ``generate``, ``export``, ``validate`` and ``backends``.

Exit codes: 0, it was done; 1, a validation found a mismatch; 2, it could not be done (wrong usage, bad input, a framework
that is missing, output that cannot be written). Only here is anything printed, and only here do errors become a line of text.
"""

from dummyio.cli.command_group import main

__all__ = ["main"]
