"""``dummyio optimum export onnx``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dummyio.cli.export_command import export
from dummyio.cli.optimum.option_table import OPTIONS
from dummyio.cli.shared_options import EPILOG, print_warnings, refuse_empty
from dummyio.errors import OptionError, SourceError
from dummyio.generators.base.context import PAST

_AUTO = "auto"
_FULL = "fp32"


@print_warnings
def _export_onnx(output: str, **given: Any) -> int:
    """Export a model to ONNX with the options of Optimum's exporter, under its file names, and validate it."""
    for option in OPTIONS:
        if option.refuses(given[option.key]):
            shown = option.names[-1] if option.flag else f"{option.names[-1]} {given[option.key]}"
            raise OptionError(f"{shown}: this is not done. {option.text}")
    model, task = given["model"], None if given["task"] == _AUTO else given["task"]
    if not Path(model).exists():
        raise SourceError(
            f"--model {model}: the folder does not exist, and nothing is downloaded. Download the model first, with hf download, and "
            "give the folder."
        )
    past = _check_past(model, task, monolith=given["monolith"])
    settings = {option.setting: given[option.key] for option in OPTIONS if option.setting}
    settings |= {
        "dtype": None if given["dtype"] == _FULL else given["dtype"],
        "past": None if past else False,
        "merge": None if given["no_post_process"] or not past else True,
        "static": "all" if given["no_dynamic_axes"] else None,
        "optimize": False if given["no_constant_folding"] else None,
    }
    chosen = tuple((name, value) for name, value in settings.items() if value is not None)
    returned: int = click.get_current_context().invoke(
        export, model=model, out=output, task=task, settings=chosen, format_="onnx_folder", atol=given["atol"]
    )
    return returned


def _check_past(model: str, task: str | None, *, monolith: bool) -> bool:
    """Return whether a model that generates text takes its past; raise `OptionError` for files that are not written."""
    if task is None or task.endswith(PAST):
        if monolith and task is not None:
            raise OptionError(
                f"--monolith and --task {task}: the past needs a file of its own for each part. Use --task "
                f"{task.removesuffix(PAST)}, or leave --monolith out."
            )
        return not monolith
    if not monolith:
        from dummyio.describing import describe  # noqa: PLC0415 - lazy: it imports the readers
        from dummyio.huggingface.parts.encoder_decoder import has_decoder  # noqa: PLC0415 - lazy: the same

        if has_decoder(describe(model, task)):
            raise OptionError(
                f"--task {task}: the decoder of an encoder-decoder is written with its past. Use --task {task}{PAST}, or --monolith "
                "for one file without it."
            )
    return False


def _build_command() -> click.Command:
    output = click.Argument(["output"], type=click.Path(), callback=refuse_empty)
    options = [option.build() for option in OPTIONS]
    options[0].required = True
    return click.Command(
        "onnx", params=[*options, output], callback=_export_onnx, epilog=EPILOG, help=_export_onnx.__doc__
    )


onnx = _build_command()


@click.group("export")
def export_group() -> None:
    """Export a model."""


@click.group()
def optimum() -> None:
    """Take the command line of Optimum's exporter."""


export_group.add_command(onnx)
optimum.add_command(export_group)
