"""The options that commands share, and the warnings that they print."""

from __future__ import annotations

import inspect
import math
import re
import warnings
from collections.abc import Callable, Collection
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

import dummyio
from dummyio.cli.program import print_error
from dummyio.errors import OptionError, escape_and_shorten

if TYPE_CHECKING:
    from dummyio.input_spec import InputSpec

EPILOG = (
    "Exit codes: 0 done, 1 a validation found a mismatch or doctor what stops an export, 2 not possible, 130 interrupted, 143 terminated. "
    "After a defect of dummyio (2), a file has its traceback; DUMMYIO_TRACEBACK=1 prints it."
)
_MAX_WARNING = 1000
_NUMBER = re.compile(r"[+-]?[0-9]{1,1000}")


class Setting(click.ParamType[tuple[str, Any]]):
    """``name=value``: an int, ``true`` or ``false``, or a word; several of these with commas between are a tuple, in brackets a list."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Split at the first ``=``."""
        key, sign, text = str(value).partition("=")
        if not sign or not key.strip() or not text.strip():
            self.fail(f"{value!r}: write name=value, such as batch_size=4.", param, ctx)
        return key.strip().replace("-", "_"), _parse_value(text.strip())


def _parse_value(text: str) -> Any:
    if text.startswith("[") and text.endswith("]"):
        inner = text[1:-1].strip()
        return [_parse_word(part.strip()) for part in inner.split(",")] if inner else []
    parts = [part.strip() for part in text.split(",")]
    return _parse_word(text) if len(parts) == 1 or "" in parts else tuple(map(_parse_word, parts))


def _parse_word(text: str) -> int | bool | str:
    return int(text) if _NUMBER.fullmatch(text) else {"true": True, "false": False}.get(text.lower(), text)


class Tolerance(click.FloatRange):
    """A finite number that is not negative."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Refuse what a range lets pass: nan and inf."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def refuse_empty(_: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Return the value of a parameter, unless it is an empty string: as a path, that would be the current folder."""
    if value == "" or (isinstance(value, tuple) and "" in value):
        raise click.BadParameter("it is empty.", param=parameter)
    return value


def collect_settings(
    settings: tuple[tuple[str, Any], ...], function: Callable[..., Any], settable: Collection[str] = ()
) -> dict[str, Any]:
    """Return the ``--set`` options as keywords of a function.

    Raises
    ------
    OptionError
        for one that is given twice, and for a parameter of the function that is not `settable`: the command has options
        and arguments for these.
    """
    found: dict[str, Any] = {}
    own = inspect.signature(function).parameters
    for key, value in settings:
        if key in found:
            raise OptionError(f"--set {key}={value}: {key} is set twice.")
        if key in own and own[key].kind is not own[key].VAR_KEYWORD and key not in settable:
            raise OptionError(f"--set {key}={value}: {key} is neither a size nor an option of a model; see --help.")
        found[key] = value
    return found


def collect_file_options(signature: str | None, custom_ops: tuple[str, ...]) -> dict[str, Any]:
    """Return ``--signature`` and ``--custom-ops`` as keywords of `dummyio.describe`, those that are given."""
    given = {"signature": signature, "custom_ops": custom_ops}
    return {name: value for name, value in given.items() if value}


def print_warnings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Print the warnings of a command as lines, also if it fails."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                return command(*args, **kwargs)
            finally:
                texts = [str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)]
                for text in dict.fromkeys(texts):
                    print_error(f"warning: {escape_and_shorten(' '.join(text.split()), _MAX_WARNING)}")

    return wrapped


def describe_asked(source: str | None, written: tuple[str, ...], task: str | None, **given: Any) -> InputSpec:
    """Return the spec of a source, or of the inputs that are written on the command line.

    Raises
    ------
    OptionError
        if both are given, or none, or a task beside written inputs.
    """
    if (source is None) != bool(written) or (written and task is not None):
        raise OptionError(
            "give a SOURCE, or inputs with --input NAME:DTYPE[AXES]:LOW..HIGH, and --task with a SOURCE only."
        )
    if source is not None:
        return dummyio.describe(source, task, **given)
    from dummyio.sources.written.inputs import describe_written  # noqa: PLC0415 - lazy: only for --input
    from dummyio.sources.written.settings import describe_as_set  # noqa: PLC0415 - lazy: the same

    options = {name: value for name, value in given.items() if name != "prove"}
    return describe_as_set(lambda dims: describe_written(written, dims), options)[0]


source_argument = click.argument("source", type=click.Path(), callback=refuse_empty)
optional_source_argument = click.argument("source", type=click.Path(), callback=refuse_empty, required=False)
input_option = click.option(
    "--input",
    "inputs",
    multiple=True,
    help="Without a SOURCE: an input as NAME:DTYPE[AXES]:LOW..HIGH, such as ids:int64[batch,seq]:0..30522. Repeat.",
)
task_option = click.option(
    "--task", callback=refuse_empty, help="The task, such as text-classification or text-generation-with-past."
)
set_option = click.option(
    "--set",
    "settings",
    type=Setting(),
    multiple=True,
    help="A size or an option: batch_size=4, padding_side=left, optimize=false; of an input its shape or a bound: x=[2,3,64,64], ids.max=100. Repeat.",
)
signature_option = click.option(
    "--signature", callback=refuse_empty, help="The one that is meant, of a SavedModel or a TFLite file with several."
)
custom_ops_option = click.option(
    "--custom-ops",
    multiple=True,
    type=click.Path(),
    callback=refuse_empty,
    help="A library of custom operators for ONNX Runtime, such as libmy_ops.so; its code runs. Repeat.",
)
seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Selects the values.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress on a terminal.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
