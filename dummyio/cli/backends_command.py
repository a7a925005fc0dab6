"""``dummyio backends``."""

import json
from typing import Any

import click

import dummyio
from dummyio.cli.shared_options import EPILOG, json_option, print_warnings
from dummyio.cli.tables import add_row, build_table, open_console
from dummyio.errors import DummyioError


@click.command(epilog=EPILOG)
@json_option
@print_warnings
def backends(as_json: bool) -> None:
    """List the backends, and whether their frameworks are installed."""
    rows = [_backend_row(name) for name in dummyio.available_backends()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = build_table("framework", "state", "dtypes")
    for row in rows:
        add_row(table, row["name"], row["state"], str(row["dtypes"] or ""))
    open_console().print(table)


def _backend_row(name: str) -> dict[str, Any]:
    try:
        backend = dummyio.load_backend(name)
    except DummyioError as error:
        return {"name": name, "installed": False, "state": str(error), "dtypes": 0}
    return {"name": name, "installed": True, "state": "installed", "dtypes": len(backend.dtypes)}
