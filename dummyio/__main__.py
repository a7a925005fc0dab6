"""``python -m dummyio``."""

from dummyio.cli import main

main(prog_name="dummyio")
