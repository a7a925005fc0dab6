"""The command ``dummyio`` and its subcommands."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import click
from click.shell_completion import shell_complete

import dummyio
from dummyio.cli.backends_command import backends
from dummyio.cli.describe_command import describe
from dummyio.cli.doctor_command import doctor
from dummyio.cli.export_command import export
from dummyio.cli.generate_command import generate
from dummyio.cli.optimum.export_onnx_command import optimum
from dummyio.cli.program import NOT_POSSIBLE, open_streams, run_program
from dummyio.cli.shared_options import EPILOG
from dummyio.cli.validate_command import validate
from dummyio.signals import handle_signals

_NAME = "dummyio"
_COMPLETION = "_DUMMYIO_COMPLETE"


class _Program(click.Group):
    """A group whose exit codes are those of `run_program`; click would end with 1 for output that nobody reads."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT002 - as in click
        **extra: Any,
    ) -> Any:
        """Run the command that the arguments name, and exit."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode, **extra)
        given = list(sys.argv[1:] if args is None else args)
        with open_streams(), handle_signals(held=True) as signals:
            code = run_program(
                partial(self._run, given, prog_name or _NAME, complete_var or _COMPLETION, extra), signals
            )
        sys.exit(code)

    def _run(self, args: list[str], name: str, complete_var: str, extra: dict[str, Any]) -> Any:
        instruction = os.environ.get(complete_var)
        if instruction:
            return NOT_POSSIBLE if shell_complete(self, extra, name, complete_var, instruction) else 0
        with self.make_context(name, args, **extra) as context:
            return self.invoke(context)


@click.group(
    cls=_Program, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(dummyio.__version__, prog_name=_NAME)
def main() -> None:
    """Describe the inputs of a model once; generate them in any framework, export with them, and validate the export."""


for command in (describe, generate, export, doctor, validate, optimum, backends):
    main.add_command(command)
