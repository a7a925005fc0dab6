"""The options that commands share, and how errors become a line of text and an exit code."""

import sys
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from dummyio.errors import DummyioError, OptionError

EPILOG = "Exit codes: 0 done, 1 a validation found a mismatch, 2 not possible."


class Setting(click.ParamType[tuple[str, Any]]):
    """``name=value``: an int, two ints for a range, ``true`` or ``false``, or a word."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Split at the first ``=``."""
        key, sign, text = str(value).partition("=")
        if not sign or not key:
            self.fail(f"{value!r}: write name=value, such as batch_size=4.", param, ctx)
        return key.strip().replace("-", "_"), _parse_value(text.strip())


def _parse_value(text: str) -> Any:
    parts = [part.strip() for part in text.split(",")]
    if all(part.lstrip("-").isdecimal() for part in parts):
        numbers = [int(part) for part in parts]
        return numbers[0] if len(numbers) == 1 else tuple(numbers)
    return {"true": True, "false": False}.get(text.lower(), text)


def collect_settings(settings: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """Return the ``--set`` options as keywords; raise `OptionError` for one that is given twice."""
    found: dict[str, Any] = {}
    for key, value in settings:
        if key in found:
            raise OptionError(f"--set {key}={value}: {key} is set twice.")
        found[key] = value
    return found


def fails_cleanly(command: Callable[..., None]) -> Callable[..., None]:
    """Turn errors of dummyio into a line and exit code 2, and warnings into lines."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", UserWarning)
                command(*args, **kwargs)
            for warning in caught:
                if issubclass(warning.category, UserWarning):
                    click.echo(f"warning: {warning.message}", err=True)
        except DummyioError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            click.echo("interrupted: no partial output was left.", err=True)
            sys.exit(130)

    return wrapped


source_argument = click.argument("source", type=click.Path())
task_option = click.option("--task", help="The task, such as text-classification or text-generation-with-past.")
set_option = click.option(
    "--set",
    "settings",
    type=Setting(),
    multiple=True,
    help="A size or an option: batch_size=4, padding_side=left. Repeat.",
)
seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Selects the values.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
