"""The command ``dummyio`` and its subcommands."""

import click

import dummyio
from dummyio.cli.backends_command import backends
from dummyio.cli.describe_command import describe
from dummyio.cli.export_command import export
from dummyio.cli.generate_command import generate
from dummyio.cli.shared_options import EPILOG
from dummyio.cli.validate_command import validate


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(dummyio.__version__, prog_name="dummyio")
def main() -> None:
    """Describe the inputs of a model once; generate them in any framework, export with them, and validate the export."""


for command in (describe, generate, export, validate, backends):
    main.add_command(command)
