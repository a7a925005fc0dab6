"""The command ``dummyio`` and its subcommands."""

from __future__ import annotations

import click

import dummyio
from dummyio.cli.describing import describe
from dummyio.cli.exporting import export
from dummyio.cli.generating import generate
from dummyio.cli.listing import backends
from dummyio.cli.shared import EPILOG
from dummyio.cli.validating import validate

__all__ = ["main"]


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(dummyio.__version__, prog_name="dummyio")
def main() -> None:
    """Describe a model's inputs once; make them in any framework, export with them, and validate what came out."""


for command in (describe, generate, export, validate, backends):
    main.add_command(command)
