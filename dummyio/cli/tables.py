"""Tables on the terminal: inputs, symbols, values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dummyio.spec.rule_text import explain_rule
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import get_mask_path, get_padding_value

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from dummyio.input_spec import InputSpec

__all__ = ["console", "dim_table", "held", "input_table", "print_provenance", "table", "value_table"]


def console() -> Console:
    from rich.console import Console  # noqa: PLC0415 - not needed for --json

    screen = Console()
    # Into a file or a pipe, rows are not cut at a terminal's width that is not there.
    return screen if screen.is_terminal else Console(width=200)


def table(*columns: str, title: str | None = None) -> Table:
    from rich import box  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    made = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def input_table(spec: InputSpec) -> Table:
    rows = table("input", "shape", "size", "dtype", "holds", title=f"task {spec.task}" if spec.task else None)
    for path, leaf in spec.leaves:
        rows.add_row(path, _shape(leaf.shape), _shape(leaf.sizes()), str(leaf.dtype), held(spec, leaf))
    return rows


def held(spec: InputSpec, leaf: TensorSpec) -> str:
    mask = dict(spec.leaves).get(get_mask_path(leaf.values) or "")
    return explain_rule(leaf.values, get_padding_value(mask.values) if mask is not None else 0)


def dim_table(spec: InputSpec) -> Table:
    rows = table("dim", "size", "min", "max", "multiple of")
    for dim in spec.dims.values():
        row = (dim.size, dim.min, "" if dim.max is None else dim.max, "" if dim.multiple_of == 1 else dim.multiple_of)
        rows.add_row(dim.name, *map(str, row))
    return rows


def value_table(spec: InputSpec, values: list[dict[str, Any]], framework: str, seed: int) -> Table:
    title = f"{f'task {spec.task}, ' if spec.task else ''}framework {framework}, seed {seed}"
    rows = table("input", "shape", "size", "dtype", "holds", "smallest", "largest", title=title)
    for row in values:
        ends = ("" if row[end] is None else str(row[end]) for end in ("smallest", "largest"))
        rows.add_row(row["name"], _shape(row["shape"]), _shape(row["size"]), row["dtype"], row["holds"], *ends)
    return rows


def _shape(shape: Any) -> str:
    return f"\\[{', '.join(map(str, shape))}]"  # a bracket that rich does not take for markup


def print_provenance(screen: Console, spec: InputSpec) -> None:
    for key, value in spec.provenance.items():
        screen.print(f"{key}: {value}", markup=False, highlight=False, soft_wrap=True)
